/** What the agent says about itself: the documents of /v1/status and /v1/routes. */
import type { Neighbor } from "../../bgp/neighbor.ts";
import { NO_PATH } from "../../bgp/rib/paths.ts";
import { LOCAL_SOURCE, type Rib } from "../../bgp/rib/rib.ts";
import { formatAsPath } from "../../bgp/wire/as-path.ts";
import { type Family, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { NodeConfig } from "../config/resolve.ts";

const FAMILY_NAME = { 4: "ipv4-unicast", 6: "ipv6-unicast" } as const;
const ORIGIN_NAME = ["igp", "egp", "incomplete"] as const;

/** Turns the speaker's clock into wall time, RFC 3339. */
export type Wall = (monotonic: number) => string;

export function peerStatus(neighbor: Neighbor, rib: Rib, types: ReadonlyMap<string, string>, wall: Wall): object {
  const { peer, source, outs, updates } = neighbor;
  const { session, config } = peer;
  return {
    name: config.name,
    type: types.get(config.name) ?? "",
    address: formatAddress(config.address),
    port: config.port,
    asNumber: config.asNumber,
    localASNumber: config.localAsNumber,
    state: peer.state,
    since: wall(peer.since),
    lastError: peer.lastError,
    established: peer.establishedCount,
    families: (session?.negotiated.families ?? []).map((family) => FAMILY_NAME[family]),
    holdTime: session?.negotiated.holdTime ?? config.holdTime,
    gracefulRestart: session?.negotiated.peerRestart !== undefined,
    received: { ipv4: rib.families[4].paths.countOf(source), ipv6: rib.families[6].paths.countOf(source) },
    advertised: { ipv4: outs.get(4)?.count ?? 0, ipv6: outs.get(6)?.count ?? 0 },
    messages: { ...peer.messages },
    updates: { ...updates },
  };
}

export interface NodeStatusInput {
  readonly node: string;
  readonly config: NodeConfig | undefined;
  readonly startedAt: string;
  readonly notReady: readonly string[];
  readonly problems: readonly string[];
  readonly neighbors: readonly Neighbor[];
  readonly rib: Rib;
  readonly blocks: readonly Prefix[];
  readonly pods: number;
  readonly installed: number;
  readonly wall: Wall;
}

export function nodeStatus(input: NodeStatusInput): object {
  const { config, notReady } = input;
  const types = new Map((config?.peers ?? []).map(({ name, type }) => [name, type]));
  return {
    node: input.node,
    asNumber: config?.asNumber,
    routerID: config && formatAddress(config.routerID),
    ready: notReady.length === 0,
    notReady,
    problems: input.problems,
    startedAt: input.startedAt,
    peers: input.neighbors.map((neighbor) => peerStatus(neighbor, input.rib, types, input.wall)),
    blocks: input.blocks.map(formatPrefix),
    pods: input.pods,
    routes: { installed: input.installed },
  };
}

/** Every path there is, best or not. */
export function routeList(
  rib: Rib,
  neighbors: readonly Neighbor[],
  isInstalled: (prefix: Prefix) => boolean,
): { routes: object[] } {
  const names = new Map(neighbors.map(({ source, peer }) => [source, peer.config.name]));
  const routes = ([4, 6] as const).flatMap((family) => familyRoutes(rib, family, names, isInstalled));
  return { routes };
}

function familyRoutes(
  rib: Rib,
  family: Family,
  names: ReadonlyMap<number, string>,
  isInstalled: (prefix: Prefix) => boolean,
): object[] {
  const table = rib.families[family];
  const routes: object[] = [];
  for (const { id, prefix } of table.known()) {
    for (let path = table.paths.first(id); path !== NO_PATH; path = table.paths.next(path)) {
      const source = table.paths.source(path);
      const local = source === LOCAL_SOURCE;
      const best = table.best(id) === path;
      const attributes = rib.attributes.attributes(table.paths.attributes(path));
      routes.push({
        prefix: formatPrefix(prefix),
        best,
        ...(best ? { decidedBy: table.step(id) } : {}),
        nextHop: local ? "" : formatAddress(attributes.nextHop),
        peer: local ? "" : names.get(source),
        asPath: formatAsPath(attributes.asPath)
          .split(" ")
          .filter((part) => part !== ""),
        localPref: attributes.localPref,
        med: attributes.med,
        origin: ORIGIN_NAME[attributes.origin],
        stale: table.paths.isStale(path),
        installed: best && !local && isInstalled(prefix),
      });
    }
  }
  return routes;
}
