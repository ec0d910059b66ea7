/**
 * Sessions by other addresses than an IPv4 one known before: IPv6 link-local, with IPv4 routes over IPv6 next hops (RFC
 * 8950) that forward real packets; and whoever calls from a range, signed with a password (RFC 2385) that changes.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { must } from "./harness/command.ts";
import { reaches } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Segment, type Station } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const FIRST_WORD = "between the two of us";
const SECOND_WORD = "and nobody else";
/** Of the speaker's host and of BIRD's, on their loopback interfaces. */
const OWN = ["203.0.113.1", "2001:db8:113::1"] as const;
const FAR = ["198.51.100.1", "2001:db8:100::1"] as const;
const hostRoutes = ([ipv4, ipv6]: readonly [string, string]) => [`${ipv4}/32`, `${ipv6}/128`];

const segment = new Segment();
let hub: Speaker;
/** On a link without IPv4; by its address; two and a stranger from the range 10.88.0.64/27. */
let near: Bird;
let fixed: Bird;
let guests: readonly Bird[];
let stranger: Bird;

const hubFile = (nearAddress: string, password: string) => ({
  asNumber: 65000,
  peers: [
    { name: "near", address: `${nearAddress}%eth1`, asNumber: 65002, connectRetryTime: 1 },
    { name: "fixed", address: "10.88.0.3", asNumber: 65003, connectRetryTime: 1, password: "a third one" },
    { name: "guests", address: "10.88.0.64/27", password },
  ],
  networks: hostRoutes(OWN),
  kernel: { install: true },
});

async function addOwn({ netns }: Station, addresses: readonly [string, string]): Promise<void> {
  for (const address of hostRoutes(addresses)) {
    await must(["ip", "-n", netns, "address", "add", address, "dev", "lo"]);
  }
}

/** Once it may be used: a new one is first tried for whether somebody else has it. */
const linkLocal = ({ netns }: Station): Promise<string> =>
  eventually("the link-local address may be used", 10, async () => {
    const said = await must(["ip", "-n", netns, "-6", "address", "show", "dev", "eth1", "scope", "link", "-tentative"]);
    return /inet6 (fe80:[^/]+)/.exec(said)?.[1];
  });

function nearFile(own: string, speaker: string): string {
  const [ipv4, ipv6] = hostRoutes(FAR).map((prefix) => `route ${prefix} via "lo";`);
  const kernel = (family: 4 | 6, source: string) => `protocol kernel {
  ipv${family} { import none; export filter { if source != RTS_BGP then reject; krt_prefsrc = ${source}; accept; }; };
}
`;
  return `${kernel(4, FAR[0])}${kernel(6, FAR[1])}protocol static { ipv4; ${ipv4} }
protocol static { ipv6; ${ipv6} }
protocol bgp hub {
  local ${own}%eth1 as 65002; neighbor ${speaker}%eth1 as 65000; connect delay time 1;
  ipv4 { import all; export where source = RTS_STATIC; extended next hop on; };
  ipv6 { import all; export where source = RTS_STATIC; };
}
`;
}

const calling = (n: number, password: string) => `protocol static { ipv4; route 198.51.${n}.0/24 blackhole; }
protocol bgp hub {
  local 10.88.0.${n} as ${65000 + n}; neighbor 10.88.0.1 as 65000; password "${password}";
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
}
`;

let nearAddress: string;

beforeAll(async () => {
  await segment.make();
  hub = new Speaker(segment, await segment.station("hub0", 1));
  near = new Bird(segment, await segment.apart("near", "10.88.0.2", ""));
  await segment.bareCable(1, hub.station, near.station);
  fixed = new Bird(segment, await segment.station("fixed", 3));
  guests = [
    new Bird(segment, await segment.station("guest65", 65)),
    new Bird(segment, await segment.station("guest66", 66)),
  ];
  stranger = new Bird(segment, await segment.station("stranger", 67));
  await addOwn(hub.station, OWN);
  await addOwn(near.station, FAR);
  const own = await linkLocal(hub.station);
  nearAddress = await linkLocal(near.station);
  await hub.start(hubFile(nearAddress, FIRST_WORD));
  await Promise.all([
    near.start(nearFile(nearAddress, own)),
    fixed.start(calling(3, "a third one")),
    ...guests.map((guest, i) => guest.start(calling(65 + i, FIRST_WORD))),
    stranger.start(calling(67, "a guess")),
  ]);
  await hub.established(30, "near", "fixed");
});

afterAll(() => segment.remove());

describe("a link-local neighbour", () => {
  test("has a session, with IPv4 routes over IPv6 next hops", async () => {
    const { negotiated, localAddress } = await hub.peer("near");
    expect(negotiated).toMatchObject({ extendedNextHop: true, families: ["ipv4-unicast", "ipv6-unicast"] });
    expect(localAddress).toMatch(/^fe80:/);
    for (const [i, prefix] of hostRoutes(FAR).entries()) {
      const family = i === 0 ? "-4" : "-6";
      const where = ["route", "show", "exact", prefix, "proto", "201"];
      await eventually(`${prefix} is in the kernel`, 15, async () => {
        const said = await must(["ip", "-n", hub.station.netns, family, ...where]);
        return said.includes(`via ${family === "-4" ? "inet6 " : ""}${nearAddress} dev eth1`);
      });
    }
  });

  test("is reached over them, and reaches us", async () => {
    for (const prefix of hostRoutes(OWN)) {
      await eventually(`BIRD has ${prefix}`, 15, async () => /via fe80:\S+ on eth1/.test(await near.routes(prefix)));
    }
    await reaches(hub.station.netns, FAR, 10);
    await reaches(near.station.netns, OWN, 10);
  });
});

describe("neighbours from a range, with a password", () => {
  const name = (n: number) => `guests/10.88.0.${n}`;

  const guestsAreUp = () => hub.established(30, name(65), name(66));

  test("have sessions, in whatever AS; their routes arrive", async () => {
    await guestsAreUp();
    for (const n of [65, 66]) {
      await eventually(`the route of guest ${n} arrives`, 15, async () => {
        const [route] = await hub.routes({ in: name(n), prefix: `198.51.${n}.0/24` });
        return route?.attributes.asPath === String(65000 + n);
      });
    }
  });

  test("have none with a wrong password", async () => {
    const isKnown = async () => (await hub.peers()).some((peer) => peer.name === name(67));
    await always("the stranger is not let in", 2, async () => !(await isKnown()));
    expect(await stranger.ask("show protocols all hub")).not.toContain("Established");
  });

  test("are let in with a new one when it has changed; other sessions go on", async () => {
    const before = await hub.sessions();
    hub.reload(hubFile(nearAddress, SECOND_WORD));
    await eventually("the old word is of no use any more", 15, async () => {
      const states = await Promise.all(guests.map((guest) => guest.ask("show protocols all hub")));
      return states.every((said) => !/BGP state:\s+Established/.test(said));
    });
    for (const [i, guest] of guests.entries()) await guest.configure(calling(65 + i, SECOND_WORD));
    await guestsAreUp();
    for (const guest of guests) await guest.established("hub");
    expect(await hub.sessions()).toMatchObject({ near: before["near"], fixed: before["fixed"] });
    expect(before).toMatchObject({ near: 1, fixed: 1 });
  });
});
