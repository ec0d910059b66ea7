/**
 * Several paths to one prefix (RFC 7911): in and out with BIRD and FRR, and into the kernel as one route of several
 * next hops, over eBGP and through a reflector.
 *
 * x and y announce `both` to the speaker, and `far` to FRR alone; z announces `twice` twice over one session. A second
 * speaker is the first one's client in the same AS.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { must } from "./harness/command.ts";
import { eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Frr } from "./interop/frr.ts";
import { Segment, type Station } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const BOTH = ["198.51.100.0/24", "2001:db8:100::/48"] as const;
const FAR = ["198.51.101.0/24", "2001:db8:101::/48"] as const;
const TWICE = ["198.51.102.0/24", "2001:db8:102::/48"] as const;
const FAMILIES = [0, 1] as const;

const segment = new Segment();
let hub: Speaker;
let client: Speaker;
let x: Bird;
let y: Bird;
let z: Bird;
let frr: Frr;

/** A session with host number `n`; `which` is what it is told; `terms` are for either family. */
const session = (name: string, own: number, n: number, which: string, terms = "") => `protocol bgp ${name} {
  local 10.88.0.${own} as 6500${own}; neighbor 10.88.0.${n} as ${n === 1 ? 65000 : `6500${n}`};
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; ${terms} export where ${which}; };
  ipv6 { import all; ${terms} export where ${which}; next hop address fd88::${own}; };
}
`;

const announcer = (n: number) => `protocol static both4 { ipv4; route ${BOTH[0]} blackhole; }
protocol static both6 { ipv6; route ${BOTH[1]} blackhole; }
protocol static far4 { ipv4; route ${FAR[0]} blackhole; }
protocol static far6 { ipv6; route ${FAR[1]} blackhole; }
${session("hub", n, 1, 'proto ~ "both*"')}${session("frr", n, 4, 'proto ~ "far*"')}`;

const one = (name: string, n: number) => {
  const [ipv4, ipv6] = TWICE.map((prefix) => `route ${prefix} blackhole { bgp_community.add((65005,${n})); };`);
  return `protocol static ${name}4 { ipv4 { preference ${200 + n}; }; ${ipv4} }
protocol static ${name}6 { ipv6 { preference ${200 + n}; }; ${ipv6} }
`;
};

const frrFile = () => {
  const neighbors = [
    ["10.88.0.1", 65000],
    ["10.88.0.2", 65002],
    ["10.88.0.3", 65003],
  ] as const;
  const family = (name: string, more: string) => ` address-family ${name} unicast
${neighbors.map(([address]) => `  neighbor ${address} activate`).join("\n")}
  neighbor 10.88.0.1 addpath-tx-all-paths
  neighbor 10.88.0.2 route-map nothing out
  neighbor 10.88.0.3 route-map nothing out
${more} exit-address-family`;
  return `router bgp 65004
 bgp router-id 10.88.0.4
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
${neighbors.map(([address, as]) => ` neighbor ${address} remote-as ${as}`).join("\n")}
${family("ipv4", "")}
${family("ipv6", "  neighbor 10.88.0.1 route-map own-address out\n")}
route-map nothing deny 1
route-map own-address permit 1
 set ipv6 next-hop global fd88::4
`;
};

beforeAll(async () => {
  await segment.make();
  hub = new Speaker(segment, await segment.station("hub0", 1));
  [x, y] = [new Bird(segment, await segment.station("x", 2)), new Bird(segment, await segment.station("y", 3))];
  frr = new Frr(segment, await segment.station("frr", 4));
  z = new Bird(segment, await segment.station("z", 5));
  client = new Speaker(segment, await segment.station("client", 6));
  // FRR 8 without zebra cannot take the link-local next hops that BIRD adds to IPv6 routes when it has one (RFC 2545).
  for (const { netns } of [x.station, y.station]) {
    await must(["ip", "-n", netns, "-6", "address", "flush", "dev", "eth0", "scope", "link"]);
  }
  const external = { passive: true, addPath: { send: true, receive: true } };
  await hub.start({
    asNumber: 65000,
    peers: [
      ...["x", "y"].map((name, i) => ({ name, address: `10.88.0.${i + 2}`, asNumber: 65002 + i, passive: true })),
      { name: "frr", address: "10.88.0.4", asNumber: 65004, ...external },
      { name: "z", address: "10.88.0.5", asNumber: 65005, ...external },
      { name: "client", address: "10.88.0.6", asNumber: 65000, ...external, routeReflectorClient: true },
    ],
    kernel: { install: true },
  });
  await client.start({
    asNumber: 65000,
    peers: [{ name: "hub", address: "10.88.0.1", asNumber: 65000, connectRetryTime: 1, addPath: { receive: true } }],
    kernel: { install: true },
  });
  await Promise.all([
    x.start(announcer(2)),
    y.start(announcer(3)),
    z.start(`${one("first", 1)}${one("second", 2)}${session("hub", 5, 1, "source = RTS_STATIC", "add paths on;")}`),
    frr.start(frrFile()),
  ]);
  await Promise.all([hub.established(30), client.established(30)]);
});

afterAll(() => segment.remove());

/** All AS paths z has to a prefix. */
const pathsAtZ = async (prefix: string): Promise<string[]> =>
  [...(await z.routes(prefix)).matchAll(/BGP\.as_path: ([\d ]+)/g)].map(([, path]) => path as string).sort();

/** All AS paths FRR has to a prefix from the speaker. */
const pathsAtFrr = async (prefix: string): Promise<string[]> =>
  (await frr.paths(prefix)).map(({ aspath }) => aspath.string).sort();

/** The gateways of the kernel's one route to the prefix. */
async function gateways({ netns }: Station, prefix: string): Promise<string[]> {
  const family = prefix.includes(":") ? "-6" : "-4";
  const said = await must(["ip", "-n", netns, family, "route", "show", "exact", prefix, "proto", "201"]);
  return [...said.matchAll(/via (\S+)/g)].map(([, gateway]) => gateway as string).sort();
}

const soon = (what: string, expected: unknown, found: () => Promise<unknown>) =>
  eventually(what, 20, async () => {
    expect(await found()).toEqual(expected);
    return true;
  });

test.each(FAMILIES)("BIRD and FRR are told all paths (family %i)", async (family) => {
  const two = ["65000 65002", "65000 65003"];
  await soon("BIRD has both paths", two, () => pathsAtZ(BOTH[family]));
  await soon("FRR has both paths", two, () => pathsAtFrr(BOTH[family]));
  await soon("BIRD has both paths that FRR has", ["65000 65004 65002", "65000 65004 65003"], () =>
    pathsAtZ(FAR[family]),
  );
});

test.each(FAMILIES)("FRR and BIRD tell all paths (family %i)", async (family) => {
  await soon("both of FRR's are here", ["65004 65002", "65004 65003"], async () => {
    const found = await hub.routes({ in: "frr", prefix: FAR[family] });
    expect(new Set(found.map(({ pathID }) => pathID)).size).toBe(found.length);
    return found.map(({ attributes }) => attributes.asPath).sort();
  });
  await soon("both of BIRD's are here", ["65005:1", "65005:2"], async () => {
    const found = await hub.routes({ in: "z", prefix: TWICE[family] });
    return found.flatMap(({ attributes }) => attributes.communities ?? []).sort();
  });
});

test.each(FAMILIES)(
  "paths that are equally good are one kernel route of several next hops (family %i)",
  async (family) => {
    const prefixed = family === 0 ? "10.88.0." : "fd88::";
    const expected = [2, 3].map((n) => `${prefixed}${n}`);
    await soon("over eBGP", expected, () => gateways(hub.station, BOTH[family]));
    await soon("through a reflector", expected, () => gateways(client.station, BOTH[family]));
  },
);

test("one path of several is withdrawn alone", async () => {
  for (const name of ["second4", "second6"]) await z.ask(`disable ${name}`);
  for (const prefix of TWICE) {
    await soon("one is left", ["65005:1"], async () =>
      (await hub.routes({ in: "z", prefix })).flatMap(({ attributes }) => attributes.communities ?? []),
    );
  }
  await x.end();
  for (const family of FAMILIES) {
    const gateway = [family === 0 ? "10.88.0.3" : "fd88::3"];
    await soon("the kernel has one next hop", gateway, () => gateways(hub.station, BOTH[family]));
    await soon("so has the client's", gateway, () => gateways(client.station, BOTH[family]));
    await soon("BIRD has one path", ["65000 65003"], () => pathsAtZ(BOTH[family]));
    await soon("FRR has one path", ["65000 65003"], () => pathsAtFrr(BOTH[family]));
    await soon("and one of FRR's is here", ["65004 65003"], async () =>
      (await hub.routes({ in: "frr", prefix: FAR[family] })).map(({ attributes }) => attributes.asPath),
    );
  }
});

test("no session has flapped", async () => {
  expect(await hub.sessions()).toEqual({ x: 1, y: 1, frr: 1, z: 1, client: 1 });
});
