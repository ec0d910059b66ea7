/** The speaker under test and its neighbours, all on one Ethernet segment; a tester sits at each one's address. */

/** What the neighbour is to the speaker, beside its AS number. */
export interface PeerPlan {
  /** Last octet of 192.0.2.x, and the last group of 2001:db8:2::x. */
  readonly host: number;
  readonly asNumber: number;
  readonly reflectorClient?: true;
  readonly routeServerClient?: true;
  /** Our side's role towards it (RFC 9234). */
  readonly role?: "provider" | "customer" | "peer" | "rs" | "rs-client";
  readonly strictRole?: true;
  /** RFC 8654 is switched off towards it. */
  readonly shortMessages?: true;
  /** RFC 8950 is switched on towards it. */
  readonly extendedNextHop?: true;
  /** The session runs over IPv6. */
  readonly overIPv6?: true;
  /** Seconds of RFC 9494. */
  readonly longLived?: number;
  /** RFC 4486 6/1 beyond so many prefixes of a family. */
  readonly maxPrefixes?: number;
  /** The speaker dials it, on this port. */
  readonly dialledOn?: number;
}

export const SUBJECT = { asNumber: 65_000, host: 1, port: 179, networks: ["203.0.113.128/25", "2001:db8:ffff:1::/64"] };

export const PEERS = {
  /** Says most of what is to be judged. */
  external: { host: 11, asNumber: 65_001, extendedNextHop: true },
  /** Where most of it is seen. */
  external2: { host: 12, asNumber: 65_002, extendedNextHop: true },
  external3: { host: 13, asNumber: 65_003 },
  six: { host: 16, asNumber: 65_016, overIPv6: true },
  short: { host: 15, asNumber: 65_015, shortMessages: true },
  /** An AS number that needs four octets. */
  big: { host: 14, asNumber: 4_200_000_014 },
  internal: { host: 21, asNumber: 65_000 },
  internal2: { host: 22, asNumber: 65_000 },
  client: { host: 31, asNumber: 65_000, reflectorClient: true },
  client2: { host: 32, asNumber: 65_000, reflectorClient: true },
  /** Members of an exchange whose route server the speaker is. */
  member: { host: 41, asNumber: 65_041, routeServerClient: true },
  member2: { host: 42, asNumber: 65_042, routeServerClient: true },
  /** Named by what they are to the speaker. */
  customer: { host: 51, asNumber: 65_051, role: "provider" },
  provider: { host: 52, asNumber: 65_052, role: "customer" },
  lateral: { host: 53, asNumber: 65_053, role: "peer" },
  strict: { host: 54, asNumber: 65_054, role: "peer", strictRole: true },
  routeServer: { host: 55, asNumber: 65_055, role: "rs-client" },
  exchangeMember: { host: 56, asNumber: 65_056, role: "rs" },
  lasting: { host: 61, asNumber: 65_061, longLived: 60 },
  limited: { host: 62, asNumber: 65_062, maxPrefixes: 4 },
  /** The speaker dials these two as well. */
  dialled: { host: 71, asNumber: 65_071, dialledOn: 1179 },
  dialled2: { host: 72, asNumber: 65_072, dialledOn: 1179 },
  /** Behaves, and tells when everybody has heard what went before. */
  clock: { host: 99, asNumber: 65_099 },
} as const satisfies Record<string, PeerPlan>;

export type PeerName = keyof typeof PEERS;
export const PEER_NAMES = Object.keys(PEERS) as PeerName[];
export const planOf = (name: PeerName): PeerPlan => PEERS[name];

/** Addresses of a neighbour or of the speaker; `prefix` is what changes where the testers run elsewhere. */
export const address4 = (host: number): string => `192.0.2.${host}`;
export const address6 = (host: number): string => `2001:db8:2::${host.toString(16)}`;
/** Where the connection with that neighbour ends: its own side, and with {@link SUBJECT}'s host the speaker's. */
export const endOf = (host: number, { overIPv6 }: PeerPlan): string => (overIPv6 ? address6 : address4)(host);
export const linkLocal = (host: number): string => `fe80::${host.toString(16)}`;
