import { describe, expect, it } from "@jest/globals";
import { birdConfig, parseBirdProtocols, parseBirdRoutes } from "./bird.ts";
import { bgpdConfig, parseFrrRoutes, parseFrrSummary } from "./frr.ts";
import { planLab } from "./topology.ts";

const plan = planLab({ name: "lab", racks: 2, nodesPerRack: 2, podsPerNode: 1 });
const [tor1, tor2] = plan.routers;
const nodesOf = (router: string) => plan.nodes.filter((node) => node.router === router);

describe("BIRD", () => {
  const config = tor1 === undefined ? "" : birdConfig(tor1, nodesOf("tor1"));

  it("has a session for each node and each ToR, and for nothing else", () => {
    expect(config).toContain("protocol bgp r1n1 from node { neighbor 10.10.1.11 as 64512; }");
    expect(config).toContain("protocol bgp r1n2 from node { neighbor 10.10.1.12 as 64512; }");
    expect(config).toMatch(
      /protocol bgp tor2 from tor \{\s+local 10\.0\.1\.1 as 65001;\s+neighbor 10\.0\.1\.2 as 65002;/,
    );
    expect(config.match(/^protocol bgp/gm)).toHaveLength(3);
  });

  it("takes only prefixes of pods and services from nodes, in both families", () => {
    const node = /template bgp node \{[^]*?\n\}/.exec(config)?.[0];
    expect(node).toContain("ipv4 { import where net ~ CLUSTER4;");
    expect(node).toContain("ipv6 { import where net ~ CLUSTER6;");
    expect(config).toContain("define CLUSTER4 = [ 10.244.0.0/16+, 10.96.0.0/16+, 198.18.0.0/16+ ];");
    expect(config).toContain("define CLUSTER6 = [ fd00:244::/48+, fd00:96::/112+, fd00:98::/112+ ];");
  });

  it("reads sessions out of `show protocols`", () => {
    const text = `BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     03:18:02.123
kernel4    Kernel     master4    up     03:18:02.123
r1n1       BGP        ---        up     03:18:09.001  Established
r1n2       BGP        ---        start  03:18:02.123  Active        Socket: Connection refused
tor2       BGP        ---        down   03:18:02.123
`;
    expect(parseBirdProtocols(text)).toEqual([
      { peer: "r1n1", state: "Established", established: true },
      { peer: "r1n2", state: "Active", established: false },
      { peer: "tor2", state: "Idle", established: false },
    ]);
  });

  it("reads best routes and their next hops out of `show route`", () => {
    const text = `BIRD 2.0.12 ready.
Table master4:
10.244.0.0/26        unicast [r1n1 03:18:09.001] * (100) [AS64512i]
	via 10.10.1.11 on rack
                     unicast [tor2 03:18:09.001] (100) [AS64512i]
	via 10.0.1.2 on tor2
10.10.1.0/24         unicast [direct1 03:18:02.123] * (240)
	dev rack

Table master6:
fd00:244::/122       unicast [r1n1 03:18:09.001] * (100) [AS64512i]
	via fd00:10:1::11 on rack weight 1
	via fd00:10:1::12 on rack weight 1
`;
    expect(parseBirdRoutes(text)).toEqual([
      { prefix: "10.244.0.0/26", nextHops: ["10.10.1.11"] },
      { prefix: "10.10.1.0/24", nextHops: [] },
      { prefix: "fd00:244::/122", nextHops: ["fd00:10:1::11", "fd00:10:1::12"] },
    ]);
  });
});

describe("FRR", () => {
  const config = tor2 === undefined ? "" : bgpdConfig(tor2, nodesOf("tor2"));

  it("has every node in the peer group and the other ToR beside it", () => {
    expect(config).toContain("router bgp 65002");
    expect(config).toContain(" neighbor 10.10.2.11 peer-group NODES");
    expect(config).toContain(" neighbor 10.10.2.12 peer-group NODES");
    expect(config).toContain(" neighbor 10.0.1.1 remote-as 65001");
    expect(config).toContain(" neighbor NODES timers 3 9");
  });

  it("takes only prefixes of pods and services from nodes, in both families", () => {
    expect(config).toContain("ip prefix-list CLUSTER seq 5 permit 10.244.0.0/16 le 32");
    expect(config).toContain("ipv6 prefix-list CLUSTER seq 5 permit fd00:244::/48 le 128");
    expect(config.match(/neighbor NODES prefix-list CLUSTER in/g)).toHaveLength(2);
  });

  it("reads sessions out of the summary, named by description", () => {
    const text = JSON.stringify({
      ipv4Unicast: {
        peers: { "10.10.2.11": { state: "Established", desc: "r2n1" }, "10.10.2.12": { state: "Active" } },
      },
    });
    expect(parseFrrSummary(text)).toEqual([
      { peer: "r2n1", state: "Established", established: true },
      { peer: "10.10.2.12", state: "Active", established: false },
    ]);
    expect(parseFrrSummary("{}")).toEqual([]);
  });

  it("reads best and multipath next hops out of a table, without link-local ones", () => {
    const hop = (ip: string, scope: string) => ({ ip, scope });
    const text = JSON.stringify({
      routes: {
        "fd00:244::/122": [
          { bestpath: true, nexthops: [hop("fd00:10:2::11", "global"), hop("fe80::1", "link-local")] },
          { multipath: true, nexthops: [hop("fd00:10:2::12", "global")] },
          { nexthops: [hop("fd00:0:1::1", "global")] },
        ],
        "10.244.9.0/26": [{ nexthops: [hop("10.0.1.1", "global")] }],
      },
    });
    expect(parseFrrRoutes(text)).toEqual([{ prefix: "fd00:244::/122", nextHops: ["fd00:10:2::11", "fd00:10:2::12"] }]);
    expect(parseFrrRoutes("")).toEqual([]);
  });
});
