import { describe, expect, it } from "@jest/globals";
import { OPEN_CHAIN } from "../../bgp/policy/chain.ts";
import { changeNeeds, type PeerConfig } from "../../bgp/session/peer-config.ts";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { type AddressWithLength, formatPrefix, parseAddressWithLength } from "../../ipam/net/prefix.ts";
import { readSpeakerConfig, type SpeakerConfig } from "../config/speaker-config.ts";
import type { Link } from "../kernel/links.ts";
import { peersOf } from "./peer-configs.ts";

const ROUTER_ID = addressOf("192.0.2.1");

function configOf(text: string): SpeakerConfig {
  const result = readSpeakerConfig(`asNumber: 65000\n${text}`, "s.yaml");
  if ("faults" in result) throw new Error(result.faults.join("\n"));
  // As it comes from the process that reads it.
  return JSON.parse(JSON.stringify(result.config)) as SpeakerConfig;
}

function peerOf(fields: string, more = ""): PeerConfig {
  const { peers, ranges } = peersOf(configOf(`${more}\npeers: [{asNumber: 65001, ${fields}}]\n`), ROUTER_ID);
  return (peers[0] ?? ranges[0]?.template) as PeerConfig;
}

describe("a peer of the file, as the speaker is told", () => {
  it("has defaults for everything", () => {
    const { address, routerId, clusterId, ...rest } = peerOf("address: 192.0.2.9");
    expect([address, routerId, clusterId].map(formatAddress)).toEqual(["192.0.2.9", "192.0.2.1", "192.0.2.1"]);
    expect(rest).toEqual({
      name: "192.0.2.9",
      port: 179,
      asNumber: 65001,
      localAsNumber: 65000,
      enabled: true,
      sourceAddress: undefined,
      device: undefined,
      passive: false,
      password: undefined,
      ttlSecurity: undefined,
      ttl: undefined,
      families: [4, 6],
      holdTime: 90,
      keepaliveTime: undefined,
      connectRetryTime: 5,
      restartTime: 120,
      restartOnNotification: true,
      longLivedStaleTime: undefined,
      addPath: { send: false, receive: false },
      extendedMessages: true,
      extendedNextHop: true,
      role: undefined,
      strictRole: false,
      localAddresses: {},
      nextHopMode: "Auto",
      numAllowedLocalAsNumbers: 0,
      removePrivateAs: false,
      exportScope: "all",
      reflectorClient: false,
      routeServerClient: false,
      gracefulShutdown: false,
      importChain: OPEN_CHAIN,
      exportChain: OPEN_CHAIN,
      requiresPolicy: false,
      maxPrefixes: undefined,
      maxPrefixesOut: undefined,
    });
  });

  it.each<[string, Partial<PeerConfig>]>([
    ["address: '2001:DB8:0::9'", { name: "2001:db8::9" }],
    ["address: 'fe80::9%eth0'", { name: "fe80::9%eth0", device: "eth0" }],
    ["address: 'fe80::9', interface: eth1", { name: "fe80::9", device: "eth1" }],
    ["address: 192.0.2.9, sourceAddress: 192.0.2.8", { sourceAddress: addressOf("192.0.2.8") }],
    ["address: 192.0.2.9, sourceAddress: None", { sourceAddress: undefined }],
    ["address: 192.0.2.9, multihop: false", { ttl: 1 }],
    ["address: 192.0.2.9, multihop: 7", { ttl: 7 }],
    ["address: 192.0.2.9, multihop: true", { ttl: undefined }],
    ["address: 192.0.2.9, ttlSecurity: 0", { ttlSecurity: undefined }],
    ["address: 192.0.2.9, ttlSecurity: 2", { ttlSecurity: 2 }],
    ["address: 192.0.2.9, families: [ipv6-unicast]", { families: [6] }],
    ["address: 192.0.2.9, longLivedRestartTime: 0", { longLivedStaleTime: undefined }],
    ["address: 192.0.2.9, longLivedRestartTime: 1h", { longLivedStaleTime: 3600 }],
    ["address: 192.0.2.9, clusterID: 1.2.3.4", { clusterId: addressOf("1.2.3.4") }],
    [
      "address: 192.0.2.9, maxPrefixes: {limit: 9}",
      { maxPrefixes: { limit: 9, action: "shutdown", restartAfter: 300 } },
    ],
    ["address: 192.0.2.9, maxRestartTime: 0", { restartTime: 0 }],
  ])("{%s}", (fields, wanted) => expect(peerOf(fields)).toMatchObject(wanted));

  it("may be a range: passive, of any AS unless one is said", () => {
    const { ranges, peers } = peersOf(configOf("peers: [{address: 10.0.0.0/8, password: x}]"), ROUTER_ID);
    expect(peers).toEqual([]);
    expect(ranges.map(({ range }) => formatPrefix(range))).toEqual(["10.0.0.0/8"]);
    expect(ranges[0]?.template).toMatchObject({ name: "10.0.0.0/8", asNumber: 0, passive: true, password: "x" });
  });

  it("is the same when the file is read again", () => {
    const text = `filters: [{name: a, importV4: [{action: Reject}]}]
prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: ["1:2", "1:2:3"]}]`;
    const fields = "address: 192.0.2.9, filters: [a]";
    expect(changeNeeds(peerOf(fields, text), peerOf(fields, text))).toBe("nothing");
    expect(changeNeeds(peerOf(fields, text), peerOf(fields, text.replace("Reject", "Accept")))).toBe("re-evaluation");
    expect(changeNeeds(peerOf("address: 192.0.2.9"), peerOf("address: 192.0.2.9, password: x"))).toBe("new session");
  });
});

describe("our address of the other family", () => {
  const links = [
    link("lo", "127.0.0.1/8", "::1/128"),
    link("eth0", "192.0.2.1/24", "fe80::1/64", "2001:db8::1/64"),
    link("eth1", "198.51.100.1/24"),
  ];
  const addressFor = (address: string) => {
    const { peers, ranges } = peersOf(configOf(`peers: [{address: "${address}", asNumber: 1}]`), ROUTER_ID, links);
    const own = (peers[0] ?? ranges[0]?.template)?.localAddresses ?? {};
    return Object.entries(own).map(([family, one]) => `${family} ${formatAddress(one)}`);
  };

  it.each<[string, string[]]>([
    ["192.0.2.9", ["6 2001:db8::1"]],
    ["192.0.2.0/25", ["6 2001:db8::1"]],
    ["2001:db8::9", ["4 192.0.2.1"]],
    ["fe80::9%eth0", ["4 192.0.2.1"]],
    ["fe80::/64", []],
    ["198.51.100.9", []],
    ["203.0.113.9", []],
    ["192.0.0.0/16", []],
  ])("towards %s", (address, own) => expect(addressFor(address)).toEqual(own));
});

function link(name: string, ...addresses: string[]): Link {
  return {
    ...{ index: 1, name, up: true, carrier: true, mtu: 1500, mac: "" },
    addresses: addresses.map((text) => parseAddressWithLength(text) as AddressWithLength),
  };
}

describe("what a peer's routes meet", () => {
  const chains = (fields: string, more = "") => {
    const { importChain, exportChain, requiresPolicy } = peerOf(`address: 192.0.2.9, ${fields}`, more);
    return [importChain.otherwise, exportChain.otherwise, requiresPolicy];
  };

  it.each<[string, string, unknown[]]>([
    ["", "", ["Accept", "Accept", false]],
    ["import: Reject", "", ["Reject", "Accept", false]],
    ["export: Reject", "", ["Accept", "Reject", false]],
    ["", "ebgpRequiresPolicy: true", ["Accept", "Accept", true]],
    ["import: Accept", "ebgpRequiresPolicy: true", ["Accept", "Reject", false]],
    ["import: Accept, export: Accept", "ebgpRequiresPolicy: true", ["Accept", "Accept", false]],
  ])("{%s} with {%s} (RFC 8212)", (fields, more, wanted) => expect(chains(fields, more)).toEqual(wanted));

  it("is the filters that have rules for the direction, and the communities of prefixes", () => {
    const { importChain, exportChain } = peerOf(
      "address: 192.0.2.9, filters: [b, a], export: Reject",
      `filters: [{name: a, importV4: [{action: Reject}]}, {name: b, importV6: [{action: Accept}], exportV4: []}]
communities: [{name: blue, value: "65000:1"}]
prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: [blue, "65000:1", "65000:1:2"]}]`,
    );
    expect(importChain.filters.map(({ name }) => name)).toEqual(["b", "a"]);
    expect(exportChain).toMatchObject({ filters: [], otherwise: "Reject" });
    expect(exportChain.tags.map(({ communities, largeCommunities }) => [communities, largeCommunities.length])).toEqual(
      [[[0xfde80001], 12]],
    );
  });
});
