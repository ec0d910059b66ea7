/** `overland lab run`, `up` and `down`: the lab's life from start to exit code. */
import { removeLab } from "./down.ts";
import { playDrama } from "./drama.ts";
import { type Lab, labName } from "./lab.ts";
import { stayAndWatch } from "./live.ts";
import { lockLabWithin } from "./lock.ts";
import { labPaths } from "./paths.ts";
import { processStat } from "./proc.ts";
import { count } from "./progress.ts";
import { proveReachability } from "./proofs.ts";
import { checkMachine } from "./requirements.ts";
import { proveServices } from "./service-proof.ts";
import { withLab } from "./session.ts";
import { changeState, type LabState } from "./state.ts";
import type { LabSize } from "./topology.ts";
import { bringUp } from "./up.ts";
import { checkName, say } from "./usage.ts";

export interface RunOptions {
  readonly stay: "once" | "keep" | "watch";
  readonly verbose: boolean;
}

/** The main job: up, proofs, drama; then stays, keeps or removes. Returns the exit code. */
export async function runLab(size: LabSize, options: RunOptions): Promise<number> {
  return await withLab(size, options.verbose, "run", async (lab, unlock) => {
    const failed: string[] = [];
    await bringUp(lab);
    if (size.podsPerNode === 0) lab.progress.act("No pods, so there is nothing to prove.");
    else await proveAll(lab, failed);
    const code = failed.length === 0 ? 0 : 1;
    if (options.stay === "once") return { code, remove: true };
    if (code !== 0) lab.progress.say("logs", labPaths(labName(lab)).log);
    if (options.stay === "keep") {
      lab.progress.say("kept", `remove it with: ${say(`down --name ${labName(lab)}`)}`);
      return { code, remove: false };
    }
    changeState(labName(lab), (state) => ({ ...state, ...ownedByMe() }));
    await unlock();
    const end = await stayAndWatch(lab);
    // Held until this process ends: nobody else may change what is being removed.
    if (end === "interrupted") await lockLabWithin(labName(lab), "run, ending", 20_000);
    return { code, remove: end === "interrupted" };
  });
}

/** Brings a lab up and returns, leaving it. */
export const upLab = (size: LabSize, verbose: boolean): Promise<number> =>
  withLab(size, verbose, "up", async (lab) => {
    await bringUp(lab);
    lab.progress.say("up", `see: ${say(`status --name ${labName(lab)}`)}`);
    return { code: 0, remove: false };
  });

export async function downLab(name: string): Promise<string> {
  checkName(name);
  checkMachine();
  const unlock = await lockLabWithin(name, "down", 30_000);
  try {
    const removed = await removeLab(name);
    if (removed.processes + removed.namespaces === 0 && !removed.files) return `lab ${name}: nothing to remove`;
    const [processes, namespaces] = [count(removed.processes, "process"), count(removed.namespaces, "namespace")];
    return `lab ${name}: removed ${processes}, ${namespaces}, its files`;
  } finally {
    await unlock();
  }
}

async function proveAll(lab: Lab, failed: string[]): Promise<void> {
  lab.progress.act("Proofs");
  await proveReachability(lab, failed);
  await proveServices(lab, failed);
  await playDrama(lab, failed);
  summary(lab, failed);
}

function summary(lab: Lab, failed: readonly string[]): void {
  if (failed.length === 0) lab.progress.act("Every proof held.");
  else lab.progress.act(`${count(failed.length, "proof")} did not hold: ${failed.join("; ")}`);
}

function ownedByMe(): Pick<LabState, "owner"> {
  const startTime = processStat(process.pid)?.startTime;
  return startTime === undefined ? {} : { owner: { pid: process.pid, startTime } };
}
