import { describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { LocalPeerings } from "./local-peerings.ts";
import { type LocalPod, resolveLocalPeers, selectorLabels } from "./local-peers.ts";
import { type NodeConfig, resolveNode } from "./resolve.ts";
import type { Resource } from "./resource.ts";
import { resource, type Spec, snapshot } from "./resources-for-tests.ts";

const BOTH = { localWorkloadPeeringIPV4: "169.254.0.179", localWorkloadPeeringIPV6: "fd00::179" };
const node = (name: string, last: number, labels = {}, bgp: Spec = {}) =>
  resource("Node", name, { bgp: { ipv4Address: `10.192.0.${last}/24`, ...bgp } }, labels);
const config = (spec: Spec) => resource("BGPConfiguration", "default", { nodeToNodeMeshEnabled: false, ...spec });
const peering = (name: string, spec: Spec = {}) =>
  resource("BGPPeer", name, { localWorkloadSelector: "app == 'vip'", asNumber: 65010, ...spec });
const pool = resource("IPPool", "pods", { cidr: "10.244.0.0/16" });

const resolve = (resources: readonly Resource[], name = "m"): NodeConfig => resolveNode(snapshot(resources), name);
const pod = (name: string, addresses: readonly string[], labels = { app: "vip" }, namespace = "default"): LocalPod => ({
  ...{ namespace, name, ifName: "eth0", addresses: addresses.map(addressOf) },
  labels: selectorLabels(namespace, labels, { team: "edge" }),
});

/** Each session as `name address remote AS <- our AS`, and what is wrong. */
function sessions(resources: readonly Resource[], pods: readonly LocalPod[]): [string[], readonly string[]] {
  const { local, peers: others } = resolve(resources);
  const { peers, problems } = resolveLocalPeers(local as LocalPeerings, pods, others);
  const text = peers.map(({ name, address, asNumber, localASNumber }) => {
    return `${name} ${formatAddress(address)} ${asNumber} <- ${localASNumber}`;
  });
  return [text, problems];
}

describe("a BGPPeer with localWorkloadSelector", () => {
  it("gives every pod with the label a passive session in each of its families", () => {
    const pods = [
      pod("b", ["10.244.0.6"]),
      pod("a", ["10.244.0.5", "fd00:244::5"]),
      pod("c", ["10.244.0.7"], { app: "" }),
    ];
    expect(sessions([node("m", 2), config(BOTH), peering("vips")], pods)).toEqual([
      [
        "vips/default/a/ipv4 10.244.0.5 65010 <- 64512",
        "vips/default/a/ipv6 fd00:244::5 65010 <- 64512",
        "vips/default/b/ipv4 10.244.0.6 65010 <- 64512",
      ],
      [],
    ]);
    const { local, peers } = resolve([
      node("m", 2),
      config(BOTH),
      peering("vips", { localASNumber: 65000, holdTime: 9 }),
    ]);
    expect(resolveLocalPeers(local as LocalPeerings, pods, peers).peers[1]).toMatchObject({
      ...{ type: "local workload", pod: "default/a", passive: true, families: [6], localASNumber: 65000, holdTime: 9 },
      maxPrefixes: { limit: 100, action: "block" },
    });
  });

  it("takes part where its node or nodeSelector says, and not at all where there is none", () => {
    const has = (spec: Spec, labels = {}) =>
      resolve([node("m", 2, labels), config(BOTH), peering("vips", spec)]).local !== undefined;
    expect([has({}), has({ node: "m" }), has({ node: "other" })]).toEqual([true, true, false]);
    expect([has({ nodeSelector: "edge == 'yes'" }), has({ nodeSelector: "edge == 'yes'" }, { edge: "yes" })]).toEqual([
      false,
      true,
    ]);
    expect(resolve([node("m", 2), config(BOTH)]).local).toBeUndefined();
  });

  it("sees a pod's namespace and the labels of that as Calico's selectors do", () => {
    const chosen = (localWorkloadSelector: string) =>
      sessions([node("m", 2), config(BOTH), peering("p", { localWorkloadSelector })], [pod("a", ["10.244.0.5"])])[0]
        .length;
    expect(chosen("projectcalico.org/namespace == 'default'")).toBe(1);
    expect(chosen("projectcalico.org/namespace == 'other'")).toBe(0);
    expect(chosen("pcns.team == 'edge' && has(app)")).toBe(1);
    expect(chosen("pcns.projectcalico.org/name in {'default'}")).toBe(1);
    // A pod does not say itself where it is.
    const liar = pod("a", ["10.244.0.5"], { "projectcalico.org/namespace": "other" } as never);
    expect(liar.labels["projectcalico.org/namespace"]).toBe("default");
  });

  it("is one of several: the first by name has the pod, and an address that peers already is left alone", () => {
    const tor = resource("BGPPeer", "tor", { peerIP: "10.244.0.5", asNumber: 65001 });
    expect(sessions([node("m", 2), config(BOTH), peering("b"), peering("a"), tor], [pod("x", ["10.244.0.6"])])).toEqual(
      [["a/default/x/ipv4 10.244.0.6 65010 <- 64512"], ["BGPPeer b: pod default/x is BGPPeer a's already; ignored"]],
    );
    expect(sessions([node("m", 2), config(BOTH), peering("a"), tor], [pod("x", ["10.244.0.5"])])).toEqual([
      [],
      ["BGPPeer a: the address of pod default/x is tor's already; ignored"],
    ]);
  });

  it("names a pod's second interface", () => {
    const pods = [pod("a", ["10.244.0.5"]), { ...pod("a", ["10.244.0.9"]), ifName: "net1" }];
    expect(sessions([node("m", 2), config(BOTH), peering("p")], pods)[0].map((text) => text.split(" ")[0])).toEqual([
      "p/default/a/ipv4",
      "p/default/a/ipv4/net1",
    ]);
  });

  it("says what keeps pods from dialing, by the field's name", () => {
    const problemsWith = (spec: Spec, ...more: readonly Resource[]) =>
      resolve([node("m", 2), node("n", 3), config(spec), peering("vips"), pool, ...more]).problems;
    expect(problemsWith(BOTH)).toEqual([]);
    expect(problemsWith({})).toEqual([
      "BGPPeer vips: localWorkloadSelector chooses pods that have no address to dial; " +
        "set localWorkloadPeeringIPV4 or localWorkloadPeeringIPV6 in BGPConfiguration default",
    ]);
    expect(problemsWith({ localWorkloadPeeringIPV4: "10.244.0.1" })[0]).toBe(
      "BGPConfiguration default: localWorkloadPeeringIPV4 10.244.0.1 is inside IPPool pods; " +
        "give an address that nothing else has, until then pods have none to dial",
    );
    expect(problemsWith({ localWorkloadPeeringIPV4: "10.192.0.3" })[0]).toContain("is the address of node n");
    const six = { localWorkloadPeeringIPV6: "fd00::179" };
    expect(sessions([node("m", 2), config(six), peering("vips")], [pod("a", ["10.244.0.5"])])).toEqual([
      [],
      [
        "BGPPeer vips: pod default/a has IPv4 only, and BGPConfiguration default has no localWorkloadPeeringIPV4; set it",
      ],
    ]);
  });

  it("guards what is somebody else's: pools, nodes, routers, services, and where pods dial", () => {
    const tor = resource("BGPPeer", "tor", { peerIP: "10.9.9.9", asNumber: 65001 });
    const services = config({ ...BOTH, serviceClusterIPs: [{ cidr: "10.96.0.0/12" }] });
    const far = node("far", 1, {}, { ipv4Address: "10.193.0.1/24" });
    const { local } = resolve([node("m", 2), node("n", 3), far, services, peering("p"), tor, pool]);
    expect(local?.guarded.map(({ what, prefixes }) => `${what}: ${prefixes.map(formatPrefix).join(" ")}`)).toEqual([
      "IPPool pods (10.244.0.0/16): 10.244.0.0/16",
      "the node's own network 10.192.0.0/24: 10.192.0.0/24",
      "the address of a node: 10.193.0.1/32",
      "the address of a BGPPeer: 10.9.9.9/32",
      "the services' range 10.96.0.0/12: 10.96.0.0/12",
      "the address that pods dial: 169.254.0.179/32 fd00::179/128",
    ]);
  });
});
