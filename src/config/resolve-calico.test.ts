/** Calico's own cases of who peers with whom: three nodes with 10.192.0.2, .3 and .4; M is .2. */
import { describe, expect, it } from "@jest/globals";
import { formatAddress } from "../../ipam/net/address.ts";
import { type PeerIntent, resolveNode } from "./resolve.ts";
import type { Resource } from "./resource.ts";
import { resource as checked, type Spec, snapshot } from "./resources-for-tests.ts";

type Bgp = readonly [bgp: Spec, labels?: Record<string, string>];

const resource = (kind: string, name: string, spec: Spec, labels: Record<string, string> = {}) =>
  checked(kind, name, spec, labels, "projectcalico.org/v3");
const peer = (name: string, spec: Spec) => resource("BGPPeer", name, spec);
const config = (spec: Spec, name = "default") => resource("BGPConfiguration", name, spec);
const off = config({ nodeToNodeMeshEnabled: false });
const ONE = { group: "one" };
const TWO = { group: "two" };
const ROUTER = { rr: "yes" };

/** The three nodes, with what a case gives them besides their IPv4 address. */
function nodes(more: Readonly<Record<string, Bgp>> = {}): Resource[] {
  return ["m", "n3", "n4"].map((name, i) => {
    const [bgp, labels] = more[name] ?? [{}];
    return resource("Node", name, { bgp: { ipv4Address: `10.192.0.${i + 2}/16`, ...bgp } }, labels);
  });
}

/** A session in a line: address, port where it is not 179, ASes, and what else the case is about. */
function line(one: PeerIntent): string {
  const at = formatAddress(one.address);
  return [
    one.port === 179 ? at : `${at} port ${one.port}`,
    `AS ${one.asNumber}`,
    ...(one.localASNumber === 64512 ? [] : [`as ${one.localASNumber}`]),
    ...(one.sourceAddress === undefined ? ["from any"] : []),
    ...(one.passive ? ["passive"] : []),
    ...(one.reachableBy === undefined ? [] : [`by ${formatAddress(one.reachableBy)}`]),
    ...(one.reflection === undefined
      ? []
      : [`${one.reflection.client ? "client" : "other"} of ${formatAddress(one.reflection.clusterID)}`]),
    ...(one.maxRestartTime === 120 ? [] : [`restart ${one.maxRestartTime}`]),
    ...(one.nextHopMode === "Auto" ? [] : [one.nextHopMode]),
    ...(one.ttlSecurity === undefined ? [] : [`${one.ttlSecurity} hops`]),
    ...(one.numAllowedLocalASNumbers === 0 ? [] : [`own AS ${one.numAllowedLocalASNumbers} times`]),
    ...(one.password === undefined ? [] : [`password ${one.password.name}/${one.password.key}`]),
  ].join(", ");
}

const HUB = { routeReflectorClusterID: "10.0.0.1" };
const secretKeyRef = { name: "bgp", key: "a" };

const CASES: readonly (readonly [string, readonly Resource[], readonly string[]])[] = [
  ["the mesh is on", nodes(), ["10.192.0.3, AS 64512", "10.192.0.4, AS 64512"]],
  ["the mesh is on and .4 has a cluster ID", nodes({ n4: [HUB] }), ["10.192.0.3, AS 64512"]],
  ["M has a cluster ID", nodes({ m: [HUB] }), []],
  [
    "the mesh has a restart time of 10 s",
    [...nodes(), config({ nodeMeshMaxRestartTime: "10s" })],
    ["10.192.0.3, AS 64512, restart 10", "10.192.0.4, AS 64512, restart 10"],
  ],
  [
    "the mesh has a password",
    [...nodes(), config({ nodeMeshPassword: { secretKeyRef } })],
    ["10.192.0.3, AS 64512, password bgp/a", "10.192.0.4, AS 64512, password bgp/a"],
  ],
  [
    "a peer by selector and one by address have a password",
    [
      ...nodes({ n3: [{}, TWO] }),
      off,
      peer("a", { peerSelector: "group == 'two'", password: { secretKeyRef } }),
      peer("b", { peerIP: "172.19.4.87", asNumber: 64533, password: { secretKeyRef: { name: "bgp", key: "b" } } }),
    ],
    ["172.19.4.87, AS 64533, password bgp/b", "10.192.0.3, AS 64512, password bgp/a"],
  ],
  [
    "global peers, one of them a node; ports of their own; a source of the kernel's choice",
    [
      ...nodes(),
      config({ nodeToNodeMeshEnabled: false, listenPort: 150, bindMode: "NodeIP" }),
      peer("a", { peerIP: "10.192.0.3", asNumber: 64512, sourceAddress: "None" }),
      peer("b", { peerIP: "10.192.0.1:166", asNumber: 64512 }),
      peer("c", { peerIP: "10.192.0.1", asNumber: 64512 }),
    ],
    // Calico dials .1, of which it knows nothing, at 150 too.
    ["10.192.0.3 port 150, AS 64512, from any", "10.192.0.1 port 166, AS 64512", "10.192.0.1, AS 64512"],
  ],
  [
    "selectors choose both sides; .3 listens elsewhere",
    [
      ...nodes({ m: [{}, ONE], n3: [{}, TWO], n4: [{}, TWO] }),
      off,
      config({ listenPort: 500 }, "node.n3"),
      peer("a", { nodeSelector: "group == 'one'", peerSelector: "group == 'two'" }),
    ],
    ["10.192.0.3 port 500, AS 64512", "10.192.0.4, AS 64512"],
  ],
  [
    "M reflects for others by selector, and has an external peer",
    [
      ...nodes({ m: [HUB, ROUTER] }),
      config({ nodeToNodeMeshEnabled: false, asNumber: 64532 }),
      peer("a", { nodeSelector: "!has(rr)", peerSelector: "has(rr)" }),
      peer("b", { node: "m", peerIP: "172.19.4.87", asNumber: 64533 }),
    ],
    [
      "172.19.4.87, AS 64533, as 64532",
      "10.192.0.3, AS 64532, as 64532, client of 10.0.0.1",
      "10.192.0.4, AS 64532, as 64532, client of 10.0.0.1",
    ],
  ],
  [
    "next hops: kept on eBGP, own on iBGP",
    [
      ...nodes(),
      off,
      peer("a", { peerIP: "172.19.4.87", asNumber: 64533, nextHopMode: "Keep" }),
      peer("b", { peerIP: "10.192.0.3", asNumber: 64512, nextHopMode: "Self" }),
    ],
    ["172.19.4.87, AS 64533, Keep", "10.192.0.3, AS 64512, Self"],
  ],
  [
    "keepOriginalNextHop, which means eBGP alone",
    [
      ...nodes({ n3: [{}, TWO] }),
      off,
      peer("a", { peerIP: "172.19.4.87", asNumber: 64533, keepOriginalNextHop: true }),
      peer("b", { peerSelector: "group == 'two'", keepOriginalNextHop: true }),
    ],
    ["172.19.4.87, AS 64533, Keep", "10.192.0.3, AS 64512"],
  ],
  [
    "AS numbers shown to one peer",
    [
      ...nodes(),
      off,
      peer("a", { peerIP: "172.19.4.87", asNumber: 64512, localASNumber: 65001 }),
      peer("b", { peerIP: "172.19.4.88", asNumber: 64566, localASNumber: 64512, numAllowedLocalASNumbers: 1 }),
    ],
    ["172.19.4.87, AS 64512, as 65001", "172.19.4.88, AS 64566, own AS 1 times"],
  ],
  [
    "reversePeering Auto: everybody to reflectors by label, M is one",
    [...nodes({ m: [HUB, ROUTER] }), peer("a", { nodeSelector: "!has(rr)", peerSelector: "has(rr)" })],
    ["10.192.0.3, AS 64512, client of 10.0.0.1", "10.192.0.4, AS 64512, client of 10.0.0.1"],
  ],
  [
    "reversePeering Manual: M is not told",
    [
      ...nodes({ m: [HUB, ROUTER] }),
      peer("a", { nodeSelector: "!has(rr)", peerSelector: "has(rr)", reversePeering: "Manual" }),
    ],
    [],
  ],
  [
    "TTL security by selector",
    [...nodes(), off, peer("a", { peerSelector: "all()", ttlSecurity: 1 })],
    ["10.192.0.3, AS 64512, 1 hops", "10.192.0.4, AS 64512, 1 hops"],
  ],
  [
    "a peer is reached by a gateway",
    [...nodes(), off, peer("a", { peerIP: "10.225.0.4", asNumber: 64533, reachableBy: "10.224.0.1" })],
    ["10.225.0.4, AS 64533, by 10.224.0.1"],
  ],
  ["a node is deleted", nodes().slice(0, 2), ["10.192.0.3, AS 64512"]],
  [
    "nodes have IPv6 alone",
    [2, 3].map((n) => resource("Node", n === 2 ? "m" : "n3", { bgp: { ipv6Address: `fd00::${n}/64` } })),
    ["fd00::3, AS 64512"],
  ],
  // Calico expects M's own AS of a peer that has none.
  [
    "M has an AS of its own, the others the cluster's",
    nodes({ m: [{ asNumber: 65002 }] }),
    ["10.192.0.3, AS 64512, as 65002", "10.192.0.4, AS 64512, as 65002"],
  ],
];

describe("M's sessions, as Calico's cases have them", () => {
  it.each(CASES)("%s", (_, resources, expected) => {
    expect(resolveNode(snapshot(resources), "m").peers.map(line)).toEqual(expected);
  });
});
