/** What the benchmark does besides single calls: a storm, the kernel's floor, a flood of routes, an idle agent. */
import { median } from "./calls.ts";
import type { Phase, Side, Workshop } from "./workshop.ts";

export type Ratios = Record<string, number>;

const STORM_PODS = 1000;
const STORM_IN_FLIGHT = 100;
const FLOOR_PODS = 300;
const FLOOD_PODS = 500;
const IDLE_PODS = 250;
const IDLE_SECONDS = 20;

export interface Storm {
  readonly ours: readonly Phase[];
  readonly theirs: readonly Phase[];
}

export async function storm(workshop: Workshop, ours: Side, theirs: Side): Promise<Storm> {
  const of = (side: Side) => workshop.load(side, STORM_PODS, [STORM_IN_FLIGHT]);
  return { ours: await of(ours), theirs: await of(theirs) };
}

export function stormRatios(storms: readonly Storm[], floors: readonly number[]): Ratios {
  const wall = (phases: readonly Phase[]) => phases.reduce((sum, { wall_ms }) => sum + wall_ms, 0);
  const add = ({ ours }: Storm) => ours.find(({ op }) => op === "ADD") as Phase;
  const own = median(storms.map((one) => add(one).cpu_ms + add(one).agent_ms));
  const floor = median([...floors]);
  return {
    storm_1000: median(storms.map(({ ours, theirs }) => wall(ours) / wall(theirs))),
    storm_1000_seconds: median(storms.map(({ ours }) => wall(ours) / 1000)),
    storm_last_hundred_to_first: median(storms.map((one) => add(one).last / add(one).first)),
    add_cpu_ms: own,
    kernel_floor_cpu_ms: floor,
    add_cpu_beyond_floor: (own - floor) / floor,
  };
}

export function floor(workshop: Workshop): number {
  return workshop.floor(FLOOR_PODS).cpu_ms;
}

/** ADD one at a time, at rest and while a router announces and withdraws 100,000 routes. */
export async function flood(workshop: Workshop, side: Side, rounds: number): Promise<Ratios> {
  const feed = await workshop.router(side);
  const p99 = async () => {
    const phases = await workshop.load(side, FLOOD_PODS, [1]);
    return (phases.find(({ op }) => op === "ADD") as Phase).p99;
  };
  const atRest: number[] = [];
  const flooded: number[] = [];
  for (let round = 0; round < rounds; round++) {
    atRest.push(await p99());
    const stop = feed.flood();
    try {
      flooded.push(await p99());
    } finally {
      await stop();
    }
  }
  return {
    add_p99_at_rest_ms: median(atRest),
    add_p99_under_routes_ms: median(flooded),
    add_p99_under_routes: median(flooded) / median(atRest),
  };
}

/** The agent's memory with so many pods, some time after the last came. */
export async function idle(workshop: Workshop, side: Side): Promise<Ratios> {
  let resident = 0;
  const load = workshop.load(side, IDLE_PODS, [`10:${IDLE_SECONDS}`], () => {
    setTimeout(
      () => {
        if (resident === 0) resident = workshop.agentUse().residentMb;
      },
      (IDLE_SECONDS - 2) * 1000,
    ).unref();
  });
  await load;
  return { agent_rss_250_pods_mb: resident };
}
