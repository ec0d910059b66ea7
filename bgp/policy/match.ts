/** Whether a route meets a rule's conditions. Asked for every rule of every route: nothing is allocated. */
import { containsPrefix, type Prefix, prefixesOverlap } from "../../ipam/net/prefix.ts";
import { DEFAULT_LOCAL_PREF } from "../rib/attribute-columns.ts";
import { type AsPath, SegmentType } from "../wire/as-path.ts";
import type { PolicyRoute } from "./chain.ts";
import { hasCommunity } from "./communities.ts";
import { LOCAL_PRIORITY, PRIORITY_AND_LOCAL_PREF, type PrefixCondition, type Rule } from "./filter.ts";

export function matchesRule(rule: Rule, route: PolicyRoute): boolean {
  return (
    (rule.peerType === undefined || rule.peerType === route.peerType) &&
    (rule.source === undefined || rule.source === route.source) &&
    (rule.attached === undefined || route.attached) &&
    (rule.overlaps === undefined || overlapsOne(rule.overlaps, route.prefix)) &&
    (rule.prefixes === undefined || meets(rule.prefixes, route)) &&
    (rule.priority === undefined || rule.priority === priorityOf(route)) &&
    (rule.community === undefined || hasCommunity(route.attributes, rule.community)) &&
    (rule.asPathPrefix === undefined || startsWith(route.attributes.asPath, rule.asPathPrefix)) &&
    (rule.interface === undefined || isInterface(route.interface, rule.interface))
  );
}

function overlapsOne(others: readonly Prefix[], prefix: Prefix): boolean {
  for (const other of others) {
    if (other.address.length === prefix.address.length && prefixesOverlap(other, prefix)) return true;
  }
  return false;
}

function meets(condition: PrefixCondition, { prefix }: PolicyRoute): boolean {
  const { within, minLength, maxLength, negated } = condition;
  const isIn = prefix.length >= minLength && prefix.length <= maxLength && containsPrefix(within, prefix);
  return isIn !== negated;
}

/** Less is better; only a route that came over BGP has a LOCAL_PREF of its own. */
export function priorityOf({ source, attributes }: PolicyRoute): number {
  if (source === "Local") return LOCAL_PRIORITY;
  return PRIORITY_AND_LOCAL_PREF - (attributes.localPref ?? DEFAULT_LOCAL_PREF);
}

/** Over the borders of segments, as a long path has several; a set has no order and ends what can be compared. */
function startsWith(path: AsPath, start: readonly number[]): boolean {
  let met = 0;
  for (const { type, asNumbers } of path) {
    if (type !== SegmentType.Sequence) return false;
    for (const asNumber of asNumbers) {
      if (met === start.length) return true;
      if (asNumber !== start[met]) return false;
      met++;
    }
  }
  return met === start.length;
}

function isInterface(name: string | undefined, pattern: string): boolean {
  return name !== undefined && matchesPattern(name, pattern);
}

/** `*` stands for any characters, `?` for any one. Takes at most name × pattern steps. */
export function matchesPattern(name: string, pattern: string): boolean {
  let at = 0;
  let i = 0;
  let star = -1;
  let resume = 0;
  while (at < name.length) {
    if (pattern[i] === "*") {
      star = i++;
      resume = at;
    } else if (i < pattern.length && (pattern[i] === "?" || pattern[i] === name[at])) {
      i++;
      at++;
    } else if (star >= 0) {
      // The last star takes one character more.
      i = star + 1;
      at = ++resume;
    } else {
      return false;
    }
  }
  while (pattern[i] === "*") i++;
  return i === pattern.length;
}
