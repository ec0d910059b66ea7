/** Path attributes as plain JSON values, in the words operators write them. */
import { formatAddress } from "../../ipam/net/address.ts";
import { formatAsPath } from "../wire/as-path.ts";
import { u16, u32 } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";

export interface AttributesView {
  readonly origin: string;
  /** `65001 65002 {64512}`; empty for a route of our own AS. */
  readonly asPath: string;
  /** Absent for a route of this speaker's own. */
  readonly nextHop?: string;
  readonly linkLocalNextHop?: string;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: true;
  /** `65001 192.0.2.1` */
  readonly aggregator?: string;
  /** `65001:100` or the name of a well-known one. */
  readonly communities?: readonly string[];
  readonly largeCommunities?: readonly string[];
  readonly extendedCommunities?: readonly string[];
  readonly originatorID?: string;
  readonly clusterList?: readonly string[];
  readonly onlyToCustomer?: number;
  /** Attributes of types this speaker does not know; the value in hex. */
  readonly unknown?: readonly { readonly type: number; readonly flags: number; readonly value: string }[];
}

const ORIGINS = ["igp", "egp", "incomplete"] as const;

export function viewAttributes(attributes: PathAttributes): AttributesView {
  const { nextHop, linkLocalNextHop, med, localPref, aggregator, communities, originatorId, clusterList } = attributes;
  const { extendedCommunities, ipv6ExtendedCommunities, largeCommunities, onlyToCustomer, unknown } = attributes;
  const extended = [
    ...groups(extendedCommunities, 8, formatExtendedCommunity),
    ...groups(ipv6ExtendedCommunities, 20, hex),
  ];
  return {
    origin: ORIGINS[attributes.origin] ?? `origin ${attributes.origin}`,
    asPath: formatAsPath(attributes.asPath),
    ...(nextHop.length > 0 && { nextHop: formatAddress(nextHop) }),
    ...(linkLocalNextHop !== undefined && { linkLocalNextHop: formatAddress(linkLocalNextHop) }),
    ...(med !== undefined && { med }),
    ...(localPref !== undefined && { localPref }),
    ...(attributes.atomicAggregate === true && { atomicAggregate: true as const }),
    ...(aggregator !== undefined && { aggregator: `${aggregator.asNumber} ${formatAddress(aggregator.address)}` }),
    ...(communities !== undefined && communities.length > 0 && { communities: communities.map(formatCommunity) }),
    ...(largeCommunities !== undefined && { largeCommunities: groups(largeCommunities, 12, formatLargeCommunity) }),
    ...(extended.length > 0 && { extendedCommunities: extended }),
    ...(originatorId !== undefined && { originatorID: formatAddress(originatorId) }),
    ...(clusterList !== undefined && clusterList.length > 0 && { clusterList: clusterList.map(formatAddress) }),
    ...(onlyToCustomer !== undefined && { onlyToCustomer }),
    ...(unknown !== undefined && {
      unknown: unknown.map(({ type, flags, value }) => ({ type, flags, value: hex(value) })),
    }),
  };
}

/** One line: `igp, path 65001 65002, next hop 192.0.2.1, med 10, communities 65001:100 no-export`. */
export function attributesText(view: AttributesView): string {
  const parts = [
    view.origin,
    view.asPath === "" ? "empty path" : `path ${view.asPath}`,
    view.nextHop === undefined ? undefined : `next hop ${view.nextHop}`,
    view.linkLocalNextHop === undefined ? undefined : `link-local ${view.linkLocalNextHop}`,
    view.med === undefined ? undefined : `med ${view.med}`,
    view.localPref === undefined ? undefined : `local-pref ${view.localPref}`,
    view.atomicAggregate === undefined ? undefined : "atomic aggregate",
    view.aggregator === undefined ? undefined : `aggregator ${view.aggregator}`,
    view.communities === undefined ? undefined : `communities ${view.communities.join(" ")}`,
    view.largeCommunities === undefined ? undefined : `large communities ${view.largeCommunities.join(" ")}`,
    view.extendedCommunities === undefined ? undefined : `extended communities ${view.extendedCommunities.join(" ")}`,
    view.originatorID === undefined ? undefined : `originator ${view.originatorID}`,
    view.clusterList === undefined ? undefined : `cluster list ${view.clusterList.join(" ")}`,
    view.onlyToCustomer === undefined ? undefined : `only to customer ${view.onlyToCustomer}`,
    ...(view.unknown ?? []).map(({ type, value }) => `attribute ${type} ${value}`),
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** Well-known communities as the registry of RFC 1997 names them. */
const WELL_KNOWN: ReadonlyMap<number, string> = new Map([
  [0xffff0000, "graceful-shutdown"],
  [0xffff0001, "accept-own"],
  [0xffff0006, "llgr-stale"],
  [0xffff0007, "no-llgr"],
  [0xffff029a, "blackhole"],
  [0xffffff01, "no-export"],
  [0xffffff02, "no-advertise"],
  [0xffffff03, "no-export-subconfed"],
  [0xffffff04, "no-peer"],
]);

export function formatCommunity(community: number): string {
  return WELL_KNOWN.get(community) ?? `${community >>> 16}:${community & 0xffff}`;
}

function formatLargeCommunity(octets: Uint8Array): string {
  return `${u32(octets, 0)}:${u32(octets, 4)}:${u32(octets, 8)}`;
}

const SUBTYPES: Readonly<Record<number, string>> = { 2: "rt", 3: "soo" };

/** RFC 4360 3, RFC 5668 2: `rt:65001:100`; what is no route target or site of origin, in hex. */
function formatExtendedCommunity(octets: Uint8Array): string {
  const name = SUBTYPES[octets[1] as number];
  if (name === undefined) return hex(octets);
  switch (octets[0]) {
    case 0:
      return `${name}:${u16(octets, 2)}:${u32(octets, 4)}`;
    case 1:
      return `${name}:${formatAddress(octets.subarray(2, 6))}:${u16(octets, 6)}`;
    case 2:
      return `${name}:${u32(octets, 2)}:${u16(octets, 6)}`;
    default:
      return hex(octets);
  }
}

function groups(octets: Uint8Array | undefined, width: number, format: (octets: Uint8Array) => string): string[] {
  const texts: string[] = [];
  for (let at = 0; at < (octets?.length ?? 0); at += width)
    texts.push(format((octets as Uint8Array).subarray(at, at + width)));
  return texts;
}

export function hex(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}
