/**
 * Long-running processes of a lab: started inside a namespace, recorded at once, stopped by identity and never by
 * name.
 */
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inside } from "./command.ts";
import { labPaths } from "./paths.ts";
import { isRunning, type ProcessIdentity, processStat } from "./proc.ts";
import { changeState, type ProcessRecord } from "./state.ts";

export interface ProcessStart {
  readonly lab: string;
  readonly name: string;
  readonly netns: string;
  readonly command: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export const logFile = (lab: string, process: string): string =>
  `${labPaths(lab).log}/${process.replaceAll("/", "-")}.log`;

/**
 * Starts in a session of its own, so that no terminal signal reaches it. Between `spawn` and the written record nothing
 * else runs here; if the lab dies in that instant, `down` still finds the process by its namespace.
 */
export function start(what: ProcessStart): ProcessRecord {
  const [file = "", ...args] = inside(what.netns, what.command);
  const log = logFile(what.lab, what.name);
  mkdirSync(dirname(log), { recursive: true });
  const output = openSync(log, "a");
  const child = spawn(file, args, {
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, ...what.environment },
  });
  child.on("error", () => {});
  child.unref();
  closeSync(output);
  const startTime = child.pid === undefined ? undefined : processStat(child.pid)?.startTime;
  if (child.pid === undefined || startTime === undefined) throw new Error(`${what.name}: ${file} cannot be started`);
  const record = { name: what.name, pid: child.pid, startTime, netns: what.netns };
  changeState(what.lab, (state) => ({
    ...state,
    processes: [...state.processes.filter((other) => other.name !== what.name), record],
  }));
  return record;
}

export function kill(identity: ProcessIdentity, signal: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, signal);
  } catch {
    // It ended in between.
  }
}

/** SIGTERM to all, `graceMs` for them to leave in order, then SIGKILL. */
export async function stop(identities: readonly ProcessIdentity[], graceMs: number): Promise<void> {
  for (const identity of identities) kill(identity, "SIGTERM");
  const deadline = performance.now() + graceMs;
  while (identities.some(isRunning) && performance.now() < deadline) await sleep(15);
  for (const identity of identities) kill(identity, "SIGKILL");
  // Ended is not yet gone: an orphan stays in the process table until init has read its exit code.
  const patience = performance.now() + 1000;
  while (identities.some(({ pid }) => processStat(pid) !== undefined) && performance.now() < patience) await sleep(15);
}
