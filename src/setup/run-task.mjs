/**
 * Running one step of a task from the repository's root. Signals pass on to it; what it leaves running is its own
 * affair.
 */
import { spawn } from "node:child_process";
import { ROOT } from "./root.mjs";

export async function runVisibly(command) {
  return (await runStep(command, "inherit")).code;
}

/** Its words are kept, to be shown if it fails. */
export const runQuietly = (command) => runStep(command, "pipe");

function runStep([file, ...args], stdio) {
  const started = performance.now();
  const child = spawn(file, args, { cwd: ROOT, stdio: ["inherit", stdio, stdio] });
  const forward = (signal) => child.kill(signal);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
  const chunks = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => chunks.push(chunk));
  return new Promise((resolve) => {
    const end = (code, note = "") => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.off(signal, forward);
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      resolve({ code, seconds, output: Buffer.concat(chunks).toString("utf8") + note });
    };
    child.on("error", (error) => end(127, error.message));
    child.on("close", (code) => end(code ?? 1));
  });
}
