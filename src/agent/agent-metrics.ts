/** The agent's metrics beside the speaker's. docs/reference/metrics.md explains each. */
import type { Family } from "../../ipam/net/address.ts";
import type { Metric, Sample } from "../telemetry/exposition.ts";
import { DRAIN_PHASES } from "./drain.ts";
import type { DrainStatus } from "./node-drain.ts";

/** What was taken back since the agent started, in the order shown. */
export const RECLAIMED = ["address", "block", "interface", "pod"] as const;
export type Reclaimed = Record<(typeof RECLAIMED)[number], number>;

export interface AgentState {
  readonly drain: DrainStatus;
  readonly services: {
    /** Routes announced for services, ranges and single addresses. */
    readonly routes: Readonly<Record<Family, number>>;
    /** Undefined: nobody asks for services. */
    readonly followed: boolean | undefined;
  };
  readonly pods: { readonly count: number; readonly reclaimed: Readonly<Reclaimed> };
}

export function agentMetrics({ drain, services, pods }: AgentState): Metric[] {
  return [
    gauge(
      "overland_drain_phase",
      "1: the phase of the drain that this node is in; serving: it is not drained.",
      DRAIN_PHASES.map((phase) => ({ labels: { phase }, value: Number(phase === drain.phase) })),
    ),
    gauge("overland_drain_phase_seconds", "How long the node is in this phase; 0 while it serves.", [
      { value: drain.seconds },
    ]),
    gauge("overland_drain_pods", "Pods that the drain waits for.", [{ value: drain.pods.length }]),
    gauge("overland_pods", "Pods, and other containers, that are wired.", [{ value: pods.count }]),
    gauge(
      "overland_service_routes",
      "Routes to services that are announced: ranges and single addresses.",
      ([4, 6] as const).map((family) => ({
        labels: { family: `ipv${family}-unicast` },
        value: services.routes[family],
      })),
    ),
    gauge(
      "overland_services_followed",
      "1: services and endpoints are as the API server has them; 0: as they were last known.",
      services.followed === undefined ? [] : [{ value: Number(services.followed) }],
    ),
    {
      name: "overland_reclaimed_total",
      type: "counter",
      help: "What was taken back because nothing used it any more.",
      samples: RECLAIMED.map((what) => ({ labels: { what }, value: pods.reclaimed[what] })),
    },
  ];
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "gauge", help, samples };
}
