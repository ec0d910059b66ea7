/** Processes found by the network namespace they live in; killed, frozen, and started again exactly as they were. */
import { spawn } from "node:child_process";
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { inside } from "./command.ts";
import { eventually } from "./wait.ts";

export interface Process {
  readonly pid: number;
  /** Of /proc/PID/stat: tells the process from a later one with the same number. */
  readonly startTime: string;
  readonly netns: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Those whose command line holds all the words, e.g. "bird", or "agent" and "--config". */
export function processesIn(netns: string, ...words: readonly string[]): Process[] {
  const inode = statSync(`/run/netns/${netns}`).ino;
  return numbers().flatMap((pid) => {
    try {
      if (statSync(`/proc/${pid}/ns/net`).ino !== inode) return [];
      const process = describe(pid, netns);
      const line = process.command.join(" ");
      return isRunning(process) && words.every((word) => line.includes(word)) ? [process] : [];
    } catch {
      // Ended meanwhile.
      return [];
    }
  });
}

export function processIn(netns: string, ...words: readonly string[]): Process {
  const [process, another] = processesIn(netns, ...words);
  if (process === undefined) throw new Error(`no process of ${words.join(" ")} in ${netns}`);
  if (another !== undefined) throw new Error(`more than one process of ${words.join(" ")} in ${netns}`);
  return process;
}

/** Every process that inherited this environment variable, whatever namespace it is in. */
export const processesWith = (variable: string): number[] =>
  numbers().filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").split("\0").includes(variable);
    } catch {
      return false;
    }
  });

export function isRunning({ pid, startTime }: Process): boolean {
  const stat = statOf(pid);
  return stat !== undefined && stat.startTime === startTime && stat.state !== "Z" && stat.state !== "X";
}

/** Open files and sockets: after work that came to its end there are as many as before. */
export const descriptors = ({ pid }: Process): number => readdirSync(`/proc/${pid}/fd`).length;

export function signal(target: Process, name: NodeJS.Signals): void {
  if (isRunning(target)) process.kill(target.pid, name);
}

/** Sends the signal and waits until the process is gone. */
export async function end(target: Process, name: "SIGKILL" | "SIGTERM" = "SIGKILL"): Promise<void> {
  signal(target, name);
  await eventually(`${target.command.join(" ")} ends after ${name}`, 8, () => !isRunning(target));
}

const stopped = new Set<Process>();

/** Stops the process from running for as long as the work takes. */
export async function frozen<T>(target: Process, work: () => Promise<T>): Promise<T> {
  signal(target, "SIGSTOP");
  stopped.add(target);
  try {
    return await work();
  } finally {
    thaw([target]);
  }
}

/** For a proof that was given up while its work still waits: the next one must not find anything frozen. */
export function thaw(targets: Iterable<Process> = stopped): void {
  for (const target of [...targets]) {
    signal(target, "SIGCONT");
    stopped.delete(target);
  }
}

/**
 * The same command line, environment and namespace once more; words may be added. Output goes to the end of the log.
 */
export function startAgain(former: Process, log: string, ...more: readonly string[]): void {
  startIn(former.netns, [...former.command, ...more], log, former.environment);
}

export function startIn(
  netns: string,
  command: readonly string[],
  log: string,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): void {
  const [file = "", ...args] = inside(netns, command);
  const output = openSync(log, "a");
  const child = spawn(file, args, { detached: true, stdio: ["ignore", output, output], env: { ...environment } });
  child.on("error", () => {});
  child.unref();
  closeSync(output);
}

function describe(pid: number, netns: string): Process {
  const split = (file: string) => readFileSync(`/proc/${pid}/${file}`, "utf8").split("\0").slice(0, -1);
  const environment = Object.fromEntries(split("environ").map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
  return { pid, startTime: statOf(pid)?.startTime ?? "", netns, command: split("cmdline"), environment };
}

function statOf(pid: number): { readonly state: string; readonly startTime: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name in parentheses may hold anything; fields are counted from behind it.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return { state: fields[0] ?? "", startTime: fields[19] ?? "" };
  } catch {
    return undefined;
  }
}

const numbers = (): number[] => readdirSync("/proc").map(Number).filter(Number.isInteger);
