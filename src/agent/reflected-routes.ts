/**
 * What a route reflector passes on when no filter of the operator's decided: its own routes and those of the pools, as
 * in Calico. What routers say of the rest of the world stays with who heard it.
 */
import type { Filter, Rule } from "../../bgp/policy/filter.ts";
import { bitsOf, type Family, familyOf } from "../../ipam/net/address.ts";
import type { ReflectedPool } from "../config/resolve.ts";

export function reflectedRoutes(pools: readonly ReflectedPool[]): Filter {
  return { name: "reflected-routes", direction: "export", ipv4: rulesFor(pools, 4), ipv6: rulesFor(pools, 6) };
}

function rulesFor(pools: readonly ReflectedPool[], family: Family): Rule[] {
  const ofFamily = pools.filter(({ prefix }) => familyOf(prefix.address) === family);
  const hidden = ofFamily.filter(({ disableBGPExport }) => disableBGPExport);
  const open = ofFamily.filter(({ disableBGPExport }) => !disableBGPExport);
  return [
    { by: "own route", source: "Local", action: "Accept", operations: [] },
    ...hidden.map((pool) => insidePool(pool, `IPPool ${pool.name} has disableBGPExport`, "Reject")),
    ...open.map((pool) => insidePool(pool, `route of IPPool ${pool.name}`, "Accept")),
    { by: "a route reflector passes on routes of IPPools only", action: "Reject", operations: [] },
  ];
}

function insidePool({ prefix }: ReflectedPool, by: string, action: Rule["action"]): Rule {
  const maxLength = bitsOf(familyOf(prefix.address));
  return {
    by,
    prefixes: { within: prefix, minLength: prefix.length, maxLength, negated: false },
    action,
    operations: [],
  };
}
