/** From a BGPFilter as an operator writes it to what is applied to routes. What is written was checked before. */
import { bitsOf, familyOf } from "../../ipam/net/address.ts";
import { type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { Tag } from "./chain.ts";
import { parseCommunity } from "./communities.ts";
import type { CommunityValue, Filter, Operation, PrefixCondition, Rule } from "./filter.ts";

/** A BGPFilter's spec; an empty text counts as not given. */
export interface FilterSpec {
  readonly importV4?: readonly RuleSpec[];
  readonly importV6?: readonly RuleSpec[];
  readonly exportV4?: readonly RuleSpec[];
  readonly exportV6?: readonly RuleSpec[];
}

export interface RuleSpec {
  readonly cidr?: string;
  readonly matchOperator?: "Equal" | "NotEqual" | "In" | "NotIn" | "";
  readonly prefixLength?: { readonly min?: number; readonly max?: number };
  readonly source?: "RemotePeers" | "";
  readonly interface?: string;
  readonly peerType?: "eBGP" | "iBGP" | "";
  /** One value. */
  readonly communities?: { readonly values: readonly string[] };
  readonly asPathPrefix?: readonly number[];
  readonly priority?: number;
  readonly action: "Accept" | "Reject";
  readonly operations?: readonly OperationSpec[];
}

/** One of them. */
export interface OperationSpec {
  readonly addCommunity?: { readonly value: string };
  readonly prependASPath?: { readonly prefix: readonly number[] };
  readonly setPriority?: { readonly value: number };
  readonly removeMED?: object;
}

type RuleList = keyof FilterSpec;

export function compileFilter(name: string, spec: FilterSpec, direction: Filter["direction"]): Filter {
  const rules = (list: RuleList) => (spec[list] ?? []).map((rule, i) => compileRule(name, list, rule, i));
  return { name, direction, ipv4: rules(`${direction}V4`), ipv6: rules(`${direction}V6`) };
}

/**
 * In the place of a filter that was asked for and is not there: nothing gets past it. Whoever named it wanted less than
 * everything to pass, and what is held back does less harm than what slips through.
 */
export function missingFilter(name: string, direction: Filter["direction"]): Filter {
  const rule: Rule = { by: `filter ${name} does not exist: Reject`, action: "Reject", operations: [] };
  return { name, direction, ipv4: [rule], ipv6: [rule] };
}

/** `values` as {@link parseCommunity} reads them. */
export function compileTag(prefix: Prefix, values: readonly string[]): Tag {
  const read = values.map(communityOf);
  const large = read.filter((value) => typeof value !== "number");
  const largeCommunities = new Uint8Array(12 * large.length);
  for (const [i, value] of large.entries()) largeCommunities.set(value, 12 * i);
  return { prefix, communities: read.filter((value) => typeof value === "number"), largeCommunities };
}

function compileRule(filter: string, list: RuleList, rule: RuleSpec, i: number): Rule {
  const { source, peerType, communities, asPathPrefix = [], priority, action, operations = [] } = rule;
  const community = communities?.values[0];
  const prefixes = prefixCondition(rule);
  return {
    by: `filter ${filter}, rule ${i + 1} (${list}[${i}])`,
    ...(prefixes !== undefined && { prefixes }),
    ...(source && { source }),
    ...(rule.interface && { interface: rule.interface }),
    ...(peerType && { peerType }),
    ...(community !== undefined && { community: communityOf(community) }),
    ...(asPathPrefix.length > 0 && { asPathPrefix }),
    ...(priority !== undefined && { priority }),
    action,
    operations: operations.map(compileOperation),
  };
}

function prefixCondition({ cidr, matchOperator, prefixLength = {} }: RuleSpec): PrefixCondition | undefined {
  if (!cidr) return undefined;
  const within = prefixOf(cidr);
  const equal = matchOperator === "Equal" || matchOperator === "NotEqual";
  const longest = equal ? within.length : bitsOf(familyOf(within.address));
  return {
    within,
    minLength: Math.max(within.length, prefixLength.min ?? 0),
    maxLength: Math.min(longest, prefixLength.max ?? longest),
    negated: matchOperator === "NotEqual" || matchOperator === "NotIn",
  };
}

function compileOperation({ addCommunity, prependASPath, setPriority, removeMED }: OperationSpec): Operation {
  if (addCommunity !== undefined) return { kind: "add-community", value: communityOf(addCommunity.value) };
  if (prependASPath !== undefined) return { kind: "prepend", asNumbers: prependASPath.prefix };
  if (setPriority !== undefined) return { kind: "set-priority", priority: setPriority.value };
  if (removeMED !== undefined) return { kind: "remove-med" };
  throw new Error("an operation that does nothing");
}

function communityOf(text: string): CommunityValue {
  const value = parseCommunity(text);
  if (value === undefined) throw new Error(`not a community: ${JSON.stringify(text)}`);
  return value;
}
