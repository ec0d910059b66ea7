/** The kernel's own routes, as next hops are looked up in: everything that is not ours and can be used. */
import type { UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import { type KernelRoute, ROUTE_PROTOCOL } from "../kernel/routes.ts";

export function underlayOf(routes: readonly KernelRoute[]): UnderlayRoute[] {
  return routes
    .filter(({ protocol, interfaceDown }) => protocol !== ROUTE_PROTOCOL && interfaceDown !== true)
    .map(({ prefix, target, metric }) => ({
      prefix,
      metric,
      via: target.kind === "unicast" ? target.nextHops : [],
    }));
}
