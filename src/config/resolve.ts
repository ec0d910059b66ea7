/**
 * What all resources together mean for one node: its AS, router ID, port and the set of its peers. Pure: the same
 * snapshot gives the same configuration.
 *
 * The rules of the peer set are in resolve-peers.ts, defaults in cluster.ts.
 */
import { type Address, formatAddress, sameAddress } from "../../ipam/net/address.ts";
import { type AddressWithLength, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { type Advertisement, advertisementsOf } from "./advertisements.ts";
import { type Cluster, clusterOf, hashOf, type KnownNode, type PathChoice, unknownNode } from "./cluster.ts";
import { type LocalPeerings, resolveLocalPeerings } from "./local-peerings.ts";
import type { PeerIntent } from "./peer-intent.ts";
import { resolvePeers } from "./resolve-peers.ts";
import type { ResourceSnapshot } from "./resource.ts";
import { type ServiceSettings, serviceSettingsOf } from "./services.ts";

export type { PeerIntent };

export interface NodeConfig {
  readonly asNumber: number;
  /** Four octets: the IPv4 address, or a hash of the name on a node that has only IPv6. */
  readonly routerID: Address;
  readonly listenPort: number;
  readonly ipv4?: AddressWithLength;
  readonly ipv6?: AddressWithLength;
  /** Every registered node. */
  readonly nodes: readonly KnownNode[];
  /** Sorted by name within: BGPPeers with an address, BGPPeers with a selector, the mesh. */
  readonly peers: readonly PeerIntent[];
  /** What keeps something that was asked for from happening, in words. */
  readonly problems: readonly string[];
  /** From logSeverityScreen, in the words of the agent's log; undefined when no resource says. */
  readonly logLevel?: "debug" | "info" | "warn" | "error";
  /** NodeIP: connections are taken on the node's addresses only. */
  readonly bindMode: "None" | "NodeIP";
  /** RFC 8212. */
  readonly ebgpRequiresPolicy: boolean;
  readonly pathChoice: PathChoice;
  readonly advertisements: readonly Advertisement[];
  readonly services: ServiceSettings;
  /** A route reflector passes routes of these pools on, or keeps them to itself; undefined: this node is none. */
  readonly reflects?: readonly ReflectedPool[];
  /** With which of its own pods the node peers; undefined: no BGPPeer asks for it. */
  readonly local?: LocalPeerings;
}

export interface ReflectedPool {
  readonly name: string;
  readonly prefix: Prefix;
  readonly disableBGPExport: boolean;
}

/**
 * The node need not be known yet: it then has no peers, and a problem says so.
 *
 * @param ownRouterID of this node alone; "hash": made of its name
 */
export function resolveNode(snapshot: ResourceSnapshot, nodeName: string, ownRouterID?: Address | "hash"): NodeConfig {
  const cluster = clusterOf(snapshot);
  const me = cluster.nodes.find((node) => node.name === nodeName) ?? unknownNode(snapshot, nodeName);
  const registered = snapshot.nodes.some((node) => node.metadata.name === nodeName);
  const problems: string[] = [];
  if (!registered) problems.push(`node ${nodeName} is not registered: there is no Node resource of that name`);
  else if (me.ipv4 === undefined && me.ipv6 === undefined) {
    problems.push(`node ${nodeName} has no address: give its Node spec.bgp.ipv4Address or ipv6Address`);
  }
  const routerID = ownRouterID === "hash" ? hashOf(me.name) : (ownRouterID ?? me.routerID);
  problems.push(...sameRouterID(cluster, me, routerID));
  const resolved = registered ? resolvePeers(cluster, snapshot.bgpPeers, me) : { peers: [], problems: [] };
  if (me.clusterID !== undefined && resolved.peers.length === 0 && snapshot.nodes.length > 1) {
    problems.push(
      `node ${nodeName} is a route reflector, and no BGPPeer gives it a session: reflectors are in no mesh`,
    );
  }
  const local = registered ? resolveLocalPeerings(snapshot, cluster, me) : undefined;
  problems.push(...(local?.problems ?? []));
  const { logSeverity, listenPort, bindMode, ebgpRequiresPolicy, pathChoice } = me.settings;
  const logLevel = logLevelOf(logSeverity);
  return {
    asNumber: me.asNumber,
    routerID,
    listenPort,
    ...(me.ipv4 !== undefined && { ipv4: me.ipv4 }),
    ...(me.ipv6 !== undefined && { ipv6: me.ipv6 }),
    nodes: cluster.nodes,
    peers: resolved.peers,
    problems: [...problems, ...resolved.problems],
    ...(logLevel !== undefined && { logLevel }),
    bindMode,
    ebgpRequiresPolicy,
    pathChoice,
    advertisements: advertisementsOf(snapshot, nodeName),
    services: serviceSettingsOf(snapshot, nodeName),
    ...(me.clusterID !== undefined && { reflects: reflectedPools(snapshot) }),
    ...(local !== undefined && { local }),
  };
}

function reflectedPools({ pools }: ResourceSnapshot): ReflectedPool[] {
  return pools.map(({ metadata: { name }, spec: { cidr, disableBGPExport } }) => {
    return { name, prefix: prefixOf(cidr), disableBGPExport };
  });
}

function sameRouterID(cluster: Cluster, me: KnownNode, routerID: Address): string[] {
  return cluster.nodes
    .filter((node) => node.name !== me.name && sameAddress(node.routerID, routerID))
    .map((node) => `node ${node.name} has the router ID ${formatAddress(routerID)} too; sessions between the two fail`);
}

function logLevelOf(severity: string | undefined): NodeConfig["logLevel"] {
  switch (severity?.toLowerCase()) {
    case "trace":
    case "debug":
      return "debug";
    case "info":
      return "info";
    case "warning":
      return "warn";
    case "error":
    case "fatal":
      return "error";
    default:
      return undefined;
  }
}
