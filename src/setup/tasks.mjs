/**
 * The repository's own tasks, on the Node.js of node_modules: check, unit, build, e2e, bench, fuzz, and test, which is
 * the first four in order. `test` goes on after a failure, so that one run shows everything, and ends with one plain
 * line.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { ROOT } from "./root.mjs";
import { runQuietly, runVisibly } from "./run-task.mjs";

const BIN = `${ROOT}/node_modules/.bin`;
const NODE = process.execPath;

const CHECKS = {
  tsc: [`${BIN}/tsc`, "--noEmit", "-p", "."],
  biome: [`${BIN}/biome`, "check", "."],
  oxlint: [`${BIN}/oxlint`],
  knip: [`${BIN}/knip`],
};

const BENCHES = ["bgp", "cluster", "cni", "dataplane", "ipam", "services"];

const jest = (args) => [
  NODE,
  "--experimental-vm-modules",
  "--no-warnings",
  `${ROOT}/node_modules/jest/bin/jest.js`,
  ...args,
];

const TASKS = {
  check,
  unit: (args) => runJest("unit", args),
  build,
  e2e: (args) => runJest("e2e", ["--config", "src/setup/jest-e2e.config.mjs", "--runInBand", ...args]),
  bench,
  fuzz: async (args) =>
    tally(await runVisibly([NODE, "--expose-gc", "--no-warnings", `${ROOT}/src/setup/fuzz.mjs`, ...args])),
  test,
};

/** Static checks side by side; the words of those that fail are shown. */
async function check() {
  const results = await Promise.all(
    Object.entries(CHECKS).map(async ([name, command]) => ({ name, ...(await runQuietly(command)) })),
  );
  for (const { name, code, output, seconds } of results) {
    process.stdout.write(`${code === 0 ? "ok    " : "FAILED"} ${name} (${seconds} s)\n`);
    if (code !== 0) process.stdout.write(`${output.trimEnd()}\n`);
  }
  const failed = results.filter(({ code }) => code !== 0).length;
  return { passed: results.length - failed, failed };
}

async function build() {
  const steps = [
    [`${BIN}/tsc`, "-p", "src/setup/tsconfig.build.json"],
    [NODE, `${ROOT}/src/cni/plugin/build.mjs`],
    [NODE, "--no-warnings", `${ROOT}/src/setup/definitions.mjs`],
  ];
  const failed = [];
  for (const step of steps) if ((await runVisibly(step)) !== 0) failed.push(step);
  return { passed: steps.length - failed.length, failed: failed.length };
}

/** jest tells its counts in a file; without one it did not come that far. */
async function runJest(name, args) {
  const folder = `${tmpdir()}/overland-${name}-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  try {
    const code = await runVisibly(jest([...args, "--json", `--outputFile=${folder}/result.json`]));
    const result = JSON.parse(readFileSync(`${folder}/result.json`, "utf8"));
    const failed = result.numFailedTests + result.numRuntimeErrorTestSuites;
    return { passed: result.numPassedTests, failed: code === 0 ? 0 : Math.max(1, failed) };
  } catch {
    return { passed: 0, failed: 1 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function test(args) {
  const total = { passed: 0, failed: 0 };
  const lines = [];
  for (const name of ["check", "unit", "build", "e2e"]) {
    process.stdout.write(`\n== ${name}\n`);
    const started = performance.now();
    const { passed, failed } = await TASKS[name](name === "e2e" ? args : []);
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    lines.push(
      `${failed === 0 ? "ok    " : "FAILED"} ${name.padEnd(6)} ${passed} passed, ${failed} failed (${seconds} s)`,
    );
    total.passed += passed;
    total.failed += failed;
  }
  process.stdout.write(`\n${lines.join("\n")}\n\n${total.passed} passed, ${total.failed} failed\n`);
  return total;
}

async function bench([name = "", ...args]) {
  if (!BENCHES.includes(name)) {
    process.stderr.write(`npm run bench ${BENCHES.join("|")} -- [--help]: which one?\n`);
    return { passed: 0, failed: 1 };
  }
  // What is measured is the program as it is shipped.
  const { failed } = await build();
  if (failed > 0) return { passed: 0, failed };
  return tally(await runVisibly([NODE, `${ROOT}/e2e/bench/${name}.ts`, ...args]));
}

const tally = (code) => ({ passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 });

const [name = "", ...args] = process.argv.slice(2);
const { failed } = await TASKS[name](args);
process.exitCode = failed === 0 ? 0 : 1;
