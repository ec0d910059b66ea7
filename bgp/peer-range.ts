/** Peers that are known by a range only: what whoever connects from it gets. */
import { type Address, formatAddress } from "../ipam/net/address.ts";
import { containsAddress } from "../ipam/net/prefix.ts";
import type { PeerConfig, PeerRange } from "./session/peer-config.ts";

/** The configuration of a peer at this address, from the narrowest range that has it. */
export function peerFor(ranges: readonly PeerRange[], address: Address): PeerConfig | undefined {
  let best: PeerRange | undefined;
  for (const one of ranges) {
    if (one.range.address.length !== address.length || !containsAddress(one.range, address)) continue;
    if (best === undefined || one.range.length > best.range.length) best = one;
  }
  if (best === undefined) return undefined;
  const name = `${best.template.name}/${formatAddress(address)}`;
  return { ...best.template, name, address, passive: true };
}
