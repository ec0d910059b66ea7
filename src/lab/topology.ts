/**
 * The lab's plan: every name, address, AS number and cable, worked out from four numbers.
 *
 * Pure. A rack is a ToR router, a bridge in the router's namespace with the rack's nodes on it (so that a cut cable
 * is noticed by the hold timer, as on a real switch, and not by the router's own interface), and a legacy VM on a
 * port of its own. ToRs form a chain, from three racks on a ring. etcd stands in a namespace of its own on a
 * management network with one leg to every node, as datacenters have it: the data plane can be cut without cutting
 * the control plane, and etcd never depends on the routes it helps to make.
 */
import {
  type DualAddress,
  fabricAddress,
  hostAddress,
  managementAddress,
  NODE_AS_NUMBER,
  torAddress,
  torAsNumber,
} from "./addressing.ts";

export interface LabSize {
  readonly name: string;
  readonly racks: number;
  readonly nodesPerRack: number;
  readonly podsPerNode: number;
  /** With an API server, from which nodes, pods and resources come. */
  readonly kubernetes?: boolean;
}

export type RouterDaemon = "bird" | "frr";

/** A ToR's port towards another ToR. */
export interface FabricPort {
  readonly interface: string;
  readonly address: DualAddress;
  readonly peer: { readonly name: string; readonly asNumber: number; readonly address: DualAddress };
}

export interface RouterPlan {
  readonly name: string;
  readonly rack: number;
  readonly netns: string;
  readonly daemon: RouterDaemon;
  readonly asNumber: number;
  /** On the bridge `rack`, where the nodes are. */
  readonly rackAddress: DualAddress;
  /** On the port `vm`. */
  readonly vmAddress: DualAddress;
  readonly fabric: readonly FabricPort[];
}

export interface NodePlan {
  readonly name: string;
  readonly rack: number;
  readonly netns: string;
  readonly asNumber: number;
  readonly address: DualAddress;
  readonly management: DualAddress;
  readonly router: string;
  /** The other end of its cable: a bridge port in the router's namespace. */
  readonly cable: string;
}

export interface VmPlan {
  readonly name: string;
  readonly rack: number;
  readonly netns: string;
  readonly address: DualAddress;
  readonly gateway: DualAddress;
}

export interface FabricLink {
  readonly index: number;
  readonly from: string;
  readonly to: string;
}

export interface LabPlan {
  readonly size: LabSize;
  readonly etcd: { readonly netns: string; readonly address: DualAddress; readonly endpoint: string };
  readonly routers: readonly RouterPlan[];
  readonly nodes: readonly NodePlan[];
  readonly vms: readonly VmPlan[];
  readonly links: readonly FabricLink[];
}

export const RACK_BRIDGE = "rack";
export const VM_PORT = "vm";

/** Everything of a lab carries this prefix, and nothing else does: lab names have no hyphen. */
export const namespacePrefix = (lab: string): string => `ovl-${lab}-`;

export const podNamespace = (lab: string, pod: string): string => `${namespacePrefix(lab)}p-${pod}`;

const LIMITS = {
  racks: { from: 1, to: 9 },
  nodesPerRack: { from: 1, to: 20 },
  podsPerNode: { from: 0, to: 50 },
} as const;

const WORDS = { racks: "--racks", nodesPerRack: "--nodes", podsPerNode: "--pods" } as const;

/** What is wrong with these sizes, in words a person can act on; nothing if they can be built. */
export function sizeFault(size: LabSize): string | undefined {
  if (!/^[a-z][a-z0-9]{0,11}$/.test(size.name)) {
    return `--name ${JSON.stringify(size.name)}: a lab's name is 1 to 12 lower-case letters and digits, a letter first`;
  }
  for (const key of ["racks", "nodesPerRack", "podsPerNode"] as const) {
    const { from, to } = LIMITS[key];
    const value = size[key];
    if (!Number.isInteger(value) || value < from || value > to) {
      return `${WORDS[key]} ${value}: must be a whole number from ${from} to ${to}`;
    }
  }
  return undefined;
}

/** Pod names become part of a namespace's name and of CNI_ARGS: a DNS label, kept short. */
export function podNameFault(name: string): string | undefined {
  if (/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(name)) return undefined;
  return `pod name ${JSON.stringify(name)}: 1 to 40 lower-case letters, digits and hyphens, no hyphen at either end`;
}

export function planLab(size: LabSize): LabPlan {
  const prefix = namespacePrefix(size.name);
  const racks = Array.from({ length: size.racks }, (_, index) => index + 1);
  const links = fabricLinks(size.racks);
  const etcd = managementAddress(0);
  return {
    size,
    etcd: { netns: `${prefix}etcd`, address: etcd, endpoint: `http://${etcd.ipv4}:2379` },
    routers: racks.map((rack) => planRouter(prefix, rack, links)),
    nodes: racks.flatMap((rack) => planRack(prefix, rack, size.nodesPerRack)),
    vms: racks.map((rack) => ({
      name: `vm${rack}`,
      rack,
      netns: `${prefix}vm${rack}`,
      address: hostAddress("vm", rack, 10),
      gateway: hostAddress("vm", rack, 1),
    })),
    links,
  };
}

/** Names of the pods `up` starts on a node; `pod add` chooses the next free one. */
export const podName = (node: string, index: number): string => `${node}-pod${index}`;

function fabricLinks(racks: number): FabricLink[] {
  const chain = Array.from({ length: racks - 1 }, (_, index) => ({
    index: index + 1,
    from: `tor${index + 1}`,
    to: `tor${index + 2}`,
  }));
  return racks > 2 ? [...chain, { index: racks, from: `tor${racks}`, to: "tor1" }] : chain;
}

function planRouter(prefix: string, rack: number, links: readonly FabricLink[]): RouterPlan {
  const name = `tor${rack}`;
  const fabric = links.flatMap((link): FabricPort[] => {
    if (link.from !== name && link.to !== name) return [];
    const first = link.from === name;
    const peer = first ? link.to : link.from;
    const address = fabricAddress(link.index, first ? 1 : 2);
    const peerAddress = fabricAddress(link.index, first ? 2 : 1);
    const asNumber = torAsNumber(Number(peer.slice(3)));
    return [{ interface: peer, address, peer: { name: peer, asNumber, address: peerAddress } }];
  });
  return {
    name,
    rack,
    netns: `${prefix}${name}`,
    daemon: rack % 2 === 1 ? "bird" : "frr",
    asNumber: torAsNumber(rack),
    rackAddress: torAddress(rack),
    vmAddress: hostAddress("vm", rack, 1),
    fabric,
  };
}

function planRack(prefix: string, rack: number, nodes: number): NodePlan[] {
  return Array.from({ length: nodes }, (_, index) => {
    const name = `r${rack}n${index + 1}`;
    return {
      name,
      rack,
      netns: `${prefix}${name}`,
      asNumber: NODE_AS_NUMBER,
      address: hostAddress("rack", rack, 11 + index),
      management: managementAddress((rack - 1) * nodes + index + 1),
      router: `tor${rack}`,
      cable: `n${index + 1}`,
    };
  });
}
