/**
 * A route server (RFC 7947) for BIRD, OpenBGPD and FRR, each in an AS of its own: routes go on as they came, without
 * the server's AS, with next hop, MED and communities of who announced them. GoBGP is an ordinary neighbour of it.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Frr } from "./interop/frr.ts";
import { Gobgp } from "./interop/gobgp.ts";
import { Openbgpd } from "./interop/openbgpd.ts";
import { Segment } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const [BIRD, OPENBGPD, FRR, GOBGP] = [2, 3, 4, 5];
const prefixesOf = (n: number) => [`198.51.${n}.0/24`, `2001:db8:${n}::/48`] as const;
const FAMILIES = [0, 1] as const;

/** What can be said of a route in the words of all of them. */
interface Route {
  readonly path: string;
  readonly nextHop: string | undefined;
}

const segment = new Segment();
let server: Speaker;
let bird: Bird;
let openbgpd: Openbgpd;
let frr: Frr;
let gobgp: Gobgp;

beforeAll(async () => {
  await segment.make();
  server = new Speaker(segment, await segment.station("server", 1));
  bird = new Bird(segment, await segment.station("bird", BIRD));
  openbgpd = new Openbgpd(segment, await segment.station("openbgpd", OPENBGPD));
  frr = new Frr(segment, await segment.station("frr", FRR));
  gobgp = new Gobgp(segment, await segment.station("gobgp", GOBGP));
  const peer = (name: string, n: number, routeServerClient: boolean) => ({
    ...{ name, address: `10.88.0.${n}`, asNumber: 65000 + n, passive: true, routeServerClient },
  });
  await server.start({
    asNumber: 65000,
    peers: [
      peer("bird", BIRD, true),
      { ...peer("openbgpd", OPENBGPD, true), families: ["ipv4-unicast"] },
      { ...peer("openbgpd6", OPENBGPD, true), address: `fd88::${OPENBGPD}`, families: ["ipv6-unicast"] },
      peer("frr", FRR, true),
      peer("gobgp", GOBGP, false),
    ],
  });
  await Promise.all([startBird(), startOpenbgpd(), startFrr(), startGobgp()]);
  await server.established(40);
});

afterAll(() => segment.remove());

async function startBird(): Promise<void> {
  const [ipv4, ipv6] = prefixesOf(BIRD).map((prefix) => `route ${prefix} blackhole { bgp_community.add((65002,1)); };`);
  const exports = "export filter { if source != RTS_STATIC then reject; bgp_med = 77; accept; }";
  await bird.start(`protocol static { ipv4; ${ipv4} }
protocol static { ipv6; ${ipv6} }
protocol bgp server {
  local 10.88.0.2 as 65002; neighbor 10.88.0.1 as 65000; enforce first as off; connect delay time 1;
  ipv4 { import all; ${exports}; };
  ipv6 { import all; ${exports}; next hop address fd88::2; };
}
`);
}

async function startOpenbgpd(): Promise<void> {
  const [ipv4, ipv6] = prefixesOf(OPENBGPD);
  // Over IPv4 it knows no next hop for IPv6 routes.
  const neighbor = (address: string, [told, untold]: readonly [string, string]) => `neighbor ${address} {
  remote-as 65000
  enforce neighbor-as no
  announce ${told} unicast
  announce ${untold} none
}
`;
  await openbgpd.start(`AS 65003
network ${ipv4}
network ${ipv6}
${neighbor("10.88.0.1", ["IPv4", "IPv6"])}${neighbor("fd88::1", ["IPv6", "IPv4"])}allow from any
allow to any
`);
}

async function startFrr(): Promise<void> {
  const [ipv4, ipv6] = prefixesOf(FRR);
  await frr.start(`router bgp 65004
 bgp router-id 10.88.0.4
 no bgp ebgp-requires-policy
 no bgp network import-check
 no bgp default ipv4-unicast
 neighbor 10.88.0.1 remote-as 65000
 address-family ipv4 unicast
  neighbor 10.88.0.1 activate
  network ${ipv4}
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.88.0.1 activate
  neighbor 10.88.0.1 route-map own-address out
  network ${ipv6}
 exit-address-family
route-map own-address permit 1
 set ipv6 next-hop global fd88::4
`);
}

async function startGobgp(): Promise<void> {
  await gobgp.start(65005, [{ address: "10.88.0.1", as: 65000 }]);
  for (const prefix of prefixesOf(GOBGP)) await gobgp.announce(prefix);
}

const heardBy: Readonly<Record<string, (prefix: string) => Promise<readonly Route[]>>> = {
  async bird(prefix) {
    const said = await bird.routes(prefix, "where source = RTS_BGP");
    const [path, nextHop] = ["as_path", "next_hop"].map((name) => new RegExp(`BGP\\.${name}: (.+)`).exec(said)?.[1]);
    return path === undefined ? [] : [{ path: path.trim(), nextHop: nextHop?.split(" ")[0] }];
  },
  async openbgpd(prefix) {
    return (await openbgpd.paths(prefix)).map((one) => ({ path: one.aspath, nextHop: one.exit_nexthop }));
  },
  async frr(prefix) {
    return (await frr.paths(prefix)).map((one) => ({ path: one.aspath.string, nextHop: one.nexthops[0]?.ip }));
  },
  async gobgp(prefix) {
    return (await gobgp.paths(prefix)).map(({ path, nextHop }) => ({ path, nextHop }));
  },
};

const CLIENTS = [
  ["bird", BIRD],
  ["openbgpd", OPENBGPD],
  ["frr", FRR],
] as const;

async function hears(listener: string, prefix: string, expected: Route): Promise<void> {
  await eventually(`${listener} hears of ${prefix}`, 20, async () => {
    expect(await heardBy[listener]?.(prefix)).toEqual([expected]);
    return true;
  });
}

test.each(CLIENTS)("%s hears of the other clients as if they were its neighbours", async (listener, own) => {
  for (const from of [BIRD, OPENBGPD, FRR, GOBGP].filter((n) => n !== own)) {
    for (const family of FAMILIES) {
      const nextHop = family === 0 ? `10.88.0.${from}` : `fd88::${from}`;
      await hears(listener, prefixesOf(from)[family], { path: `6500${from}`, nextHop });
    }
  }
});

test("MED and communities are passed on", async () => {
  for (const prefix of prefixesOf(BIRD)) {
    const [path] = await frr.paths(prefix);
    expect(path).toMatchObject({ metric: 77, community: { string: "65002:1" } });
  }
});

test("an ordinary neighbour sees the server's AS, and the server as next hop", async () => {
  for (const [, from] of CLIENTS) {
    for (const family of FAMILIES) {
      const nextHop = family === 0 ? "10.88.0.1" : "fd88::1";
      await hears("gobgp", prefixesOf(from)[family], { path: `65000 6500${from}`, nextHop });
    }
  }
});
