/**
 * A dump of the routes as MRT TABLE_DUMP_V2 (RFC 6396 4.3, RFC 8050 4), which bgpdump and the like read.
 *
 * Written piece by piece from any run of routes; nothing here holds more than one prefix. Every path there is is in the
 * dump, as it was received; the first peer of the index is this speaker itself, for the routes of its own.
 */

import { AttributeFlag, AttributeType } from "../../bgp/wire/codes.ts";
import { encodeAttribute, encodeCanonical } from "../../bgp/wire/encode-attributes.ts";
import { encodePrefix } from "../../bgp/wire/nlri.ts";
import { concat, octetsOfU16, octetsOfU32, putU16, putU32 } from "../../bgp/wire/octets.ts";
import type { PathAttributes } from "../../bgp/wire/path-attributes.ts";
import { type Address, familyOf } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";

export interface MrtPeer {
  /** Four octets; zeros when the session never was up. */
  readonly routerId: Address;
  readonly address: Address;
  readonly asNumber: number;
}

export interface MrtPath {
  /** Index among the peers. */
  readonly peer: number;
  /** Seconds since 1970. */
  readonly since: number;
  /** RFC 7911; 0: the peer gives none. */
  readonly pathId: number;
  readonly attributes: PathAttributes;
}

const TABLE_DUMP_V2 = 13;
const PEER_INDEX_TABLE = 1;
const SUBTYPE = { 4: { plain: 2, addPath: 8 }, 6: { plain: 4, addPath: 10 } } as const;
const PEER_IS_IPV6 = 1;
const PEER_HAS_FOUR_OCTET_AS = 2;
const HEADER = 12;
const LARGEST_COUNT = 0xffff;

/** The record that goes first. `seconds`: since 1970, as in all the others. */
export function mrtPeerIndex(seconds: number, routerId: Address, view: string, peers: readonly MrtPeer[]): Uint8Array {
  const name = new TextEncoder().encode(view);
  const rows = peers.map(({ routerId: id, address, asNumber }) => {
    const type = PEER_HAS_FOUR_OCTET_AS | (familyOf(address) === 6 ? PEER_IS_IPV6 : 0);
    return concat([Uint8Array.of(type), id, address, octetsOfU32(asNumber)]);
  });
  const body = [routerId, octetsOfU16(name.length), name, octetsOfU16(rows.length), ...rows];
  return record(seconds, PEER_INDEX_TABLE, body);
}

/** All paths of one prefix; more records than one where there are path identifiers on some of them only. */
export function mrtPrefix(seconds: number, sequence: number, prefix: Prefix, paths: readonly MrtPath[]): Uint8Array[] {
  const family = familyOf(prefix.address);
  return ([false, true] as const).flatMap((addPath) => {
    const some = paths.filter(({ pathId }) => (pathId !== 0) === addPath).slice(0, LARGEST_COUNT);
    if (some.length === 0) return [];
    const body = [octetsOfU32(sequence), encodePrefix(prefix), octetsOfU16(some.length)];
    for (const path of some) body.push(entryHead(path, addPath), mrtAttributes(path.attributes));
    return [record(seconds, SUBTYPE[family][addPath ? "addPath" : "plain"], withLengths(body))];
  });
}

/** Peer index, time, path identifier; the two octets of the attributes' length are put by {@link withLengths}. */
function entryHead({ peer, since, pathId }: MrtPath, addPath: boolean): Uint8Array {
  return concat([octetsOfU16(peer), octetsOfU32(since), ...(addPath ? [octetsOfU32(pathId)] : []), new Uint8Array(2)]);
}

function withLengths(body: readonly Uint8Array[]): readonly Uint8Array[] {
  for (let i = 3; i < body.length; i += 2) {
    const head = body[i] as Uint8Array;
    putU16(head, head.length - 2, (body[i + 1] as Uint8Array).length);
  }
  return body;
}

/**
 * Attributes as RFC 6396 4.3.4 wants them: four-octet AS numbers whatever the session had, and of MP_REACH_NLRI the
 * next hop alone, for the prefix stands before them.
 */
export function mrtAttributes(attributes: PathAttributes): Uint8Array {
  const { nextHop, linkLocalNextHop } = attributes;
  if (nextHop.length !== 16) return encodeCanonical(attributes);
  const hops = linkLocalNextHop === undefined ? nextHop : concat([nextHop, linkLocalNextHop]);
  const { linkLocalNextHop: _linkLocal, ...rest } = attributes;
  const others = encodeCanonical({ ...rest, nextHop: new Uint8Array(0) });
  const value = concat([Uint8Array.of(hops.length), hops]);
  return concat([others, encodeAttribute(AttributeFlag.Optional, AttributeType.MpReach, value)]);
}

function record(seconds: number, subtype: number, body: readonly Uint8Array[]): Uint8Array {
  const length = body.reduce((sum, part) => sum + part.length, 0);
  const octets = new Uint8Array(HEADER + length);
  putU32(octets, 0, seconds);
  putU16(octets, 4, TABLE_DUMP_V2);
  putU16(octets, 6, subtype);
  putU32(octets, 8, length);
  let at = HEADER;
  for (const part of body) {
    octets.set(part, at);
    at += part.length;
  }
  return octets;
}
