/**
 * What all resources together mean for one node: its AS, router ID, port and the set of its peers. Pure: the same
 * snapshot gives the same configuration.
 *
 * Defaults are here and nowhere else. The rules of the peer set are in resolve-peers.ts.
 */
import {
  type Address,
  addressOf,
  compareAddresses,
  type Family,
  formatAddress,
  parseAddress,
} from "../../ipam/net/address.ts";
import { type AddressWithLength, parseAddressWithLength } from "../../ipam/net/prefix.ts";
import { secondsOf } from "./duration.ts";
import { resolvePeers } from "./resolve-peers.ts";
import type { BGPConfigurationSpec, NodeResource, ResourceSnapshot } from "./resource.ts";

export const DEFAULTS = {
  asNumber: 64512,
  listenPort: 179,
  /** Seconds. */
  holdTime: 90,
  /** Seconds; RFC 4724's restart time. */
  maxRestartTime: 120,
  /** Seconds. */
  connectRetryTime: 5,
} as const;

export interface NodeConfig {
  readonly asNumber: number;
  /** Four octets: the IPv4 address, or a hash of the name on a node that has only IPv6. */
  readonly routerID: Address;
  readonly listenPort: number;
  readonly ipv4?: AddressWithLength;
  readonly ipv6?: AddressWithLength;
  /** Sorted by name within: BGPPeers with an address, BGPPeers with a selector, the mesh. */
  readonly peers: readonly PeerIntent[];
  /** What keeps something that was asked for from happening, in words. */
  readonly problems: readonly string[];
  /** From logSeverityScreen, in the words of the agent's log; undefined when no resource says. */
  readonly logLevel?: "debug" | "info" | "warn" | "error";
}

export interface PeerIntent {
  /** `mesh/<node>`, `<bgppeer>`, or `<bgppeer>/<node>` for a peering by peerSelector. */
  readonly name: string;
  readonly type: "node-to-node mesh" | "node specific" | "global";
  readonly address: Address;
  readonly port: number;
  /** AS of the other side. */
  readonly asNumber: number;
  /** AS that this node shows to it. */
  readonly localASNumber: number;
  /** Undefined: the kernel picks. */
  readonly sourceAddress?: Address;
  readonly passive: boolean;
  /** Seconds, 0 for none. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the agreed hold time. */
  readonly keepaliveTime?: number;
  /** Seconds. */
  readonly connectRetryTime?: number;
  /** Seconds. */
  readonly maxRestartTime: number;
  readonly nextHopMode: "Auto" | "Self" | "Keep";
  readonly numAllowedLocalASNumbers: number;
  /** At most so many hops away; undefined: any distance. */
  readonly ttlSecurity?: number;
}

/** The settings of BGPConfiguration that hold for one node. */
export interface NodeSettings {
  readonly listenPort: number;
  readonly holdTime: number;
  readonly connectRetryTime: number;
  readonly logSeverity?: string;
}

/** A node as other nodes see it. */
export interface KnownNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly asNumber: number;
  readonly ipv4?: AddressWithLength;
  readonly ipv6?: AddressWithLength;
  readonly settings: NodeSettings;
}

/** What holds for the cluster, and every node with its own AS, addresses and settings worked out. */
export interface Cluster {
  readonly mesh: { readonly enabled: boolean; readonly maxRestartTime: number };
  readonly nodes: readonly KnownNode[];
}

/** The node need not be known yet: it then has no peers, and a problem says so. */
export function resolveNode(snapshot: ResourceSnapshot, nodeName: string): NodeConfig {
  const cluster = clusterOf(snapshot);
  const me = cluster.nodes.find((node) => node.name === nodeName) ?? unknownNode(snapshot, nodeName);
  const registered = snapshot.nodes.some((node) => node.metadata.name === nodeName);
  const problems: string[] = [];
  if (!registered) problems.push(`node ${nodeName} is not registered: there is no Node resource of that name`);
  else if (me.ipv4 === undefined && me.ipv6 === undefined) {
    problems.push(`node ${nodeName} has no address: give its Node spec.bgp.ipv4Address or ipv6Address`);
  }
  const routerID = routerIDOf(me);
  problems.push(...sameRouterID(cluster, me, routerID));
  const resolved = registered ? resolvePeers(cluster, snapshot.bgpPeers, me) : { peers: [], problems: [] };
  const logLevel = logLevelOf(me.settings.logSeverity);
  return {
    asNumber: me.asNumber,
    routerID,
    listenPort: me.settings.listenPort,
    ...(me.ipv4 !== undefined && { ipv4: me.ipv4 }),
    ...(me.ipv6 !== undefined && { ipv6: me.ipv6 }),
    peers: resolved.peers,
    problems: [...problems, ...resolved.problems],
    ...(logLevel !== undefined && { logLevel }),
  };
}

/** The address of a family, undefined when the node has none. */
export function addressOfFamily(node: KnownNode, family: Family): Address | undefined {
  return (family === 4 ? node.ipv4 : node.ipv6)?.address;
}

/** The family two nodes talk in: IPv4 when both have it, else IPv6; undefined when they share none. */
export function commonFamily(a: KnownNode, b: KnownNode): Family | undefined {
  if (a.ipv4 !== undefined && b.ipv4 !== undefined) return 4;
  return a.ipv6 !== undefined && b.ipv6 !== undefined ? 6 : undefined;
}

function clusterOf(snapshot: ResourceSnapshot): Cluster {
  const global = configurationOf(snapshot, "default");
  const nodes = snapshot.nodes.map((node) => knownNode(snapshot, node, global));
  nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    mesh: {
      enabled: global.nodeToNodeMeshEnabled ?? true,
      maxRestartTime: secondsOf(global.nodeMeshMaxRestartTime ?? DEFAULTS.maxRestartTime),
    },
    nodes,
  };
}

function knownNode(snapshot: ResourceSnapshot, node: NodeResource, global: BGPConfigurationSpec): KnownNode {
  const bgp = node.spec.bgp;
  const ipv4 = nodeAddress(bgp?.ipv4Address);
  const ipv6 = nodeAddress(bgp?.ipv6Address);
  return {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    asNumber: bgp?.asNumber ?? global.asNumber ?? DEFAULTS.asNumber,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    settings: settingsOf(snapshot, node.metadata.name, global),
  };
}

function unknownNode(snapshot: ResourceSnapshot, name: string): KnownNode {
  const global = configurationOf(snapshot, "default");
  const settings = settingsOf(snapshot, name, global);
  return { name, labels: {}, asNumber: global.asNumber ?? DEFAULTS.asNumber, settings };
}

function settingsOf(snapshot: ResourceSnapshot, nodeName: string, global: BGPConfigurationSpec): NodeSettings {
  const own = configurationOf(snapshot, `node.${nodeName}`);
  const logSeverity = own.logSeverityScreen ?? global.logSeverityScreen;
  return {
    listenPort: own.listenPort ?? global.listenPort ?? DEFAULTS.listenPort,
    holdTime: secondsOf(own.holdTime ?? global.holdTime ?? DEFAULTS.holdTime),
    connectRetryTime: secondsOf(own.connectRetryTime ?? global.connectRetryTime ?? DEFAULTS.connectRetryTime),
    ...(logSeverity !== undefined && { logSeverity }),
  };
}

function configurationOf(snapshot: ResourceSnapshot, name: string): BGPConfigurationSpec {
  return snapshot.bgpConfigurations.find((item) => item.metadata.name === name)?.spec ?? {};
}

// Calico takes an address without a length too: it is then that of the host alone.
function nodeAddress(text: string | undefined): AddressWithLength | undefined {
  if (text === undefined) return undefined;
  const bare = parseAddress(text);
  return bare === undefined ? parseAddressWithLength(text) : { address: bare, length: bare.length * 8 };
}

// RFC 6286: any four octets but zero, different from every other speaker's in the AS.
function routerIDOf(node: KnownNode): Address {
  if (node.ipv4 !== undefined) return node.ipv4.address;
  let hash = 0x811c9dc5; // FNV-1a
  for (const octet of new TextEncoder().encode(node.name)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return hash === 0 ? addressOf("0.0.0.1") : Uint8Array.of(hash >>> 24, hash >>> 16, hash >>> 8, hash);
}

function sameRouterID(cluster: Cluster, me: KnownNode, routerID: Address): string[] {
  return cluster.nodes
    .filter((node) => node.name !== me.name && compareAddresses(routerIDOf(node), routerID) === 0)
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
