import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { listLinks } from "../kernel/links.ts";
import { KernelRoutes } from "../kernel/routes.ts";
import { ip, ipJson, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns, until } from "../kernel/testing.ts";
import { openLog } from "../telemetry/log.ts";
import { WantedTable } from "./forwarding-testing.ts";
import { KernelView } from "./kernel-view.ts";

let netns: TestNetns;
let other: TestNetns;
let wanted: WantedTable;
let view: KernelView;
let underlay: readonly UnderlayRoute[];
let told: number;

beforeEach(() => {
  netns = makeTestNetns();
  other = makeTestNetns();
  joinTestNetns(netns, other, ["10.1.0.1/24", "fd00:1::1/64"], []);
  wanted = new WantedTable();
});

afterEach(async () => {
  await view.stop();
  removeTestNetns(netns);
  removeTestNetns(other);
});

function start(options: { table?: number; install?: boolean } = {}): void {
  const { table, install = true } = options;
  view = new KernelView({
    log: openLog({ level: "error" }),
    netns: netns.path,
    ...(table === undefined ? {} : { table }),
  });
  told = 0;
  view.serve({
    underlay(routes) {
      underlay = routes;
      told++;
    },
    ...(install ? { wanted } : {}),
  });
}

function hops(...gateways: readonly string[]) {
  const { index } = listLinks(netns.path).find(({ name }) => name === "left") as { index: number };
  return gateways.map((gateway) => ({ gateway: addressOf(gateway), interfaceIndex: index }));
}

async function want(prefix: string, ...gateways: readonly string[]): Promise<void> {
  wanted.want(prefix, gateways.length === 0 ? undefined : hops(...gateways));
  await view.forwarding?.settle();
}

/** Prefix and gateways, as iproute2 shows them. */
function shown(protocol: string | number = 201, table: number | string = "main"): string[] {
  const routes = [4, 6].flatMap((family) => ipJson(netns, `-${family} route show table ${table} proto ${protocol}`));
  return routes
    .map(({ dst, gateway, nexthops, type }) => {
      const several = (nexthops as { gateway: string }[] | undefined)?.map((hop) => hop.gateway).join(",");
      return `${dst as string} ${several ?? (gateway as string | undefined) ?? (type as string)}`;
    })
    .sort();
}

/** The gateways of a route in the underlay; "" for one without, undefined for none. */
function under(prefix: string): string | undefined {
  const route = underlay.find((found) => formatPrefix(found.prefix) === prefix);
  return route?.via.map(({ gateway }) => (gateway === undefined ? "" : formatAddress(gateway))).join(",");
}

const hopsToNowhere = [{ gateway: addressOf("192.0.2.1") }];
const V4 = "10.9.0.0/16";
const V6 = "fd00:9::/48";

describe("routes we want", () => {
  beforeEach(async () => {
    start();
    await want(V4, "10.1.0.2", "10.1.0.3");
    await want(V6, "fd00:1::2", "fd00:1::3");
  });

  const whole = [`${V4} 10.1.0.2,10.1.0.3`, `${V6} fd00:1::2,fd00:1::3`];

  it("are written, and put right at once when somebody removes or changes them", async () => {
    expect(shown()).toEqual(whole);
    ip(netns, `route del ${V4} proto 201`);
    ip(netns, `-6 route del ${V6} proto 201`);
    await until("they are back", () => shown().join() === whole.join());
    ip(netns, `route replace ${V4} via 10.1.0.4 dev left proto 201 metric 1024`);
    ip(netns, `-6 route replace ${V6} via fd00:1::4 dev left proto 201 metric 1024`);
    await until("they are as before", () => shown().join() === whole.join());
    expect(view.forwarding?.installed).toBe(2);
  });

  it("are there again after their link was down for a moment, though the kernel says nothing", async () => {
    ip(netns, "link set left down");
    ip(netns, "link set left up");
    ip(netns, "addr replace fd00:1::1/64 dev left nodad");
    await until("they are back", () => shown().join() === whole.join());
  });

  it("are there again after their link had no carrier for a moment", async () => {
    ip(other, "link set right down");
    await until("the carrier is gone", () => under("10.1.0.0/24") === undefined);
    ip(other, "link set right up");
    await until("they are back", () => shown().join() === whole.join());
  });

  it("are there again after somebody flushed their nexthop objects", async () => {
    ip(netns, "nexthop flush");
    await until("they are back", () => shown().join() === whole.join());
  });

  it("that are refused by the thousand are counted, and come when they can", async () => {
    for (let i = 0; i < 40_000; i++)
      wanted.want(`100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}/32`, hopsToNowhere);
    await view.forwarding?.settle();
    expect([view.forwarding?.refused, view.forwarding?.installed]).toEqual([40_000, 2]);
    ip(netns, "addr add 192.0.2.9/24 dev left");
    await until("they are there", () => view.forwarding?.refused === 0, 10_000);
    expect(view.forwarding?.installed).toBe(40_002);
    expect(ip(netns, "route show 100.64.156.63")).toContain("via 192.0.2.1");
  }, 30_000);

  it("are there again after the address of their gateways' network was gone for a moment", async () => {
    ip(netns, "addr del 10.1.0.1/24 dev left");
    ip(netns, "addr add 10.1.0.1/24 dev left");
    await until("they are back", () => shown().join() === whole.join());
  });

  it("give way to a route of somebody else at their place, and come back after it", async () => {
    ip(netns, `route replace ${V4} via 10.1.0.4 dev left proto static metric 1024`);
    await until("it is seen", () => view.forwarding?.refused === 1);
    await want(V4, "10.1.0.5");
    expect(shown("static")).toContain(`${V4} 10.1.0.4`);
    expect(view.forwarding?.installed).toBe(1);
    ip(netns, `route del ${V4} proto static`);
    await until("ours is back", () => shown().includes(`${V4} 10.1.0.5`));
    await until("it is counted", () => view.forwarding?.installed === 2);
  });

  it("are removed, all and nothing else, when the speaker goes for good", async () => {
    ip(netns, "route add 10.7.0.0/16 via 10.1.0.7 proto 201 metric 64");
    view.forwarding?.setBlackholes([prefixOf("10.8.0.0/26")]);
    await view.removeOurs();
    expect(shown()).toEqual(["10.7.0.0/16 10.1.0.7"]);
  });

  it("do not keep the kernel busy when two programs disagree over them", async () => {
    const rival = KernelRoutes.open({ netns: netns.path });
    const { address, length } = prefixOf(V4);
    const theirs = hops("10.1.0.4");
    let writes = 0;
    const deadline = performance.now() + 600;
    while (performance.now() < deadline) {
      if (!shown().includes(`${V4} 10.1.0.4`)) {
        rival.replace(address, length, theirs);
        await rival.send();
        writes++;
      }
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    rival.close();
    expect(writes).toBeLessThan(5);
    await until("ours stays", () => shown().join() === whole.join());
  });
});

describe("after a restart", () => {
  it("routes of an earlier run stay until the sweep; others' routes and pods' routes always", async () => {
    for (const octet of [1, 2, 3]) ip(netns, `route add 10.9${octet}.0.0/16 via 10.1.0.9 proto 201 metric 1024`);
    ip(netns, "-6 route add fd00:93::/48 via fd00:1::9 proto 201 metric 1024");
    ip(netns, "route add 10.7.0.0/16 via 10.1.0.7 proto 201 metric 64");
    ip(netns, "route add 10.8.0.0/16 via 10.1.0.7 proto static metric 1024");
    start();
    expect(view.left).toBe(4);
    await want("10.91.0.0/16", "10.1.0.2");
    wanted.want("10.92.0.0/16", hops("10.1.0.9"));
    view.forwarding?.setBlackholes([prefixOf("10.94.0.0/26")]);
    expect(await view.look()).toBe(0);
    expect(shown()).toHaveLength(6);
    expect(await view.sweep()).toBe(2);
    await view.forwarding?.settle();
    expect(shown()).toEqual([
      "10.7.0.0/16 10.1.0.7",
      "10.91.0.0/16 10.1.0.2",
      "10.92.0.0/16 10.1.0.9",
      "10.94.0.0/26 blackhole",
    ]);
    expect(shown("static")).toEqual(["10.8.0.0/16 10.1.0.7"]);
    // From now on what nobody wants is removed whenever it appears.
    ip(netns, "route add 10.95.0.0/16 via 10.1.0.9 proto 201 metric 1024");
    await until("it is gone", () => shown().length === 4);
  });
});

describe("routes of others", () => {
  beforeEach(() => start({ install: false }));

  it("are told as they are, and told again when they change", async () => {
    expect([under("10.1.0.0/24"), under("fd00:1::/64")]).toEqual(["", ""]);
    for (const [family, prefix, a, b] of [
      ["-4", "10.6.0.0/16", "10.1.0.2", "10.1.0.3"],
      ["-6", "fd00:6::/48", "fd00:1::2", "fd00:1::3"],
    ] as const) {
      const becomes = (gateways: string | undefined) =>
        until(`${prefix} by ${gateways ?? "nothing"}`, () => under(prefix) === gateways);
      ip(netns, `${family} route add ${prefix} via ${a}`);
      await becomes(a);
      ip(netns, `${family} route replace ${prefix} nexthop via ${a} nexthop via ${b}`);
      await becomes(`${a},${b}`);
      ip(netns, `${family} route replace ${prefix} via ${b}`);
      await becomes(b);
      ip(netns, `${family} route add ${prefix} via ${a} metric 7`);
      await until("both", () => underlay.filter((r) => formatPrefix(r.prefix) === prefix).length === 2);
      ip(netns, `${family} route del ${prefix} metric 7`);
      ip(netns, `${family} route replace blackhole ${prefix}`);
      await becomes("");
      ip(netns, `${family} route flush ${prefix}`);
      await becomes(undefined);
    }
  });

  it("stay what they are while the kernel tells of others", async () => {
    for (let i = 0; i < 20; i++) {
      ip(netns, `route add 10.${100 + i}.0.0/16 via 10.1.0.${2 + i}`);
      await until(`route ${i} is told`, () => under(`10.${100 + i}.0.0/16`) !== undefined);
    }
    const told = Array.from({ length: 20 }, (_, i) => under(`10.${100 + i}.0.0/16`));
    expect(told).toEqual(Array.from({ length: 20 }, (_, i) => `10.1.0.${2 + i}`));
  });

  it("of IPv6 that the kernel joins and parts are told so", async () => {
    ip(netns, "-6 route add fd00:6::/48 via fd00:1::2");
    ip(netns, "-6 route append fd00:6::/48 via fd00:1::3");
    await until("two", () => under("fd00:6::/48")?.split(",").sort().join() === "fd00:1::2,fd00:1::3");
    ip(netns, "-6 route del fd00:6::/48 via fd00:1::2");
    await until("one", () => under("fd00:6::/48") === "fd00:1::3");
  });

  it("with nexthop objects are told, and gone with their object", async () => {
    ip(netns, "nexthop add id 1 via 10.1.0.2 dev left");
    ip(netns, "route add 10.6.0.0/16 nhid 1");
    await until("it is there", () => under("10.6.0.0/16") === "10.1.0.2");
    ip(netns, "nexthop del id 1");
    await until("it is gone", () => under("10.6.0.0/16") === undefined);
  });

  it("that cannot be used for want of carrier are not told", async () => {
    ip(other, "link set right down");
    await until("they are gone", () => under("10.1.0.0/24") === undefined);
    ip(other, "link set right up");
    await until("they are back", () => under("10.1.0.0/24") === "");
  });

  it("are neither ours nor a pod's nor of another table, which change nothing", async () => {
    // The kernel says something of each IPv6 address once it has found no other one like it.
    await until("no address is tentative", () => !ip(netns, "-6 addr show").includes("tentative"));
    const sign = async (prefix: string) => {
      ip(netns, `route add ${prefix} via 10.1.0.2`);
      await until(`${prefix} is told`, () => under(prefix) === "10.1.0.2");
    };
    await sign("10.5.0.0/16");
    const before = told;
    ip(netns, "route add 10.7.0.0/16 via 10.1.0.7 proto 201 metric 64");
    ip(netns, "route add 10.8.0.0/16 via 10.1.0.7 proto 201 metric 1024");
    ip(netns, "route add 10.6.0.0/16 via 10.1.0.7 table 100");
    const { length } = underlay;
    await sign("10.9.0.0/16");
    expect({ told, routes: underlay.length }).toEqual({ told: before + 1, routes: length + 1 });
    expect(await view.look()).toBe(0);
    expect([under("10.6.0.0/16"), under("10.7.0.0/16"), under("10.8.0.0/16")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("are read anew when more happened than could be heard", async () => {
    const rival = KernelRoutes.open({ netns: netns.path, protocol: 4 });
    // All within one turn of the loop, in which nothing is read.
    for (let i = 0; i < 150_000; i++) {
      rival.blackhole(Uint8Array.of(100, i >> 16, i >> 8, i), 32);
      if (rival.waiting === 190) void rival.send();
    }
    ip(netns, "route add 10.6.0.0/16 via 10.1.0.2");
    await until("all are known", () => under("10.6.0.0/16") === "10.1.0.2" && underlay.length > 149_000, 15_000);
    rival.close();
  }, 30_000);
});

describe("another table than the main one", () => {
  it("takes our routes, keeps what others have there, and is swept; next hops come from the main one", async () => {
    ip(netns, "route add 10.91.0.0/16 via 10.1.0.9 proto 201 metric 1024 table 1000");
    ip(netns, "route add 10.92.0.0/16 via 10.1.0.9 proto 201 metric 1024");
    ip(netns, "route add 10.93.0.0/16 via 10.1.0.9 proto static metric 1024 table 1000");
    ip(netns, "-6 route add blackhole fd00:99::/48 table 1000");
    start({ table: 1000 });
    expect(view.left).toBe(1);
    expect([under("10.1.0.0/24"), under("10.93.0.0/16")]).toEqual(["", undefined]);
    await want(V4, "10.1.0.2");
    await want("10.93.0.0/16", "10.1.0.2");
    expect(await view.sweep()).toBe(1);
    await view.forwarding?.settle();
    expect(shown(201, 1000)).toEqual([`${V4} 10.1.0.2`]);
    expect(shown("static", 1000)).toEqual(["10.93.0.0/16 10.1.0.9"]);
    expect(shown()).toEqual(["10.92.0.0/16 10.1.0.9"]);
    ip(netns, `route del ${V4} table 1000`);
    await until("it is back", () => shown(201, 1000).length === 1);
  });
});
