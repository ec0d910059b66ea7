import { describe, expect, it } from "@jest/globals";
import { type Address, addressOf, formatAddress } from "../../ipam/net/address.ts";
import { type NodeConfig, type PeerIntent, resolveNode } from "./resolve.ts";
import type { Resource } from "./resource.ts";
import { resource, type Spec, snapshot } from "./resources-for-tests.ts";

const node = (name: string, ipv4: string | undefined, labels = {}, more: Spec = {}) =>
  resource("Node", name, { bgp: { ...(ipv4 !== undefined && { ipv4Address: `${ipv4}/24` }), ...more } }, labels);
const peer = (name: string, spec: Spec) => resource("BGPPeer", name, spec);
const config = (spec: Spec, name = "default") => resource("BGPConfiguration", name, spec);

/** Nodes m, n3, n4 with 10.192.0.2, .3, .4: the scene of Calico's own cases. */
const three = (labels: Record<string, Record<string, string>> = {}) => [
  node("m", "10.192.0.2", labels["m"]),
  node("n3", "10.192.0.3", labels["n3"]),
  node("n4", "10.192.0.4", labels["n4"]),
];

/** Sessions as `name address:port AS`. */
function sessions({ peers }: NodeConfig): string[] {
  return peers.map(({ name, address, port, asNumber }) => `${name} ${formatAddress(address)}:${port} ${asNumber}`);
}

function resolve(resources: readonly Resource[], name = "m"): NodeConfig {
  return resolveNode(snapshot(resources), name);
}

function only({ peers }: NodeConfig): PeerIntent {
  expect(peers).toHaveLength(1);
  return peers[0] as PeerIntent;
}

describe("the mesh", () => {
  it("is on unless told otherwise, with Overland's defaults", () => {
    const resolved = resolve(three());
    expect(sessions(resolved)).toEqual(["mesh/n3 10.192.0.3:179 64512", "mesh/n4 10.192.0.4:179 64512"]);
    expect(resolved).toMatchObject({ asNumber: 64512, listenPort: 179, problems: [] });
    expect(formatAddress(resolved.routerID)).toBe("10.192.0.2");
    const { sourceAddress, address, ...terms } = resolved.peers[0] as PeerIntent;
    expect([sourceAddress, address].map((one) => one && formatAddress(one))).toEqual(["10.192.0.2", "10.192.0.3"]);
    expect(terms).toEqual({
      name: "mesh/n3",
      type: "node-to-node mesh",
      node: "n3",
      port: 179,
      asNumber: 64512,
      localASNumber: 64512,
      passive: false,
      holdTime: 90,
      connectRetryTime: 5,
      maxRestartTime: 120,
      nextHopMode: "Auto",
      numAllowedLocalASNumbers: 0,
    });
  });

  it("is off when told so", () => {
    expect(resolve([...three(), config({ nodeToNodeMeshEnabled: false })]).peers).toEqual([]);
  });

  it("offers the restart time and the timers that were set, a node's own before the cluster's", () => {
    const resources = [
      ...three(),
      config({ nodeMeshMaxRestartTime: "10s", holdTime: 30, connectRetryTime: "2s" }),
      config({ holdTime: 9 }, "node.m"),
    ];
    expect(resolve(resources).peers[0]).toMatchObject({ maxRestartTime: 10, holdTime: 9, connectRetryTime: 2 });
    expect(resolve(resources, "n3").peers[0]).toMatchObject({ maxRestartTime: 10, holdTime: 30 });
  });

  it("expects the peer's own AS, else the cluster's: not this node's", () => {
    const own = node("m", "10.192.0.2", {}, { asNumber: 65002 });
    const other = node("n4", "10.192.0.4", {}, { asNumber: 65004 });
    const resolved = resolve([own, node("n3", "10.192.0.3"), other, config({ asNumber: 65000 })]);
    expect(sessions(resolved)).toEqual(["mesh/n3 10.192.0.3:179 65000", "mesh/n4 10.192.0.4:179 65004"]);
    expect(resolved.peers.map(({ localASNumber }) => localASNumber)).toEqual([65002, 65002]);
  });

  it("dials the port each peer listens on", () => {
    const resources = [...three(), config({ listenPort: 150 }), config({ listenPort: 500 }, "node.n3")];
    expect(sessions(resolve(resources))).toEqual(["mesh/n3 10.192.0.3:500 64512", "mesh/n4 10.192.0.4:150 64512"]);
    expect(resolve(resources, "n3").listenPort).toBe(500);
  });

  it("is one session for a pair of nodes: IPv4 where both have it, else IPv6", () => {
    const v6 = (last: number) => ({ ipv6Address: `fd00::${last}/64` });
    const resources = [
      node("m", "10.192.0.2", {}, v6(2)),
      node("n3", "10.192.0.3", {}, v6(3)),
      node("n4", undefined, {}, v6(4)),
      node("n5", "10.192.0.5"),
    ];
    expect(sessions(resolve(resources))).toEqual([
      "mesh/n3 10.192.0.3:179 64512",
      "mesh/n4 fd00::4:179 64512",
      "mesh/n5 10.192.0.5:179 64512",
    ]);
    const lonely = resolve(resources, "n4");
    expect(sessions(lonely)).toEqual(["mesh/m fd00::2:179 64512", "mesh/n3 fd00::3:179 64512"]);
    expect(lonely.problems).toEqual(["mesh: nodes n4 and n5 have no address family in common"]);
  });
});

describe("peers with an address", () => {
  it("are for every node, with the port given, or the one a node listens on", () => {
    const resources = [
      ...three(),
      config({ listenPort: 150, nodeToNodeMeshEnabled: false }),
      peer("a", { peerIP: "10.192.0.3", asNumber: 64512, sourceAddress: "None" }),
      peer("b", { peerIP: "10.192.0.1:166", asNumber: 64512 }),
      peer("c", { peerIP: "10.192.0.1", asNumber: 64512 }),
    ];
    const resolved = resolve(resources);
    expect(sessions(resolved)).toEqual([
      "a 10.192.0.3:150 64512",
      "b 10.192.0.1:166 64512",
      // No node has this address, so nothing is known of its port.
      "c 10.192.0.1:179 64512",
    ]);
    expect(
      resolved.peers.map(({ type, sourceAddress }) => [type, sourceAddress && formatAddress(sourceAddress)]),
    ).toEqual([
      ["global", undefined],
      ["global", "10.192.0.2"],
      ["global", "10.192.0.2"],
    ]);
  });

  it("never make a node peer with itself", () => {
    const resources = [...three(), peer("a", { peerIP: "10.192.0.2", asNumber: 64512 })];
    expect(sessions(resolve(resources))).toEqual(["mesh/n3 10.192.0.3:179 64512", "mesh/n4 10.192.0.4:179 64512"]);
    expect(sessions(resolve(resources, "n3"))).toEqual(["a 10.192.0.2:179 64512", "mesh/n4 10.192.0.4:179 64512"]);
  });

  it("win over the mesh, whichever of the node's addresses they name: one session, never two", () => {
    const dual = node("n3", "10.192.0.3", {}, { ipv6Address: "fd00::3/64" });
    const me = node("m", "10.192.0.2", {}, { ipv6Address: "fd00::2/64" });
    for (const peerIP of ["10.192.0.3", "fd00::3", "[fd00::3]:1790"]) {
      expect(only(resolve([me, dual, peer("a", { peerIP, asNumber: 64512 })])).name).toBe("a");
    }
  });

  it("are for one node, or for those with a label", () => {
    const resources = [
      ...three({ n4: { rack: "two" } }),
      config({ nodeToNodeMeshEnabled: false }),
      peer("a", { node: "m", peerIP: "10.0.0.1", asNumber: 65001 }),
      peer("b", { nodeSelector: "rack == 'two'", peerIP: "10.0.0.2", asNumber: 65002 }),
    ];
    expect(only(resolve(resources))).toMatchObject({ name: "a", type: "node specific", asNumber: 65001 });
    expect(resolve(resources, "n3").peers).toEqual([]);
    expect(only(resolve(resources, "n4"))).toMatchObject({ name: "b", type: "node specific" });
  });

  it("of the same address and port: the cluster's wins, and a problem says so", () => {
    const resources = [
      node("m", "10.192.0.2"),
      peer("a", { node: "m", peerIP: "10.0.0.1", asNumber: 65001 }),
      peer("z", { peerIP: "10.0.0.1", asNumber: 65002 }),
    ];
    expect(only(resolve(resources))).toMatchObject({ name: "z", asNumber: 65002 });
    expect(resolve(resources).problems).toEqual(["BGPPeer a: 10.0.0.1 port 179 is BGPPeer z's already; ignored"]);
  });

  it("carry every term of the BGPPeer", () => {
    const terms = {
      localASNumber: 65009,
      holdTime: 30,
      keepaliveTime: "10s",
      connectRetryTime: 3,
      maxRestartTime: "1m",
      nextHopMode: "Keep",
      numAllowedLocalASNumbers: 1,
      ttlSecurity: 2,
      passive: true,
    };
    const resources = [node("m", "10.192.0.2"), peer("a", { peerIP: "10.0.0.1", asNumber: 65001, ...terms })];
    expect(only(resolve(resources))).toMatchObject({ ...terms, keepaliveTime: 10, maxRestartTime: 60 });
  });

  it("need an address of their family, unless the kernel may pick one", () => {
    const target = { peerIP: "fd00::1", asNumber: 65001 };
    const without = resolve([node("m", "10.192.0.2"), peer("a", target)]);
    expect(without.peers).toEqual([]);
    expect(without.problems).toEqual(["BGPPeer a: fd00::1 is IPv6, and node m has no such address"]);
    const any = resolve([node("m", "10.192.0.2"), peer("a", { ...target, sourceAddress: "None" })]);
    expect(only(any)).not.toHaveProperty("sourceAddress");
  });
});

describe("peers by selector", () => {
  const groups = { m: { group: "one" }, n3: { group: "two" }, n4: { group: "two" } };
  const off = config({ nodeToNodeMeshEnabled: false });

  it("are the nodes chosen, on the ports they listen on", () => {
    const to = peer("a", { nodeSelector: "group == 'one'", peerSelector: "group == 'two'" });
    const resources = [...three(groups), off, to, config({ listenPort: 500 }, "node.n3")];
    expect(sessions(resolve(resources))).toEqual(["a/n3 10.192.0.3:500 64512", "a/n4 10.192.0.4:179 64512"]);
    expect(resolve(resources).peers.every(({ passive }) => !passive)).toBe(true);
    expect(sessions(resolve(resources, "n3"))).toEqual(["a/m 10.192.0.2:179 64512"]);
  });

  it("peer back by themselves, or wait to be told", () => {
    const to = { nodeSelector: "all()", peerSelector: "group == 'one'" };
    const back = [...three(groups), off, peer("a", to)];
    expect(sessions(resolve(back))).toEqual(["a/n3 10.192.0.3:179 64512", "a/n4 10.192.0.4:179 64512"]);
    const manual = [
      ...three(groups),
      off,
      peer("a", { ...to, reversePeering: "Manual", nodeSelector: "group == 'two'" }),
    ];
    expect(resolve(manual).peers).toEqual([]);
    expect(sessions(resolve(manual, "n3"))).toEqual(["a/m 10.192.0.2:179 64512"]);
  });

  it("give way to a peering that was written for this side", () => {
    const resources = [
      ...three(groups),
      off,
      peer("a", { nodeSelector: "group == 'two'", peerSelector: "group == 'one'", holdTime: 30 }),
      peer("b", { node: "m", peerSelector: "group == 'two'", holdTime: 60 }),
      peer("c", { node: "m", peerIP: "10.192.0.4:999", asNumber: 64512 }),
    ];
    expect(sessions(resolve(resources))).toEqual(["c 10.192.0.4:999 64512", "b/n3 10.192.0.3:179 64512"]);
  });

  it("agree on the AS that localASNumber shows", () => {
    const to = peer("a", { nodeSelector: "group == 'one'", peerSelector: "group == 'two'", localASNumber: 65009 });
    const resources = [...three(groups), off, to];
    expect(resolve(resources).peers[0]).toMatchObject({ localASNumber: 65009, asNumber: 64512 });
    expect(only(resolve(resources, "n3"))).toMatchObject({ localASNumber: 64512, asNumber: 65009 });
  });

  it("have ttlSecurity, allowed AS numbers and next hop as written", () => {
    const to = peer("a", { peerSelector: "all()", ttlSecurity: 1, numAllowedLocalASNumbers: 2, nextHopMode: "Self" });
    const resolved = resolve([...three(), off, to]);
    expect(resolved.peers).toHaveLength(2);
    for (const one of resolved.peers) {
      expect(one).toMatchObject({ type: "global", ttlSecurity: 1, numAllowedLocalASNumbers: 2, nextHopMode: "Self" });
    }
  });
});

describe("a node", () => {
  it("with IPv6 alone has a router ID made of its name", () => {
    const alone = resolve([node("m", undefined, {}, { ipv6Address: "fd00::2/64" })]);
    expect(alone.routerID).toHaveLength(4);
    expect(alone.routerID).toEqual(resolve([node("m", undefined, {}, { ipv6Address: "fd00::9/64" })]).routerID);
    expect(alone.routerID).not.toEqual(
      resolve([node("n", undefined, {}, { ipv6Address: "fd00::2/64" })], "n").routerID,
    );
  });

  it("has the router ID that its agent was given, or one made of its name", () => {
    const resources = snapshot([node("m", "10.192.0.2"), node("n3", "10.192.0.3")]);
    const id = (own?: Address | "hash") => formatAddress(resolveNode(resources, "m", own).routerID);
    expect([id(), id(addressOf("10.9.9.9"))]).toEqual(["10.192.0.2", "10.9.9.9"]);
    expect(id("hash")).toBe(
      formatAddress(resolveNode(snapshot([node("m", undefined, {}, { asNumber: 64512 })]), "m").routerID),
    );
    expect(resolveNode(resources, "m", addressOf("10.192.0.3")).problems).toEqual([
      "node n3 has the router ID 10.192.0.3 too; sessions between the two fail",
    ]);
  });

  it("that is not registered, or has no address, has no peers, and a problem says why", () => {
    expect(resolve(three(), "other")).toMatchObject({
      asNumber: 64512,
      peers: [],
      problems: ["node other is not registered: there is no Node resource of that name"],
    });
    const bare = resolve([resource("Node", "m", {}), node("n3", "10.192.0.3")]);
    expect(bare.peers).toEqual([]);
    expect(bare.problems).toEqual([
      "node m has no address: give its Node spec.bgp.ipv4Address or ipv6Address",
      "mesh: nodes m and n3 have no address family in common",
    ]);
    expect(resolve([resource("Node", "m", {}), node("n3", "10.192.0.3")], "n3").problems).toEqual([
      "mesh: node m has no address",
    ]);
  });

  it("logs as its own or the cluster's configuration says", () => {
    const severity = (name: string, level: string) => config({ logSeverityScreen: level }, name);
    expect(resolve(three()).logLevel).toBeUndefined();
    expect(resolve([...three(), severity("default", "warning")]).logLevel).toBe("warn");
    expect(resolve([...three(), severity("default", "Warning"), severity("node.m", "TRACE")]).logLevel).toBe("debug");
  });
});
