/**
 * A full Internet table and more: 1,000,000 IPv4 and 200,000 IPv6 prefixes from BIRD through `overland speaker` to FRR,
 * while a session with a hold time of three seconds stays up. A part of it through the kernel, where the speaker is
 * killed and sweeps exactly what has gone.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { must } from "./harness/command.ts";
import { eventually } from "./harness/wait.ts";
import { Bird } from "./interop/bird.ts";
import { Frr } from "./interop/frr.ts";
import { attributesOf, type Part, prefixOf, staticProtocol } from "./interop/full-table.ts";
import { Segment } from "./interop/segment.ts";
import { Speaker } from "./interop/speaker.ts";

const PARTS: readonly Part[] = [
  { name: "a4", family: 4, from: 0, to: 100_000 },
  { name: "b4", family: 4, from: 100_000, to: 200_000 },
  { name: "c4", family: 4, from: 200_000, to: 500_000 },
  { name: "d4", family: 4, from: 500_000, to: 1_000_000 },
  { name: "a6", family: 6, from: 0, to: 10_000 },
  { name: "b6", family: 6, from: 10_000, to: 20_000 },
  { name: "c6", family: 6, from: 20_000, to: 100_000 },
  { name: "d6", family: 6, from: 100_000, to: 200_000 },
];
const TO_KERNEL = PARTS.filter(({ name }) => /[ab]/.test(name));
const FULL = { ipv4: 1_000_000, ipv6: 200_000 };
/** One prefix of each family from the small neighbour. */
const SMALL = ["203.0.113.0/24", "2001:db8:113::/48"] as const;
const PEAK_MEMORY_MIB = 700;

const segment = new Segment();
let hub: Speaker;
let fib: Speaker;
let sender: Bird;
let small: Bird;
let receiver: Frr;

beforeAll(async () => {
  await segment.make();
  hub = new Speaker(segment, await segment.station("hub0", 1));
  sender = new Bird(segment, await segment.station("sender", 2));
  receiver = new Frr(segment, await segment.station("receiver", 3));
  small = new Bird(segment, await segment.station("small", 4));
  fib = new Speaker(segment, await segment.station("fib", 5));
  await hub.start({
    asNumber: 65000,
    peers: [
      { name: "sender", address: "10.88.0.2", asNumber: 65002, passive: true, export: "Reject" },
      { name: "receiver", address: "10.88.0.3", asNumber: 65003, passive: true },
      // Told nothing: only KEEPALIVEs hold this session.
      { name: "small", address: "10.88.0.4", asNumber: 65004, passive: true, holdTime: 3, export: "Reject" },
    ],
  });
  await Promise.all([
    small.start(`protocol static { ipv4; route ${SMALL[0]} blackhole; }
protocol static { ipv6; route ${SMALL[1]} blackhole; }
protocol bgp hub {
  local 10.88.0.4 as 65004; neighbor 10.88.0.1 as 65000; hold time 3; connect delay time 1;
  ipv4 { import all; export all; };
  ipv6 { import all; export all; next hop address fd88::4; };
}
`),
    receiver.start(`router bgp 65003
 bgp router-id 10.88.0.3
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor 10.88.0.1 remote-as 65000
 neighbor 10.88.0.1 timers 10 30
 address-family ipv4 unicast
  neighbor 10.88.0.1 activate
  neighbor 10.88.0.1 route-map nothing out
 exit-address-family
 address-family ipv6 unicast
  neighbor 10.88.0.1 activate
  neighbor 10.88.0.1 route-map nothing out
 exit-address-family
route-map nothing deny 1
`),
  ]);
  await hub.established(20, "receiver", "small");
});

afterAll(() => segment.remove());

/** BIRD with these parts, all of which it tells to the speaker at host number `to`, in that AS. */
async function startSender(parts: readonly Part[], to: number, asNumber: number): Promise<void> {
  const statics = parts.map((part) => staticProtocol(part, `${sender.station.base}.${part.name}`));
  await sender.start(`${statics.join("")}protocol bgp speaker {
  local 10.88.0.2 as 65002; neighbor 10.88.0.${to} as ${asNumber}; hold time 30;
  connect delay time 1; connect retry time 1; error wait time 1, 2;
  ipv4 { import none; export where source = RTS_STATIC; };
  ipv6 { import none; export where source = RTS_STATIC; next hop address fd88::2; };
}
`);
}

async function receiverHas(ipv4: number, ipv6: number, seconds: number): Promise<void> {
  await eventually(`FRR has ${ipv4} and ${ipv6} prefixes`, seconds, async () => {
    const counts = await Promise.all((["ipv4", "ipv6"] as const).map((one) => receiver.received(one, "10.88.0.1")));
    expect(counts).toEqual([ipv4, ipv6]);
    return true;
  });
}

/** Numbers all over the range, its ends among them. */
const sample = (from: number, to: number): number[] =>
  Array.from({ length: 12 }, (_, i) => from + Math.floor(((to - 1 - from) * i) / 11));

describe("1,000,000 IPv4 and 200,000 IPv6 prefixes through the speaker", () => {
  test("all of them arrive", async () => {
    await startSender(PARTS, 1, 65000);
    await receiverHas(FULL.ipv4 + 1, FULL.ipv6 + 1, 90);
    const sender = (await hub.peers()).find(({ name }) => name === "sender");
    expect(sender?.families.map(({ received, best }) => [received, best])).toEqual(
      [FULL.ipv4, FULL.ipv6].map((count) => [count, count]),
    );
  });

  test.each(PARTS)("those of $name with path and communities as they were sent", async ({ family, from, to }) => {
    for (const i of sample(from, to)) {
      const { path, communities } = attributesOf(i);
      const [only, ...more] = await receiver.paths(prefixOf(family, i));
      expect(more).toEqual([]);
      expect(only?.aspath.string).toBe([65000, 65002, ...path].join(" "));
      expect(only?.community?.string.split(" ")).toEqual(communities);
      expect(only?.nexthops[0]?.ip).toBe(family === 4 ? "10.88.0.1" : "fd88::1");
    }
  });

  test("half of them are withdrawn: they are gone, and the others are there", async () => {
    for (const part of ["d4", "d6"]) await sender.ask(`disable ${part}`);
    await receiverHas(FULL.ipv4 / 2 + 1, FULL.ipv6 / 2 + 1, 60);
    for (const { family, name, from, to } of PARTS) {
      for (const i of [from, to - 1]) {
        expect(await receiver.paths(prefixOf(family, i))).toHaveLength(name.startsWith("d") ? 0 : 1);
      }
    }
  });

  test("they come back, and go when the sender dies", async () => {
    for (const part of ["d4", "d6"]) await sender.ask(`enable ${part}`);
    await receiverHas(FULL.ipv4 + 1, FULL.ipv6 + 1, 60);
    await sender.end();
    await receiverHas(1, 1, 60);
    for (const prefix of SMALL) {
      expect((await receiver.paths(prefix)).map(({ aspath }) => aspath.string)).toEqual(["65000 65004"]);
    }
  });

  test("no session has flapped, and memory was bounded", async () => {
    expect(await hub.sessions()).toEqual({ sender: 1, receiver: 1, small: 1 });
    expect(hub.peakMemory()).toBeLessThan(PEAK_MEMORY_MIB);
    await hub.end("SIGTERM");
  });
});

describe("200,000 IPv4 and 20,000 IPv6 prefixes in the kernel", () => {
  const kernelRoutes = async (family: 4 | 6, ...words: readonly string[]): Promise<string[]> => {
    const said = await must(["ip", "-n", fib.station.netns, `-${family}`, "route", "show", ...words]);
    return said.split("\n").filter((line) => line !== "");
  };
  const kernelHas = (ipv4: number, ipv6: number, seconds: number) =>
    eventually(`the kernel has ${ipv4} and ${ipv6} routes of ours`, seconds, async () => {
      const found = await Promise.all(([4, 6] as const).map((family) => kernelRoutes(family, "proto", "201")));
      expect(found.map((lines) => lines.length)).toEqual([ipv4, ipv6]);
      return true;
    });
  const others = async () =>
    [...(await kernelRoutes(4)), ...(await kernelRoutes(6))].filter((line) => !line.includes("proto 201"));
  let foreign: readonly string[];

  test("all of them are installed", async () => {
    for (const [family, prefix, gateway] of [
      ["-4", "198.18.0.0/24", "10.88.0.3"],
      ["-6", "2001:db8:18::/48", "fd88::3"],
    ] as const) {
      const { netns } = fib.station;
      await must(["ip", "-n", netns, family, "route", "add", prefix, "via", gateway, "proto", "static"]);
    }
    foreign = await others();
    await fib.start({
      asNumber: 65005,
      peers: [{ name: "sender", address: "10.88.0.2", asNumber: 65002, passive: true, export: "Reject" }],
      kernel: { install: true },
    });
    await startSender(TO_KERNEL, 5, 65005);
    await kernelHas(200_000, 20_000, 60);
    for (const { family, from, to } of TO_KERNEL) {
      for (const i of sample(from, to)) {
        const gateway = family === 4 ? "10.88.0.2" : "fd88::2";
        const [line] = await kernelRoutes(family, "exact", prefixOf(family, i));
        expect(line).toContain(`via ${gateway} dev eth0 proto 201`);
      }
    }
  });

  test("half of them leave it when they are withdrawn", async () => {
    for (const part of ["b4", "b6"]) await sender.ask(`disable ${part}`);
    await kernelHas(100_000, 10_000, 30);
  });

  test("a speaker killed leaves them; started again it sweeps exactly those that have gone meanwhile", async () => {
    await fib.end();
    for (const part of ["a4", "a6"]) await sender.ask(`disable ${part}`);
    for (const part of ["b4", "b6"]) await sender.ask(`enable ${part}`);
    await kernelHas(100_000, 10_000, 5);
    await fib.start();
    await eventually("what was gone is gone, and what is new is there", 60, async () => {
      for (const { name, family, from } of TO_KERNEL) {
        const found = await kernelRoutes(family, "exact", prefixOf(family, from));
        expect(found).toHaveLength(name.startsWith("b") ? 1 : 0);
      }
      return true;
    });
    await kernelHas(100_000, 10_000, 30);
    expect(await others()).toEqual(foreign);
  });

  test("stopped, it takes all of them with it and nothing else", async () => {
    await fib.end("SIGTERM");
    await kernelHas(0, 0, 5);
    expect(await others()).toEqual(foreign);
  });
});
