/**
 * A ToR with BIRD 2, as its operator would write it: one named protocol per node from a template, IPv4 and IPv6 in
 * one session, only prefixes of pods and services accepted from nodes, racks, VM subnets and pods announced. And what
 * `birdc` says, read back.
 *
 * BIRD helps a restarting neighbour by default (graceful restart aware). A hold timer that runs out is not a restart:
 * the routes go at once, which is what a cut node needs.
 */
import { FABRIC_SUBNETS, HOLD_TIME_SECONDS, NODE_AS_NUMBER, POD_POOLS, SERVICE_RANGES } from "./addressing.ts";
import type { RouterRoute, RouterSession } from "./router-view.ts";
import { type FabricPort, type NodePlan, RACK_BRIDGE, type RouterPlan, VM_PORT } from "./topology.ts";

export function birdConfig(router: RouterPlan, nodes: readonly NodePlan[]): string {
  return `# ${router.name}, rack ${router.rack}
log stderr all;
router id ${router.rackAddress.ipv4};

define CLUSTER4 = [ ${inside(POD_POOLS.ipv4.cidr, ...SERVICE_RANGES.ipv4)} ];
define CLUSTER6 = [ ${inside(POD_POOLS.ipv6.cidr, ...SERVICE_RANGES.ipv6)} ];
define FABRIC4 = [ ${inside(...FABRIC_SUBNETS.ipv4)} ];
define FABRIC6 = [ ${inside(...FABRIC_SUBNETS.ipv6)} ];

protocol device {}

protocol direct {
  ipv4;
  ipv6;
  interface "${RACK_BRIDGE}", "${VM_PORT}";
}

protocol kernel kernel4 {
  merge paths on limit 16;
  ipv4 { import none; export where source = RTS_BGP; };
}

protocol kernel kernel6 {
  merge paths on limit 16;
  ipv6 { import none; export where source = RTS_BGP; };
}

template bgp node {
  local ${router.rackAddress.ipv4} as ${router.asNumber};
  hold time ${HOLD_TIME_SECONDS};
  keepalive time ${HOLD_TIME_SECONDS / 3};
  connect delay time 1;
  connect retry time 5;
  error wait time 1, 5;
  ipv4 { import where net ~ CLUSTER4; export where net ~ CLUSTER4 || net ~ FABRIC4; };
  ipv6 { import where net ~ CLUSTER6; export where net ~ CLUSTER6 || net ~ FABRIC6; };
}

template bgp tor {
  hold time ${HOLD_TIME_SECONDS};
  keepalive time ${HOLD_TIME_SECONDS / 3};
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 5;
  ipv4 { import where net ~ CLUSTER4 || net ~ FABRIC4; export where net ~ CLUSTER4 || net ~ FABRIC4; next hop self; };
  ipv6 { import where net ~ CLUSTER6 || net ~ FABRIC6; export where net ~ CLUSTER6 || net ~ FABRIC6; next hop self; };
}

${nodes.map(nodeProtocol).join("\n")}
${router.fabric.map((port) => torProtocol(router, port)).join("\n")}
`;
}

const inside = (...cidrs: readonly string[]): string => cidrs.map((cidr) => `${cidr}+`).join(", ");

const nodeProtocol = (node: NodePlan): string =>
  `protocol bgp ${node.name} from node { neighbor ${node.address.ipv4} as ${NODE_AS_NUMBER}; }`;

const torProtocol = (router: RouterPlan, port: FabricPort): string =>
  `protocol bgp ${port.peer.name} from tor {
  local ${port.address.ipv4} as ${router.asNumber};
  neighbor ${port.peer.address.ipv4} as ${port.peer.asNumber};
}`;

/** `birdc show protocols`: name, "BGP", table, up or down, since, information. */
export function parseBirdProtocols(text: string): RouterSession[] {
  const sessions: RouterSession[] = [];
  for (const line of text.split("\n")) {
    const [name, kind, , , , ...information] = line.trim().split(/\s+/);
    if (name === undefined || kind !== "BGP") continue;
    const state = information[0] ?? "";
    sessions.push({ peer: name, state: state || "Idle", established: state === "Established" });
  }
  return sessions;
}

/** `birdc show route`: a line per path, the prefix only on the first of them; `*` marks the best; next hops follow. */
export function parseBirdRoutes(text: string): RouterRoute[] {
  const routes: { prefix: string; nextHops: string[] }[] = [];
  let prefix = "";
  let best = false;
  for (const line of text.split("\n")) {
    const path = /^(?:(\S+\/\d+))?\s+(?:unicast|blackhole|unreachable|prohibit)\s+\[/.exec(line);
    if (path !== null) {
      prefix = path[1] ?? prefix;
      best = /\]\s+\*/.test(line);
      if (best) routes.push({ prefix, nextHops: [] });
      continue;
    }
    const via = /^\s+via\s+(\S+)/.exec(line)?.[1];
    if (best && via !== undefined) routes.at(-1)?.nextHops.push(via);
  }
  return routes;
}
