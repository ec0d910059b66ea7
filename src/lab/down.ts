/**
 * Removes a lab: finished, half-built, crashed, or with its state file lost.
 *
 * What belongs to it is known in two independent ways: the records in its state file (believed only where pid *and*
 * start time match) and its namespaces' names (a process inside one of them is the lab's). Nothing is ever ended by
 * its program's name. Safe to repeat; a second call finds nothing to do.
 */
import { existsSync, readdirSync, rmdirSync, rmSync } from "node:fs";
import { existingNamespaces, namespaceInode, removeNamespaces } from "./namespaces.ts";
import { DATA_ROOT, labPaths, RUN_ROOT } from "./paths.ts";
import { isRunning, ownLine, type ProcessIdentity, processesInside } from "./proc.ts";
import { stop } from "./processes.ts";
import { readState } from "./state.ts";

export interface Removed {
  readonly processes: number;
  readonly namespaces: number;
  readonly files: boolean;
}

const GRACE_MS = 1500;

export async function removeLab(name: string): Promise<Removed> {
  const spared = ownLine();
  const paths = labPaths(name);
  const recorded = (readState(name)?.processes ?? []).filter(isRunning);
  const namespaces = existingNamespaces(name);
  const ended = new Map<number, ProcessIdentity>();
  // A process may start another while it is being stopped: look again until none is left.
  for (let round = 0; round < 5; round++) {
    const found = belonging(recorded, inhabitants(name), spared);
    if (found.length === 0) break;
    for (const process of found) ended.set(process.pid, process);
    await stop(found, GRACE_MS);
  }
  await removeNamespaces(namespaces);
  const files = existsSync(paths.run) || existsSync(paths.data);
  rmSync(paths.run, { recursive: true, force: true });
  rmSync(paths.data, { recursive: true, force: true });
  for (const root of [RUN_ROOT, DATA_ROOT]) removeIfEmpty(root);
  removeFrrTraces([...ended.keys()]);
  return { processes: ended.size, namespaces: namespaces.length, files };
}

/** Anything at all of a lab of this name on the machine. */
export const labTraces = (name: string): boolean =>
  existsSync(labPaths(name).run) || existsSync(labPaths(name).data) || existingNamespaces(name).length > 0;

/** The union of what was recorded and runs, and what was found inside, without those that must be spared. */
export function belonging(
  recorded: readonly ProcessIdentity[],
  found: readonly ProcessIdentity[],
  spared: ReadonlySet<number>,
  running: (identity: ProcessIdentity) => boolean = isRunning,
): ProcessIdentity[] {
  const all = new Map<number, ProcessIdentity>();
  for (const identity of [...recorded, ...found]) {
    if (!spared.has(identity.pid) && running(identity)) all.set(identity.pid, identity);
  }
  return [...all.values()];
}

function inhabitants(name: string): ProcessIdentity[] {
  const inodes = existingNamespaces(name).map(namespaceInode);
  return processesInside(new Set(inodes.filter((inode) => inode !== undefined)));
}

/** FRR daemons keep a scratch directory named after their pid, which stays behind when they are killed. */
function removeFrrTraces(pids: readonly number[]): void {
  for (const pid of pids) {
    for (const daemon of ["zebra", "bgpd"]) rmSync(`/var/tmp/frr/${daemon}.${pid}`, { recursive: true, force: true });
  }
}

function removeIfEmpty(directory: string): void {
  try {
    if (readdirSync(directory).length === 0) rmdirSync(directory);
  } catch {
    // Not there.
  }
}
