/** One run of one device in one scenario: everything it needs is made, and gone again however it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Interrupted } from "../ending.ts";
import { peersOf } from "./addresses.ts";
import { Arena, enter } from "./arena.ts";
import type { Device, Program } from "./devices/device.ts";
import type { Job, Outcome } from "./job.ts";
import { processTree } from "./processes.ts";
import type { Scenario } from "./scenarios.ts";

const GENERATOR = join(import.meta.dirname, "../bgp-generator.ts");
const PORT = 179;
const START_SECONDS = 10;
const LOG_LINES = 6;

export interface Terms {
  readonly seed: number;
  /** -20 … 19, for device and generator alike. */
  readonly niceness: number;
  readonly timeoutSeconds: number;
  /** Asked again and again: true ends the run. */
  readonly interrupted: () => boolean;
}

export async function run(device: Device, scenario: Scenario, terms: Terms): Promise<Outcome> {
  const arena = new Arena();
  const folder = mkdtempSync(join(tmpdir(), "overland-bench-bgp-"));
  // Daemons that give up root still read their configuration.
  chmodSync(folder, 0o755);
  const roomIsOurs = device.room !== undefined && !existsSync(device.room);
  const children: ChildProcess[] = [];
  try {
    arena.build();
    if (device.room !== undefined) mkdirSync(device.room, { recursive: true });
    const programs = device.prepare({ folder, port: PORT, peers: peersOf(scenario), scenario });
    for (const program of programs) children.push(await start(program, arena.device, folder, terms));
    const pids = children.map(({ pid }) => pid as number);
    const { seed, timeoutSeconds } = terms;
    const job = { scenario, seed, port: PORT, pids, netns: arena.device, nature: device.nature, timeoutSeconds };
    const outcome = await generate(job, arena.generator, terms, children);
    const ended = children.find((child) => child.exitCode !== null || child.signalCode !== null);
    if (outcome.wrong === undefined && ended === undefined) return outcome;
    const why = outcome.wrong ?? `the device ended with ${ended?.exitCode ?? ended?.signalCode}`;
    return { ...outcome, wrong: `${why}${lastWords(folder)}` };
  } finally {
    for (const child of children) end(child);
    arena.remove();
    rmSync(folder, { recursive: true, force: true });
    if (roomIsOurs && device.room !== undefined) rmSync(device.room, { recursive: true, force: true });
  }
}

async function start(program: Program, netns: string, folder: string, terms: Terms): Promise<ChildProcess> {
  const log = openSync(join(folder, "log"), "a");
  // Detached: Ctrl-C at the terminal is for us, who end it in order.
  const child = spawn(...enter(netns, [...manners(terms), ...program.command]), {
    cwd: folder,
    stdio: ["ignore", log, log],
    detached: true,
  });
  await until(
    () => child.pid !== undefined && (program.makes === undefined || existsSync(program.makes)),
    terms,
    child,
  );
  return child;
}

async function until(condition: () => boolean, terms: Terms, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + START_SECONDS * 1000; !condition(); ) {
    if (terms.interrupted()) throw new Interrupted();
    if (child.exitCode !== null || Date.now() > deadline)
      throw new Error(`${child.spawnargs.join(" ")} does not start`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** The generator's own process does the job, in its own namespace. */
async function generate(job: Job, netns: string, terms: Terms, devices: readonly ChildProcess[]): Promise<Outcome> {
  const args = [...manners(terms), process.execPath, GENERATOR];
  const generator = spawn(...enter(netns, args), { stdio: ["ignore", "inherit", "inherit", "ipc"], detached: true });
  const end: { gone: boolean; outcome: Outcome } = { gone: false, outcome: { wrong: "the generator gave no answer" } };
  generator.on("message", (message) => {
    end.outcome = message as Outcome;
  });
  generator.on("close", () => {
    end.gone = true;
  });
  generator.send(job);
  try {
    while (!end.gone) {
      if (terms.interrupted()) throw new Interrupted();
      if (devices.some(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)) {
        return { wrong: "the device ended" };
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return end.outcome;
  } finally {
    if (!end.gone) generator.kill("SIGKILL");
  }
}

/** Five hundred sessions need more open files than shells allow by default; more than the hard limit nobody gets. */
export function manners({ niceness }: Terms): string[] {
  const hard = /Max open files\s+\d+\s+(\d+)/.exec(readFileSync("/proc/self/limits", "utf8"))?.[1] ?? "1024";
  // Even a benchmark that is killed leaves none of them behind.
  const withUs = ["setpriv", "--pdeathsig", "KILL"];
  return [...withUs, "prlimit", `--nofile=${hard}`, "nice", "-n", String(niceness)];
}

/** With everything below it; nothing it would say on its way out is of interest, and some take long to leave. */
function end(child: ChildProcess): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  for (const pid of processTree([child.pid])) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended with its parent.
    }
  }
}

/** Of a stack trace the first lines say most, of a log the last. */
function lastWords(folder: string): string {
  const log = join(folder, "log");
  const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
  const shown = lines.length <= 2 * LOG_LINES ? lines : [...lines.slice(0, LOG_LINES), "…", ...lines.slice(-LOG_LINES)];
  return shown.join("") === "" ? "" : `\n    ${shown.join("\n    ")}`;
}
