/** What the path attributes of a route say, once read (RFC 4271 5). */
import type { Address } from "../../ipam/net/address.ts";
import type { AsPath } from "./as-path.ts";

export const Origin = { Igp: 0, Egp: 1, Incomplete: 2 } as const;

export interface Aggregator {
  readonly asNumber: number;
  readonly address: Address;
}

/** An optional transitive attribute of a type we don't know: passed on with the Partial bit (RFC 4271 5). */
export interface UnknownAttribute {
  readonly type: number;
  readonly flags: number;
  readonly value: Uint8Array;
}

export interface PathAttributes {
  readonly origin: number;
  readonly asPath: AsPath;
  /** 4 octets, or 16 for a global IPv6 address. */
  readonly nextHop: Address;
  /** The second address of an IPv6 next hop (RFC 2545 3). */
  readonly linkLocalNextHop?: Address;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: Aggregator;
  /** Each one 32-bit value, `high:low`. */
  readonly communities?: readonly number[];
  /** Multiple of 12 octets. */
  readonly largeCommunities?: Uint8Array;
  /** Multiple of 8 octets. */
  readonly extendedCommunities?: Uint8Array;
  /** Multiple of 20 octets (RFC 5701). */
  readonly ipv6ExtendedCommunities?: Uint8Array;
  readonly originatorId?: Address;
  readonly clusterList?: readonly Address[];
  /** Only to customer (RFC 9234 5): the AS number that said so. */
  readonly onlyToCustomer?: number;
  readonly unknown?: readonly UnknownAttribute[];
}

/** What an attribute's reading depends on besides its octets. */
export interface AttributeContext {
  readonly asOctets: 2 | 4;
  readonly external: boolean;
  /** NEXT_HOP holds the next hop of MP_REACH_NLRI: 16 octets, or 32. */
  readonly multiprotocol: boolean;
}

/** Between four-octet speakers of one AS: the form in which attribute sets are kept. */
export const CANONICAL: AttributeContext = { asOctets: 4, external: false, multiprotocol: true };
