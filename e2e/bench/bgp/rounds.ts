/**
 * The order of runs. Devices take turns within a round, so that a machine that becomes slower does so for all; a run
 * during which others used the processors is repeated, and the quietest kept. Who failed, or took more than a minute
 * without being told to, is not asked again.
 */
import { Interrupted } from "../ending.ts";
import type { Device } from "./devices/device.ts";
import { RELAY, SINK } from "./devices/nothing.ts";
import type { Outcome } from "./job.ts";
import { machineCpu } from "./processes.ts";
import { measureRawNetlink, RAW_NETLINK } from "./raw-netlink.ts";
import { run, type Terms } from "./run.ts";
import type { Scenario } from "./scenarios.ts";

const SLOW_SECONDS = 60;
const QUIET_FOR = 4;
const LOOK_MS = 250;
const PATIENCE_MS = 10_000;

export interface Run extends Outcome {
  readonly device: string;
  readonly scenario: string;
  readonly round: number;
}

export interface Plan {
  readonly devices: readonly Device[];
  readonly scenarios: readonly Scenario[];
  readonly rounds: number;
  /** CPUs that others may use before a run is repeated, and how often. */
  readonly noise: number;
  readonly tries: number;
  readonly terms: Terms;
  readonly onRun: (run: Run) => void;
}

export async function allRounds(plan: Plan): Promise<Run[]> {
  const runs: Run[] = [];
  const done = new Set<string>();
  for (let round = 1; round <= plan.rounds; round++) {
    for (const scenario of plan.scenarios) {
      for (const { name, measure } of contenders(scenario, plan)) {
        const key = `${name} ${scenario.letter}`;
        if (done.has(key)) continue;
        const result = { device: name, scenario: scenario.letter, round, ...(await quietest(measure, scenario, plan)) };
        if (result.wrong !== undefined || isSlow(result, scenario)) done.add(key);
        runs.push(result);
        plan.onRun(result);
      }
    }
  }
  return runs;
}

function isSlow({ time = 0, withdrawn = 0 }: Outcome, { idleSeconds }: Scenario): boolean {
  return time + withdrawn > idleSeconds + SLOW_SECONDS;
}

interface Contender {
  readonly name: string;
  readonly measure: () => Promise<Outcome>;
}

/** The devices that can; the generator is measured without them, and beside kernel routes also the kernel alone. */
function contenders(scenario: Scenario, { devices, terms }: Plan): Contender[] {
  const measuresGenerator = SINK.cannot(scenario) === undefined;
  const able = (measuresGenerator ? [SINK, RELAY] : devices).filter((device) => device.cannot(scenario) === undefined);
  const all = able.map((device) => ({ name: device.name, measure: () => run(device, scenario, terms) }));
  const kernel = { name: RAW_NETLINK, measure: () => measureRawNetlink(scenario, terms) };
  return scenario.kernel ? [...all, kernel] : all;
}

async function quietest(measure: () => Promise<Outcome>, scenario: Scenario, plan: Plan): Promise<Outcome> {
  let best: Outcome | undefined;
  for (let attempt = 0; attempt < plan.tries; attempt++) {
    await untilQuiet(plan);
    const outcome = await measure();
    if (best === undefined || (outcome.noise ?? 0) < (best.noise ?? 0)) best = outcome;
    if (outcome.wrong !== undefined) return outcome;
    if ((outcome.noise ?? 0) <= plan.noise || isSlow(outcome, scenario)) break;
  }
  return best as Outcome;
}

/** Half a million routes of the run before take the kernel a while to forget, and other people work here, too. */
async function untilQuiet({ noise, terms }: Plan): Promise<void> {
  const end = Date.now() + PATIENCE_MS;
  for (let calm = 0; calm < QUIET_FOR && Date.now() < end; ) {
    if (terms.interrupted()) throw new Interrupted();
    const before = machineCpu().busy;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const used = (machineCpu().busy - before) / (LOOK_MS / 1000);
    calm = used <= noise + 0.05 ? calm + 1 : 0;
  }
}
