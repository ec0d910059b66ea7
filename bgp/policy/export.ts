/** What becomes of a best route on its way out to one peer (RFC 4271 9.2, 5.1). */
import type { Family } from "../../ipam/net/address.ts";
import { DEFAULT_LOCAL_PREF } from "../rib/decision.ts";
import { isExternal, type PeerConfig } from "../session/peer-config.ts";
import { prepend } from "../wire/as-path.ts";
import { Origin, type PathAttributes } from "../wire/path-attributes.ts";

/** RFC 1997. */
const NO_EXPORT = 0xffffff01;
const NO_ADVERTISE = 0xffffff02;
const NO_EXPORT_SUBCONFED = 0xffffff03;

/** Where a best route comes from, seen by the export rules. */
export type RouteSource = "local" | "external" | "internal";

/** Attributes of a route this speaker originates; the next hop is filled in per peer. */
export const LOCAL_ATTRIBUTES: PathAttributes = { origin: Origin.Igp, asPath: [], nextHop: new Uint8Array(0) };

/** The attributes to announce, or in words why the route stays here. */
export function exportRoute(
  peer: PeerConfig,
  family: Family,
  source: RouteSource,
  attributes: PathAttributes,
): PathAttributes | string {
  if (source !== "local" && peer.exportScope === "originated") return "only own routes go to this peer";
  // RFC 4271 9.2: what one internal peer said is not repeated to another; reflectors are the exception.
  const external = isExternal(peer);
  if (source === "internal" && !external) return "learned from an internal peer";
  const communities = attributes.communities ?? [];
  if (communities.includes(NO_ADVERTISE)) return "NO_ADVERTISE";
  if (external && (communities.includes(NO_EXPORT) || communities.includes(NO_EXPORT_SUBCONFED))) return "NO_EXPORT";
  const nextHop = exportNextHop(peer, family, source, external, attributes);
  if (nextHop === undefined) return `this speaker has no IPv${family} address to give as next hop`;
  const {
    linkLocalNextHop: _linkLocal,
    localPref,
    med,
    originatorId: _originator,
    clusterList: _cluster,
    ...rest
  } = attributes;
  if (external) {
    // RFC 4271 5.1.4: a MED learned from one neighbouring AS does not go on to another. 5.1.5: no LOCAL_PREF.
    return { ...rest, ...nextHop, asPath: prepend(attributes.asPath, peer.localAsNumber) };
  }
  return {
    ...rest,
    ...nextHop,
    ...(med === undefined ? {} : { med }),
    localPref: localPref ?? DEFAULT_LOCAL_PREF,
  };
}

/** RFC 4271 5.1.3: towards an external peer our own address; towards an internal one as received. */
function exportNextHop(
  peer: PeerConfig,
  family: Family,
  source: RouteSource,
  external: boolean,
  attributes: PathAttributes,
): Pick<PathAttributes, "nextHop" | "linkLocalNextHop"> | undefined {
  const keep = peer.nextHopMode === "Keep" || (peer.nextHopMode === "Auto" && !external);
  if (source !== "local" && keep) return { nextHop: attributes.nextHop };
  const own = peer.localAddresses[family];
  return own === undefined ? undefined : { nextHop: own };
}
