import { describe, expect, it } from "@jest/globals";
import { checkDocument } from "./document.ts";
import { pathText } from "./problem.ts";

/** The problems of a spec, as `field: message`; none when it is good. */
function problemsOf(kind: string, spec: object, name = "default"): string[] {
  const checked = checkDocument({ apiVersion: "overland.dev/v1", kind, metadata: { name }, spec });
  return "problems" in checked ? checked.problems.map(({ path, message }) => `${pathText(path)}: ${message}`) : [];
}

function specOf(kind: string, spec: object): unknown {
  const checked = checkDocument({ apiVersion: "projectcalico.org/v3", kind, metadata: { name: "default" }, spec });
  return "resource" in checked ? checked.resource.spec : checked.problems;
}

describe("IPPool", () => {
  it("has Calico's defaults", () => {
    const usual = { disabled: false, nodeSelector: "all()", natOutgoing: false, disableBGPExport: false };
    expect(specOf("IPPool", { cidr: "10.0.0.0/16" })).toEqual({
      cidr: "10.0.0.0/16",
      ...usual,
      assignmentMode: "Automatic",
      namespaceSelector: "",
      allowedUses: ["Workload", "Tunnel"],
      blockSize: 26,
    });
    expect(specOf("IPPool", { cidr: "fd00::/64" })).toMatchObject({ blockSize: 122 });
  });

  it.each([
    [
      {
        cidr: "10.0.0.0/16",
        blockSize: 20,
        ipipMode: "Never",
        vxlanMode: "Never",
        allowedUses: ["Workload", "Tunnel"],
      },
    ],
    [{ cidr: "10.0.0.0/26" }],
    [{ cidr: "10.0.0.0/30", blockSize: 30 }],
    [{ cidr: "10.0.0.0/30", disabled: true }],
    [{ cidr: "fd00::/116", blockSize: 128, nodeSelector: "rack == 'a' && !has(old)", assignmentMode: "Manual" }],
    [{ cidr: "10.0.0.0/16", namespaceSelector: "", blockSize: null }],
  ])("takes %j", (spec) => expect(problemsOf("IPPool", spec)).toEqual([]));

  it.each([
    [{}, ["spec.cidr: is required"]],
    [{ cidr: "10.0.0.0" }, ['spec.cidr: "10.0.0.0" lacks a prefix length such as /24']],
    [{ cidr: "10.0.0.1/24" }, ['spec.cidr: "10.0.0.1/24" has host bits set; did you mean 10.0.0.0/24?']],
    [{ cidr: "10.0.0.0/08" }, ['spec.cidr: "10.0.0.0/08" is not a CIDR such as 10.244.0.0/16 or fd00:244::/48']],
    [{ cidr: 10 }, ["spec.cidr: 10 is a number; write it in quotes"]],
    [{ cidr: "169.254.0.0/20" }, ['spec.cidr: "169.254.0.0/20" is link-local; such addresses are never routed']],
    [{ cidr: "fe80::/64" }, ['spec.cidr: "fe80::/64" is link-local; such addresses are never routed']],
    [
      { cidr: "10.0.0.0/16", blockSize: 122 },
      ["spec.blockSize: 122 is out of range for 10.0.0.0/16; from 20 to 32 is allowed"],
    ],
    [
      { cidr: "fd00::/64", blockSize: 26 },
      ["spec.blockSize: 26 is out of range for fd00::/64; from 116 to 128 is allowed"],
    ],
    [{ cidr: "10.0.0.0/16", blockSize: 19 }, ["spec.blockSize: 19 is not a whole number from 20 to 128"]],
    [
      { cidr: "10.0.0.0/16", blockSize: "26" },
      ['spec.blockSize: "26" is not a whole number from 20 to 128; write it without quotes'],
    ],
    [
      { cidr: "10.0.0.0/27" },
      [
        "spec.cidr: 10.0.0.0/27 is smaller than one block of /26; " +
          "give a blockSize of 27 or more, or use a larger range",
      ],
    ],
    [
      { cidr: "10.0.0.0/16", vxlanMode: "CrossSubnet" },
      [
        "spec.vxlanMode: not supported by Overland yet (Overland " +
          'routes without tunnels); remove it or set it to "Never"',
      ],
    ],
    [
      { cidr: "10.0.0.0/16", assignmentMode: "manual" },
      ['spec.assignmentMode: "manual" is not one of Automatic, Manual; did you mean Manual?'],
    ],
    [{ cidr: "10.0.0.0/16", natOutgoing: "yes" }, ['spec.natOutgoing: expected true or false, found "yes"']],
  ])("refuses %j", (spec, problems) => expect(problemsOf("IPPool", spec)).toEqual(problems));
});

describe("BGPPeer", () => {
  it.each([
    [{ peerIP: "10.0.0.1", asNumber: 4294967295 }],
    [{ peerIP: "10.0.0.1:65535", asNumber: "65535.65535", node: "a" }],
    [
      {
        peerIP: "[fd00::1]:1790",
        asNumber: 1,
        nodeSelector: "rack == 'a'",
        sourceAddress: "None",
        nextHopMode: "Self",
      },
    ],
    [{ peerSelector: "has(hub)", nodeSelector: "all()", reversePeering: "Manual", localASNumber: "0.5" }],
    [{ peerIP: "10.0.0.1", asNumber: 1, maxRestartTime: "2m0s", keepaliveTime: "20s", holdTime: 60 }],
    [{ peerIP: "10.0.0.1", asNumber: 1, keepaliveTime: "20s", holdTime: 0, connectRetryTime: "1m", passive: true }],
    [{ peerIP: "10.0.0.1", asNumber: 1, ttlSecurity: 0, numAllowedLocalASNumbers: 2, keepOriginalNextHop: false }],
    [{ peerIP: "10.0.0.1", asNumber: 1, node: "", peerSelector: "", filters: [], reachableBy: "" }],
    [{ peerIP: "[fd00::1]:1790", asNumber: 1, reachableBy: "fd00:1::1" }],
  ])("takes %j", (spec) => expect(problemsOf("BGPPeer", spec)).toEqual([]));

  it("has no defaults: not given is not the same as the usual", () => {
    expect(specOf("BGPPeer", { peerIP: "10.0.0.1", asNumber: "1.1" })).toEqual({ peerIP: "10.0.0.1", asNumber: 65537 });
  });

  it.each([
    [
      {},
      [
        "spec.peerIP: is required, unless peerSelector chooses other nodes or localWorkloadSelector the node's own pods",
      ],
    ],
    [{ peerIP: "10.0.0.1" }, ["spec.asNumber: is required with peerIP"]],
    [
      { peerIP: "10.0.0.1/24", asNumber: 1 },
      [expect.stringMatching(/^spec\.peerIP: "10\.0\.0\.1\/24" is not an address/)],
    ],
    [
      { peerIP: "10.0.0.1:0", asNumber: 1 },
      [expect.stringMatching(/^spec\.peerIP: "10\.0\.0\.1:0" is not an address/)],
    ],
    [{ peerIP: "::ffff:1.2.3.4", asNumber: 1 }, ['spec.peerIP: "::ffff:1.2.3.4" is IPv4 within IPv6; write 1.2.3.4']],
    [{ peerIP: "224.0.0.5", asNumber: 1 }, ['spec.peerIP: "224.0.0.5" is not the address of a host']],
    [
      { peerIP: "fe80::1", asNumber: 1 },
      ['spec.peerIP: "fe80::1" is link-local, which says nothing without an interface; use a routed address'],
    ],
    [
      { peerIP: "fe80::1%eth0", asNumber: 1 },
      ['spec.peerIP: "fe80::1%eth0" names an interface; link-local addresses are not supported yet'],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 0 },
      ['spec.asNumber: 0 is not an AS number: 1 to 4294967295, or dotted "high.low" with halves up to 65535'],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: "1.65536" },
      ['spec.asNumber: "1.65536" is not an AS number: 1 to 4294967295, or dotted "high.low" with halves up to 65535'],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, peerSelector: "all()", node: "a", nodeSelector: "all()" },
      [
        "spec.nodeSelector: does not go with node; remove one of the two",
        "spec.peerSelector: does not go with peerIP; remove one of the two",
        "spec.asNumber: does not go with peerSelector: the AS is that of each node chosen; remove it",
      ],
    ],
    [
      { peerSelector: "all()", passive: true },
      ["spec.passive: does not go with peerSelector: both ends would wait; remove it"],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, reversePeering: "Auto" },
      ["spec.reversePeering: needs peerSelector; remove it"],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, holdTime: 2, keepaliveTime: "90" },
      [
        'spec.keepaliveTime: "90" is not a duration such as 120s or 2m0s',
        "spec.holdTime: 2 is not a hold time: 0 (none), or 3 to 65535 seconds",
      ],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, holdTime: 30, keepaliveTime: "30s" },
      ['spec.keepaliveTime: "30s" is not shorter than the hold time of 30s; a third of it is usual'],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, maxRestartTime: "2h" },
      ['spec.maxRestartTime: "2h" is out of range; from 0s to 4095s is allowed'],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, maxRestartTime: "1.5s" },
      ['spec.maxRestartTime: "1.5s" is not in whole seconds, which is all BGP can carry'],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, password: { secretKeyRef: { name: "Bgp" } } },
      [
        'spec.password.secretKeyRef.name: "Bgp" is not a name: lower-case letters, digits, ' +
          '"-" and ".", starting and ending with a letter or digit',
        "spec.password.secretKeyRef.key: is required",
      ],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, password: { secretKeyRef: { name: "a", key: "b/c" } } },
      [
        'spec.password.secretKeyRef.key: "b/c" is not a key of a Secret: ' +
          '1 to 253 letters, digits, "-", "_" and "."',
      ],
    ],
    [
      { peerIP: "10.0.0.1", asNumber: 1, reachableBy: "fd00::1" },
      ['spec.reachableBy: "fd00::1" is not of the same family as peerIP; give a gateway of IPv4'],
    ],
    [{ peerSelector: "all()", reachableBy: "10.0.0.1" }, ["spec.reachableBy: needs peerIP; add one, or remove it"]],
    [{ peerIP: "10.0.0.1", asNumber: 1, password: {} }, ["spec.password.secretKeyRef: is required"]],
    [
      { peerIP: "10.0.0.1", asNumber: 1, node: "Rack 1" },
      [
        'spec.node: "Rack 1" is not a name: lower-case letters, digits, ' +
          '"-" and ".", starting and ending with a letter or digit',
      ],
    ],
  ])("refuses %j", (spec, problems) => expect(problemsOf("BGPPeer", spec)).toEqual(problems));
});

describe("BGPConfiguration", () => {
  it.each([
    ["default", {}],
    ["default", { asNumber: 65000, nodeToNodeMeshEnabled: false, listenPort: 1790, logSeverityScreen: "warning" }],
    ["default", { nodeMeshMaxRestartTime: "120s", holdTime: "90s", connectRetryTime: 1, serviceClusterIPs: [] }],
    [
      "default",
      { ipv4NormalRoutePriority: 1024, ignoredInterfaces: ["docker*"], serviceLoadBalancerAggregation: "Enabled" },
    ],
    [
      "default",
      {
        serviceClusterIPs: [{ cidr: "10.96.0.0/12" }, { cidr: "fd00:96::/108" }],
        serviceExternalIPs: [{ cidr: "80.15.0.1/32" }],
        serviceLoadBalancerIPs: [{ cidr: "80.16.0.0/24" }],
        serviceLoadBalancerAggregation: "Disabled",
        communities: [{ name: "gold", value: "65000:1" }],
      },
    ],
    ["default", { nodeMeshPassword: { secretKeyRef: { name: "bgp", key: "mesh", optional: true } } }],
    ["node.rack1-node1", { listenPort: 1790, logSeverityScreen: "Debug", holdTime: 9 }],
  ])("takes %s %j", (name, spec) => expect(problemsOf("BGPConfiguration", spec, name)).toEqual([]));

  it.each([
    [
      "other",
      {},
      ['metadata.name: "other" configures nothing; the name is "default" for the cluster or "node.<node name>"'],
    ],
    [
      "node.a",
      { asNumber: 1, nodeToNodeMeshEnabled: true },
      [
        'spec.nodeToNodeMeshEnabled: only the BGPConfiguration "default" may set this, not "node.a"; remove it',
        'spec.asNumber: only the BGPConfiguration "default" may set this, ' +
          'not "node.a"; a node\'s own AS is spec.bgp.asNumber of its Node',
      ],
    ],
    [
      "node.a",
      { nodeMeshPassword: { secretKeyRef: { name: "bgp", key: "mesh" } } },
      ['spec.nodeMeshPassword: only the BGPConfiguration "default" may set this, not "node.a"; remove it'],
    ],
    [
      "default",
      { nodeToNodeMeshEnabled: false, nodeMeshPassword: { secretKeyRef: { name: "bgp", key: "mesh" } } },
      ["spec.nodeMeshPassword: has no meaning with nodeToNodeMeshEnabled: false; remove it"],
    ],
    [
      "default",
      { nodeToNodeMeshEnabled: false, nodeMeshMaxRestartTime: "10s" },
      ["spec.nodeMeshMaxRestartTime: has no meaning with nodeToNodeMeshEnabled: false; remove it"],
    ],
    [
      "default",
      { serviceClusterIPs: [{ cidr: "10.96.0.0/12" }, { cidr: "10.96.0.1/12" }, { cidr: "::/0" }] },
      [
        'spec.serviceClusterIPs[1].cidr: "10.96.0.1/12" has host bits set; did you mean 10.96.0.0/12?',
        'spec.serviceClusterIPs[2].cidr: "::/0" would make every node announce a default route; name the range itself',
      ],
    ],
    [
      "node.a",
      { serviceExternalIPs: [{ cidr: "80.15.0.0/24" }], serviceLoadBalancerAggregation: "Disabled" },
      [
        'spec.serviceExternalIPs: only the BGPConfiguration "default" may set this, not "node.a"; remove it',
        'spec.serviceLoadBalancerAggregation: only the BGPConfiguration "default" may set this, not "node.a"; remove it',
      ],
    ],
    ["default", { listenPort: 0 }, ["spec.listenPort: 0 is not a whole number from 1 to 65535"]],
    [
      "default",
      { logSeverityScreen: "Loud" },
      ['spec.logSeverityScreen: "Loud" is not one of Trace, Debug, Info, Warning, Error, Fatal'],
    ],
  ])("refuses %s %j", (name, spec, problems) => expect(problemsOf("BGPConfiguration", spec, name)).toEqual(problems));
});

describe("Node", () => {
  it.each([
    [{}],
    [{ bgp: { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00::1/64", asNumber: "1.1" } }],
    [
      {
        bgp: { ipv4Address: "10.0.0.1", ipv4IPIPTunnelAddr: "10.1.1.1" },
        wireguard: { interfaceIPv4Address: "10.2.2.2" },
      },
    ],
    [{ bgp: { routeReflectorClusterID: "244.0.0.1" } }],
    [{ bgp: { asNumber: 1, routeReflectorClusterID: "" } }],
    [{ orchRefs: [{ nodeName: "a", orchestrator: "k8s" }], addresses: [{ address: "10.0.0.1", type: "InternalIP" }] }],
  ])("takes %j", (spec) => expect(problemsOf("Node", spec, "a")).toEqual([]));

  it.each([
    [{ bgp: {} }, ["spec.bgp: is empty; give an address or an asNumber, or remove it"]],
    [
      { bgp: { ipv4Address: "fd00::1/64" } },
      ['spec.bgp.ipv4Address: "fd00::1/64" is not an IPv4 address; expected one such as 10.10.1.11/24'],
    ],
    [
      { bgp: { ipv6Address: "10.0.0.0.1" } },
      ['spec.bgp.ipv6Address: "10.0.0.0.1" is not an address with its prefix length such as fd00:10:1::11/64'],
    ],
    [
      { bgp: { routeReflectorClusterID: "rack-1" } },
      [
        'spec.bgp.routeReflectorClusterID: "rack-1" is not a cluster ID: ' +
          "four octets written like an IPv4 address, such as 224.0.0.1",
      ],
    ],
    [{ bgp: { asnumber: 1 } }, ["spec.bgp.asnumber: unknown field; did you mean asNumber?"]],
  ])("refuses %j", (spec, problems) => expect(problemsOf("Node", spec, "a")).toEqual(problems));
});
