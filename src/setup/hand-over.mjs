/** Runs the wanted program with the Node.js of node_modules; signals and the exit code pass through. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { dirname } from "node:path";
import { NODE } from "./modules.mjs";
import { ROOT } from "./root.mjs";

export function handOver([script, ...args]) {
  const PATH = `${dirname(NODE)}:${process.env.PATH ?? ""}:/usr/sbin:/sbin`;
  // The caller's directory stays: a file named on the command line is looked for where the caller stands.
  const child = spawn(NODE, [`${ROOT}/${script}`, ...args], { stdio: "inherit", env: { ...process.env, PATH } });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)));
  });
}
