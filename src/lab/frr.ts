/**
 * A ToR with FRR (zebra and bgpd), as its operator would write it: the nodes in a peer group, IPv4 and IPv6 in one
 * session, prefix lists for what nodes may announce. And what `vtysh` says, read back.
 *
 * FRR helps a restarting neighbour by default.
 */
import { FABRIC_SUBNETS, HOLD_TIME_SECONDS, POD_POOLS, SERVICE_RANGES } from "./addressing.ts";
import type { RouterRoute, RouterSession } from "./router-view.ts";
import type { NodePlan, RouterPlan } from "./topology.ts";

/** What nodes may announce. */
const CLUSTER = {
  ipv4: [POD_POOLS.ipv4.cidr, ...SERVICE_RANGES.ipv4],
  ipv6: [POD_POOLS.ipv6.cidr, ...SERVICE_RANGES.ipv6],
} as const;

export function zebraConfig(router: RouterPlan): string {
  return `hostname ${router.name}
ip forwarding
ipv6 forwarding
`;
}

export function bgpdConfig(router: RouterPlan, nodes: readonly NodePlan[]): string {
  const keepalive = HOLD_TIME_SECONDS / 3;
  return `hostname ${router.name}
log stdout informational
${prefixList("ip", "CLUSTER", CLUSTER.ipv4, 32)}
${prefixList("ipv6", "CLUSTER", CLUSTER.ipv6, 128)}
${prefixList("ip", "FABRIC", [...CLUSTER.ipv4, ...FABRIC_SUBNETS.ipv4], 32)}
${prefixList("ipv6", "FABRIC", [...CLUSTER.ipv6, ...FABRIC_SUBNETS.ipv6], 128)}
router bgp ${router.asNumber}
 bgp router-id ${router.rackAddress.ipv4}
 bgp log-neighbor-changes
 bgp bestpath as-path multipath-relax
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor NODES peer-group
 neighbor NODES remote-as ${nodes[0]?.asNumber ?? "external"}
 neighbor NODES timers ${keepalive} ${HOLD_TIME_SECONDS}
 neighbor NODES timers connect 5
${nodes.map(nodeNeighbor).join("\n")}
${router.fabric
  .map(
    ({ peer }) => ` neighbor ${peer.address.ipv4} remote-as ${peer.asNumber}
 neighbor ${peer.address.ipv4} description ${peer.name}
 neighbor ${peer.address.ipv4} timers ${keepalive} ${HOLD_TIME_SECONDS}
 neighbor ${peer.address.ipv4} timers connect 2`,
  )
  .join("\n")}
${family("ipv4", router)}
${family("ipv6", router)}
`;
}

const nodeNeighbor = ({ name, address }: NodePlan): string =>
  ` neighbor ${address.ipv4} peer-group NODES
 neighbor ${address.ipv4} description ${name}`;

/** Connected networks are redistributed and pass the same list as everything else that leaves. */
function family(name: "ipv4" | "ipv6", router: RouterPlan): string {
  const tors = router.fabric.map(
    ({ peer }) => `  neighbor ${peer.address.ipv4} activate
  neighbor ${peer.address.ipv4} prefix-list FABRIC in
  neighbor ${peer.address.ipv4} prefix-list FABRIC out`,
  );
  return ` address-family ${name} unicast
  redistribute connected
  maximum-paths 16
  neighbor NODES activate
  neighbor NODES prefix-list CLUSTER in
  neighbor NODES prefix-list FABRIC out
${tors.join("\n")}
 exit-address-family`;
}

const prefixList = (family: "ip" | "ipv6", name: string, cidrs: readonly string[], longest: number): string =>
  cidrs
    .map((cidr, index) => `${family} prefix-list ${name} seq ${(index + 1) * 5} permit ${cidr} le ${longest}`)
    .join("\n");

interface FrrSummary {
  readonly ipv4Unicast?: {
    readonly peers?: Readonly<Record<string, { readonly state?: string; readonly desc?: string }>>;
  };
}

/** `show bgp summary json`: sessions by neighbour address, named by their description. */
export function parseFrrSummary(text: string): RouterSession[] {
  const summary = JSON.parse(text || "{}") as FrrSummary;
  return Object.entries(summary.ipv4Unicast?.peers ?? {}).map(([address, { state = "Idle", desc }]) => ({
    peer: desc ?? address,
    state,
    established: state === "Established",
  }));
}

interface FrrTable {
  readonly routes?: Readonly<Record<string, readonly FrrPath[]>>;
}
interface FrrPath {
  readonly bestpath?: boolean;
  readonly multipath?: boolean;
  readonly nexthops?: readonly { readonly ip?: string; readonly scope?: string }[];
}

/** `show bgp FAMILY unicast json`: prefixes with their paths; the best ones' next hops count. */
export function parseFrrRoutes(text: string): RouterRoute[] {
  const table = JSON.parse(text || "{}") as FrrTable;
  return Object.entries(table.routes ?? {}).flatMap(([prefix, paths]) => {
    const used = paths.filter((path) => path.bestpath === true || path.multipath === true);
    if (used.length === 0) return [];
    const hops = used.flatMap((path) => (path.nexthops ?? []).filter((hop) => hop.scope !== "link-local"));
    return [{ prefix, nextHops: hops.flatMap((hop) => hop.ip ?? []) }];
  });
}
