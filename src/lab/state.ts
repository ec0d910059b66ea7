/**
 * The lab's memory, `/run/overland-lab/<name>/state.json`: its size, what it started, its pods.
 *
 * Written whole and renamed into place, so a reader sees one version or the next. Written by whoever holds the lab's
 * lock; read by all. `down` uses it where it is there and does without where it is not.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { labPaths } from "./paths.ts";
import type { ProcessIdentity } from "./proc.ts";
import type { LabSize } from "./topology.ts";

export interface ProcessRecord extends ProcessIdentity {
  /** "tor1/bird", "r1n1/agent" …: also the name of its log. */
  readonly name: string;
  readonly netns: string;
}

export interface PodRecord {
  readonly name: string;
  readonly node: string;
  readonly netns: string;
  readonly containerID: string;
  readonly addresses: readonly string[];
  readonly hostInterface: string;
}

export interface LabState {
  readonly size: LabSize;
  readonly startedAt: string;
  /** The process that stays with the lab and removes it when it ends; none after `up` and `--keep`. */
  readonly owner?: ProcessIdentity;
  /** Set when everything was up; a state without it belongs to a half-built lab. */
  readonly complete: boolean;
  readonly processes: readonly ProcessRecord[];
  readonly pods: readonly PodRecord[];
}

export function readState(name: string): LabState | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(labPaths(name).state, "utf8"));
    return isState(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function writeState(state: LabState): void {
  const { run, state: file } = labPaths(state.size.name);
  mkdirSync(run, { recursive: true });
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 1)}\n`);
  renameSync(`${file}.new`, file);
}

/** Reads, changes and writes in one go: nothing else of this process can come between. */
export function changeState(name: string, change: (state: LabState) => LabState): void {
  const state = readState(name);
  if (state === undefined) throw new Error(`lab ${name}: its state file ${labPaths(name).state} is gone`);
  writeState(change(state));
}

function isState(value: unknown): value is LabState {
  if (typeof value !== "object" || value === null) return false;
  const { size, processes, pods } = value as Partial<LabState>;
  return typeof size?.name === "string" && Array.isArray(processes) && Array.isArray(pods);
}
