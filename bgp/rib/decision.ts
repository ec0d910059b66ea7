/**
 * The decision process (RFC 4271 9.1.2, RFC 4456 9): of the paths to one prefix, which is best, and why.
 *
 * Before any step, a path whose next hop cannot be resolved is no candidate (9.1.2.1). Then each step removes the
 * paths that are worse than the best of it, until one is left:
 *
 *   local          a route this speaker originates
 *   local-pref     the highest LOCAL_PREF
 *   as-path        the shortest AS_PATH
 *   origin         IGP before EGP before INCOMPLETE
 *   med            the lowest MED, among paths from the same neighbouring AS only
 *   external       eBGP before iBGP
 *   igp-metric     the nearest next hop
 *   router-id      the lowest ORIGINATOR_ID, or BGP Identifier of the peer
 *   cluster-list   the shortest CLUSTER_LIST
 *   peer-address   the lowest address of the peer
 *
 * Steps remove from the whole set at once, so the outcome does not depend on the order in which paths arrived, MED
 * included.
 */
import { type Address, compareAddresses } from "../../ipam/net/address.ts";
import { neighborAs, pathLength } from "../wire/as-path.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";

export interface Candidate {
  readonly path: number;
  readonly attributes: PathAttributes;
  readonly local: boolean;
  readonly external: boolean;
  /** Metric of the kernel route the next hop resolves through. */
  readonly igpMetric: number;
  readonly peerId: Address;
  readonly peerAddress: Address;
}

export const STEPS = [
  "only",
  "local",
  "local-pref",
  "as-path",
  "origin",
  "med",
  "external",
  "igp-metric",
  "router-id",
  "cluster-list",
  "peer-address",
] as const;

export type Step = (typeof STEPS)[number];

export const DEFAULT_LOCAL_PREF = 100;

type Filter = (candidates: readonly Candidate[]) => readonly Candidate[];

const ORDER: readonly (readonly [Step, Filter])[] = [
  ["local", keepLowest(({ local }) => (local ? 0 : 1))],
  ["local-pref", keepLowest(({ attributes }) => -(attributes.localPref ?? DEFAULT_LOCAL_PREF))],
  ["as-path", keepLowest(({ attributes }) => pathLength(attributes.asPath))],
  ["origin", keepLowest(({ attributes }) => attributes.origin)],
  ["med", keepLowestMedOfEachNeighbor],
  ["external", keepLowest(({ external }) => (external ? 0 : 1))],
  ["igp-metric", keepLowest(({ igpMetric }) => igpMetric)],
  ["router-id", keepLowestAddress(({ attributes, peerId }) => attributes.originatorId ?? peerId)],
  ["cluster-list", keepLowest(({ attributes }) => attributes.clusterList?.length ?? 0)],
  ["peer-address", keepLowestAddress(({ peerAddress }) => peerAddress)],
];

/** The best candidate and the step that left it alone; undefined when there is none. */
export function decide(
  candidates: readonly Candidate[],
): { readonly best: Candidate; readonly step: Step } | undefined {
  let left = candidates;
  let step: Step = "only";
  for (const [name, filter] of ORDER) {
    if (left.length <= 1) break;
    const kept = filter(left);
    if (kept.length < left.length) step = name;
    left = kept;
  }
  const best = left[0];
  return best === undefined ? undefined : { best, step };
}

function keepLowest(value: (candidate: Candidate) => number): Filter {
  return (candidates) => {
    let lowest = Number.POSITIVE_INFINITY;
    for (const candidate of candidates) lowest = Math.min(lowest, value(candidate));
    return candidates.filter((candidate) => value(candidate) === lowest);
  };
}

function keepLowestAddress(value: (candidate: Candidate) => Address): Filter {
  return (candidates) => {
    let lowest = value(candidates[0] as Candidate);
    for (const candidate of candidates) {
      if (compareAddresses(value(candidate), lowest) < 0) lowest = value(candidate);
    }
    return candidates.filter((candidate) => compareAddresses(value(candidate), lowest) === 0);
  };
}

/** RFC 4271 9.1.2.2 c: a missing MED counts as 0. */
function keepLowestMedOfEachNeighbor(candidates: readonly Candidate[]): readonly Candidate[] {
  const lowest = new Map<number | undefined, number>();
  for (const { attributes } of candidates) {
    const neighbor = neighborAs(attributes.asPath);
    lowest.set(neighbor, Math.min(lowest.get(neighbor) ?? Number.POSITIVE_INFINITY, attributes.med ?? 0));
  }
  return candidates.filter(({ attributes }) => (attributes.med ?? 0) === lowest.get(neighborAs(attributes.asPath)));
}
