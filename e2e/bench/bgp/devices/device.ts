/** A device under test: how its daemon is told what to do, and what it cannot do. */
import type { BenchPeer } from "../addresses.ts";
import type { Scenario } from "../scenarios.ts";

export interface Place {
  /** Of this run alone; removed after it. */
  readonly folder: string;
  readonly port: number;
  readonly peers: readonly BenchPeer[];
  readonly scenario: Scenario;
}

export interface Program {
  readonly command: readonly string[];
  /** A file that it makes when it is ready for the next program. */
  readonly makes?: string;
}

export interface Device {
  readonly name: string;
  /** What was set apart from the peers, for the reader of the results. */
  readonly note: string;
  readonly nature: "speaker" | "relay" | "sink";
  /** Prints its version, on either output. */
  readonly version: readonly string[];
  /** A file without which it is not installed. */
  readonly program: string;
  /** A folder it expects, made for it where there is none. */
  readonly room?: string;
  /** In words; undefined: it can. */
  cannot(scenario: Scenario): string | undefined;
  /** Writes what they need into the folder and tells what to start, in order. */
  prepare(place: Place): readonly Program[];
}
