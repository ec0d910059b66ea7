/**
 * What is taken from a pod of this node when no filter of the operator's decided: its own services, and never the way
 * to somebody else. A pod is the least trusted neighbour a node has. See docs/decisions/routes-from-pods.md.
 */
import type { Filter, Rule } from "../../bgp/policy/filter.ts";
import { type Family, familyOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Guarded } from "../config/local-peerings.ts";

/** Nothing wider is one machine's. */
const WIDEST = { 4: 8, 6: 16 } as const;
const EVERYTHING = { 4: prefixOf("0.0.0.0/0"), 6: prefixOf("::/0") } as const;
const CURE = "which no pod announces unless an import filter accepts it";

export function podRoutes(guarded: readonly Guarded[]): Filter {
  return { name: "pod-routes", direction: "import", ipv4: rulesFor(guarded, 4), ipv6: rulesFor(guarded, 6) };
}

function rulesFor(guarded: readonly Guarded[], family: Family): Rule[] {
  const reject = { action: "Reject", operations: [] } as const;
  const within = EVERYTHING[family];
  return [
    {
      by: `a default route, ${CURE}`,
      prefixes: { within, minLength: 0, maxLength: 0, negated: false },
      ...reject,
    },
    {
      by: `wider than /${WIDEST[family]}, ${CURE}`,
      prefixes: { within, minLength: 1, maxLength: WIDEST[family] - 1, negated: false },
      ...reject,
    },
    ...guarded.flatMap(({ what, prefixes }): Rule[] => {
      const overlaps = prefixes.filter(({ address }) => familyOf(address) === family);
      return overlaps.length === 0 ? [] : [{ by: `overlaps ${what}, ${CURE}`, overlaps, ...reject }];
    }),
  ];
}
