/**
 * The common changes to a set of attributes on its way out, made on its octets: what a peer is told differs from what
 * came in by a path that is longer by one AS, another next hop, and what stays inside the AS.
 */
import { AttributeFlag, AttributeType } from "./codes.ts";
import { ATTRIBUTES } from "./known-attributes.ts";
import { putU32, u16 } from "./octets.ts";

export interface Rewrite {
  /** Goes in front of AS_PATH; undefined: the path stays. */
  readonly prepend: number | undefined;
  /** Goes into NEXT_HOP; undefined: the attribute is left out, the next hop travels in MP_REACH_NLRI. */
  readonly nextHop: Uint8Array | undefined;
  /** To a peer of our own AS: MED stays, LOCAL_PREF is there always, with this value where it was not. */
  readonly localPref: number | undefined;
}

const NON_TRANSITIVE = 0x40;
/** Room that the rewritten form may need beyond the canonical one. */
export const REWRITE_ROOM = 64;

/** Writes canonical octets (see attributes.ts) at `to`, changed; returns where they end. */
export function rewriteAttributes(
  octets: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
  { prepend, nextHop, localPref }: Rewrite,
): number {
  let needsLocalPref = localPref !== undefined;
  let next = start;
  for (let at = start; at < end; at = next) {
    const flags = octets[at] as number;
    const type = octets[at + 1] as number;
    const extended = (flags & AttributeFlag.ExtendedLength) !== 0;
    const value = at + (extended ? 4 : 3);
    next = value + (extended ? u16(octets, at + 2) : (octets[at + 2] as number));
    if (needsLocalPref && type >= AttributeType.LocalPref) {
      needsLocalPref = false;
      if (type > AttributeType.LocalPref) to = writeLocalPref(out, to, localPref as number);
    }
    switch (type) {
      case AttributeType.AsPath:
        if (prepend === undefined) break;
        to = writePrepended(octets, value, next, out, to, prepend);
        continue;
      case AttributeType.NextHop:
        if (nextHop === undefined) continue;
        to = writeHead(out, to, AttributeFlag.Transitive, type, nextHop.length);
        for (let i = 0; i < nextHop.length; i++) out[to++] = nextHop[i] as number;
        continue;
      case AttributeType.Med:
      case AttributeType.LocalPref:
      case AttributeType.OriginatorId:
      case AttributeType.ClusterList:
        if (localPref === undefined) continue;
    }
    if (
      type === AttributeType.ExtendedCommunities &&
      localPref === undefined &&
      hasNonTransitive(octets, value, next)
    ) {
      to = writeTransitive(octets, flags, value, next, out, to);
      continue;
    }
    const from = to;
    for (let i = at; i < next; i++) out[to++] = octets[i] as number;
    // RFC 4271 5: whoever passes on what it does not know says so. 4.3: the low four bits are 0 when sent.
    out[from] = (flags & 0xf0) | (ATTRIBUTES[type] === undefined ? AttributeFlag.Partial : 0);
  }
  return needsLocalPref ? writeLocalPref(out, to, localPref as number) : to;
}

/** RFC 4360 6: extended communities with this bit in their type do not leave the AS. */
function hasNonTransitive(octets: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at += 8) if (((octets[at] as number) & NON_TRANSITIVE) !== 0) return true;
  return false;
}

function writeTransitive(
  octets: Uint8Array,
  flags: number,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
): number {
  const kept = transitiveOnly(octets.subarray(start, end));
  if (kept.length === 0) return to;
  const at = writeHead(out, to, flags & ~AttributeFlag.ExtendedLength, AttributeType.ExtendedCommunities, kept.length);
  out.set(kept, at);
  return at + kept.length;
}

/** Extended communities that may leave the AS. */
export function transitiveOnly(communities: Uint8Array): Uint8Array {
  const kept: number[] = [];
  for (let at = 0; at < communities.length; at += 8) {
    if (((communities[at] as number) & NON_TRANSITIVE) === 0) kept.push(...communities.subarray(at, at + 8));
  }
  return Uint8Array.from(kept);
}

function writeLocalPref(out: Uint8Array, to: number, value: number): number {
  const at = writeHead(out, to, AttributeFlag.Transitive, AttributeType.LocalPref, 4);
  putU32(out, at, value);
  return at + 4;
}

/** RFC 4271 5.1.2: our number goes in front of the first sequence, which holds at most 255. */
function writePrepended(
  octets: Uint8Array,
  start: number,
  end: number,
  out: Uint8Array,
  to: number,
  asNumber: number,
): number {
  const joins = end > start && octets[start] === 2 && (octets[start + 1] as number) < 255;
  let at = writeHead(out, to, AttributeFlag.Transitive, AttributeType.AsPath, end - start + (joins ? 4 : 6));
  out[at++] = 2;
  out[at++] = joins ? (octets[start + 1] as number) + 1 : 1;
  putU32(out, at, asNumber);
  at += 4;
  for (let i = joins ? start + 2 : start; i < end; i++) out[at++] = octets[i] as number;
  return at;
}

/** An attribute's header; the length takes two octets when it must. */
function writeHead(out: Uint8Array, at: number, flags: number, type: number, length: number): number {
  const extended = length > 255;
  out[at] = extended ? flags | AttributeFlag.ExtendedLength : flags;
  out[at + 1] = type;
  if (!extended) {
    out[at + 2] = length;
    return at + 3;
  }
  out[at + 2] = length >>> 8;
  out[at + 3] = length;
  return at + 4;
}
