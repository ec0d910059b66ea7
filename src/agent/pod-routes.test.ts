import { describe, expect, it } from "@jest/globals";
import { runChain } from "../../bgp/policy/run-chain.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { LocalPeerings } from "../config/local-peerings.ts";
import { resolveLocalPeers } from "../config/local-peers.ts";
import { resolveNode } from "../config/resolve.ts";
import { resource, type Spec, snapshot } from "../config/resources-for-tests.ts";
import { peerConfigs } from "./peers.ts";

const ADDRESSES = { localWorkloadPeeringIPV4: "169.254.0.179", localWorkloadPeeringIPV6: "fd00::179" };
const POD = { namespace: "default", name: "a", ifName: "eth0", addresses: [addressOf("10.244.0.5")], labels: {} };

/** The session with the one pod there is, beside one with a router; `bgp` of the Node. */
function sessions(spec: Spec = {}, settings: Spec = {}, bgp: Spec = {}): { pod: PeerConfig; tor: PeerConfig } {
  const node = resolveNode(
    snapshot([
      resource("Node", "m", { bgp: { ipv4Address: "10.0.0.1/24", ipv6Address: "fd00:1::1/64", ...bgp } }),
      resource("BGPConfiguration", "default", { ...ADDRESSES, ...settings }),
      resource("IPPool", "pods", { cidr: "10.244.0.0/16" }),
      resource("IPPool", "pods6", { cidr: "fd00:244::/48" }),
      resource("BGPFilter", "trusted", {
        importV4: [{ action: "Accept", cidr: "10.244.7.0/24", matchOperator: "In" }],
        importV6: [{ action: "Reject", cidr: "fd00:9::/32", matchOperator: "In" }],
      }),
      resource("BGPPeer", "p", { localWorkloadSelector: "all()", asNumber: 65010, ...spec }),
      resource("BGPPeer", "tor", { peerIP: "10.0.0.9", asNumber: 65001 }),
    ]),
    "m",
  );
  const { peers } = resolveLocalPeers(node.local as LocalPeerings, [POD], node.peers);
  const [tor, pod] = peerConfigs({ ...node, peers: [...node.peers, ...peers] }, () => ({ missing: "" }));
  return { pod: pod as PeerConfig, tor: tor as PeerConfig };
}

function taken({ importChain }: PeerConfig, prefix: string): string {
  const attributes = { origin: 0, asPath: [], nextHop: addressOf("10.244.0.5") } as const;
  const route = {
    prefix: prefixOf(prefix),
    attributes,
    source: "RemotePeers",
    peerType: "eBGP",
    attached: true,
  } as const;
  const verdict = runChain(importChain, { ...route, interface: undefined });
  return `${verdict.accept ? "yes" : "no"}: ${verdict.by}`;
}

const CURE = "which no pod announces unless an import filter accepts it";

describe("what a pod announces", () => {
  it.each([
    ["198.18.0.9/32", "yes: no filter decided: Accept"],
    ["198.18.0.0/15", "yes: no filter decided: Accept"],
    ["fd00:98::9/128", "yes: no filter decided: Accept"],
    ["0.0.0.0/0", `no: a default route, ${CURE}`],
    ["::/0", `no: a default route, ${CURE}`],
    ["128.0.0.0/1", `no: wider than /8, ${CURE}`],
    ["2000::/3", `no: wider than /16, ${CURE}`],
    ["10.0.0.0/8", `no: overlaps IPPool pods (10.244.0.0/16), ${CURE}`],
    ["10.244.0.5/32", `no: overlaps IPPool pods (10.244.0.0/16), ${CURE}`],
    ["10.244.3.0/26", `no: overlaps IPPool pods (10.244.0.0/16), ${CURE}`],
    ["fd00:244::7/128", `no: overlaps IPPool pods6 (fd00:244::/48), ${CURE}`],
    ["10.0.0.1/32", `no: overlaps the node's own network 10.0.0.0/24, ${CURE}`],
    ["10.0.0.9/32", `no: overlaps the node's own network 10.0.0.0/24, ${CURE}`],
    ["fd00:1::/64", `no: overlaps the node's own network fd00:1::/64, ${CURE}`],
    ["169.254.0.179/32", `no: overlaps the address that pods dial, ${CURE}`],
  ])("%s is taken by itself? %s", (prefix, says) => expect(taken(sessions().pod, prefix)).toBe(says));

  it("passes the peering's filters first: what they accept is taken, what they reject is not", () => {
    const { pod } = sessions({ filters: ["trusted"] });
    expect(taken(pod, "10.244.7.1/32")).toMatch(/^yes: filter trusted/);
    expect(taken(pod, "10.244.8.1/32")).toMatch(/^no: overlaps IPPool pods/);
    expect(taken(pod, "fd00:9::1/128")).toMatch(/^no: filter trusted/);
  });

  it("needs a filter of the operator's where ebgpRequiresPolicy is on: our own rules are none", () => {
    const { pod } = sessions({}, { ebgpRequiresPolicy: true });
    expect([pod.requiresPolicy, pod.importChain.filters]).toEqual([true, []]);
  });
});

describe("the session with a pod", () => {
  it("is one of a peer on this machine, told own routes only, on a reflector too", () => {
    const reflector = { routeReflectorClusterID: "10.9.9.9" };
    for (const { pod, tor } of [sessions(), sessions({}, {}, reflector)]) {
      expect(pod).toMatchObject({ attached: true, exportScope: "originated", passive: true, families: [4] });
      // It finds us at the address it dialed.
      expect(pod.localAddresses).toEqual({});
      expect(pod.exportChain.filters).toEqual([]);
      expect(tor).not.toHaveProperty("attached");
    }
  });

  it("brings routes that a reflector passes on as its own", () => {
    const { tor } = sessions({}, {}, { routeReflectorClusterID: "10.9.9.9" });
    const attributes = { origin: 0, asPath: [], nextHop: addressOf("10.244.0.5") } as const;
    const route = { prefix: prefixOf("198.18.0.9/32"), attributes, source: "RemotePeers", peerType: "eBGP" } as const;
    const passed = (attached: boolean) =>
      runChain(tor.exportChain, { ...route, attached, interface: undefined }).accept;
    expect([passed(true), passed(false)]).toEqual([true, false]);
  });
});
