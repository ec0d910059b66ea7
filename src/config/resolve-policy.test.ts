import { describe, expect, it } from "@jest/globals";
import { formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { type NodeConfig, type PeerIntent, resolveNode } from "./resolve.ts";
import type { Resource } from "./resource.ts";
import { resource, type Spec, snapshot } from "./resources-for-tests.ts";

function resolve(resources: readonly Resource[], name = "m"): NodeConfig {
  return resolveNode(snapshot(resources), name);
}

const node = (name: string, last: number, labels = {}, bgp: Spec = {}) =>
  resource("Node", name, { bgp: { ipv4Address: `10.192.0.${last}/24`, ...bgp } }, labels);
const peer = (name: string, spec: Spec) => resource("BGPPeer", name, spec);
const config = (spec: Spec, name = "default") => resource("BGPConfiguration", name, spec);
const off = config({ nodeToNodeMeshEnabled: false });
const external = { peerIP: "172.19.4.87", asNumber: 64533 };

function only({ peers, problems }: NodeConfig): PeerIntent {
  expect(problems).toEqual([]);
  expect(peers).toHaveLength(1);
  return peers[0] as PeerIntent;
}

describe("filters of a peer", () => {
  const edge = resource("BGPFilter", "edge", { importV4: [{ action: "Reject" }] });

  it("come along in the order written", () => {
    const other = resource("BGPFilter", "other", {});
    const resolved = resolve([node("m", 2), edge, other, peer("a", { ...external, filters: ["other", "edge"] })]);
    expect(only(resolved).filters).toEqual([
      { name: "other", spec: {} },
      { name: "edge", spec: { importV4: [{ action: "Reject" }] } },
    ]);
  });

  it("that do not exist are a problem, told once, and stay in their place", () => {
    const nodes = [node("m", 2), node("n3", 3), node("n4", 4)];
    const resolved = resolve([...nodes, off, edge, peer("a", { peerSelector: "all()", filters: ["gone", "edge"] })]);
    expect(resolved.problems).toEqual([
      "BGPPeer a: there is no BGPFilter gone: apply it, or remove it from filters; " +
        "until then nothing gets past its place",
    ]);
    expect(resolved.peers.map(({ filters }) => filters?.map(({ spec }) => spec === undefined))).toEqual([
      [true, false],
      [true, false],
    ]);
  });

  it("are none of the mesh's", () => {
    const resolved = resolve([node("m", 2), node("n3", 3), edge]);
    expect(only(resolved)).not.toHaveProperty("filters");
  });
});

describe("route reflectors", () => {
  const hub = { hub: "yes" };
  const reflector = (name: string, last: number, clusterID = "10.0.0.1") =>
    node(name, last, hub, { routeReflectorClusterID: clusterID });
  const toHubs = peer("a", { nodeSelector: "all()", peerSelector: "has(hub)" });
  const reflections = ({ peers }: NodeConfig) =>
    peers.map(({ name, reflection }) => {
      const role = reflection === undefined ? "plain" : reflection.client ? "client" : "non-client";
      return `${name} ${role}${reflection === undefined ? "" : ` ${formatAddress(reflection.clusterID)}`}`;
    });

  it("leave the mesh, which goes on without them", () => {
    const nodes = [node("m", 2), node("n3", 3), reflector("n4", 4)];
    expect(reflections(resolve(nodes))).toEqual(["mesh/n3 plain"]);
    expect(resolve(nodes, "n4")).toMatchObject({
      peers: [],
      problems: ["node n4 is a route reflector, and no BGPPeer gives it a session: reflectors are in no mesh"],
    });
  });

  it("have the nodes as clients; those of their cluster and other ASes are none", () => {
    const nodes = [reflector("m", 2), node("n3", 3), reflector("n4", 4), reflector("n5", 5, "10.0.0.2")];
    const resources = [...nodes, off, toHubs, peer("b", external)];
    expect(reflections(resolve(resources))).toEqual([
      "b plain",
      "a/n4 non-client 10.0.0.1",
      "a/n5 client 10.0.0.1",
      "a/n3 client 10.0.0.1",
    ]);
    expect(reflections(resolve(resources, "n3"))).toEqual(["b plain", "a/m plain", "a/n4 plain", "a/n5 plain"]);
    expect(resolve(resources, "n3")).not.toHaveProperty("reflects");
  });

  it("have a router inside the AS as a client too, as in Calico", () => {
    const inside = peer("b", { peerIP: "10.192.0.1", asNumber: 64512 });
    expect(reflections(resolve([reflector("m", 2), inside]))).toEqual(["b client 10.0.0.1"]);
    const known = peer("b", { peerIP: "10.192.0.4", asNumber: 64512 });
    expect(reflections(resolve([reflector("m", 2), reflector("n4", 4), known]))).toEqual(["b non-client 10.0.0.1"]);
  });

  it("judge inside and outside by the AS in use", () => {
    const shown = peer("b", { ...external, localASNumber: 64533 });
    expect(reflections(resolve([reflector("m", 2), shown]))).toEqual(["b client 10.0.0.1"]);
    const own = peer("b", { peerIP: "10.192.0.1", asNumber: 64512, localASNumber: 65001 });
    expect(reflections(resolve([reflector("m", 2), own]))).toEqual(["b plain"]);
  });

  it("pass on the routes of the pools", () => {
    const pools = [
      resource("IPPool", "a", { cidr: "10.244.0.0/16", disabled: true }),
      resource("IPPool", "b", { cidr: "fd00::/64", disableBGPExport: true }),
    ];
    const { reflects } = resolve([reflector("m", 2), ...pools]);
    expect(reflects?.map(({ prefix, ...rest }) => ({ ...rest, prefix: formatPrefix(prefix) }))).toEqual([
      { name: "a", prefix: "10.244.0.0/16", disableBGPExport: false },
      { name: "b", prefix: "fd00::/64", disableBGPExport: true },
    ]);
  });
});

describe("terms of a peer", () => {
  const one = (spec: Spec, bgp: Spec = {}) => resolve([node("m", 2, {}, bgp), peer("a", { ...external, ...spec })]);

  it("are carried, with times in seconds", () => {
    const spec = {
      families: ["ipv4-unicast"],
      addPath: { send: true, receive: false },
      multihop: 3,
      maxPrefixes: { limit: 10 },
      longLivedRestartTime: "1h",
      extendedNextHop: true,
      role: "customer",
      strictRole: true,
      routeServerClient: true,
      removePrivateAS: true,
      gracefulShutdown: true,
    };
    expect(only(one(spec))).toMatchObject({
      families: [4],
      addPath: { send: true, receive: false },
      ttl: 3,
      maxPrefixes: { limit: 10, action: "shutdown", restartAfter: 300 },
      longLivedRestartTime: 3600,
      extendedNextHop: true,
      role: "customer",
      strictRole: true,
      routeServerClient: true,
      removePrivateAS: true,
      gracefulShutdown: true,
    });
    const restart = { maxPrefixes: { limit: 1, action: "restart", restartAfter: "1m" } };
    expect(only(one(restart)).maxPrefixes).toEqual({ limit: 1, action: "restart", restartAfter: 60 });
    expect(only(one({ multihop: false })).ttl).toBe(1);
    for (const spec of [{ multihop: true }, {}, { longLivedRestartTime: 0 }]) {
      expect(only(one(spec))).not.toHaveProperty("ttl");
      expect(only(one(spec))).not.toHaveProperty("longLivedRestartTime");
    }
  });

  it("keepOriginalNextHop keeps the next hop towards other ASes only", () => {
    expect(only(one({ keepOriginalNextHop: true })).nextHopMode).toBe("Keep");
    expect(only(one({ keepOriginalNextHop: true, asNumber: 64512 })).nextHopMode).toBe("Auto");
    expect(only(one({ keepOriginalNextHop: false, nextHopMode: "Self" })).nextHopMode).toBe("Self");
  });

  it("that mean nothing inside the AS are left out, and a problem says so", () => {
    const inside = one({ asNumber: 64512, role: "peer", removePrivateAS: true });
    expect(inside.problems).toEqual([
      "BGPPeer a: role, removePrivateAS are for peers of another AS, and this session is inside AS 64512; ignored",
    ]);
    expect(inside.peers[0]).not.toHaveProperty("role");
    expect(inside.peers[0]).not.toHaveProperty("removePrivateAS");
  });

  it("ask for families that the node can give next hops of", () => {
    const both = { families: ["ipv4-unicast", "ipv6-unicast"] };
    expect(only(one(both)).families).toEqual([4]);
    expect(only(one(both, { ipv6Address: "fd00::2/64" })).families).toEqual([4, 6]);
    const v6 = one({ families: ["ipv6-unicast"] });
    expect(v6.peers).toEqual([]);
    expect(v6.problems).toEqual(["BGPPeer a: node m has no address for ipv6-unicast; the session is left out"]);
    const alone = resource("Node", "m", { bgp: { ipv6Address: "fd00::2/64" } });
    const over = peer("a", { peerIP: "fd00::1", asNumber: 65001, extendedNextHop: true, families: ["ipv4-unicast"] });
    expect(only(resolve([alone, over])).families).toEqual([4]);
  });

  it("are mirrored on the side that peers back", () => {
    const nodes = [node("m", 2), node("n3", 3, { up: "yes" }, { asNumber: 65003 })];
    const spec = { role: "customer", addPath: { send: true }, routeServerClient: true, gracefulShutdown: true };
    const to = peer("a", { node: "m", peerSelector: "has(up)", ...spec });
    expect(only(resolve([...nodes, off, to]))).toMatchObject(spec);
    const back = only(resolve([...nodes, off, to], "n3"));
    expect(back).toMatchObject({ role: "provider", addPath: { receive: true } });
    expect(back.addPath).not.toHaveProperty("send");
    expect(back).not.toHaveProperty("routeServerClient");
    expect(back).not.toHaveProperty("gracefulShutdown");
  });
});

describe("BGPConfiguration", () => {
  it("says what holds for the speaker, a node's own before the cluster's", () => {
    const usual = { compareMED: "SameAS", missingMED: "Best", multipath: 16 };
    expect(resolve([node("m", 2)])).toMatchObject({
      bindMode: "None",
      ebgpRequiresPolicy: false,
      pathChoice: usual,
      advertisements: [],
    });
    const all = { bindMode: "NodeIP", ebgpRequiresPolicy: true, compareMED: "Always", multipath: false };
    const resources = [node("m", 2), config(all), config({ bindMode: "None", missingMED: "Worst" }, "node.m")];
    expect(resolve(resources)).toMatchObject({
      bindMode: "None",
      ebgpRequiresPolicy: true,
      pathChoice: { compareMED: "Always", missingMED: "Worst", multipath: 1 },
    });
    expect(resolve([node("m", 2), config({ multipath: 4 })]).pathChoice.multipath).toBe(4);
  });

  it("names communities for prefixes; a node's own list takes the place of the cluster's", () => {
    const names = [{ name: "pods", value: "64512:100" }];
    const advertised = (...communities: string[]) => [{ cidr: "10.244.0.0/16", communities }];
    const cluster = config({ communities: names, prefixAdvertisements: advertised("pods", "1:2:3", "64512:100") });
    const own = config({ prefixAdvertisements: [{ cidr: "fd00::/64", communities: ["9:9"] }] }, "node.m");
    const shown = (resolved: NodeConfig) =>
      resolved.advertisements.map(({ prefix, communities }) => [formatPrefix(prefix), ...communities]);
    expect(shown(resolve([node("m", 2), cluster]))).toEqual([["10.244.0.0/16", "64512:100", "1:2:3"]]);
    expect(shown(resolve([node("m", 2), cluster, own]))).toEqual([["fd00::/64", "9:9"]]);
  });
});
