/**
 * Graceful restart under traffic (RFC 4724): host a, `overland speaker`, BIRD, host b in a row, pings between the hosts
 * 50 times a second, both families. Either router is killed with -9 and comes back, and not one packet is lost.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { must } from "./harness/command.ts";
import { reaches, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Segment, type Station } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const HOST_B = ["10.89.2.2", "fd89:2::2"] as const;
/** Behind BIRD beside the net of host b: 198.51.1.0/24 and 2001:db8:1::/48, and so on. */
const far = (n: number) => [`198.51.${n}.0/24`, `2001:db8:${n}::/48`] as const;

const segment = new Segment();
let a: Station;
let b: Station;
let overland: Speaker;
let bird: Bird;

const SPEAKER = {
  asNumber: 65000,
  peers: [{ name: "bird", address: "10.89.1.2", asNumber: 65002, maxRestartTime: 60, connectRetryTime: 1 }],
  networks: ["10.89.0.0/24", "fd89:0::/64"],
  kernel: { install: true },
};

/**
 * Only the speaker dials: BIRD takes a connection lost to a collision for the end of the session and drops its routes.
 *
 * BIRD that announces the net of host b, and of those behind it the ones with these numbers. */
function birdFile(...numbers: readonly number[]): string {
  const [ipv4, ipv6] = [0, 1].map((family) =>
    numbers.map((n) => `route ${far(n)[family as 0 | 1]} blackhole;`).join(" "),
  );
  const kernel = "persist; graceful restart on;";
  return `protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; ${kernel} }
protocol kernel { ipv6 { import none; export where source = RTS_BGP; }; ${kernel} }
protocol static { ipv4; route 10.89.2.0/24 via "eth2"; ${ipv4} }
protocol static { ipv6; route fd89:2::/64 via "eth2"; ${ipv6} }
protocol bgp overland {
  local 10.89.1.2 as 65002; neighbor 10.89.1.1 as 65000;
  passive; graceful restart on; graceful restart time 60; error wait time 1, 2;
  ipv4 { import all; export where source = RTS_STATIC; };
  ipv6 { import all; export where source = RTS_STATIC; next hop address fd89:1::2; };
}
`;
}

beforeAll(async () => {
  await segment.make();
  a = await segment.apart("a", "10.89.0.1", "fd89:0::1");
  overland = new Speaker(segment, await segment.apart("overland", "10.89.1.1", "fd89:1::1"));
  bird = new Bird(segment, await segment.apart("bird", "10.89.1.2", "fd89:1::2"));
  b = await segment.apart("b", HOST_B[0], HOST_B[1]);
  await segment.cable(0, a, overland.station);
  await segment.cable(1, overland.station, bird.station);
  await segment.cable(2, bird.station, b);
  for (const { netns } of [overland.station, bird.station]) {
    const forwarding = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"];
    await must(["sysctl", "-q", "-w", ...forwarding], { netns });
  }
  for (const [{ netns }, ipv4, ipv6] of [
    [a, "10.89.0.2", "fd89:0::2"],
    [b, "10.89.2.1", "fd89:2::1"],
  ] as const) {
    await must(["ip", "-n", netns, "route", "add", "default", "via", ipv4]);
    await must(["ip", "-n", netns, "-6", "route", "add", "default", "via", ipv6]);
  }
  await bird.start(birdFile(1, 2, 3, 4, 5), "-R");
  await overland.start(SPEAKER);
  await overland.established(20);
});

afterAll(() => segment.remove());

/** Prefixes of either family whose routes in a router's kernel are of that protocol. */
async function kernelRoutes({ netns }: Station, protocol: string): Promise<string[]> {
  const asked = ["-4", "-6"].map((family) => must(["ip", "-n", netns, family, "route", "show", "proto", protocol]));
  const lines = (await Promise.all(asked)).flatMap((text) => text.split("\n")).filter((line) => line !== "");
  return lines.map((line) => line.split(" ", 1).join("")).sort();
}

/** What the speaker has to have in its kernel while BIRD announces these. */
const learned = (...numbers: readonly number[]) => ["10.89.2.0/24", "fd89:2::/64", ...numbers.flatMap(far)].sort();

const installed = () => kernelRoutes(overland.station, "201");

const installs = (...numbers: readonly number[]) =>
  eventually(`the kernel has the routes to ${numbers.join(", ")} and no other`, 20, async () => {
    expect(await installed()).toEqual(learned(...numbers));
    return true;
  });

const birdHasNoSession = () =>
  eventually("BIRD has noticed", 10, async () => !/Established/.test(await bird.ask("show protocols overland")));

/** Ours at BIRD, after End-of-RIB: none of them stale. */
const birdHasOurs = () =>
  eventually("BIRD has our routes, fresh", 20, async () => {
    const state = await bird.ask("show protocols all overland");
    expect(state).toMatch(/BGP state:\s+Established/);
    expect(state).not.toMatch(/Graceful restart active|Restart timer/);
    return (await kernelRoutes(bird.station, "bird")).length === 2;
  });

/** The work is done while host a and host b talk, and no packet is lost. */
async function underTraffic(work: () => Promise<void>): Promise<void> {
  await reaches(a.netns, HOST_B, 20);
  const talk = await stream(a.netns, HOST_B);
  await work();
  await reaches(a.netns, HOST_B, 2);
  await talk.lostNothing();
}

describe("the speaker is killed", () => {
  test("and started again: the kernel keeps its routes, nothing is lost", async () => {
    await installs(1, 2, 3, 4, 5);
    await underTraffic(async () => {
      await overland.end();
      await birdHasNoSession();
      expect(await installed()).toEqual(learned(1, 2, 3, 4, 5));
      await overland.start();
      await overland.established(20);
      await birdHasOurs();
      await installs(1, 2, 3, 4, 5);
    });
  });

  test("what went meanwhile is kept until the peer has said everything, and then swept exactly", async () => {
    await underTraffic(async () => {
      await overland.end();
      await birdHasNoSession();
      await bird.configure(birdFile(2, 4, 5, 6));
      // Its kernel forwards, but BIRD says nothing.
      bird.signal("SIGSTOP");
      await overland.start();
      await always("stale routes stay while the peer says nothing", 1.5, async () => {
        expect(await installed()).toEqual(learned(1, 2, 3, 4, 5));
        return true;
      });
      bird.signal("SIGCONT");
      await overland.established(20);
      await installs(2, 4, 5, 6);
      await birdHasOurs();
    });
  });

  test("three times, before there is a session and right after End-of-RIB", async () => {
    await underTraffic(async () => {
      await overland.end();
      await birdHasNoSession();
      bird.signal("SIGSTOP");
      await overland.start();
      await overland.end();
      bird.signal("SIGCONT");
      await overland.start();
      await birdHasOurs();
      await overland.end();
      await overland.start();
      await birdHasOurs();
      await installs(2, 4, 5, 6);
    });
    expect(readFileSync(`${overland.station.base}.log`, "utf8")).toContain("swept");
  });
});

describe("BIRD is killed", () => {
  const staleRoutes = async () => (await overland.peer("bird")).families.map(({ stale }) => stale);

  test("and started again: its routes are kept as stale, nothing is lost", async () => {
    await underTraffic(async () => {
      await bird.end();
      await eventually("the speaker has noticed", 10, async () => expect(await staleRoutes()).toEqual([5, 5]) ?? true);
      await always("the kernel's routes stay", 1, async () => {
        expect(await installed()).toEqual(learned(2, 4, 5, 6));
        return true;
      });
      await bird.start(undefined, "-R");
      await overland.established(20);
      await eventually("nothing is stale", 20, async () => expect(await staleRoutes()).toEqual([0, 0]) ?? true);
      await birdHasOurs();
    });
    expect(await installed()).toEqual(learned(2, 4, 5, 6));
  });

  test("twice, and comes back with fewer routes: those are swept, nothing is lost", async () => {
    await underTraffic(async () => {
      await bird.end();
      await eventually("the speaker has noticed", 10, async () => expect(await staleRoutes()).toEqual([5, 5]) ?? true);
      await bird.start(undefined, "-R");
      await overland.established(20);
      await birdHasOurs();
      await bird.end();
      await bird.start(birdFile(6), "-R");
      await overland.established(20);
      await installs(6);
      await birdHasOurs();
    });
  });
});
