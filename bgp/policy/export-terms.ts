/**
 * Everything that decides what a peer is told, and how it is written: peers with equal terms are told the same and
 * form an update group.
 */
import type { Address, Family } from "../../ipam/net/address.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig, Role } from "../session/peer-config.ts";
import type { FilterChain } from "./chain.ts";

export interface ExportTerms {
  readonly family: Family;
  readonly external: boolean;
  readonly localAsNumber: number;
  readonly asOctets: 2 | 4;
  readonly maxMessageLength: number;
  /** Several paths to a prefix (RFC 7911). */
  readonly addPath: boolean;
  readonly nextHopMode: PeerConfig["nextHopMode"];
  /** 4 or 16 octets; 32 with a link-local address behind the global one; undefined: there is none to give. */
  readonly ownNextHop: Address | undefined;
  readonly extendedNextHop: boolean;
  readonly scope: PeerConfig["exportScope"];
  readonly reflectorClient: boolean;
  readonly clusterId: Address;
  readonly routeServerClient: boolean;
  readonly role: Role | undefined;
  readonly gracefulShutdown: boolean;
  readonly removePrivateAs: boolean;
  /** The peer knows what LLGR_STALE means (RFC 9494). */
  readonly longLived: boolean;
  readonly requiresPolicy: boolean;
  readonly limit: number | undefined;
  readonly chain: FilterChain;
}

/** `localAddress`: our end of the session. */
export function exportTerms(
  config: PeerConfig,
  negotiated: Negotiated,
  family: Family,
  localAddress: Address | undefined,
): ExportTerms {
  return {
    family,
    external: negotiated.external,
    localAsNumber: config.localAsNumber,
    asOctets: negotiated.asOctets,
    maxMessageLength: negotiated.maxMessageLength,
    addPath: negotiated.addPathSend.includes(family),
    nextHopMode: config.nextHopMode,
    ownNextHop: ownNextHop(config, negotiated, family, localAddress),
    extendedNextHop: negotiated.extendedNextHop,
    scope: config.exportScope,
    reflectorClient: config.reflectorClient,
    clusterId: config.clusterId,
    routeServerClient: config.routeServerClient,
    role: negotiated.role,
    gracefulShutdown: config.gracefulShutdown,
    removePrivateAs: config.removePrivateAs,
    longLived: negotiated.peerLongLived.length > 0,
    requiresPolicy: config.requiresPolicy,
    limit: config.maxPrefixesOut,
    chain: config.exportChain,
  };
}

/**
 * A configured address, else our end of the session where it is of the family. For IPv4 routes an IPv6 one where the
 * peer takes it (RFC 8950); for IPv6 routes over an IPv4 session our IPv4 address, mapped (RFC 4291 2.5.5.2).
 */
function ownNextHop(
  config: PeerConfig,
  { extendedNextHop }: Negotiated,
  family: Family,
  localAddress: Address | undefined,
): Address | undefined {
  const configured = config.localAddresses[family];
  if (configured !== undefined) return configured;
  if (localAddress?.length === (family === 4 ? 4 : 16)) return localAddress;
  if (family === 6) return localAddress && mapped(localAddress);
  if (!extendedNextHop) return undefined;
  return config.localAddresses[6] ?? localAddress;
}

function mapped(ipv4: Address): Address {
  const address = new Uint8Array(16).fill(0xff, 10, 12);
  address.set(ipv4, 12);
  return address;
}

/** Equal for equal terms. */
export function termsKey(terms: ExportTerms): string {
  return JSON.stringify(terms, (_key, value) => (value instanceof Uint8Array ? [...value].join(".") : value));
}
