/**
 * What `npm run lab`, `npm test` and the others call first: makes a fresh clone on a fresh machine able to run, says
 * in one line each what it installs, and then runs the wanted program.
 *
 * Plain JavaScript on the machine's own Node (20 or newer), with nothing but what Node brings: at this point nothing
 * else may be there. When nothing is missing it costs a few file checks.
 *
 *   node src/setup/prepare.mjs lab|test|check|unit|build|e2e|bench|fuzz [arguments]
 */

import { handOver } from "./hand-over.mjs";
import { probeKernel } from "./kernel-probe.mjs";
import { installModules } from "./modules.mjs";
import { installPackages } from "./packages.mjs";
import { buildPlugin } from "./plugin.mjs";
import { PROGRAMS } from "./programs.mjs";
import { Unfit } from "./unfit.mjs";

async function main([wanted, ...args]) {
  const program = PROGRAMS[wanted];
  if (program === undefined) {
    throw new Unfit(`say what to run: ${Object.keys(PROGRAMS).join(", ")} (not ${JSON.stringify(wanted ?? "")}).`);
  }
  checkNode();
  if (program.root && process.getuid?.() !== 0) {
    const command = wanted === "test" ? "npm test" : `npm run ${wanted}`;
    throw new Unfit(
      `${command} makes network namespaces, which only root may do: run it as root, e.g. sudo ${command}`,
    );
  }
  await installPackages(typeof program.needs === "function" ? program.needs(args) : program.needs);
  if (program.root) await probeKernel();
  await installModules();
  if (program.plugin) await buildPlugin();
  return await handOver(program.command(args));
}

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return;
  throw new Unfit(`this is Node.js ${process.versions.node}; Overland needs 20.19 or newer to install itself.`);
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof Unfit)) throw error;
  process.stderr.write(`overland: ${error.message}\n`);
  process.exitCode = error.exitCode;
}
