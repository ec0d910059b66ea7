/** How many prefixes a peer may announce, and what happens beyond (RFC 4271 6.7, RFC 4486 4). */
import type { Family } from "../ipam/net/address.ts";
import type { Neighbor } from "./neighbor.ts";
import { FAMILIES } from "./rib/rib.ts";
import { cease } from "./session/fsm.ts";
import { afiOf } from "./wire/capability.ts";
import { CeaseSubcode, SAFI_UNICAST } from "./wire/codes.ts";
import { concat, octetsOfU32 } from "./wire/octets.ts";

const WORDS = {
  warn: () => "only said",
  block: () => "no more are taken",
  restart: (seconds: number) => `the session ends and starts again in ${seconds} s`,
  shutdown: () => "the session ends until the peer is enabled",
} as const;

/**
 * Holds a neighbour to its limit; `said` is called once for each time a family goes beyond it, before that has effect.
 */
export function holdToLimit(neighbor: Neighbor, said: (family: Family, text: string) => void, now: number): void {
  const { maxPrefixes } = neighbor.peer.config;
  if (maxPrefixes === undefined) return;
  const { limit, action, restartAfter } = maxPrefixes;
  for (const family of FAMILIES) {
    const received = neighbor.received(family);
    const over = action === "block" ? received >= limit : received > limit;
    if (!over) neighbor.overLimit.delete(family);
    if (!over || neighbor.overLimit.has(family)) continue;
    neighbor.overLimit.add(family);
    said(family, `${received} IPv${family} prefixes, the limit is ${limit}: ${WORDS[action](restartAfter)}`);
    if (action === "warn" || action === "block") continue;
    const data = concat([Uint8Array.of(0, afiOf(family), SAFI_UNICAST), octetsOfU32(limit)]);
    const notification = cease(CeaseSubcode.MaximumPrefixes, data);
    if (action === "shutdown") neighbor.peer.disable(notification, now);
    else neighbor.peer.holdDown(notification, restartAfter * 1000, now);
  }
}
