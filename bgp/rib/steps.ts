/**
 * The steps of the decision process (RFC 4271 9.1.2, RFC 4456 9), in order: each removes the paths that are worse than
 * the best of it, until one is left.
 *
 *   local          a route this speaker originates
 *   last-resort    one that is not stale for long (RFC 9494 4.3)
 *   local-pref     the highest LOCAL_PREF
 *   as-path        the shortest AS_PATH
 *   origin         IGP before EGP before INCOMPLETE
 *   med            the lowest MED, among paths from the same neighbouring AS only unless told otherwise
 *   external       eBGP before iBGP
 *   igp-metric     the nearest next hop
 *   router-id      the lowest ORIGINATOR_ID, or BGP Identifier of the peer
 *   cluster-list   the shortest CLUSTER_LIST
 *   peer-address   the lowest address of the peer
 *   path-id        the lowest path identifier (RFC 7911), between paths of one peer
 */
export const STEPS = [
  "only",
  "local",
  "last-resort",
  "local-pref",
  "as-path",
  "origin",
  "med",
  "external",
  "igp-metric",
  "router-id",
  "cluster-list",
  "peer-address",
  "path-id",
] as const;

export type Step = (typeof STEPS)[number];
