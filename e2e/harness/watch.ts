/**
 * One proof, watched: it has a time limit, and when it fails it leaves its evidence in a directory that the failure
 * names.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { it } from "@jest/globals";
import type { LabStatus } from "../../src/lab/status.ts";
import { gatherEvidence } from "./evidence.ts";
import { thaw } from "./processes.ts";
import { overland } from "./program.ts";

export interface Proof {
  readonly sentence: string;
  readonly seconds: number;
  work(): Promise<void>;
  /** What to gather evidence of; asked after a failure. */
  labs(): Promise<readonly LabStatus[]> | readonly LabStatus[];
}

export function prove(proof: Proof): void {
  it(proof.sentence, () => watched(proof), (proof.seconds + 30) * 1000);
}

/** Those of these names that there are. */
export async function labsThatAreUp(names: readonly string[]): Promise<LabStatus[]> {
  const asked = names.map((name) => overland(["lab", "status", "--name", name, "-o", "json"]));
  return (await Promise.all(asked)).flatMap(({ code, stdout }) =>
    code === 0 ? [JSON.parse(stdout) as LabStatus] : [],
  );
}

async function watched({ sentence, seconds, work, labs }: Proof): Promise<void> {
  const late = new AbortController();
  try {
    await Promise.race([work(), timeLimit(seconds, late.signal)]);
  } catch (error) {
    const gathered = (await labs()).map((lab) =>
      gatherEvidence(lab, sentence).catch((trouble: Error) => `cannot be gathered: ${trouble.message}`),
    );
    throw withEvidence(error as Error, await Promise.all(gathered));
  } finally {
    late.abort();
    thaw();
  }
}

async function timeLimit(seconds: number, signal: AbortSignal): Promise<never> {
  await sleep(seconds * 1000, undefined, { signal }).catch(() => {});
  throw new Error(`the proof did not come to an end within ${seconds} s`);
}

function withEvidence(error: Error, directories: readonly string[]): Error {
  if (directories.length === 0) return error;
  const message = `${error.message}\n\nLogs, states and captures: ${directories.join(" ")}\n`;
  const told = new Error(message);
  // Where the scenario failed, not where this was written.
  told.stack = (error.stack ?? "").replace(error.message, message);
  return told;
}
