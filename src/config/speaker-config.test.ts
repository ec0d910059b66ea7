import { describe, expect, it } from "@jest/globals";
import { readSpeakerConfig } from "./speaker-config.ts";

const TOP = "asNumber: 65000\nrouterID: 192.0.2.1\n";
const PEER = "{address: 192.0.2.9, asNumber: 65001";

function configOf(text: string) {
  const result = readSpeakerConfig(text, "s.yaml");
  if ("faults" in result) throw new Error(result.faults.join("\n"));
  return result.config;
}

function faultsOf(text: string): readonly string[] {
  const result = readSpeakerConfig(text, "s.yaml");
  return "faults" in result ? result.faults : [];
}

describe("a speaker's file", () => {
  it("needs nothing but an AS number", () => expect(configOf("asNumber: 65000")).toEqual({ asNumber: 65000 }));

  it("may say everything", () => {
    const config = configOf(`
asNumber: "1.10"
routerID: 192.0.2.1
listen: [{address: 127.0.0.1, port: 1790}, {port: 1791}, {address: "fe80::1%eth0"}, {address: "::"}, {}]
ebgpRequiresPolicy: true
multipath: 8
compareMED: Always
missingMED: Worst
networks: [203.0.113.0/24, "2001:db8::/32"]
communities: [{name: blue, value: "65000:1"}]
prefixAdvertisements: [{cidr: 203.0.113.0/24, communities: [blue, "65000:1:2"]}, {cidr: "2001:db8::/32"}]
filters:
  - {name: edge, importV4: [{cidr: 10.0.0.0/8, matchOperator: In, action: Reject}], exportV6: [{action: Accept}]}
kernel: {install: true, table: 100}
api: {socket: /run/s.sock, http: "[::1]:9179"}
log: {level: debug, file: /var/log/s}
peers:
  - name: everything
    address: fe80::2
    interface: eth0
    port: 1790
    asNumber: 65001
    localASNumber: 65100
    enabled: false
    passive: true
    sourceAddress: fe80::1
    password: secret
    multihop: 3
    families: [ipv4-unicast, ipv6-unicast]
    holdTime: 1m
    keepaliveTime: 5s
    connectRetryTime: 7
    maxRestartTime: 120s
    longLivedRestartTime: 24h
    addPath: {send: true, receive: true}
    extendedMessages: false
    extendedNextHop: true
    role: customer
    strictRole: true
    clusterID: 1.2.3.4
    routeServerClient: true
    nextHopMode: Self
    numAllowedLocalASNumbers: 2
    removePrivateAS: true
    gracefulShutdown: true
    maxPrefixes: {limit: 100, action: restart, restartAfter: 5m}
    maxPrefixesOut: 10
    import: Reject
    export: Accept
    filters: [edge]
  - {address: 127.0.0.0/16, ttlSecurity: 1, sourceAddress:}
  - {address: 192.0.2.9, asNumber: 65546, routeReflectorClient: true, sourceAddress: None, multihop: true}
`);
    expect(config.asNumber).toBe(65546);
    expect(config.peers?.[0]).toMatchObject({
      holdTime: 60,
      keepaliveTime: 5,
      connectRetryTime: 7,
      maxRestartTime: 120,
      longLivedRestartTime: 86400,
      maxPrefixes: { limit: 100, action: "restart", restartAfter: 300 },
    });
    expect(config.peers?.[1]).toEqual({ address: "127.0.0.0/16", ttlSecurity: 1 });
    // What goes from process to process as JSON must be the same on the other side.
    expect(JSON.parse(JSON.stringify(config))).toEqual(config);
  });
});

/** What is said of one line behind the top two; `…` stands for the file's name and line. */
describe("a mistake in a speaker's file is named", () => {
  const wrong = (line: string) => faultsOf(`${TOP}${line}\n`).map((fault) => fault.replace(/^s\.yaml:3: /, ""));

  it.each<[string, string]>([
    ["asNumber: 5", "asNumber is written twice in the same map; remove one"],
    ["listen: 179", "listen: expected a list, found 179"],
    ["listen: [{port: 0}]", "listen[0].port: 0 is not a whole number from 1 to 65535"],
    ["listen: [{port: '179'}]", 'listen[0].port: "179" is not a whole number from 1 to 65535; write it without quotes'],
    ["listen: [{adress: 127.0.0.1}]", "listen[0].adress: unknown field; did you mean address?"],
    ["listen: [{address: 127.0.0.1/8}]", "is not an IP address such as"],
    ["listen: [{address: 224.0.0.1}]", 'listen[0].address: "224.0.0.1" is not the address of a host'],
    ["networks: [203.0.113.1/24]", "has host bits set; did you mean 203.0.113.0/24?"],
    ["networks: [203.0.113.0]", "lacks a prefix length such as /24"],
    ["network: []", "network: unknown field; did you mean networks?"],
    ["ebgpRequiresPolicy: yes", 'ebgpRequiresPolicy: expected true or false, found "yes"'],
    ["multipath: 0", "multipath: 0 is not true, false or a number of paths from 1 to 256"],
    ["compareMED: always", 'compareMED: "always" is not one of SameAS, Always; did you mean Always?'],
    ["missingMED: Zero", 'missingMED: "Zero" is not one of Best, Worst'],
    ["kernel: {table: 0}", "kernel.table: 0 is not a whole number from 1 to 4294967295"],
    ["kernel: {instal: true}", "kernel.instal: unknown field; did you mean install?"],
    ["api: {socket: s.sock}", 'api.socket: "s.sock" is not an absolute path'],
    ["api: {http: 9179}", "api.http: 9179 is a number; write it in quotes"],
    ["api: {http: localhost:9179}", "is not an address and a port such as 127.0.0.1:9179"],
    ["log: {level: loud}", 'log.level: "loud" is not one of debug, info, warn, error'],
    ["log: {file: ''}", "log.file: is empty; give a path"],
    ["peers: {address: 1.2.3.4}", 'peers: expected a list, found {"address":"1.2.3.4"}'],
    ["peers: [192.0.2.9]", 'peers[0]: expected a map, found "192.0.2.9"'],
    ["filters: [{importV4: []}]", "filters[0].name: is required"],
    ["filters: [{name: a}, {name: a}]", 'filters[1].name: "a" is what filters[0] is called; names are unique'],
    ["filters: [{name: a, importV5: []}]", "filters[0].importV5: unknown field; did you mean importV4?"],
    ["filters: [{name: a, importV4: [{action: Drop}]}]", 'filters[0].importV4[0].action: "Drop" is not one of'],
    [
      "filters: [{name: a, exportV6: [{cidr: 10.0.0.0/8, matchOperator: In, action: Accept}]}]",
      "move the rule to exportV4",
    ],
    ["communities: [{name: blue, value: blue}]", 'communities[0].value: "blue" is not a community such as 65000:100'],
    ["communities: [{name: '1:2', value: '1:2'}]", '"1:2" is a community itself; it needs no name'],
    ["communities: [{name: a, value: '1:2'}, {name: a, value: '1:3'}]", '"a" is what communities[0] is called'],
    ["prefixAdvertisements: [{cidr: 10.0.0.0/8, communities: [red]}]", "and no name in communities"],
    ["prefixAdvertisements: [{cidr: 10.0.0.1/8}]", "has host bits set; did you mean 10.0.0.0/8?"],
  ])("%s", (line, fault) => {
    const faults = wrong(line);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  it.each<[string, string]>([
    [
      `{filters: [{name: edge}], peers: [${PEER}, filters: [edg]}]}`,
      'no filter "edg" in this file; did you mean edge?',
    ],
    [`{peers: [${PEER}, filters: [edge]}]}`, 'there is no filter "edge" in this file; write one under filters'],
    [`{filters: [{name: edge}], peers: [${PEER}, filters: [edge, edge]}]}`, '"edge" stands there already; remove one'],
  ])("%s", (text, fault) =>
    expect(faultsOf(`{asNumber: 1, ${text.slice(1)}`)).toEqual([expect.stringContaining(fault)]),
  );

  it.each<[string, string]>([
    ["peers: [{asNumber: 1}]", "peers[0].address: is required"],
    ["peers: [{address: 192.0.2.9}]", "peers[0].asNumber: is required, unless address is a range"],
    ["peers: [{address: 192.0.2.300, asNumber: 1}]", "is not an IP address such as 192.0.2.1"],
    ["peers: [{address: '192.0.2.9:179', asNumber: 1}]", 'write address: "192.0.2.9" and port: 179'],
    ["peers: [{address: 192.0.2.9/24}]", "has host bits set; did you mean 192.0.2.0/24?"],
    ["peers: [{address: 0.0.0.0, asNumber: 1}]", "is not the address of a host"],
    ["peers: [{address: 'fe80::1', asNumber: 1}]", 'is link-local; add its interface: "fe80::1%eth0"'],
    ["peers: [{address: 'fe80::1%eth0', interface: eth1, asNumber: 1}]", '"eth1" is not the interface in the address'],
    ["peers: [{address: 'fe80::1%', asNumber: 1}]", 'does not name an interface after "%"'],
    ["peers: [{address: '2001:db8::1%eth0', asNumber: 1}]", "only a link-local address has an interface"],
    [
      "peers: [{address: 10.0.0.0/8, port: 179}]",
      "port: has no meaning for a range, which is never dialled; remove it",
    ],
    ["peers: [{address: 10.0.0.0/8, passive: false}]", "passive: a range is never dialled; remove it"],
    ["peers: [{address: 10.0.0.0/8, sourceAddress: 1.2.3.4}]", "sourceAddress: has no meaning for a range"],
    [`peers: [${PEER}, sourceAddress: '2001:db8::1'}]`, "is not of the family of the peer's address"],
    [`peers: [${PEER}, sourceAddress: UseNodeIP}]`, '"UseNodeIP" needs a node; give an address, or None'],
    [`peers: [${PEER}, sourceAddress: eth0}]`, "is not an IP address such as 192.0.2.1 or 2001:db8::1, nor None"],
    [`peers: [${PEER}, name: two words}]`, '"two words" is not a name'],
    [`peers: [${PEER}, interface: a/b}]`, '"a/b" is not the name of an interface'],
    [`peers: [${PEER}, password: ''}]`, "password: is empty; give a password or remove the field"],
    [`peers: [${PEER}, password: ${"x".repeat(81)}}]`, "password: is 81 octets long; TCP MD5 takes at most 80"],
    [`peers: [${PEER}, password: 1234}]`, "password: 1234 is a number; write it in quotes"],
    [`peers: [${PEER}, ttlSecurity: 255}]`, "ttlSecurity: 255 is not a whole number from 0 to 254"],
    [`peers: [${PEER}, ttlSecurity: 1, multihop: 2}]`, "multihop: does not go with ttlSecurity"],
    [`peers: [${PEER}, multihop: 0}]`, "multihop: 0 is not true, false or a number of hops from 1 to 255"],
    [`peers: [${PEER}, families: []}]`, "families: [] is too short; at least 1 entries"],
    [`peers: [${PEER}, families: [ipv4]}]`, 'families[0]: "ipv4" is not one of ipv4-unicast, ipv6-unicast'],
    [`peers: [${PEER}, holdTime: 2}]`, "holdTime: 2 is not a hold time: 0 (none), or 3 to 65535 seconds"],
    [`peers: [${PEER}, keepaliveTime: 0}]`, "keepaliveTime: 0 is not a time: whole seconds from 1 to 65535"],
    [`peers: [${PEER}, holdTime: 9, keepaliveTime: 9s}]`, '"9s" is not shorter than the hold time of 9s'],
    [`peers: [${PEER}, keepaliveTime: 90}]`, "90 is not shorter than the hold time of 90s"],
    [`peers: [${PEER}, connectRetryTime: 1.5}]`, "connectRetryTime: 1.5 is not a time"],
    [`peers: [${PEER}, maxRestartTime: 4096s}]`, '"4096s" is not a time: whole seconds from 0 to 4095'],
    [`peers: [${PEER}, longLivedRestartTime: 16777216}]`, "longLivedRestartTime: 16777216 is not a time"],
    [`peers: [${PEER}, addPath: true}]`, "addPath: expected a map, found true"],
    [`peers: [${PEER}, addPath: {recieve: true}}]`, "addPath.recieve: unknown field; did you mean receive?"],
    [`peers: [${PEER}, role: client}]`, 'role: "client" is not one of provider, customer, peer, rs, rs-client'],
    [`peers: [${PEER}, strictRole: true}]`, "strictRole: needs role"],
    [`peers: [${PEER}, clusterID: 0.0.0.0}]`, 'clusterID: "0.0.0.0" is not an identifier'],
    [`peers: [${PEER}, routeReflectorClient: true}]`, "is for peers of the own AS 65000; this one is in AS 65001"],
    ["peers: [{address: 1.2.3.4, asNumber: 65000, role: peer}]", "role: is for peers of another AS (RFC 9234 4)"],
    [
      "peers: [{address: 1.2.3.4, asNumber: 65000, routeServerClient: true}]",
      "routeServerClient: is for peers of another",
    ],
    [
      "peers: [{address: 1.2.3.4, asNumber: 65000, removePrivateAS: true}]",
      "removePrivateAS: is for peers of another AS",
    ],
    [`peers: [${PEER}, nextHopMode: self}]`, 'nextHopMode: "self" is not one of Auto, Self, Keep; did you mean Self?'],
    [`peers: [${PEER}, numAllowedLocalASNumbers: -1}]`, "-1 is not a whole number from 0 to 255"],
    [`peers: [${PEER}, maxPrefixes: 100}]`, "maxPrefixes: expected a map, found 100"],
    [`peers: [${PEER}, maxPrefixes: {action: warn}}]`, "maxPrefixes.limit: is required"],
    [`peers: [${PEER}, maxPrefixes: {limit: 5, action: stop}}]`, '"stop" is not one of warn, block, restart, shutdown'],
    [`peers: [${PEER}, maxPrefixes: {limit: 5, restartAfter: 9}}]`, "restartAfter goes with action: restart"],
    [`peers: [${PEER}, maxPrefixesOut: many}]`, 'maxPrefixesOut: "many" is not a whole number from 0'],
    [`peers: [${PEER}, import: accept}]`, 'import: "accept" is not one of Accept, Reject; did you mean Accept?'],
    [`peers: [${PEER}, export: true}]`, "export: true is not one of Accept, Reject"],
    [`peers: [${PEER}, enabled: no}]`, 'enabled: expected true or false, found "no"'],
    [`peers: [${PEER}}, ${PEER}}]`, '"192.0.2.9" is what peers[0] is called; give one of them a name'],
    [`peers: [${PEER}, name: a}, ${PEER}, port: 5, name: a}]`, '"a" is what peers[0] is called; names are unique'],
    [`peers: [${PEER}, password: x}, ${PEER}, port: 5, name: b}]`, "differs from that of peers[0]"],
    [`peers: [{address: 192.0.2.0/24, password: x}, ${PEER}}]`, "is inside the range of peers[0], whose password"],
  ])("%s", (line, fault) => {
    const faults = wrong(line);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(fault);
  });

  it("with its line, all of them at once", () => {
    expect(
      faultsOf("asNumber: 0\nlisten:\n  - port: 179\n  - port: 0\npeers:\n  - address: 1.2.3.4\n    holdTime: 1\n"),
    ).toEqual([
      's.yaml:1: asNumber: 0 is not an AS number: 1 to 4294967295, or dotted "high.low" with halves up to 65535',
      "s.yaml:4: listen[1].port: 0 is not a whole number from 1 to 65535",
      "s.yaml:6: peers[0].asNumber: is required, unless address is a range",
      "s.yaml:7: peers[0].holdTime: 1 is not a hold time: 0 (none), or 3 to 65535 seconds",
    ]);
  });

  it("also when there is nothing in it, or something else", () => {
    expect(faultsOf("")).toEqual(["s.yaml: is empty"]);
    expect(faultsOf("- a\n")).toEqual(['s.yaml:1: expected settings (a map), found ["a"]']);
    expect(faultsOf("asNumber: 1\n---\nasNumber: 2\n")).toEqual(["s.yaml:3: a second document; remove it"]);
    expect(faultsOf("asNumber: [\n")[0]).toContain("not YAML");
  });
});
