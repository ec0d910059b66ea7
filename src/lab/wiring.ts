/**
 * The plan's namespaces, cables and addresses as lines for `ip -batch`, and the kernel settings of each kind of
 * machine.
 *
 * Pure. Cables are created with both ends directly in their namespaces: the root namespace never sees a link, an
 * address or a route of the lab.
 */
import { type DualAddress, PREFIX_LENGTH } from "./addressing.ts";
import { type LabPlan, type NodePlan, RACK_BRIDGE, type RouterPlan, VM_PORT, type VmPlan } from "./topology.ts";

const MANAGEMENT_BRIDGE = "mgmt";
const NODE_DATA_PORT = "eth0";
const NODE_MANAGEMENT_PORT = "mgmt0";

export interface NamespaceWork {
  readonly netns: string;
  readonly forwarding: boolean;
  /** Lines for `ip -batch -` run inside the namespace, after all cables are laid. */
  readonly lines: readonly string[];
}

/** `netns add` lines, for the root namespace. */
export const namespaceLines = (plan: LabPlan): string[] => allNamespaces(plan).map((netns) => `netns add ${netns}`);

export const allNamespaces = (plan: LabPlan): string[] =>
  [plan.etcd, ...plan.routers, ...plan.nodes, ...plan.vms].map((thing) => thing.netns);

/** Cables, for the root namespace; both ends are born where they belong. */
export function cableLines(plan: LabPlan): string[] {
  const router = new Map(plan.routers.map((one) => [one.name, one.netns]));
  const cable = (aNetns: string, a: string, bNetns: string, b: string) =>
    `link add ${a} netns ${aNetns} type veth peer name ${b} netns ${bNetns}`;
  return [
    ...plan.links.map((link) => cable(router.get(link.from) ?? "", link.to, router.get(link.to) ?? "", link.from)),
    ...plan.nodes.flatMap((node) => [
      cable(node.netns, NODE_DATA_PORT, router.get(node.router) ?? "", node.cable),
      cable(node.netns, NODE_MANAGEMENT_PORT, plan.etcd.netns, node.name),
    ]),
    ...plan.vms.map((vm) => cable(vm.netns, "eth0", router.get(`tor${vm.rack}`) ?? "", VM_PORT)),
  ];
}

export function namespaceWork(plan: LabPlan): NamespaceWork[] {
  return [
    etcdWork(plan),
    ...plan.routers.map((router) => routerWork(plan, router)),
    ...plan.nodes.map((node) => nodeWork(plan, node)),
    ...plan.vms.map(vmWork),
  ];
}

/**
 * Settings written before any link exists, so that `default` holds for all of them. Duplicate address detection would
 * leave IPv6 addresses unusable for a second or two; ECMP by ports spreads flows as a switch does.
 */
export const kernelSettings = (forwarding: boolean): readonly (readonly [string, string])[] => [
  ["net/ipv6/conf/all/disable_ipv6", "0"],
  ["net/ipv6/conf/default/disable_ipv6", "0"],
  ["net/ipv6/conf/all/accept_dad", "0"],
  ["net/ipv6/conf/default/accept_dad", "0"],
  ["net/ipv6/conf/default/accept_ra", "0"],
  ["net/ipv4/conf/all/rp_filter", "0"],
  ["net/ipv4/conf/default/rp_filter", "0"],
  ["net/ipv4/fib_multipath_hash_policy", "1"],
  ["net/ipv6/fib_multipath_hash_policy", "1"],
  ["net/ipv4/ip_forward", forwarding ? "1" : "0"],
  ["net/ipv6/conf/all/forwarding", forwarding ? "1" : "0"],
];

function etcdWork(plan: LabPlan): NamespaceWork {
  const ports = plan.nodes.map((node) => node.name);
  return {
    netns: plan.etcd.netns,
    forwarding: false,
    lines: [
      ...bridge(MANAGEMENT_BRIDGE, ports),
      ...address(MANAGEMENT_BRIDGE, plan.etcd.address, PREFIX_LENGTH.management),
    ],
  };
}

function routerWork(plan: LabPlan, router: RouterPlan): NamespaceWork {
  const cables = plan.nodes.filter((node) => node.router === router.name).map((node) => node.cable);
  return {
    netns: router.netns,
    forwarding: true,
    lines: [
      ...bridge(RACK_BRIDGE, cables),
      // Another port, as a switch has them: with its only node cut off the bridge itself would lose its carrier.
      "link add spare type veth peer name spare-end",
      `link set spare master ${RACK_BRIDGE} up`,
      "link set spare-end up",
      ...address(RACK_BRIDGE, router.rackAddress, PREFIX_LENGTH.rack),
      `link set ${VM_PORT} up`,
      ...address(VM_PORT, router.vmAddress, PREFIX_LENGTH.vm),
      ...router.fabric.flatMap((port) => [
        `link set ${port.interface} up`,
        ...address(port.interface, port.address, PREFIX_LENGTH.fabric),
      ]),
    ],
  };
}

/** A node as its operator installs it: two legs, a default gateway, forwarding on (Kubernetes asks for it). */
function nodeWork(plan: LabPlan, node: NodePlan): NamespaceWork {
  const gateway = plan.routers[node.rack - 1]?.rackAddress;
  return {
    netns: node.netns,
    forwarding: true,
    lines: [
      "link set lo up",
      `link set ${NODE_DATA_PORT} up`,
      ...address(NODE_DATA_PORT, node.address, PREFIX_LENGTH.rack),
      `link set ${NODE_MANAGEMENT_PORT} up`,
      ...address(NODE_MANAGEMENT_PORT, node.management, PREFIX_LENGTH.management),
      ...(gateway === undefined ? [] : defaultRoutes(gateway)),
    ],
  };
}

/** A legacy VM knows one address and one gateway, nothing of pods. */
const vmWork = (vm: VmPlan): NamespaceWork => ({
  netns: vm.netns,
  forwarding: false,
  lines: [
    "link set lo up",
    "link set eth0 up",
    ...address("eth0", vm.address, PREFIX_LENGTH.vm),
    ...defaultRoutes(vm.gateway),
  ],
});

const defaultRoutes = (gateway: DualAddress): string[] => [
  `route add default via ${gateway.ipv4}`,
  `route add ::/0 via ${gateway.ipv6}`,
];

const address = (port: string, dual: DualAddress, length: { ipv4: number; ipv6: number }): string[] => [
  `address add ${dual.ipv4}/${length.ipv4} dev ${port}`,
  `address add ${dual.ipv6}/${length.ipv6} dev ${port} nodad`,
];

/** Snooping off: a bridge that waits for multicast queries may hold back neighbour discovery. */
const bridge = (name: string, ports: readonly string[]): string[] => [
  "link set lo up",
  `link add ${name} type bridge mcast_snooping 0`,
  `link set ${name} up`,
  ...ports.flatMap((port) => [`link set ${port} master ${name}`, `link set ${port} up`]),
];
