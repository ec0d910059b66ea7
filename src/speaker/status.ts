/** What a speaker says about its peers, for /v1/status. */
import type { Neighbor } from "../../bgp/neighbor.ts";
import { formatAddress } from "../../ipam/net/address.ts";

const FAMILY_NAME = { 4: "ipv4-unicast", 6: "ipv6-unicast" } as const;

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
