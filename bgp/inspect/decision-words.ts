/** The steps of the decision process in a sentence each. */
import type { Step } from "../rib/steps.ts";

export const DECISION_WORDS: Readonly<Record<Step, string>> = {
  only: "no other path can be used",
  local: "this speaker originates it",
  "last-resort": "the others are long-lived stale (RFC 9494)",
  "local-pref": "it has the highest LOCAL_PREF",
  "as-path": "it has the shortest AS_PATH",
  origin: "it has the best ORIGIN: IGP before EGP before INCOMPLETE",
  med: "it has the lowest MED",
  external: "it was learned over eBGP, the others over iBGP",
  "igp-metric": "its next hop is the nearest",
  "router-id": "it came from the lowest ORIGINATOR_ID or BGP Identifier",
  "cluster-list": "it has the shortest CLUSTER_LIST",
  "peer-address": "it came from the lowest peer address",
  "path-id": "it has the lowest path identifier (RFC 7911)",
};
