/**
 * What /proc says of processes: whether a recorded one still runs, and who lives inside a network namespace.
 *
 * A pid alone proves nothing, the kernel hands it out again. A pid together with its start time (field 22 of
 * /proc/PID/stat, in clock ticks since boot) names one process for ever.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";

export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: string;
}

export interface ProcessStat extends ProcessIdentity {
  readonly parent: number;
  /** A zombie holds no resources; only its parent can remove it. */
  readonly ended: boolean;
}

/**
 * Parses /proc/PID/stat. The command's name in parentheses may hold spaces and parentheses itself: the last one
 * counts.
 */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 0 || close < open) return undefined;
  const pid = Number(text.slice(0, open));
  const fields = text
    .slice(close + 1)
    .trim()
    .split(/\s+/);
  const [state, parent] = fields;
  const startTime = fields[19];
  if (!Number.isInteger(pid) || state === undefined || startTime === undefined) return undefined;
  return { pid, startTime, parent: Number(parent), ended: state === "Z" || state === "X" };
}

export function processStat(pid: number): ProcessStat | undefined {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return undefined;
  }
}

/** The very process that was recorded, still running. */
export function isRunning(identity: ProcessIdentity): boolean {
  const stat = processStat(identity.pid);
  return stat !== undefined && !stat.ended && stat.startTime === identity.startTime;
}

/** This process and all its ancestors: `overland lab down` started from inside a lab must not end its own shell. */
export function ownLine(): Set<number> {
  const line = new Set<number>();
  for (let pid = process.pid; pid > 0 && !line.has(pid); pid = processStat(pid)?.parent ?? 0) line.add(pid);
  return line;
}

/** Every process whose network namespace is one of these inodes. */
export function processesInside(inodes: ReadonlySet<number>): ProcessIdentity[] {
  if (inodes.size === 0) return [];
  const found: ProcessIdentity[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || !inodes.has(networkNamespace(pid))) continue;
    const stat = processStat(pid);
    if (stat !== undefined && !stat.ended) found.push({ pid, startTime: stat.startTime });
  }
  return found;
}

function networkNamespace(pid: number): number {
  try {
    return statSync(`/proc/${pid}/ns/net`).ino;
  } catch {
    return -1;
  }
}
