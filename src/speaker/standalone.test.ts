import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { ip, ipJson, joinTestNetns, type TestNetns, until } from "../kernel/testing.ts";
import { Bench, PATIENCE_MS } from "./testing.ts";

jest.setTimeout(60_000);

let bench: Bench;
let ours: TestNetns;
let theirs: TestNetns;

beforeEach(() => {
  bench = new Bench();
  [ours, theirs] = [bench.netns(), bench.netns()];
  joinTestNetns(ours, theirs, ["10.1.0.1/24", "fd00:1::1/64"], ["10.1.0.2/24", "10.1.0.3/24", "fd00:1::2/64"]);
});

afterEach(() => bench.remove());

const BIRD = `
router id 10.1.0.2;
protocol static s4 { ipv4; route 198.51.100.0/24 blackhole; }
protocol static s6 { ipv6; route 2001:db8:1::/48 blackhole; }
template bgp common {
  local as 65001;
  connect retry time 1; connect delay time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
`;

const SPEAKER = `
asNumber: 65000
routerID: 10.1.0.1
networks: [203.0.113.0/24, 2001:db8:2::/48]
`;

describe("overland speaker and BIRD", () => {
  it("give each other routes of both families, into the kernel, and part with words", async () => {
    const bird = bench.bird(
      theirs,
      `${BIRD}
      protocol bgp four from common { neighbor 10.1.0.1 as 65000; ipv6 { import none; export none; }; }
      protocol bgp six from common { neighbor fd00:1::1 as 65000; ipv4 { import none; export none; }; }`,
    );
    const speaker = bench.speaker(
      ours,
      `${SPEAKER}
kernel: {install: true}
peers:
  - {name: four, address: 10.1.0.2, asNumber: 65001, connectRetryTime: 1, families: [ipv4-unicast]}
  - {name: six, address: "fd00:1::2", asNumber: 65001, passive: true, families: [ipv6-unicast]}
`,
    );
    await speaker.whenEstablished("four", "six");
    await bird.shows("show route 203.0.113.0/24 all", /BGP.as_path: 65000[^]*BGP.next_hop: 10.1.0.1/);
    await bird.shows("show route 2001:db8:2::/48 all", /BGP.as_path: 65000[^]*BGP.next_hop: fd00:1::1/);
    const installed = () => ["-4", "-6"].flatMap((family) => ipJson(ours, `${family} route show proto 201`));
    await until("both are in the kernel", () => installed().length === 2, PATIENCE_MS);
    expect(installed()).toMatchObject([
      { dst: "198.51.100.0/24", gateway: "10.1.0.2" },
      { dst: "2001:db8:1::/48", gateway: "fd00:1::2" },
    ]);
    expect((await speaker.routes()).filter(({ peer }) => peer !== "")).toMatchObject([
      { prefix: "198.51.100.0/24", peer: "four", nextHop: "10.1.0.2", installed: true },
      { prefix: "2001:db8:1::/48", peer: "six", nextHop: "fd00:1::2", installed: true },
    ]);
    expect(await speaker.stop()).toBe(0);
    expect(installed()).toEqual([]);
    await until("BIRD has read it", () => bird.said.includes("the speaker is stopped"));
  });

  it("sign what they say to each other, by peer and by range, and a changed password resets its session alone", async () => {
    const bird = bench.bird(
      theirs,
      `${BIRD}
      protocol bgp one from common { local 10.1.0.2 as 65001; neighbor 10.1.0.1 as 65000; password "first"; }
      protocol bgp six from common { neighbor fd00:1::1 as 65000; password "range6"; }`,
    );
    const other = bench.bird(
      theirs,
      `${BIRD}
      protocol bgp two from common { local 10.1.0.3 port 1179 as 65001; neighbor 10.1.0.1 as 65000; password "range"; }`,
    );
    const peers = (password: string) => `${SPEAKER}
peers:
  - {name: one, address: 10.1.0.2, asNumber: 65001, password: ${password}, passive: true}
  - {name: many, address: 10.1.0.0/24, asNumber: 65001, password: range}
  - {name: many6, address: "fd00:1::/64", asNumber: 65001, password: range6}
`;
    const speaker = bench.speaker(ours, peers("other"));
    await speaker.until("the range is in", () => speaker.established.length === 2);
    await other.shows("show protocols two", "Established");
    await bird.shows("show protocols six", "Established");
    expect(bird.ask("show protocols one")).not.toContain("Established");
    await speaker.reload(peers("first"));
    await speaker.whenEstablished("one");
    await bird.shows("show route 203.0.113.0/24", "[one");
    await speaker.reload(peers("third"));
    await speaker.until("its session is over", () =>
      speaker.log.some(({ peer, to }) => peer === "one" && to === "Idle"),
    );
    await bird.shows("show protocols one", /start|Connect|Active/);
    expect(speaker.established).toHaveLength(3);
    expect(other.ask("show protocols two")).toContain("Established");
    expect(bird.ask("show protocols six")).toContain("Established");
  });

  it.each([
    ["we dial", "passive yes;", false],
    ["BIRD dials", "", true],
  ])("meet at link-local addresses: %s", async (_, birds, passive) => {
    ip(ours, "addr add fe80::a/64 dev left nodad");
    ip(theirs, "addr add fe80::b/64 dev right nodad");
    const bird = bench.bird(
      theirs,
      `${BIRD}
      protocol bgp near from common { local fe80::b as 65001; neighbor fe80::a%'right' as 65000; ${birds} }`,
    );
    const speaker = bench.speaker(
      ours,
      `${SPEAKER}
kernel: {install: true, table: 100}
peers:
  - name: near
    address: fe80::b%left
    sourceAddress: fe80::a
    asNumber: 65001
    passive: ${passive}
    families: [ipv6-unicast]
    connectRetryTime: 1
`,
    );
    await speaker.whenEstablished("near");
    await bird.shows("show route 2001:db8:2::/48 all", /via fe80::a on right/);
    // Asked for by its number, a table without routes is an error: there is none yet.
    const route = () => ipJson(ours, "-6 route show proto 201 table all")[0];
    await until("BIRD's route is in the kernel", () => route() !== undefined, PATIENCE_MS);
    expect(route()).toMatchObject({ dst: "2001:db8:1::/48", gateway: "fe80::b", dev: "left", table: "100" });
    expect(ipJson(ours, "-6 route show proto 201")).toEqual([]);
  });

  it.each([
    [
      "by address and interface",
      ["one", "two"],
      ["name: one, address: fe80::b%left, asNumber: 65001", "name: two, address: fe80::b%left2, asNumber: 65002"],
    ],
    ["by a range", ["many/fe80::b%left", "many/fe80::b%left2"], ["name: many, address: fe80::/64"]],
  ])("two of them have one link-local address, on two links: %s", async (_, names, peers) => {
    const third = bench.netns();
    ip(ours, `link add left2 index 1001 type veth peer name right2 netns ${third.name}`);
    for (const [netns, device, address] of [
      [ours, "left", "fe80::a"],
      [ours, "left2", "fe80::c"],
      [theirs, "right", "fe80::b"],
      [third, "right2", "fe80::b"],
    ] as const) {
      ip(netns, `addr add ${address}/64 dev ${device} nodad`);
      ip(netns, `link set ${device} up`);
    }
    for (const [netns, device, as, there] of [
      [theirs, "right", 65001, "fe80::a"],
      [third, "right2", 65002, "fe80::c"],
    ] as const) {
      bench.bird(
        netns,
        `${BIRD}
        protocol bgp near from common { local fe80::b as ${as}; neighbor ${there}%'${device}' as 65000; ipv4 {}; }`,
      );
    }
    const speaker = bench.speaker(
      ours,
      `${SPEAKER}
peers: [${peers.map((peer) => `{${peer}, families: [ipv6-unicast], passive: true}`).join(", ")}]
`,
    );
    await speaker.whenEstablished(...names);
    await speaker.untilRoutes("a route of each", (routes) =>
      names.every((name) => routes.some((one) => one.peer === name)),
    );
    expect(speaker.log.filter(({ to, from }) => to === "Idle" && from !== "Idle")).toEqual([]);
  });

  it("keep to one hop where ttlSecurity says so, by peer and by range", async () => {
    const bird = bench.bird(
      theirs,
      `${BIRD}
      protocol bgp near from common { local 10.1.0.2 as 65001; neighbor 10.1.0.1 as 65000; ttl security yes; }
      protocol bgp far from common { local 10.1.0.3 as 65001; neighbor 10.1.0.1 as 65000; multihop 5; }`,
    );
    const speaker = bench.speaker(
      ours,
      `${SPEAKER}
peers: [{name: near, address: 10.1.0.2, asNumber: 65001, ttlSecurity: 1}, {address: 10.1.0.0/24, ttlSecurity: 1}]
`,
    );
    await speaker.whenEstablished("near");
    await bird.shows("show protocols near", "Established");
    expect(bird.ask("show protocols far")).not.toContain("Established");
  });
});
