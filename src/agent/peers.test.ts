import { describe, expect, it } from "@jest/globals";
import { runChain } from "../../bgp/policy/run-chain.ts";
import { changeNeeds, type PeerConfig } from "../../bgp/session/peer-config.ts";
import { Network } from "../../bgp/simulate/network.ts";
import type { PathAttributes } from "../../bgp/wire/path-attributes.ts";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { SecretKey } from "../config/peer-intent.ts";
import { resolveNode } from "../config/resolve.ts";
import type { Resource } from "../config/resource.ts";
import { resource, type Spec, snapshot } from "../config/resources-for-tests.ts";
import type { Password } from "./passwords.ts";
import { peerConfigs, speakerSettings } from "./peers.ts";

function resolve(resources: readonly Resource[], name: string) {
  return resolveNode(snapshot(resources), name);
}

const SECRETS: Readonly<Record<string, Password>> = { "bgp/tor": { value: "s3cret" } };
const passwordOf = ({ name, key }: SecretKey) => SECRETS[`${name}/${key}`] ?? { missing: `no ${name}/${key}` };
const configsOf = (resources: readonly Resource[], name = "n1") => peerConfigs(resolve(resources, name), passwordOf);

function only(configs: readonly PeerConfig[]): PeerConfig {
  expect(configs).toHaveLength(1);
  return configs[0] as PeerConfig;
}

const node = (n: number, bgp: Spec = {}, labels = {}) =>
  resource("Node", `n${n}`, { bgp: { ipv4Address: `10.0.0.${n}/24`, ...bgp } }, labels);
const peer = (spec: Spec) => resource("BGPPeer", "a", { peerIP: "10.0.0.9", asNumber: 65001, ...spec });
const reflector = (n: number) => node(n, { routeReflectorClusterID: "10.9.9.9" }, { hub: "yes" });
const toHubs = resource("BGPPeer", "hubs", { nodeSelector: "all()", peerSelector: "has(hub)" });
const pool = resource("IPPool", "pods", { cidr: "10.244.0.0/16" });
const hidden = resource("IPPool", "hidden", { cidr: "10.245.0.0/16", disableBGPExport: true });

const ATTRIBUTES: PathAttributes = { origin: 0, asPath: [], nextHop: addressOf("10.0.0.3") };

/** What becomes of a route on its way out, in words. */
function out({ exportChain }: PeerConfig, prefix: string, source: "Local" | "RemotePeers" = "RemotePeers"): string {
  const route = { prefix: prefixOf(prefix), attributes: ATTRIBUTES, source, peerType: "iBGP", interface: undefined };
  const verdict = runChain(exportChain, route as never);
  return `${verdict.accept ? "yes" : "no"}: ${verdict.by}`;
}

describe("a peer of a node", () => {
  it("has the usual terms: own routes only, nothing to ask", () => {
    expect(only(configsOf([node(1), peer({})]))).toMatchObject({
      exportScope: "originated",
      addPath: { send: false, receive: true },
      families: [4],
      reflectorClient: false,
      importChain: { filters: [], otherwise: "Accept", tags: [] },
      exportChain: { filters: [], otherwise: "Accept", tags: [] },
      requiresPolicy: false,
    });
  });

  it("has the password of its Secret, and is held down without: never a session without protection", () => {
    const protectedBy = (key: string) => peer({ password: { secretKeyRef: { name: "bgp", key } } });
    const known = only(configsOf([node(1), protectedBy("tor")]));
    expect(known).toMatchObject({ password: "s3cret" });
    expect(known.held).toBeUndefined();
    const missing = only(configsOf([node(1), protectedBy("other")]));
    expect(missing).toMatchObject({ password: undefined, held: "no password: no bgp/other" });
    expect(changeNeeds(missing, known)).toBe("new session");
    expect(changeNeeds(known, missing)).toBe("new session");
    const mesh = resource("BGPConfiguration", "default", {
      nodeMeshPassword: { secretKeyRef: { name: "bgp", key: "tor" } },
    });
    expect(configsOf([node(1), node(2), node(3), mesh]).map(({ password }) => password)).toEqual(["s3cret", "s3cret"]);
  });

  it("is led back over its own uplink where the kernel chooses the source of the session", () => {
    const uplink = (name: string, n: number) => ({
      ...{ index: n, name, up: true, carrier: true, mtu: 1500, mac: "02:00:00:00:00:01" },
      addresses: [
        { address: addressOf(`10.3.${n}.2`), length: 30 },
        { address: addressOf(`fd00:3:${n}::2`), length: 64 },
      ],
    });
    const dual = node(1, { ipv6Address: "fd00::1/64" });
    const of = (peerIP: string, spec: Spec) =>
      only(
        peerConfigs(resolve([dual, peer({ peerIP, ...spec })], "n1"), passwordOf, () => [
          uplink("eth0", 1),
          uplink("eth1", 2),
        ]),
      ).localAddresses;
    expect(of("10.3.2.1", { sourceAddress: "None" })).toEqual({ 6: addressOf("fd00:3:2::2") });
    expect(of("fd00:3:1::1", { sourceAddress: "None" })).toEqual({ 4: addressOf("10.3.1.2") });
    expect(of("192.0.2.1", { sourceAddress: "None" })).toEqual({ 6: addressOf("fd00::1") });
    expect(of("10.3.2.1", {})).toEqual({ 4: addressOf("10.0.0.1"), 6: addressOf("fd00::1") });
  });

  it("has every term that the BGPPeer gives", () => {
    const spec = {
      addPath: { send: true, receive: false },
      multihop: 2,
      maxPrefixes: { limit: 5, action: "warn" },
      longLivedRestartTime: 60,
      role: "customer",
      strictRole: true,
      routeServerClient: true,
      removePrivateAS: true,
      gracefulShutdown: true,
      keepOriginalNextHop: true,
      localASNumber: 65009,
      numAllowedLocalASNumbers: 2,
    };
    expect(only(configsOf([node(1), peer(spec)]))).toMatchObject({
      addPath: { send: true, receive: false },
      ttl: 2,
      maxPrefixes: { limit: 5, action: "warn", restartAfter: 300 },
      longLivedStaleTime: 60,
      role: "customer",
      strictRole: true,
      routeServerClient: true,
      removePrivateAs: true,
      gracefulShutdown: true,
      nextHopMode: "Keep",
      localAsNumber: 65009,
      numAllowedLocalAsNumbers: 2,
    });
  });

  it("carries IPv4 without an IPv4 address where the peer takes IPv6 next hops", () => {
    const alone = resource("Node", "n1", { bgp: { ipv6Address: "fd00::1/64" } });
    const spec = { peerIP: "fd00::9" };
    expect(only(configsOf([alone, peer(spec)])).families).toEqual([6]);
    expect(only(configsOf([alone, peer({ ...spec, extendedNextHop: true })])).families).toEqual([4, 6]);
  });

  it("has its filters in the direction in which they have rules", () => {
    const edge = resource("BGPFilter", "edge", { importV4: [{ action: "Reject" }] });
    const { importChain, exportChain } = only(configsOf([node(1), edge, peer({ filters: ["edge"] })]));
    expect(importChain.filters.map(({ name, direction }) => [name, direction])).toEqual([["edge", "import"]]);
    expect(exportChain.filters).toEqual([]);
  });

  it("gives and gets nothing beyond a filter that does not exist", () => {
    const config = only(configsOf([node(1), peer({ filters: ["gone"] })]));
    expect(out(config, "10.244.0.0/26", "Local")).toBe("no: filter gone does not exist: Reject");
    expect(config.importChain.filters).toHaveLength(1);
  });

  it("needs a policy where the cluster says so, each direction its own, unless it is inside the AS", () => {
    const rfc8212 = resource("BGPConfiguration", "default", { ebgpRequiresPolicy: true });
    expect(only(configsOf([node(1), rfc8212, peer({})])).requiresPolicy).toBe(true);
    expect(only(configsOf([node(1), rfc8212, peer({ asNumber: 64512 })])).requiresPolicy).toBe(false);
    // What a reflector has of its own is no policy of the operator's.
    expect(only(configsOf([reflector(1), rfc8212, peer({})])).exportChain.filters).toEqual([]);
  });

  it("hears of communities by prefix, mesh or not", () => {
    const tagged = resource("BGPConfiguration", "default", {
      prefixAdvertisements: [{ cidr: "10.244.0.0/16", communities: ["100:6532", "5663:12", "100:555:107"] }],
    });
    for (const { exportChain, importChain } of configsOf([node(1), node(2), tagged, peer({})])) {
      expect(exportChain.tags).toHaveLength(1);
      expect(exportChain.tags[0]?.communities).toHaveLength(2);
      expect(exportChain.tags[0]?.largeCommunities).toHaveLength(12);
      expect(importChain.tags).toEqual([]);
    }
  });

  it("keeps its session when only the policy changes", () => {
    const filters = (action: string) => resource("BGPFilter", "edge", { importV4: [{ action }] });
    const tags = { prefixAdvertisements: [{ cidr: "10.244.0.0/16", communities: ["1:2:3"] }] };
    const of = (...resources: Resource[]) => only(configsOf([node(1), ...resources, peer({ filters: ["edge"] })]));
    expect(changeNeeds(of(filters("Reject")), of(filters("Reject")))).toBe("nothing");
    expect(changeNeeds(of(filters("Reject")), of(filters("Accept")))).toBe("re-evaluation");
    const more = resource("BGPConfiguration", "default", tags);
    expect(changeNeeds(of(filters("Reject")), of(filters("Reject"), more))).toBe("re-evaluation");
    expect(changeNeeds(of(filters("Reject"), more), of(filters("Reject"), more))).toBe("nothing");
  });
});

describe("a route reflector", () => {
  const config = () => only(configsOf([reflector(1), node(2), toHubs, pool, hidden]));

  it("passes on to its clients, several paths to a prefix", () => {
    expect(config()).toMatchObject({
      exportScope: "all",
      reflectorClient: true,
      addPath: { send: true, receive: true },
    });
    expect(formatAddress(config().clusterId)).toBe("10.9.9.9");
  });

  it("passes on what is inside the pools, where no filter of the operator's decided", () => {
    expect(out(config(), "10.244.3.0/26")).toBe("yes: route of IPPool pods");
    expect(out(config(), "10.244.3.7/32")).toBe("yes: route of IPPool pods");
    expect(out(config(), "10.245.3.0/26")).toBe("no: IPPool hidden has disableBGPExport");
    expect(out(config(), "0.0.0.0/0")).toBe("no: a route reflector passes on routes of IPPools and services only");
    expect(out(config(), "192.0.2.1/32", "Local")).toBe("yes: own route");
    const legacy = { cidr: "192.0.2.0/24", matchOperator: "In", action: "Accept" };
    const more = resource("BGPFilter", "more", { exportV4: [legacy] });
    const to = resource("BGPPeer", "hubs", { nodeSelector: "all()", peerSelector: "has(hub)", filters: ["more"] });
    const wider = only(configsOf([reflector(1), node(2), to, more, pool]));
    expect(out(wider, "192.0.2.0/25")).toBe("yes: filter more, rule 1 (exportV4[0])");
    expect(out(wider, "198.51.100.0/24")).toBe("no: a route reflector passes on routes of IPPools and services only");
  });

  it("passes on what is inside the ranges of services, of each kind and family", () => {
    const ranges = resource("BGPConfiguration", "default", {
      serviceClusterIPs: [{ cidr: "10.96.0.0/16" }],
      serviceLoadBalancerIPs: [{ cidr: "fd00:98::/112" }],
    });
    const hub = only(configsOf([reflector(1), node(2), toHubs, pool, ranges]));
    expect(out(hub, "10.96.0.0/16")).toBe("yes: route of services in 10.96.0.0/16");
    expect(out(hub, "10.96.0.101/32")).toBe("yes: route of services in 10.96.0.0/16");
    expect(out(hub, "fd00:98::9/128")).toBe("yes: route of services in fd00:98::/112");
    expect(out(hub, "10.0.0.0/8")).toMatch(/^no: /);
  });
});

describe("the speaker's settings", () => {
  it("are those of the BGPConfiguration", () => {
    expect(speakerSettings(resolve([node(1)], "n1"))).toEqual({
      compareMed: "same-as",
      missingMed: "best",
      multipath: 16,
    });
    const spec = { compareMED: "Always", missingMED: "Worst", multipath: false };
    expect(speakerSettings(resolve([node(1), resource("BGPConfiguration", "default", spec)], "n1"))).toEqual({
      compareMed: "always",
      missingMed: "worst",
      multipath: 1,
    });
  });
});

describe("a cluster without a mesh", () => {
  const off = resource("BGPConfiguration", "default", { nodeToNodeMeshEnabled: false });
  const underlay = [{ prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 }];

  /** Nodes 1 and 2 reflect for 3 to 6; node n owns 10.244.n.0/26. */
  function converged(resources: readonly Resource[], seed: number): Network {
    const network = new Network(seed);
    for (let n = 1; n <= 6; n++) {
      network.addHost(`n${n}`, { addresses: [addressOf(`10.0.0.${n}`)], underlay });
      network.start(`n${n}`);
    }
    for (let n = 1; n <= 6; n++) {
      network.tell(`n${n}`, { kind: "networks", prefixes: [prefixOf(`10.244.${n}.0/26`)] });
      network.tell(`n${n}`, { kind: "peers", peers: configsOf(resources, `n${n}`) });
    }
    network.run(20_000);
    return network;
  }

  const nodes = [reflector(1), reflector(2), ...[3, 4, 5, 6].map((n) => node(n))];

  it("reaches every block through its owner, by way of the reflectors", () => {
    const network = converged([...nodes, off, toHubs, pool], 7);
    for (let n = 1; n <= 6; n++) {
      const others = [1, 2, 3, 4, 5, 6].filter((m) => m !== n);
      const fib = [...(network.hosts.get(`n${n}`)?.fib ?? [])].sort();
      expect(fib).toEqual(others.map((m) => [`10.244.${m}.0/26`, `10.0.0.${m}`]));
    }
  });

  it("keeps what a filter rejects from one node, and from no other", () => {
    const rule = { cidr: "10.244.5.0/24", matchOperator: "In", action: "Reject" };
    const filter = resource("BGPFilter", "not-five", { importV4: [rule] });
    const spec = { peerSelector: "has(hub)", filters: ["not-five"] };
    const to = resource("BGPPeer", "four", { node: "n4", ...spec, reversePeering: "Manual" });
    const network = converged([...nodes, off, toHubs, pool, filter, to], 8);
    expect([...(network.hosts.get("n4")?.fib.keys() ?? [])].sort()).toEqual(
      [1, 2, 3, 6].map((m) => `10.244.${m}.0/26`),
    );
    expect(network.hosts.get("n3")?.fib.get("10.244.5.0/26")).toBe("10.0.0.5");
  });
});
