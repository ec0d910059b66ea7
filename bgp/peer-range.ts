/** Peers that are known by a range only: what whoever connects from it gets. */
import { formatAddress } from "../ipam/net/address.ts";
import { containsAddress } from "../ipam/net/prefix.ts";
import type { Caller } from "./caller.ts";
import type { PeerConfig, PeerRange } from "./session/peer-config.ts";

/** Peers from ranges, all together: whoever may connect must not fill the memory. */
export const MOST_DYNAMIC_PEERS = 10_000;

/** The configuration of this peer, from the narrowest range that has its address. */
export function peerFor(ranges: readonly PeerRange[], { address, device }: Caller): PeerConfig | undefined {
  let best: PeerRange | undefined;
  for (const one of ranges) {
    if (one.range.address.length !== address.length || !containsAddress(one.range, address)) continue;
    if (best === undefined || one.range.length > best.range.length) best = one;
  }
  if (best === undefined) return undefined;
  const there = formatAddress(address) + (device === undefined ? "" : `%${device}`);
  return { ...best.template, name: `${best.template.name}/${there}`, address, device, passive: true };
}
