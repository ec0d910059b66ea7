/** What processes cost, read from /proc: CPU time, resident memory and its peak; and how busy the machine is. */
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = 100;

export interface Cost {
  /** Seconds of CPU time since the processes began. */
  readonly cpu: number;
  readonly residentKb: number;
  /** Each process's own peak, summed. Memory that processes share counts for each of them. */
  readonly peakKb: number;
}

/** These processes and all below them. */
export function processTree(roots: readonly number[]): number[] {
  const found = [...roots];
  for (const pid of found) {
    for (const task of list(`/proc/${pid}/task`)) {
      const children = read(`/proc/${pid}/task/${task}/children`);
      for (const child of children.split(" ").filter(Boolean)) found.push(Number(child));
    }
  }
  return found;
}

export function costOf(pids: readonly number[]): Cost {
  const sum = { cpu: 0, residentKb: 0, peakKb: 0 };
  for (const pid of pids) {
    sum.cpu += cpuOf(pid);
    const status = read(`/proc/${pid}/status`);
    sum.residentKb += field(status, "VmRSS");
    sum.peakKb += field(status, "VmHWM");
  }
  return sum;
}

/** Seconds all programs together ran (interrupts apart, which belong to nobody) and the host took away. */
export function machineCpu(): { busy: number; stolen: number } {
  const [user = 0, nice = 0, system = 0, , , , , stolen = 0] = (read("/proc/stat").split("\n", 1)[0] as string)
    .split(/\s+/)
    .slice(1)
    .map((ticks) => Number(ticks) / TICKS_PER_SECOND);
  return { busy: user + nice + system, stolen };
}

/**
 * The scheduler counts nanoseconds, but forgets threads that have ended; the ticks of `stat` are coarse, but forget
 * nothing. The threads of a device mostly stay.
 */
function cpuOf(pid: number): number {
  let nanoseconds = 0;
  for (const task of list(`/proc/${pid}/task`)) {
    nanoseconds += Number(read(`/proc/${pid}/task/${task}/schedstat`).split(" ", 1)[0]);
  }
  const stat = read(`/proc/${pid}/stat`);
  const [user = 0, system = 0] = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .slice(11, 13)
    .map((ticks) => Number(ticks) / TICKS_PER_SECOND);
  const exact = nanoseconds / 1e9;
  return exact > user + system - 0.05 ? exact : user + system;
}

function field(status: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
