/** Path attributes (RFC 4271 4.3 and the later texts), right unless told to lie. */
import { cat, ip, type Octets, u8, u16, u32 } from "./octets.ts";

export const Flag = { optional: 0x80, transitive: 0x40, partial: 0x20, extended: 0x10 } as const;

const WELL_KNOWN = Flag.transitive;
const OPTIONAL = Flag.optional;
const OPTIONAL_TRANSITIVE = Flag.optional | Flag.transitive;

/** `length` may lie; more than 255 octets take the long form by themselves. */
export function attribute(flags: number, type: number, value: Octets | readonly number[], length?: number): Octets {
  const claimed = length ?? value.length;
  const long = (flags & Flag.extended) !== 0 || claimed > 255;
  return cat([long ? flags | Flag.extended : flags, type], long ? u16(claimed) : u8(claimed), value);
}

/** The same attribute with other flags. */
export const flagged = (flags: number, octets: Octets): Octets => cat([flags], octets.subarray(1));

export const origin = (value = 0): Octets => attribute(WELL_KNOWN, 1, [value]);

type Segment = readonly [type: number, ...asNumbers: number[]];
export const SEQUENCE = 2;
export const SET = 1;

/** Segments in octets: `segments(4, [SEQUENCE, 65001, 65002])`. */
export const segments = (width: 2 | 4, ...list: readonly Segment[]): Octets =>
  cat(...list.map(([type, ...numbers]) => cat([type, numbers.length], ...numbers.map(width === 4 ? u32 : u16))));

/** One sequence of four-octet numbers; without numbers the empty path. */
export const asPath = (...numbers: readonly number[]): Octets =>
  attribute(WELL_KNOWN, 2, numbers.length === 0 ? [] : segments(4, [SEQUENCE, ...numbers]));
/** The same in two-octet numbers, for a session without RFC 6793. */
export const asPath2 = (...numbers: readonly number[]): Octets =>
  attribute(WELL_KNOWN, 2, numbers.length === 0 ? [] : segments(2, [SEQUENCE, ...numbers]));
export const asPathOf = (octets: Octets): Octets => attribute(WELL_KNOWN, 2, octets);

export const nextHop = (address: string): Octets => attribute(WELL_KNOWN, 3, ip(address));
export const med = (value: number): Octets => attribute(OPTIONAL, 4, u32(value));
export const localPref = (value: number): Octets => attribute(WELL_KNOWN, 5, u32(value));
export const atomicAggregate = (): Octets => attribute(WELL_KNOWN, 6, []);
export const aggregator = (asNumber: number, address: string): Octets =>
  attribute(OPTIONAL_TRANSITIVE, 7, cat(u32(asNumber), ip(address)));
export const aggregator2 = (asNumber: number, address: string): Octets =>
  attribute(OPTIONAL_TRANSITIVE, 7, cat(u16(asNumber), ip(address)));

/** Each as `65001:80`; the well-known ones of RFC 1997 by their own numbers. */
export const communities = (...list: readonly string[]): Octets =>
  attribute(
    OPTIONAL_TRANSITIVE,
    8,
    cat(...list.map((text) => cat(...text.split(":").map((half) => u16(Number(half)))))),
  );
export const NO_EXPORT = "65535:65281";
export const NO_ADVERTISE = "65535:65282";
export const NO_EXPORT_SUBCONFED = "65535:65283";
export const GRACEFUL_SHUTDOWN = "65535:0";

export const originatorId = (address: string): Octets => attribute(OPTIONAL, 9, ip(address));
export const clusterList = (...ids: readonly string[]): Octets => attribute(OPTIONAL, 10, cat(...ids.map(ip)));
/** Each of eight octets. */
export const extendedCommunities = (...list: readonly Octets[]): Octets =>
  attribute(OPTIONAL_TRANSITIVE, 16, cat(...list));
export const as4Path = (...numbers: readonly number[]): Octets =>
  attribute(OPTIONAL_TRANSITIVE, 17, segments(4, [SEQUENCE, ...numbers]));
export const as4Aggregator = (asNumber: number, address: string): Octets =>
  attribute(OPTIONAL_TRANSITIVE, 18, cat(u32(asNumber), ip(address)));
/** Each as `65001:1:2`. */
export const largeCommunities = (...list: readonly string[]): Octets =>
  attribute(OPTIONAL_TRANSITIVE, 32, cat(...list.flatMap((text) => text.split(":").map((part) => u32(Number(part))))));
export const onlyToCustomer = (asNumber: number): Octets => attribute(OPTIONAL_TRANSITIVE, 35, u32(asNumber));

export interface MpLies {
  readonly afi?: number;
  readonly safi?: number;
  readonly nextHopLength?: number;
  readonly reserved?: number;
  readonly flags?: number;
}

/** RFC 4760 3. The next hop as octets, so that it can have any length. */
export const mpReach = (afi: number, next: Octets, routes: readonly Octets[], lies: MpLies = {}): Octets =>
  attribute(
    lies.flags ?? OPTIONAL,
    14,
    cat(
      u16(lies.afi ?? afi),
      [lies.safi ?? 1, lies.nextHopLength ?? next.length],
      next,
      [lies.reserved ?? 0],
      ...routes,
    ),
  );
/** RFC 4760 4. */
export const mpUnreach = (afi: number, routes: readonly Octets[], lies: MpLies = {}): Octets =>
  attribute(lies.flags ?? OPTIONAL, 15, cat(u16(lies.afi ?? afi), [lies.safi ?? 1], ...routes));
