/**
 * What a route reflector passes on when no filter of the operator's decided: its own routes, those of the pools and
 * those of services. What routers say of the rest of the world stays with who heard it.
 */
import type { Filter, Rule } from "../../bgp/policy/filter.ts";
import { bitsOf, type Family, familyOf } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { ReflectedPool } from "../config/resolve.ts";

export function reflectedRoutes(pools: readonly ReflectedPool[], services: readonly Prefix[]): Filter {
  const rules = (family: Family) => rulesFor(pools, services, family);
  return { name: "reflected-routes", direction: "export", ipv4: rules(4), ipv6: rules(6) };
}

function rulesFor(pools: readonly ReflectedPool[], services: readonly Prefix[], family: Family): Rule[] {
  const ofFamily = pools.filter(({ prefix }) => familyOf(prefix.address) === family);
  const hidden = ofFamily.filter(({ disableBGPExport }) => disableBGPExport);
  const open = ofFamily.filter(({ disableBGPExport }) => !disableBGPExport);
  return [
    { by: "own route", source: "Local", action: "Accept", operations: [] },
    { by: "route of a pod of this node", attached: true, action: "Accept", operations: [] },
    ...hidden.map(({ prefix, name }) => inside(prefix, `IPPool ${name} has disableBGPExport`, "Reject")),
    ...open.map(({ prefix, name }) => inside(prefix, `route of IPPool ${name}`, "Accept")),
    ...services
      .filter(({ address }) => familyOf(address) === family)
      .map((range) => inside(range, `route of services in ${formatPrefix(range)}`, "Accept")),
    { by: "a route reflector passes on routes of IPPools and services only", action: "Reject", operations: [] },
  ];
}

function inside(prefix: Prefix, by: string, action: Rule["action"]): Rule {
  const maxLength = bitsOf(familyOf(prefix.address));
  return {
    by,
    prefixes: { within: prefix, minLength: prefix.length, maxLength, negated: false },
    action,
    operations: [],
  };
}
