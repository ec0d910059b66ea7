/** What becomes of a path on its way out to the peers of one update group (RFC 4271 9.2, 5.1). */
import type { Address } from "../../ipam/net/address.ts";
import { Community, DEFAULT_LOCAL_PREF, SetFlag } from "../rib/attribute-columns.ts";
import { type AsPath, prepend, withoutPrivate } from "../wire/as-path.ts";
import { Origin, type PathAttributes } from "../wire/path-attributes.ts";
import { transitiveOnly } from "../wire/rewrite-attributes.ts";
import type { ExportTerms } from "./export-terms.ts";

/** Where a path comes from, seen by the export rules. */
export interface RouteOrigin {
  /** Originated by this speaker. */
  readonly local: boolean;
  readonly external: boolean;
  /** From a client of this speaker as route reflector. */
  readonly client: boolean;
  /** From a peer on this machine alone. */
  readonly attached: boolean;
  readonly peerId: Address;
}

/** Attributes of a route this speaker originates; the next hop is filled in per peer. */
export const LOCAL_ATTRIBUTES: PathAttributes = { origin: Origin.Igp, asPath: [], nextHop: new Uint8Array(0) };

/** Why a path with these flags (SetFlag) stays here, in words; undefined: nothing is against it. */
export function exportProblem(terms: ExportTerms, origin: RouteOrigin, flags: number): string | undefined {
  if (terms.requiresPolicy && terms.external && terms.chain.filters.length === 0) {
    return "the peer has no export filter and ebgpRequiresPolicy is on (RFC 8212)";
  }
  if (!origin.local && !origin.attached && terms.scope === "originated") return "only own routes go to this peer";
  // RFC 4271 9.2: what one internal peer said is not repeated to another; reflectors are the exception (RFC 4456 6).
  if (isInternal(terms, origin) && !origin.client && !terms.reflectorClient) {
    return "learned from an internal peer, and neither is a route-reflector client";
  }
  // RFC 1997 binds who receives them: on a route of our own they are meant for the peer.
  if (!origin.local && (flags & SetFlag.NoAdvertise) !== 0) return "community NO_ADVERTISE";
  if (!origin.local && terms.external && (flags & SetFlag.NoExport) !== 0) return "community NO_EXPORT";
  if ((flags & SetFlag.LlgrStale) !== 0 && !terms.longLived) {
    return "long-lived stale, and the peer does not know what that is (RFC 9494 4.3)";
  }
  // RFC 9234 5: what came from a provider, a peer or a route server goes to customers only.
  const upwards = terms.role === "customer" || terms.role === "peer" || terms.role === "rs-client";
  if (upwards && (flags & SetFlag.HasOnlyToCustomer) !== 0)
    return `only to customers (RFC 9234), our role is ${terms.role}`;
  return undefined;
}

/** Learned inside the AS, for somebody inside the AS. */
export function isInternal(terms: ExportTerms, origin: RouteOrigin): boolean {
  return !terms.external && !origin.external && !origin.local && !origin.attached;
}

/** Whether the route's next hop stays as it is (Calico's nextHopMode; RFC 4271 5.1.3, RFC 7947 2.2.1). */
export function keepsNextHop(terms: ExportTerms, origin: RouteOrigin): boolean {
  if (origin.local || origin.attached || terms.nextHopMode === "Self") return false;
  return terms.nextHopMode === "Keep" || !terms.external || terms.routeServerClient;
}

/** The attributes to announce before any filter, of a path that {@link exportProblem} lets pass; or why not. */
export function exportAttributes(
  terms: ExportTerms,
  origin: RouteOrigin,
  attributes: PathAttributes,
): PathAttributes | string {
  const nextHop = nextHopFor(terms, origin, attributes);
  if (typeof nextHop === "string") return nextHop;
  const { linkLocalNextHop: _linkLocal, localPref, med, originatorId, clusterList, ...rest } = attributes;
  const common = { ...rest, ...nextHop, ...onlyToCustomer(terms, attributes), ...shutdown(terms, attributes) };
  if (terms.external) {
    // RFC 7947 2.2: a route server is transparent. RFC 4271 5.1.4: a MED learned from one neighbouring AS does not go
    // on to another. 5.1.5: no LOCAL_PREF.
    const transparent = terms.routeServerClient;
    const asPath = transparent ? attributes.asPath : prepend(pathFor(terms, attributes.asPath), terms.localAsNumber);
    return {
      ...withoutNonTransitive(common),
      asPath,
      ...(med !== undefined && (transparent || origin.local) ? { med } : {}),
    };
  }
  return {
    ...common,
    ...(med === undefined ? {} : { med }),
    localPref: terms.gracefulShutdown ? 0 : (localPref ?? DEFAULT_LOCAL_PREF),
    ...(isInternal(terms, origin)
      ? // RFC 4456 8.
        { originatorId: originatorId ?? origin.peerId, clusterList: [terms.clusterId, ...(clusterList ?? [])] }
      : {}),
  };
}

/** Whether {@link exportAttributes} does no more than what can be done on the octets as they are. */
export function isPlain(terms: ExportTerms, origin: RouteOrigin): boolean {
  return (
    terms.asOctets === 4 &&
    !terms.gracefulShutdown &&
    !terms.removePrivateAs &&
    !terms.routeServerClient &&
    terms.role === undefined &&
    !isInternal(terms, origin) &&
    !origin.local &&
    !origin.attached
  );
}

/** RFC 4360 6. */
function withoutNonTransitive<T extends Partial<PathAttributes>>(attributes: T): T {
  const { extendedCommunities, ...rest } = attributes;
  if (extendedCommunities === undefined) return attributes;
  const kept = transitiveOnly(extendedCommunities);
  return kept.length === 0 ? (rest as T) : { ...attributes, extendedCommunities: kept };
}

function pathFor(terms: ExportTerms, path: AsPath): AsPath {
  return terms.removePrivateAs ? withoutPrivate(path) : path;
}

function nextHopFor(
  terms: ExportTerms,
  origin: RouteOrigin,
  { nextHop }: PathAttributes,
): Pick<PathAttributes, "nextHop" | "linkLocalNextHop"> | string {
  if (keepsNextHop(terms, origin)) {
    if (terms.family === 4 && nextHop.length === 16 && !terms.extendedNextHop) {
      return "its next hop is IPv6, which the peer cannot take for IPv4 routes (RFC 8950)";
    }
    // RFC 2545 3: the link-local address is good on the link it came from only.
    return { nextHop };
  }
  const own = terms.ownNextHop;
  if (own === undefined) return `this speaker has no IPv${terms.family} address to give as next hop`;
  return own.length === 32 ? { nextHop: own.slice(0, 16), linkLocalNextHop: own.slice(16) } : { nextHop: own };
}

/** RFC 9234 5: towards customers, peers and clients the mark is set, so that nobody sends the route up again. */
function onlyToCustomer({ role, localAsNumber }: ExportTerms, attributes: PathAttributes): Partial<PathAttributes> {
  const downwards = role === "provider" || role === "peer" || role === "rs";
  return downwards && attributes.onlyToCustomer === undefined ? { onlyToCustomer: localAsNumber } : {};
}

/** RFC 8326 4.2. */
function shutdown({ gracefulShutdown }: ExportTerms, { communities = [] }: PathAttributes): Partial<PathAttributes> {
  if (!gracefulShutdown || communities.includes(Community.GracefulShutdown)) return {};
  return { communities: [...communities, Community.GracefulShutdown] };
}
