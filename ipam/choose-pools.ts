/** Which pools an assignment may take from, and why the others do not qualify. */
import type { Family } from "./net/address.ts";
import { familyOfPrefix, parsePrefix } from "./net/prefix.ts";
import type { AssignRequest } from "./plan.ts";
import { automaticPools, findPool, type Pool, poolText, whyNotForPods } from "./pool.ts";
import { Refusal } from "./refusal.ts";
import type { Labels } from "./selector.ts";
import type { View } from "./view.ts";

/** Of the family, at least one; those that the request names bypass selectors and assignmentMode, as in Calico. */
export function choosePools(view: View, request: AssignRequest, family: Family): readonly Pool[] | Refusal {
  const all = view.pools;
  const named: Pool[] = [];
  for (const text of request.pools ?? []) {
    const pool = findPool(all, text, parsePrefix(text));
    if (pool === undefined)
      return new Refusal("unknown-pool", `IPPool ${text} does not exist; ${thereAre(all)}`, false);
    if (familyOfPrefix(pool.cidr) === family) named.push(pool);
  }
  if (named.length > 0) {
    const usable = named.filter((pool) => whyNotForPods(pool) === undefined);
    if (usable.length > 0) return usable;
    const reasons = named.map((pool) => `${poolText(pool)} ${whyNotForPods(pool)}`);
    return noPool(view, family, reasons);
  }
  const { pools, reasons } = automaticPools(all, family, view.labels, request.namespaceLabels);
  return pools.length > 0 ? pools : noPool(view, family, reasons);
}

/**
 * Families that a request which asks for none gets: those of pools it names, and those with a pool that serves it
 * unasked. A family whose pools are all switched off or full is asked for all the same: the refusal says why.
 */
export function servedFamilies(
  all: readonly Pool[],
  labels: Labels,
  { pools: names = [], namespaceLabels }: Pick<AssignRequest, "pools" | "namespaceLabels">,
): readonly Family[] {
  const isNamed = (family: Family) =>
    names.some((text) => familyOfPool(findPool(all, text, parsePrefix(text))) === family);
  const served = FAMILIES.filter(
    (family) => isNamed(family) || automaticPools(all, family, labels, namespaceLabels).pools.length > 0,
  );
  return served.length > 0 ? served : FAMILIES.filter((family) => all.some((pool) => familyOfPool(pool) === family));
}

const FAMILIES = [4, 6] as const;
const familyOfPool = (pool: Pool | undefined): Family | undefined => pool && familyOfPrefix(pool.cidr);

/** `there are: v4 (10.244.0.0/16)` */
export function thereAre(pools: readonly Pool[]): string {
  return `there are: ${pools.map(poolText).join(", ") || "none"}`;
}

function noPool(view: View, family: Family, reasons: readonly string[]): Refusal {
  const why = reasons.length === 0 ? `there is no IPv${family} IPPool: create one` : reasons.join("; ");
  return new Refusal("no-pool", `no IPv${family} pool for node ${view.node}: ${why}`, false);
}
