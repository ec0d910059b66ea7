/** What the agent says about itself: the document of /v1/status. */
import type { Neighbor } from "../../bgp/neighbor.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { NodeConfig } from "../config/resolve.ts";
import { peerStatus, type Wall } from "../speaker/status.ts";
import type { DrainStatus } from "./node-drain.ts";

export interface NodeStatusInput {
  readonly node: string;
  readonly config: NodeConfig | undefined;
  /** Name and type of sessions that no resource asks for any more. */
  readonly kept: readonly (readonly [string, string])[];
  readonly startedAt: string;
  readonly notReady: readonly string[];
  readonly problems: readonly string[];
  readonly drain: DrainStatus;
  readonly neighbors: readonly Neighbor[];
  readonly blocks: readonly Prefix[];
  readonly pods: number;
  readonly installed: number;
  readonly wall: Wall;
}

export function nodeStatus(input: NodeStatusInput): object {
  const { config, notReady } = input;
  const types = new Map<string, string>([
    ...(config?.peers ?? []).map(({ name, type, pod }) => [name, pod === undefined ? type : `${type} ${pod}`] as const),
    ...input.kept,
  ]);
  return {
    node: input.node,
    asNumber: config?.asNumber,
    routerID: config && formatAddress(config.routerID),
    ready: notReady.length === 0,
    notReady,
    problems: input.problems,
    ...(input.drain.by !== undefined && { drain: input.drain }),
    startedAt: input.startedAt,
    peers: input.neighbors.map((neighbor) => peerStatus(neighbor, types, input.wall)),
    blocks: input.blocks.map(formatPrefix),
    pods: input.pods,
    routes: { installed: input.installed },
  };
}
