/**
 * The frame around everything that makes or keeps a lab: sizes and machine checked, the lock held, signals listened
 * for, and whatever was made removed again when the work fails or is interrupted.
 */
import { thisProgram } from "./agents.ts";
import { removeLab } from "./down.ts";
import { keepEvidence } from "./evidence.ts";
import { type Lab, labName } from "./lab.ts";
import { lockLab } from "./lock.ts";
import { terminalProgress } from "./progress.ts";
import { checkMachine } from "./requirements.ts";
import { type LabSize, planLab, sizeFault } from "./topology.ts";
import { LabUsage } from "./usage.ts";

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export interface Outcome {
  readonly code: number;
  readonly remove: boolean;
}

export type Unlock = () => Promise<void>;

export async function withLab(
  size: LabSize,
  verbose: boolean,
  purpose: string,
  work: (lab: Lab, unlock: Unlock) => Promise<Outcome>,
): Promise<number> {
  const fault = sizeFault(size);
  if (fault !== undefined) throw new LabUsage(fault);
  checkMachine(size.kubernetes);
  const interruption = listenForSignals();
  const lab = {
    plan: planLab(size),
    program: thisProgram(),
    progress: terminalProgress(verbose),
    signal: interruption.signal,
  };
  let unlock = await lockLab(size.name, purpose);
  let outcome: Outcome = { code: 1, remove: true };
  try {
    outcome = await work(lab, async () => {
      await unlock();
      unlock = async () => {};
    });
  } catch (error) {
    // What waits beside the part that failed need not wait any longer.
    interruption.abort();
    // A lab that somebody else keeps is not ours to remove.
    if ((error as { code?: string }).code === "LAB_EXISTS") {
      await unlock();
      throw error;
    }
    if (interruption.exitCode() === 0) lab.progress.proof(false, (error as Error).message, "");
    else outcome = { code: interruption.exitCode(), remove: true };
  }
  if (outcome.remove && outcome.code === 1) await tellEvidence(lab);
  if (outcome.remove) await clear(lab);
  await unlock();
  return outcome.code;
}

/** Failing to keep it must not keep the lab from being removed. */
async function tellEvidence(lab: Lab): Promise<void> {
  const kept = await keepEvidence(labName(lab)).catch((error: Error) => `cannot be kept: ${error.message}`);
  if (kept !== undefined) lab.progress.say("evidence", `logs, captures and the last status: ${kept}`);
}

async function clear(lab: Lab): Promise<void> {
  const name = labName(lab);
  const removed = await removeLab(name);
  lab.progress.say(
    "removed",
    `lab ${name}: every namespace (${removed.namespaces}), process (${removed.processes}) and file`,
  );
}

/** The first signal asks for the end; more of them change nothing, the cleaning goes on. */
function listenForSignals(): { signal: AbortSignal; abort: () => void; exitCode: () => number } {
  const controller = new AbortController();
  let code = 0;
  for (const [signal, exitCode] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (code === 0) process.stdout.write(`\n${signal}: removing what there is\n`);
      if (code === 0) code = exitCode;
      controller.abort();
    });
  }
  // Other commands end when their output is closed; a lab must live on until it has cleaned up.
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners("error").on("error", () => {});
  return { signal: controller.signal, abort: () => controller.abort(), exitCode: () => code };
}
