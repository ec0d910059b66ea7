/**
 * Route reflection (RFC 4456) among real daemons of one AS: two reflectors, each other's ordinary neighbours. BIRD is a
 * client of the first, GoBGP of the second, FRR of both; OpenBGPD is an ordinary neighbour of the first.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { always, eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Frr } from "./interop/frr.ts";
import { Gobgp } from "./interop/gobgp.ts";
import { Openbgpd } from "./interop/openbgpd.ts";
import { Segment } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const AS = 65000;
const [BIRD, FRR, GOBGP, OPENBGPD] = [3, 4, 5, 6];
/** What a neighbour announces, and from where. */
const prefixesOf = (n: number) => [`198.51.${n}.0/24`, `2001:db8:${n}::/48`] as const;
const addressesOf = (n: number) => [`10.88.0.${n}`, `fd88::${n}`] as const;
const FAMILIES = [0, 1] as const;
const [CLUSTER_1, CLUSTER_2] = ["10.88.0.1", "192.0.2.2"];

const segment = new Segment();
let first: Speaker;
let second: Speaker;
let bird: Bird;
let frr: Frr;
let gobgp: Gobgp;
let openbgpd: Openbgpd;

/** A path in the words of all of them. */
interface Path {
  readonly nextHop: string | undefined;
  readonly originator: string | undefined;
  readonly clusters: readonly string[] | undefined;
}

const ATTRIBUTE = (text: string, name: string) => new RegExp(`BGP\\.${name}: (.+)`).exec(text)?.[1]?.trim();

const heardBy: Readonly<Record<string, (prefix: string) => Promise<readonly Path[]>>> = {
  async bird(prefix) {
    const said = await bird.routes(prefix, "where source = RTS_BGP");
    if (said === "") return [];
    const nextHop = ATTRIBUTE(said, "next_hop")?.split(" ")[0];
    return [
      { nextHop, originator: ATTRIBUTE(said, "originator_id"), clusters: ATTRIBUTE(said, "cluster_list")?.split(" ") },
    ];
  },
  async frr(prefix) {
    return (await frr.paths(prefix)).map(({ nexthops, originatorId, clusterList }) => ({
      nextHop: nexthops[0]?.ip,
      originator: originatorId,
      clusters: clusterList?.list,
    }));
  },
  async gobgp(prefix) {
    return (await gobgp.paths(prefix)).map(({ nextHop, originatorID, clusterList }) => ({
      nextHop,
      originator: originatorID,
      clusters: clusterList,
    }));
  },
  async openbgpd(prefix) {
    return (await openbgpd.paths(prefix)).map(({ exit_nexthop: nextHop, attributes }) => ({
      nextHop,
      originator: attributes.find((one) => one.originator !== undefined)?.originator,
      clusters: attributes.find((one) => one.cluster_list !== undefined)?.cluster_list,
    }));
  },
};

const internal = (n: number, name: string, clusterID: string, routeReflectorClient = false) => ({
  ...{ name, address: `10.88.0.${n}`, asNumber: AS, connectRetryTime: 1, clusterID, routeReflectorClient },
});

const firstFile = (cluster: string) => ({
  asNumber: AS,
  peers: [
    internal(2, "second", cluster),
    internal(BIRD, "bird", cluster, true),
    internal(FRR, "frr", cluster, true),
    internal(OPENBGPD, "openbgpd", cluster),
  ],
});

const secondFile = (cluster: string) => ({
  asNumber: AS,
  peers: [internal(1, "first", cluster), internal(FRR, "frr", cluster, true), internal(GOBGP, "gobgp", cluster, true)],
});

beforeAll(async () => {
  await segment.make();
  first = new Speaker(segment, await segment.station("first", 1));
  second = new Speaker(segment, await segment.station("second", 2));
  bird = new Bird(segment, await segment.station("bird", BIRD));
  frr = new Frr(segment, await segment.station("frr", FRR));
  gobgp = new Gobgp(segment, await segment.station("gobgp", GOBGP));
  openbgpd = new Openbgpd(segment, await segment.station("openbgpd", OPENBGPD));
  await Promise.all([first.start(firstFile(CLUSTER_1)), second.start(secondFile(CLUSTER_2))]);
  await Promise.all([startBird(), startFrr(), startGobgp(), startOpenbgpd()]);
  await Promise.all([first.established(40), second.established(40)]);
});

afterAll(() => segment.remove());

async function startBird(): Promise<void> {
  const [ipv4, ipv6] = prefixesOf(BIRD);
  await bird.start(`protocol static { ipv4; route ${ipv4} blackhole; }
protocol static { ipv6; route ${ipv6} blackhole; }
protocol bgp reflector {
  local 10.88.0.${BIRD} as ${AS}; neighbor 10.88.0.1 as ${AS}; direct; connect delay time 1;
  ipv4 { import all; export all; next hop self; };
  ipv6 { import all; export all; next hop address fd88::${BIRD}; };
}
`);
}

async function startFrr(): Promise<void> {
  const [ipv4, ipv6] = prefixesOf(FRR);
  const both = (line: (neighbor: string) => string) => [1, 2].map((n) => line(`neighbor 10.88.0.${n}`)).join("\n");
  await frr.start(`router bgp ${AS}
 bgp router-id 10.88.0.${FRR}
 no bgp network import-check
 no bgp default ipv4-unicast
${both((one) => ` ${one} remote-as ${AS}`)}
 address-family ipv4 unicast
${both((one) => `  ${one} activate`)}
  network ${ipv4}
 exit-address-family
 address-family ipv6 unicast
${both((one) => `  ${one} activate`)}
  network ${ipv6} route-map own-address
 exit-address-family
route-map own-address permit 1
 set ipv6 next-hop global fd88::${FRR}
`);
}

async function startGobgp(): Promise<void> {
  await gobgp.start(AS, [{ address: "10.88.0.2", as: AS }]);
  for (const prefix of prefixesOf(GOBGP)) await gobgp.announce(prefix);
}

async function startOpenbgpd(): Promise<void> {
  const [ipv4, ipv6] = prefixesOf(OPENBGPD);
  await openbgpd.start(`AS ${AS}
network ${ipv4}
network ${ipv6} set nexthop fd88::${OPENBGPD}
neighbor 10.88.0.1 {
  remote-as ${AS}
  announce IPv4 unicast
  announce IPv6 unicast
}
allow from any
allow to any
`);
}

/** Cluster lists that a listener must see of a route, one for each path, the one closest to the listener first. */
const EXPECTED: readonly (readonly [listener: string, from: number, clusters: readonly (readonly string[])[]])[] = [
  ["bird", FRR, [[CLUSTER_1]]],
  ["bird", GOBGP, [[CLUSTER_1, CLUSTER_2]]],
  ["bird", OPENBGPD, [[CLUSTER_1]]],
  ["frr", BIRD, [[CLUSTER_1], [CLUSTER_2, CLUSTER_1]]],
  ["frr", GOBGP, [[CLUSTER_2], [CLUSTER_1, CLUSTER_2]]],
  ["frr", OPENBGPD, [[CLUSTER_1]]],
  ["gobgp", BIRD, [[CLUSTER_2, CLUSTER_1]]],
  ["gobgp", FRR, [[CLUSTER_2]]],
  ["openbgpd", BIRD, [[CLUSTER_1]]],
  ["openbgpd", FRR, [[CLUSTER_1]]],
];

describe("two reflectors of different clusters", () => {
  test.each(EXPECTED)("%s hears of the routes of neighbour %i", async (listener, from, clusters) => {
    for (const family of FAMILIES) {
      const originator = `10.88.0.${from}`;
      const nextHop = addressesOf(from)[family];
      await eventually(`${listener} hears of ${prefixesOf(from)[family]}`, 20, async () => {
        const paths = (await heardBy[listener]?.(prefixesOf(from)[family])) ?? [];
        const sorted = paths.toSorted((a, b) => (a.clusters?.length ?? 0) - (b.clusters?.length ?? 0));
        expect(sorted).toEqual(clusters.map((list) => ({ nextHop, originator, clusters: list })));
        return true;
      });
    }
  });

  test("an ordinary neighbour is not told what another one told", async () => {
    for (const family of FAMILIES) {
      expect(await heardBy["openbgpd"]?.(prefixesOf(GOBGP)[family])).toEqual([]);
      expect(await heardBy["gobgp"]?.(prefixesOf(OPENBGPD)[family])).toEqual([]);
    }
  });
});

describe("two reflectors of the same cluster", () => {
  test("each refuses what the other reflected: a client hears of the other clients of its own reflectors", async () => {
    second.reload(secondFile(CLUSTER_1));
    await eventually("FRR hears of BIRD from the first reflector alone, and so on", 30, async () => {
      for (const family of FAMILIES) {
        for (const from of [BIRD, GOBGP]) {
          expect((await heardBy["frr"]?.(prefixesOf(from)[family]))?.map(({ clusters }) => clusters)).toEqual([
            [CLUSTER_1],
          ]);
        }
        expect(await heardBy["gobgp"]?.(prefixesOf(BIRD)[family])).toEqual([]);
        expect(await heardBy["bird"]?.(prefixesOf(GOBGP)[family])).toEqual([]);
        expect((await heardBy["gobgp"]?.(prefixesOf(FRR)[family]))?.map(({ clusters }) => clusters)).toEqual([
          [CLUSTER_1],
        ]);
      }
      return true;
    });
    const refused = await second.routes({ in: "first", prefix: prefixesOf(BIRD)[0] });
    expect(refused.map(({ problem }) => problem)).toEqual([expect.stringContaining("cluster")]);
  });

  test("sessions of the other reflector were not touched", async () => {
    expect(await first.sessions()).toMatchObject({ openbgpd: 1, bird: 1, frr: 1 });
    await always("they stay up", 0.5, async () => (await first.peers()).every(({ state }) => state === "Established"));
  });
});
