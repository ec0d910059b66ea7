/**
 * Packets from the datacenter to an address in an announced range of services that no service has: they end here.
 * Nobody rewrote their destination, so the node would send them back by its default route, and a router by the range to
 * a node again, until their time to live is over.
 *
 * It is no route, as for the free addresses of own blocks: the node's own connections to services are routed before
 * kube-proxy rewrites them, and a blackhole in the routing table would end them (docs/decisions/service-routes.md).
 */
import { familyOfPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import { FAMILIES, IN_TABLE, prefixSet, protocolOf } from "./nft.ts";

/** After everybody's filters (0): what kube-proxy refuses with words of its own does not come so far. */
const PRIORITY = 10;

/** The commands that make the chain; none where no range is announced. */
export function serviceLoopCommands(ranges: readonly Prefix[]): object[] {
  if (ranges.length === 0) return [];
  const name = "unused-service-addresses";
  const chain = { ...IN_TABLE, name, type: "filter", hook: "forward", prio: PRIORITY, policy: "accept" };
  // From a pod to a pod's own: neither came by an announcement. Some range may have holes that are others' hosts,
  // which pods reach by the routers; what comes back from there was nobody's.
  const passes = (key: "iifname" | "oifname") => ({
    match: { op: "!=", left: { meta: { key } }, right: "ovl*" },
  });
  return [
    { add: { chain } },
    ...FAMILIES.filter((family) => ranges.some((range) => familyOfPrefix(range) === family)).flatMap((family) => {
      const destination = { payload: { protocol: protocolOf(family), field: "daddr" } };
      const isService = { match: { op: "==", left: destination, right: `@service-ranges-ipv${family}` } };
      const expr = [isService, passes("iifname"), passes("oifname"), { counter: null }, { drop: null }];
      return [prefixSet(family, "service-ranges", ranges), { add: { rule: { ...IN_TABLE, chain: name, expr } } }];
    }),
  ];
}
