/** What a speaker says about itself: its peers, and the routes it knows. */
import type { Neighbor } from "../../bgp/neighbor.ts";
import { NO_SET } from "../../bgp/rib/attribute-table.ts";
import type { FamilyRib } from "../../bgp/rib/family-rib.ts";
import { NO_PATH } from "../../bgp/rib/paths.ts";
import { FAMILIES, type Rib } from "../../bgp/rib/rib.ts";
import { LOCAL_SOURCE } from "../../bgp/rib/sources.ts";
import { formatAsPath } from "../../bgp/wire/as-path.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";

const FAMILY_NAME = { 4: "ipv4-unicast", 6: "ipv6-unicast" } as const;
const ORIGIN_NAME = ["igp", "egp", "incomplete"] as const;

/** Turns the speaker's clock into wall time, RFC 3339. */
export type Wall = (monotonic: number) => string;

export function peerStatus(neighbor: Neighbor, types: ReadonlyMap<string, string>, wall: Wall): object {
  const { peer, updates } = neighbor;
  const { session, config } = peer;
  return {
    name: config.name,
    type: types.get(config.name) ?? "",
    address: formatAddress(config.address),
    port: config.port,
    asNumber: session?.negotiated.asNumber ?? config.asNumber,
    localASNumber: config.localAsNumber,
    state: peer.state,
    since: wall(peer.since),
    lastError: peer.lastError,
    established: peer.establishedCount,
    families: (session?.negotiated.families ?? []).map((family) => FAMILY_NAME[family]),
    holdTime: session?.negotiated.holdTime ?? config.holdTime,
    gracefulRestart: session?.negotiated.peerRestart !== undefined,
    received: { ipv4: neighbor.received(4), ipv6: neighbor.received(6) },
    advertised: { ipv4: neighbor.advertised(4), ipv6: neighbor.advertised(6) },
    messages: { ...peer.messages },
    updates: { ...updates },
  };
}

/** Every path there is, best or not. */
export function routeList(rib: Rib, isInstalled: (prefix: Prefix) => boolean): { routes: object[] } {
  return { routes: FAMILIES.flatMap((family) => familyRoutes(rib, rib.families[family], isInstalled)) };
}

function familyRoutes(rib: Rib, table: FamilyRib, isInstalled: (prefix: Prefix) => boolean): object[] {
  const { paths, prefixes } = table;
  const routes: object[] = [];
  for (let id = 0; id < prefixes.bound; id++) {
    if (!prefixes.isInUse(id)) continue;
    const prefix = prefixes.prefix(id);
    for (let path = paths.first(id); path !== NO_PATH; path = paths.next(path)) {
      const source = paths.source(path);
      const local = source === LOCAL_SOURCE;
      const best = table.best(id) === path;
      const inForce = paths.inForce(path);
      const attributes = rib.attributes.attributes(inForce === NO_SET ? paths.received(path) : inForce);
      routes.push({
        prefix: formatPrefix(prefix),
        best,
        ...(best ? { decidedBy: table.step(id, rib.decision) } : {}),
        ...(inForce === NO_SET ? { refused: true } : {}),
        nextHop: local ? "" : formatAddress(attributes.nextHop),
        peer: local ? "" : rib.sources.get(source).name,
        asPath: formatAsPath(attributes.asPath)
          .split(" ")
          .filter((part) => part !== ""),
        localPref: attributes.localPref,
        med: attributes.med,
        origin: ORIGIN_NAME[attributes.origin],
        stale: paths.isStale(path),
        installed: best && !local && isInstalled(prefix),
      });
    }
  }
  return routes;
}
