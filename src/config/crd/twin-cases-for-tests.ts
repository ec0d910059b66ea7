/** Resources, with what is wrong with them, for both who check: `overland apply` and the API server. */
import type { CustomKind } from "./definitions.ts";

export interface Case {
  readonly kind: CustomKind;
  /** "default" when not given. */
  readonly name?: string;
  readonly spec?: Readonly<Record<string, unknown>>;
  /** Part of what `overland apply` says. */
  readonly says: string;
  /** The API server cannot know it, for this reason: the controller refuses it with a status condition. */
  readonly controller?: string;
}

const V4 = "10.244.0.0/16";
const PEER = { peerIP: "192.0.2.1", asNumber: 65001 };
const NOT_CHEAP = "every value against every name is more than a rule may cost";
const GRAMMAR = "the grammar is more than a pattern can say";
const ANY = "what may be of two types has none for the API server";
const PASSWORD = { secretKeyRef: { name: "a", key: "b" } };

const peer = (spec: object, says: string, controller?: string): Case => ({
  kind: "BGPPeer",
  spec: { ...PEER, ...spec },
  says,
  ...(controller !== undefined && { controller }),
});
const between = (spec: Readonly<Record<string, unknown>>, says: string): Case => ({ kind: "BGPPeer", spec, says });
const rule = (list: string, fields: object, says: string, controller?: string): Case => ({
  kind: "BGPFilter",
  spec: { [list]: [{ action: "Accept", ...fields }] },
  says,
  ...(controller !== undefined && { controller }),
});
const pool = (spec: object, says: string, controller?: string): Case => ({
  kind: "IPPool",
  spec: { cidr: V4, ...spec },
  says,
  ...(controller !== undefined && { controller }),
});
const bgp = (spec: Readonly<Record<string, unknown>>, says: string, controller?: string, name?: string): Case => ({
  kind: "BGPConfiguration",
  spec,
  says,
  ...(name !== undefined && { name }),
  ...(controller !== undefined && { controller }),
});

const POOLS: readonly Case[] = [
  { kind: "IPPool", says: "spec: is required" },
  { kind: "IPPool", spec: {}, says: "spec.cidr: is required" },
  pool({ cidr: "10.244.0.0" }, "lacks a prefix length"),
  pool({ cidr: "10.244.0.0/08" }, "is not a CIDR"),
  pool({ cidr: "10.244.0.1/16" }, "has host bits set", GRAMMAR),
  pool({ cidr: V4, blocksize: 26 }, "did you mean blockSize"),
  pool({ blockSize: 19 }, "is not a whole number from 20 to 128"),
  pool({ blockSize: "26" }, "write it without quotes"),
  pool({ blockSize: 64 }, "is out of range for 10.244.0.0/16; from 20 to 32 is allowed"),
  pool({ cidr: "fd00::/48", blockSize: 64 }, "from 116 to 128"),
  pool(
    { cidr: "10.244.0.0/27" },
    "is smaller than one block of /26; give a blockSize of 27 or more, or use a larger range",
  ),
  pool({ cidr: "169.254.0.0/16" }, "is link-local; such addresses are never routed"),
  pool({ cidr: "fe80::/64" }, "is link-local"),
  pool({ nodeSelector: "rack ==" }, "is not a selector", GRAMMAR),
  pool({ nodeSelector: "a".repeat(1025) }, "at most 1024"),
  pool(
    { namespaceSelector: "global()", allowedUses: ["Workload"] },
    "global() is not for namespaces; leave it empty for all",
  ),
  pool({ allowedUses: [] }, "is empty; remove it, or name Workload"),
  pool({ allowedUses: ["Workload", "Workload"] }, "names a use twice; remove one"),
  pool(
    { allowedUses: ["Workload", "Tunnel"], namespaceSelector: "has(a)" },
    "Tunnel cannot go with a namespaceSelector; write [Workload]",
  ),
  pool({ allowedUses: ["Workload", "LoadBalancer"] }, "LoadBalancer must stand alone; make another pool for pods"),
  pool(
    { allowedUses: ["LoadBalancer"], nodeSelector: "has(a)" },
    "must be all() in a pool for LoadBalancer; its addresses belong to no node",
  ),
  pool(
    { allowedUses: ["LoadBalancer"], disableBGPExport: true },
    "cannot be true in a pool for LoadBalancer; remove it",
  ),
  pool({ ipipMode: "Always" }, "not supported by Overland yet (Overland routes without tunnels)"),
  {
    kind: "IPReservation",
    spec: { reservedCIDRs: ["here"] },
    says: "is neither an address nor a CIDR such as 10.244.0.0/30",
  },
  { kind: "IPReservation", spec: { reservedCIDRs: ["10.0.0.1/24"] }, says: "has host bits set", controller: GRAMMAR },
  {
    kind: "IPAMConfiguration",
    name: "other",
    spec: {},
    says: "is not default; there is one IPAMConfiguration, and it has this name",
  },
  { kind: "IPAMConfiguration", spec: { ipCooldownSeconds: 1201 }, says: "from 0 to 1200" },
  { kind: "IPAMConfiguration", spec: { autoAllocateBlocks: false }, says: "nodes claim their blocks themselves" },
  { kind: "IPAMConfiguration", spec: { kubeVirtVMAddressPersistence: "Enabled" }, says: "needs KubeVirt" },
];

const CONFIGURATIONS: readonly Case[] = [
  bgp({}, 'configures nothing; the name is "default" for the cluster or "node.<node name>"', undefined, "rack"),
  bgp({ nodeToNodeMeshEnabled: true }, 'only the BGPConfiguration "default" may set this', undefined, "node.a"),
  bgp({ asNumber: 64512 }, "; a node's own AS is spec.bgp.asNumber of its Node", undefined, "node.a"),
  bgp({ nodeMeshMaxRestartTime: "10s" }, "; remove it", undefined, "node.a"),
  ...["serviceClusterIPs", "serviceExternalIPs", "serviceLoadBalancerIPs"].map((field) =>
    bgp({ [field]: [{ cidr: V4 }] }, `spec.${field}: only the BGPConfiguration "default" may`, undefined, "node.a"),
  ),
  bgp({ nodeMeshPassword: PASSWORD }, 'only the BGPConfiguration "default" may', undefined, "node.a"),
  bgp({ serviceLoadBalancerAggregation: "Disabled" }, 'only the BGPConfiguration "default" may', undefined, "node.a"),
  bgp(
    { nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: "10s" },
    "has no meaning with nodeToNodeMeshEnabled: false; remove it",
  ),
  bgp({ nodeToNodeMeshEnabled: false, nodeMeshPassword: PASSWORD }, "nodeMeshPassword: has no meaning with"),
  bgp({ logSeverityScreen: "loud" }, "is not one of Trace"),
  bgp({ asNumber: 0 }, "is not an AS number"),
  bgp({ asNumber: "1.2.3" }, "is not an AS number"),
  bgp({ asNumber: "99999.1" }, "is not an AS number", GRAMMAR),
  bgp({ listenPort: 70000 }, "is not a whole number from 1 to 65535"),
  bgp({ nodeMeshMaxRestartTime: "2h" }, "from 0s to 4095s"),
  bgp({ nodeMeshMaxRestartTime: "1.5s" }, "is not in whole seconds"),
  bgp({ nodeMeshMaxRestartTime: "90" }, "is not a duration"),
  bgp({ holdTime: 2 }, "is not a hold time"),
  bgp({ holdTime: "2s" }, "is not a hold time"),
  bgp({ connectRetryTime: 0 }, "is not a number of seconds"),
  bgp({ connectRetryTime: "0s" }, "from 1s to 65535s is allowed"),
  bgp({ multipath: 300 }, "is not true, false or a number of paths from 1 to 256", ANY),
  bgp(
    { communities: [{ name: "a", value: "1:2" }] },
    "are names for use in prefixAdvertisements and by services, and there is neither; add one, or remove them",
  ),
  bgp(
    {
      communities: [
        { name: "a", value: "1:2" },
        { name: "a", value: "1:3" },
      ],
      prefixAdvertisements: [{ cidr: V4 }],
    },
    "is the name of another community already",
  ),
  bgp(
    { communities: [{ name: "", value: "1:2" }], prefixAdvertisements: [{ cidr: V4 }] },
    "is not a name: 1 to 253 characters",
  ),
  bgp(
    { communities: [{ name: "1:2", value: "1:2" }], prefixAdvertisements: [{ cidr: V4 }] },
    "is a community itself; it needs no name",
    GRAMMAR,
  ),
  bgp({ communities: [{ name: "a", value: "1" }], prefixAdvertisements: [{ cidr: V4 }] }, "is not a community such as"),
  bgp(
    { communities: [{ name: "a", value: "70000:1" }], prefixAdvertisements: [{ cidr: V4 }] },
    "at most 65535",
    GRAMMAR,
  ),
  bgp({ prefixAdvertisements: [{ cidr: V4, communities: ["gold"] }] }, ", and no name in spec.communities", NOT_CHEAP),
  bgp({ serviceClusterIPs: [{ cidr: "10.96.0.0" }] }, "lacks a prefix length"),
  bgp({ serviceExternalIPs: [{ cidr: "0.0.0.0/0" }] }, "would make every node announce a default route"),
  bgp({ serviceLoadBalancerAggregation: "Sometimes" }, "serviceLoadBalancerAggregation"),
  bgp({ programClusterRoutes: "Disabled" }, "the agent always writes routes to pods"),
  bgp({ ipv4NormalRoutePriority: 512 }, "routes are written with the metric 1024"),
  bgp({ nodeToNodeMeshEnabled: false, nodeMeshPassword: PASSWORD }, "has no meaning with nodeToNodeMeshEnabled: false"),
  bgp({ nodeMeshPassword: { secretKeyRef: { name: "a" } } }, "nodeMeshPassword.secretKeyRef.key: is required"),
  bgp({ localWorkloadPeeringIPV4: "fd00::179" }, "is not IPv4; it belongs in the other family's field"),
  bgp({ localWorkloadPeeringIPV4: "169.254.1.1" }, "is the gateway of every pod; give another", GRAMMAR),
  bgp({ localWorkloadPeeringIPV6: "fe80::179" }, "is link-local, which says nothing without an interface", GRAMMAR),
  bgp({ localWorkloadPeeringIPV6: "::1" }, "is every machine's own; give one such as", GRAMMAR),
  bgp({ localWorkloadPeeringIPV4: "169.254.0.179" }, 'only the BGPConfiguration "default" may', undefined, "node.a"),
  bgp({ localWorkloadPeeringIPV6: "fd00::179" }, 'only the BGPConfiguration "default" may', undefined, "node.a"),
];

const OF_OTHER_PEERS = {
  peerIP: "192.0.2.1",
  peerSelector: "all()",
  sourceAddress: "None",
  passive: true,
  connectRetryTime: 5,
  ttlSecurity: 1,
  multihop: 2,
  nextHopMode: "Self",
  keepOriginalNextHop: true,
  families: ["ipv4-unicast"],
  extendedNextHop: true,
  routeServerClient: true,
};

const PEERS: readonly Case[] = [
  peer({ node: "a", nodeSelector: "all()" }, "does not go with node; remove one of the two"),
  peer({ node: "A" }, "is not a name"),
  between({ peerSelector: "all()", peerIP: "192.0.2.1" }, "does not go with peerIP; remove one of the two"),
  between(
    { peerSelector: "all()", asNumber: 1 },
    "does not go with peerSelector: the AS is that of each node chosen; remove it",
  ),
  between({ peerSelector: "all()", passive: true }, "does not go with peerSelector: both ends would wait; remove it"),
  between({ asNumber: 1 }, "is required, unless peerSelector chooses other nodes"),
  between({ peerIP: "192.0.2.1" }, "is required with peerIP"),
  peer({ reversePeering: "Auto" }, "needs peerSelector; remove it"),
  peer(
    { keepOriginalNextHop: true, nextHopMode: "Keep" },
    "does not go with nextHopMode, which says all of it; remove keepOriginalNextHop",
  ),
  peer({ filters: ["a", "a"] }, "stands there already; remove one of the two"),
  peer({ filters: ["A"] }, "is not a name"),
  peer(
    { ttlSecurity: 1, multihop: 2 },
    "does not go with ttlSecurity, which says how far the peer may be; remove one of the two",
    ANY,
  ),
  peer({ multihop: 0 }, "is not true, false or a number of hops from 1 to 255", ANY),
  peer({ strictRole: true }, "needs role; add one, or remove it"),
  peer({ maxPrefixes: { limit: 1, restartAfter: 300 } }, "goes with action: restart; remove it, or set the action"),
  peer({ maxPrefixes: {} }, "limit: is required"),
  peer({ maxPrefixes: { limit: 1, action: "restart", restartAfter: "0s" } }, "from 1s to 16777215s"),
  peer({ keepaliveTime: "30s", holdTime: 30 }, "is not shorter than the hold time of 30s; a third of it is usual"),
  peer({ keepaliveTime: "30s", holdTime: "20s" }, "is not shorter than the hold time of 20s"),
  peer({ peerIP: "router" }, "is not an address such as 192.0.2.1, 192.0.2.1:1790, 2001:db8::1 or [2001:db8::1]:1790"),
  peer({ peerIP: "192.0.2.300" }, "is not an address", GRAMMAR),
  peer({ peerIP: "224.0.0.1" }, "is not the address of a host", GRAMMAR),
  peer({ families: [] }, "at least 1 entries"),
  peer({ nodeSelector: "((" }, "is not a selector", GRAMMAR),
  peer({ password: { secretKeyRef: { key: "b" } } }, "password.secretKeyRef.name: is required"),
  peer({ password: { secretKeyRef: { name: "a", key: "b/c" } } }, "is not a key of a Secret"),
  between({ peerSelector: "all()", reachableBy: "192.0.2.2" }, "needs peerIP; add one, or remove it"),
  peer({ reachableBy: "2001:db8::2" }, "is not of the same family as peerIP; give a gateway of IPv"),
  peer(
    { peerIP: "[2001:db8::1]:179", reachableBy: "192.0.2.2" },
    "is not of the same family as peerIP; give a gateway",
  ),
  between({ localWorkloadSelector: "all()" }, "is required with localWorkloadSelector: the AS of the pods"),
  ...Object.entries(OF_OTHER_PEERS).map(([field, value]) => ({
    kind: "BGPPeer" as const,
    spec: { localWorkloadSelector: "all()", asNumber: 65010, [field]: value },
    says: `spec.${field}: does not go with localWorkloadSelector; remove it`,
    ...(field === "multihop" && { controller: ANY }),
  })),
];

const FILTERS: readonly Case[] = [
  rule("exportV4", { cidr: V4 }, "is required with cidr: Equal, NotEqual, In or NotIn"),
  rule("exportV4", { matchOperator: "In" }, "matchOperator: needs a cidr; add one, or remove it"),
  rule("exportV4", { prefixLength: { max: 24 } }, "prefixLength: needs a cidr"),
  rule("exportV4", { cidr: "fd00::/48", matchOperator: "In" }, "is not IPv4; move the rule to"),
  rule("importV6", { cidr: V4, matchOperator: "In" }, "is not IPv6; move the rule to"),
  rule("exportV4", { cidr: V4, matchOperator: "In", prefixLength: { min: 26, max: 24 } }, "is less than min, which is"),
  rule(
    "exportV4",
    { cidr: V4, matchOperator: "In", prefixLength: { max: 8 } },
    "is less than the length of 10.244.0.0/16: nothing within it is so short",
  ),
  rule("exportV4", { communities: { values: [] } }, "holds 0 communities and has to hold one; remove communities"),
  rule(
    "exportV4",
    { communities: { values: ["1:2", "1:3"] } },
    "holds 2 communities and has to hold one; write a rule for each",
  ),
  rule("exportV4", { communities: { values: ["one"] } }, "is not a community"),
  rule(
    "exportV4",
    { action: "Reject", operations: [{ setPriority: { value: 1 } }] },
    "change a route that is let pass; remove them, or use action: Accept",
  ),
  rule("exportV4", { operations: [{}] }, "says nothing to do: one of addCommunity"),
  rule("exportV4", { operations: [] }, "at least 1 entries"),
  rule(
    "importV4",
    { operations: [{ setPriority: { value: 1 }, removeMED: {} }] },
    "holds removeMED and setPriority; each entry does one thing: write them as entries of their own",
  ),
  rule(
    "exportV4",
    { operations: [{ removeMED: {} }] },
    "comes too late on the way out: MED is removed before routes are compared (RFC 4271 5.1.4); move it to importV4",
  ),
  rule("exportV4", { interface: "eth 0" }, "is no name or pattern of an interface such as eth*: at most 15 letters"),
  rule("exportV4", { source: "Peers" }, "is not one of RemotePeers"),
  rule("exportV4", { action: "accept" }, "did you mean Accept?"),
  rule("exportV4", { operations: [{ prependASPath: { prefix: [0] } }] }, "is not an AS number"),
];

export const REFUSED: readonly Case[] = [...POOLS, ...CONFIGURATIONS, ...PEERS, ...FILTERS];

export const VALID: readonly Omit<Case, "says">[] = [
  { kind: "BGPConfiguration" },
  { kind: "BGPConfiguration", name: "node.a", spec: { listenPort: 1790, logSeverityScreen: "dEBUG" } },
  { kind: "BGPConfiguration", spec: { asNumber: "1.10", holdTime: "1m30s", connectRetryTime: "5s", multipath: true } },
  { kind: "BGPConfiguration", spec: { asNumber: 4294967295, holdTime: 0, connectRetryTime: 5, multipath: 4 } },
  { kind: "BGPConfiguration", spec: { holdTime: "0", nodeMeshMaxRestartTime: "0s", serviceClusterIPs: [] } },
  { kind: "IPPool", spec: { cidr: "::/0", blockSize: 116, disabled: true, ipipMode: "Never" } },
  { kind: "IPPool", spec: { cidr: "fd00:10:244::/48", namespaceSelector: "", allowedUses: ["Workload", "Tunnel"] } },
  { kind: "IPPool", spec: { cidr: "10.0.0.0/30", disabled: true } },
  { kind: "IPPool", spec: { cidr: V4, namespaceSelector: "has(a)" } },
  { kind: "IPPool", spec: { cidr: V4, allowedUses: ["LoadBalancer"], nodeSelector: "all()" } },
  { kind: "IPReservation", spec: {} },
  { kind: "IPReservation", spec: { reservedCIDRs: ["10.244.0.1", "fd00::/120", "::"] } },
  { kind: "IPAMConfiguration" },
  { kind: "BGPPeer", spec: { peerIP: "[2001:db8::1]:179", asNumber: 65001, reachableBy: "2001:db8::2" } },
  { kind: "BGPPeer", spec: { peerIP: "192.0.2.1:1790", asNumber: 65001, reachableBy: "192.0.2.2" } },
  {
    kind: "BGPConfiguration",
    spec: { localWorkloadPeeringIPV4: "169.254.0.179", localWorkloadPeeringIPV6: "fd00::179" },
  },
  { kind: "BGPConfiguration", spec: { localWorkloadPeeringIPV4: "", localWorkloadPeeringIPV6: "" } },
  {
    kind: "BGPPeer",
    spec: { localWorkloadSelector: "app == 'vip'", asNumber: 65010, localASNumber: 65000, peerIP: "", filters: ["a"] },
  },
  { kind: "BGPPeer", spec: { ...PEER, localWorkloadSelector: "", passive: true } },
  { kind: "BGPPeer", spec: { ...PEER, node: "", nodeSelector: "", peerSelector: "", reachableBy: "" } },
  { kind: "BGPPeer", spec: { peerIP: "[2001:db8::1]:1790", asNumber: "65001", keepaliveTime: "1m", holdTime: 0 } },
  {
    kind: "BGPPeer",
    spec: { peerSelector: "rr == 'yes'", nodeSelector: "all()", reversePeering: "Manual", multihop: 3 },
  },
  {
    kind: "BGPPeer",
    spec: { ...PEER, maxPrefixes: { limit: 1, action: "restart", restartAfter: "5m" }, ttlSecurity: 0 },
  },
  {
    kind: "BGPFilter",
    spec: {
      importV4: [{ action: "Accept", operations: [{ removeMED: {} }, { addCommunity: { value: "1:2:3" } }] }],
      exportV4: [{ cidr: V4, matchOperator: "In", prefixLength: { min: 16, max: 26 }, source: "", action: "Reject" }],
      importV6: [{ cidr: "", interface: "eth*", peerType: "", asPathPrefix: [1, "1.1"], action: "Accept" }],
      exportV6: [{ cidr: "fd00::/48", matchOperator: "Equal", communities: { values: ["1:2"] }, action: "Accept" }],
    },
  },
  { kind: "BGPFilter", spec: {} },
];
