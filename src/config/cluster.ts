/**
 * The cluster as one looks at it to find a node's peers: every node with its own AS, addresses and settings worked out.
 * Defaults are here and nowhere else.
 */
import { type Address, addressOf, type Family, formatAddress, parseAddress } from "../../ipam/net/address.ts";
import { type AddressWithLength, parseAddressWithLength } from "../../ipam/net/prefix.ts";
import { secondsOf } from "./duration.ts";
import type {
  BGPConfigurationResource,
  BGPConfigurationSpec,
  BGPFilterSpec,
  NodeResource,
  ResourceSnapshot,
} from "./resource.ts";
import type { PasswordSource } from "./schema/password.ts";

export const DEFAULTS = {
  asNumber: 64512,
  listenPort: 179,
  /** Seconds. */
  holdTime: 90,
  /** Seconds; RFC 4724's restart time. */
  maxRestartTime: 120,
  /** Seconds. */
  connectRetryTime: 5,
  /** Equally good paths that go to the kernel. */
  multipath: 16,
} as const;

/** The settings of BGPConfiguration that hold for one node. */
export interface NodeSettings {
  readonly listenPort: number;
  readonly holdTime: number;
  readonly connectRetryTime: number;
  readonly logSeverity?: string;
  readonly bindMode: "None" | "NodeIP";
  readonly ebgpRequiresPolicy: boolean;
  readonly pathChoice: PathChoice;
}

/** How the best of several paths is chosen, and how many go to the kernel. */
export interface PathChoice {
  readonly compareMED: "SameAS" | "Always";
  readonly missingMED: "Best" | "Worst";
  readonly multipath: number;
}

/** A node as other nodes see it. */
export interface KnownNode {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly asNumber: number;
  readonly ipv4?: AddressWithLength;
  readonly ipv6?: AddressWithLength;
  /** Both, as text. */
  readonly addresses: readonly string[];
  /** Four octets; the agent's own configuration may give it another one. */
  readonly routerID: Address;
  /** Four octets, of a route reflector. */
  readonly clusterID?: Address;
  readonly settings: NodeSettings;
}

export interface Mesh {
  readonly enabled: boolean;
  /** Seconds. */
  readonly maxRestartTime: number;
  readonly password?: PasswordSource;
}

/** What holds for the cluster, and every node with its own AS, addresses and settings worked out. */
export interface Cluster {
  readonly mesh: Mesh;
  readonly nodes: readonly KnownNode[];
  /** BGPFilters by name. */
  readonly filters: ReadonlyMap<string, BGPFilterSpec>;
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

export function clusterOf(snapshot: ResourceSnapshot): Cluster {
  const global = configurationOf(snapshot, "default");
  const nodes = knownNodes(snapshot, global);
  nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    filters: new Map(snapshot.bgpFilters.map(({ metadata, spec }) => [metadata.name, spec])),
    mesh: {
      enabled: global.nodeToNodeMeshEnabled ?? true,
      maxRestartTime: secondsOf(global.nodeMeshMaxRestartTime ?? DEFAULTS.maxRestartTime),
      ...(global.nodeMeshPassword !== undefined && { password: global.nodeMeshPassword }),
    },
    nodes,
  };
}

/**
 * By the very BGPConfigurations and the very Node: when one of 5,000 changes the others are not worked out again.
 * Resources are never written to, so one that is the same object says the same.
 */
const KNOWN = new WeakMap<readonly BGPConfigurationResource[], WeakMap<NodeResource, KnownNode>>();

function knownNodes(snapshot: ResourceSnapshot, global: BGPConfigurationSpec): KnownNode[] {
  const { bgpConfigurations } = snapshot;
  const known = KNOWN.get(bgpConfigurations) ?? new WeakMap<NodeResource, KnownNode>();
  KNOWN.set(bgpConfigurations, known);
  const configurations = new Map(bgpConfigurations.map(({ metadata, spec }) => [metadata.name, spec]));
  const common = settingsOf({}, global);
  return snapshot.nodes.map((node) => {
    const before = known.get(node);
    if (before !== undefined) return before;
    const own = configurations.get(`node.${node.metadata.name}`);
    const now = knownNode(node, global, own === undefined ? common : settingsOf(own, global));
    known.set(node, now);
    return now;
  });
}

function knownNode(node: NodeResource, global: BGPConfigurationSpec, settings: NodeSettings): KnownNode {
  const bgp = node.spec.bgp;
  const ipv4 = nodeAddress(bgp?.ipv4Address);
  const ipv6 = nodeAddress(bgp?.ipv6Address);
  const clusterID = parseAddress(bgp?.routeReflectorClusterID ?? "");
  return {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    asNumber: bgp?.asNumber ?? global.asNumber ?? DEFAULTS.asNumber,
    ...(ipv4 !== undefined && { ipv4 }),
    ...(ipv6 !== undefined && { ipv6 }),
    addresses: [ipv4, ipv6].flatMap((own) => (own === undefined ? [] : formatAddress(own.address))),
    routerID: ipv4?.address ?? hashOf(node.metadata.name),
    ...(clusterID !== undefined && { clusterID }),
    settings,
  };
}

/** A node that there is no Node resource of. */
export function unknownNode(snapshot: ResourceSnapshot, name: string): KnownNode {
  const global = configurationOf(snapshot, "default");
  const settings = settingsOf(configurationOf(snapshot, `node.${name}`), global);
  const asNumber = global.asNumber ?? DEFAULTS.asNumber;
  return { name, labels: {}, asNumber, addresses: [], routerID: hashOf(name), settings };
}

/** A router ID (RFC 6286: any four octets but zero, different from every other speaker's in the AS) out of a name. */
export function hashOf(name: string): Address {
  let hash = 0x811c9dc5; // FNV-1a
  for (const octet of new TextEncoder().encode(name)) hash = Math.imul(hash ^ octet, 0x01000193) >>> 0;
  return hash === 0 ? addressOf("0.0.0.1") : Uint8Array.of(hash >>> 24, hash >>> 16, hash >>> 8, hash);
}

function settingsOf(own: BGPConfigurationSpec, global: BGPConfigurationSpec): NodeSettings {
  const logSeverity = own.logSeverityScreen ?? global.logSeverityScreen;
  return {
    listenPort: own.listenPort ?? global.listenPort ?? DEFAULTS.listenPort,
    holdTime: secondsOf(own.holdTime ?? global.holdTime ?? DEFAULTS.holdTime),
    connectRetryTime: secondsOf(own.connectRetryTime ?? global.connectRetryTime ?? DEFAULTS.connectRetryTime),
    ...(logSeverity !== undefined && { logSeverity }),
    bindMode: own.bindMode ?? global.bindMode ?? "None",
    ebgpRequiresPolicy: own.ebgpRequiresPolicy ?? global.ebgpRequiresPolicy ?? false,
    pathChoice: {
      compareMED: own.compareMED ?? global.compareMED ?? "SameAS",
      missingMED: own.missingMED ?? global.missingMED ?? "Best",
      multipath: pathsOf(own.multipath ?? global.multipath ?? true),
    },
  };
}

function pathsOf(multipath: boolean | number): number {
  return multipath === true ? DEFAULTS.multipath : multipath === false ? 1 : multipath;
}

/** That of the cluster (`default`) or of one node (`node.<name>`); empty when there is none. */
export function configurationOf(snapshot: ResourceSnapshot, name: string): BGPConfigurationSpec {
  return snapshot.bgpConfigurations.find((item) => item.metadata.name === name)?.spec ?? {};
}

// Calico takes an address without a length too: it is then that of the host alone.
function nodeAddress(text: string | undefined): AddressWithLength | undefined {
  if (text === undefined) return undefined;
  const bare = parseAddress(text);
  return bare === undefined ? parseAddressWithLength(text) : { address: bare, length: bare.length * 8 };
}
