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
  const parts: { type: number; octets: Uint8Array }[] = [];
  const put = (flags: number, type: number, value: Uint8Array) =>
    parts.push({ type, octets: encodeAttribute(flags, type, value) });
  put(WELL_KNOWN, AttributeType.Origin, Uint8Array.of(attributes.origin));
  put(WELL_KNOWN, AttributeType.AsPath, encodeAsPath(attributes.asPath, asOctets));
  if (attributes.nextHop.length === 4) put(WELL_KNOWN, AttributeType.NextHop, attributes.nextHop);
  if (attributes.med !== undefined) put(OPTIONAL, AttributeType.Med, octetsOfU32(attributes.med));
  if (attributes.localPref !== undefined) {
    put(WELL_KNOWN, AttributeType.LocalPref, octetsOfU32(attributes.localPref));
  }
  if (attributes.atomicAggregate === true) put(WELL_KNOWN, AttributeType.AtomicAggregate, new Uint8Array(0));
  putAggregator(attributes, asOctets, put);
  if (attributes.communities !== undefined && attributes.communities.length > 0) {
    put(OPTIONAL_TRANSITIVE, AttributeType.Communities, concat(attributes.communities.map(octetsOfU32)));
  }
  if (attributes.originatorId !== undefined) put(OPTIONAL, AttributeType.OriginatorId, attributes.originatorId);
  if (attributes.clusterList !== undefined && attributes.clusterList.length > 0) {
    put(OPTIONAL, AttributeType.ClusterList, concat(attributes.clusterList));
  }
  if (attributes.extendedCommunities !== undefined) {
    put(OPTIONAL_TRANSITIVE, AttributeType.ExtendedCommunities, attributes.extendedCommunities);
  }
  if (asOctets === 2 && hasFourOctetNumber(attributes)) {
    // RFC 6793 4.2.2: confederation segments stay out of AS4_PATH.
    const path = attributes.asPath.filter(({ type }) => type === SegmentType.Sequence || type === SegmentType.Set);
    put(OPTIONAL_TRANSITIVE, AttributeType.As4Path, encodeAsPath(path, 4));
  }
  if (attributes.largeCommunities !== undefined) {
    put(OPTIONAL_TRANSITIVE, AttributeType.LargeCommunities, attributes.largeCommunities);
  }
  for (const { type, flags, value } of attributes.unknown ?? []) put(flags | AttributeFlag.Partial, type, value);
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
