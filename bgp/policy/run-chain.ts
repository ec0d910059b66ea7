/**
 * A route's way through a chain: filters in order, in each the rules of the route's family in order. The first rule
 * that matches decides; where none does, the chain says what happens. What is let pass gets the tags of its prefix.
 */
import type { Family } from "../../ipam/net/address.ts";
import { containsPrefix } from "../../ipam/net/prefix.ts";
import { prepend } from "../wire/as-path.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import type { FilterChain, PolicyRoute, Tag, Verdict } from "./chain.ts";
import { addCommunities, addCommunity } from "./communities.ts";
import { type Filter, type Operation, PRIORITY_AND_LOCAL_PREF, type Rule } from "./filter.ts";
import { matchesRule } from "./match.ts";

/** No rule has to be asked: everything passes as it is. */
export function isOpen({ filters, otherwise, tags }: FilterChain): boolean {
  return filters.length === 0 && otherwise === "Accept" && tags.length === 0;
}

/**
 * Whether routes of one family with the same attributes can fare differently. Without a family: whether any routes can,
 * as each family has rules of its own.
 */
export function looksAtPrefix(chain: FilterChain, family?: Family): boolean {
  if (family === undefined) return !isOpen(chain);
  return chain.tags.length > 0 || chain.filters.some((filter) => rulesFor(filter, family).some(hasPrefixCondition));
}

/** The attributes are the route's own, the same object, unless something was changed. */
export function runChain(chain: FilterChain, route: PolicyRoute): Verdict {
  const family = route.prefix.address.length === 4 ? 4 : 6;
  for (const filter of chain.filters) {
    for (const rule of rulesFor(filter, family)) {
      if (!matchesRule(rule, route)) continue;
      if (rule.action === "Reject") return { accept: false, by: rule.by };
      const changed = operate(rule.operations, route, filter.direction);
      return { accept: true, attributes: tagged(chain.tags, route, changed), by: rule.by };
    }
  }
  return chain.otherwise === "Accept"
    ? { accept: true, attributes: tagged(chain.tags, route, route.attributes), by: "no filter decided: Accept" }
    : { accept: false, by: "no filter decided: Reject" };
}

function rulesFor(filter: Filter, family: Family): readonly Rule[] {
  return family === 4 ? filter.ipv4 : filter.ipv6;
}

function hasPrefixCondition({ prefixes, overlaps }: Rule): boolean {
  return prefixes !== undefined || overlaps !== undefined;
}

function operate(
  operations: readonly Operation[],
  { attributes, peerType }: PolicyRoute,
  direction: Filter["direction"],
): PathAttributes {
  let changed = attributes;
  for (const operation of operations) {
    if (operation.kind === "add-community") {
      changed = addCommunity(changed, operation.value);
    } else if (operation.kind === "prepend") {
      changed = { ...changed, asPath: operation.asNumbers.reduceRight(prepend, changed.asPath) };
    } else if (operation.kind === "remove-med") {
      changed = withoutMed(changed);
    } else if (direction === "import" || peerType === "iBGP") {
      // RFC 4271 5.1.5: LOCAL_PREF does not go to another AS.
      changed = { ...changed, localPref: PRIORITY_AND_LOCAL_PREF - operation.priority };
    }
  }
  return changed;
}

function withoutMed(attributes: PathAttributes): PathAttributes {
  if (attributes.med === undefined) return attributes;
  const { med: _med, ...others } = attributes;
  return others;
}

function tagged(tags: readonly Tag[], { prefix }: PolicyRoute, attributes: PathAttributes): PathAttributes {
  let changed = attributes;
  for (const { prefix: within, communities, largeCommunities } of tags) {
    if (containsPrefix(within, prefix)) changed = addCommunities(changed, communities, largeCommunities);
  }
  return changed;
}
