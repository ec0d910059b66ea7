/** What the benchmark asks of the generator's process, and what comes back. */
import type { Scenario } from "./scenarios.ts";

export interface Job {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly port: number;
  /** The processes of the device, and the namespace it lives in. */
  readonly pids: readonly number[];
  readonly netns: string;
  /** How it treats AS paths and prefixes: a speaker, a copier of octets, or one that answers End-of-RIB alone. */
  readonly nature: "speaker" | "relay" | "sink";
  /** For each phase. */
  readonly timeoutSeconds: number;
}

/** Times in seconds. */
export interface Outcome {
  /** Undefined: all was right. */
  readonly wrong?: string;
  /** What the scenario is about. */
  readonly time?: number;
  readonly established?: number;
  readonly firstRoute?: number;
  readonly sent?: number;
  readonly withdrawn?: number;
  /** Of the device, while the clock ran. */
  readonly cpu?: number;
  /** Of the device: before the first route, when all was right, and at most in its life. */
  readonly idleKb?: number;
  readonly residentKb?: number;
  readonly peakKb?: number;
  readonly generatorCpu?: number;
  /** CPUs that others used while the clock ran, and that the host took. */
  readonly noise?: number;
  readonly stolen?: number;
  readonly keepaliveLateMs?: number;
  readonly received?: { updates: number; announced: number; withdrawn: number; unknown: number };
}
