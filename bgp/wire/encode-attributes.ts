/** Path attributes to octets, in ascending order of type (RFC 4271 5). */
import { encodeAsPath, SegmentType } from "./as-path.ts";
import { AS_TRANS, AttributeFlag, AttributeType } from "./codes.ts";
import { concat, octetsOfU16, octetsOfU32 } from "./octets.ts";
import type { PathAttributes } from "./path-attributes.ts";

const WELL_KNOWN = AttributeFlag.Transitive;
const OPTIONAL = AttributeFlag.Optional;
const OPTIONAL_TRANSITIVE = AttributeFlag.Optional | AttributeFlag.Transitive;

/** One attribute with its header; the length takes two octets when it must. */
export function encodeAttribute(flags: number, type: number, value: Uint8Array): Uint8Array {
  if (value.length > 255) {
    const head = Uint8Array.of(flags | AttributeFlag.ExtendedLength, type, value.length >>> 8, value.length & 0xff);
    return concat([head, value]);
  }
  return concat([Uint8Array.of(flags & ~AttributeFlag.ExtendedLength, type, value.length), value]);
}

/**
 * Everything of a route but MP_REACH_NLRI. NEXT_HOP is written for an IPv4 next hop only: that of IPv6 routes travels
 * in MP_REACH_NLRI (RFC 4760 3).
 */
export function encodeAttributes(attributes: PathAttributes, asOctets: 2 | 4): Uint8Array {
  return encode(attributes, asOctets, attributes.nextHop.length === 4 ? attributes.nextHop : undefined);
}

/** As sets are kept (see attributes.ts): with the next hop, whatever its length. */
export function encodeCanonical(attributes: PathAttributes): Uint8Array {
  const { nextHop, linkLocalNextHop } = attributes;
  if (nextHop.length === 0) return encode(attributes, 4, undefined);
  return encode(attributes, 4, linkLocalNextHop === undefined ? nextHop : concat([nextHop, linkLocalNextHop]));
}

function encode(attributes: PathAttributes, asOctets: 2 | 4, nextHop: Uint8Array | undefined): Uint8Array {
  const parts: { type: number; octets: Uint8Array }[] = [];
  const put = (flags: number, type: number, value: Uint8Array | undefined) => {
    if (value !== undefined) parts.push({ type, octets: encodeAttribute(flags, type, value) });
  };
  const u32 = (value: number | undefined) => (value === undefined ? undefined : octetsOfU32(value));
  const some = <T>(items: readonly T[] | undefined, of: (items: readonly T[]) => Uint8Array) =>
    items === undefined || items.length === 0 ? undefined : of(items);
  put(WELL_KNOWN, AttributeType.Origin, Uint8Array.of(attributes.origin));
  put(WELL_KNOWN, AttributeType.AsPath, encodeAsPath(attributes.asPath, asOctets));
  put(WELL_KNOWN, AttributeType.NextHop, nextHop);
  put(OPTIONAL, AttributeType.Med, u32(attributes.med));
  put(WELL_KNOWN, AttributeType.LocalPref, u32(attributes.localPref));
  if (attributes.atomicAggregate === true) put(WELL_KNOWN, AttributeType.AtomicAggregate, new Uint8Array(0));
  putAggregator(attributes, asOctets, put);
  const communities = some(attributes.communities, (items) => concat(items.map(octetsOfU32)));
  put(OPTIONAL_TRANSITIVE, AttributeType.Communities, communities);
  put(OPTIONAL, AttributeType.OriginatorId, attributes.originatorId);
  put(OPTIONAL, AttributeType.ClusterList, some(attributes.clusterList, concat));
  put(OPTIONAL_TRANSITIVE, AttributeType.ExtendedCommunities, attributes.extendedCommunities);
  if (asOctets === 2 && hasFourOctetNumber(attributes)) {
    // RFC 6793 4.2.2: confederation segments stay out of AS4_PATH.
    const path = attributes.asPath.filter(({ type }) => type === SegmentType.Sequence || type === SegmentType.Set);
    put(OPTIONAL_TRANSITIVE, AttributeType.As4Path, encodeAsPath(path, 4));
  }
  put(OPTIONAL_TRANSITIVE, AttributeType.Ipv6ExtendedCommunities, attributes.ipv6ExtendedCommunities);
  put(OPTIONAL_TRANSITIVE, AttributeType.LargeCommunities, attributes.largeCommunities);
  put(OPTIONAL_TRANSITIVE, AttributeType.OnlyToCustomer, u32(attributes.onlyToCustomer));
  for (const { type, flags, value } of attributes.unknown ?? [])
    put((flags & 0xf0) | AttributeFlag.Partial, type, value);
  parts.sort((a, b) => a.type - b.type);
  return concat(parts.map(({ octets }) => octets));
}

function putAggregator(
  { aggregator }: PathAttributes,
  asOctets: 2 | 4,
  put: (flags: number, type: number, value: Uint8Array) => void,
): void {
  if (aggregator === undefined) return;
  const { asNumber, address } = aggregator;
  if (asOctets === 4) {
    put(OPTIONAL_TRANSITIVE, AttributeType.Aggregator, concat([octetsOfU32(asNumber), address]));
    return;
  }
  const short = asNumber > 0xffff ? AS_TRANS : asNumber;
  put(OPTIONAL_TRANSITIVE, AttributeType.Aggregator, concat([octetsOfU16(short), address]));
  if (asNumber > 0xffff) {
    put(OPTIONAL_TRANSITIVE, AttributeType.As4Aggregator, concat([octetsOfU32(asNumber), address]));
  }
}

function hasFourOctetNumber({ asPath }: PathAttributes): boolean {
  return asPath.some(({ asNumbers }) => asNumbers.some((asNumber) => asNumber > 0xffff));
}
