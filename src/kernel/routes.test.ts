import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { listLinks } from "./links.ts";
import { type FailedWrite, finish, KernelRoutes, type NextHop, type RouteTarget } from "./routes.ts";
import { ip, ipJson, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns, until } from "./testing.ts";

let netns: TestNetns;
let other: TestNetns;
let routes: KernelRoutes;

beforeEach(() => {
  netns = makeTestNetns();
  other = makeTestNetns();
  joinTestNetns(netns, other, ["10.1.0.1/24", "fd00:1::1/64"], []);
  routes = KernelRoutes.open({ netns: netns.path });
});

afterEach(() => {
  routes.close();
  removeTestNetns(netns);
  removeTestNetns(other);
});

const families = {
  4: { prefix: "10.9.0.0/16", gateways: ["10.1.0.2", "10.1.0.3", "10.1.0.4"] },
  6: { prefix: "fd00:9::/48", gateways: ["fd00:1::2", "fd00:1::3", "fe80::4"] },
} as const;

function hops(...gateways: readonly string[]): NextHop[] {
  const { index } = listLinks(netns.path).find(({ name }) => name === "left") as { index: number };
  return gateways.map((gateway) => ({ gateway: addressOf(gateway), interfaceIndex: index }));
}

function via(...gateways: readonly string[]): RouteTarget {
  return { kind: "unicast", nextHops: hops(...gateways) };
}

/** Puts in a change; `undefined` removes the route. */
function put(prefix: string, target: RouteTarget | undefined, into = routes): void {
  const { address, length } = prefixOf(prefix);
  const done =
    target === undefined
      ? into.remove(address, length)
      : target.kind === "blackhole"
        ? into.blackhole(address, length)
        : into.replace(address, length, target.nextHops);
  expect(done).toBe(true);
}

/** Makes one change; gives the errno if the kernel refused it. */
async function make(prefix: string, target: RouteTarget | undefined, at = routes): Promise<string | undefined> {
  put(prefix, target, at);
  const [failed] = await at.send();
  return failed?.errno;
}

/** The gateways iproute2 shows for the prefix, or its type; undefined when there is no such route of ours. */
function shown(family: 4 | 6, prefix: string): string[] | string | undefined {
  const found = ipJson(netns, `-${family} route show proto 201`).filter(({ dst }) => dst === prefix);
  if (found.length > 1) return `${found.length} routes`;
  const [route] = found;
  if (route === undefined) return undefined;
  expect(route["metric"]).toBe(1024);
  if (route["nexthops"] !== undefined) return (route["nexthops"] as { gateway: string }[]).map((hop) => hop.gateway);
  return route["gateway"] === undefined ? (route["type"] as string) : [route["gateway"] as string];
}

/** The same, as {@link KernelRoutes.list} says. */
function listed(prefix: string): string[] | string | undefined {
  const route = routes.list().find((r) => formatPrefix(r.prefix) === prefix && r.protocol === 201);
  if (route === undefined) return undefined;
  if (route.target.kind !== "unicast") return route.target.kind;
  return route.target.nextHops.map(({ gateway }) => (gateway === undefined ? "" : formatAddress(gateway)));
}

const KINDS = [
  [4, true],
  [6, true],
  [4, false],
  [6, false],
] as const;

describe.each(KINDS)("the kernel's IPv%i routes, next hops shared: %s", (family, shareNextHops) => {
  const { prefix, gateways } = families[family];
  const [a, b, c] = gateways;

  beforeEach(() => {
    routes.close();
    routes = KernelRoutes.open({ netns: netns.path, shareNextHops });
  });

  it("take every change of target from every other as a whole, and list it back", async () => {
    const targets: [RouteTarget | undefined, string[] | string | undefined][] = [
      [via(a), [a]],
      [via(a, b), [a, b]],
      [via(b, c), [b, c]],
      [via(a, b, c), [a, b, c]],
      [{ kind: "blackhole" }, "blackhole"],
      [undefined, undefined],
    ];
    for (const [from, before] of targets) {
      for (const [to, after] of targets) {
        expect(await make(prefix, from)).toBeUndefined();
        expect(shown(family, prefix)).toEqual(before);
        expect(await make(prefix, to)).toBeUndefined();
        expect(shown(family, prefix)).toEqual(after);
        expect(listed(prefix)).toEqual(after);
      }
    }
  });

  it("keep the route that is there when the new gateway cannot be reached", async () => {
    const gateway = addressOf(family === 4 ? "192.0.2.1" : "2001:db8::1");
    await make(prefix, via(a));
    put(prefix, { kind: "unicast", nextHops: [{ gateway }] });
    const errno = family === 4 ? "ENETUNREACH" : "EHOSTUNREACH";
    expect(await routes.send()).toEqual([{ prefix: prefixOf(prefix), change: "replace", errno }]);
    expect(shown(family, prefix)).toEqual([a]);
  });

  it("are removed only if they are ours", async () => {
    ip(netns, `-${family} route add ${prefix} via ${b} dev left metric 1024 proto static`);
    expect(await make(prefix, undefined)).toBeUndefined();
    expect(ipJson(netns, `-${family} route show proto static`)).toMatchObject([{ dst: prefix, gateway: b }]);
  });

  it("of another metric stand beside ours", async () => {
    ip(netns, `-${family} route add ${prefix} via ${b} dev left metric 7`);
    expect(await make(prefix, via(a))).toBeUndefined();
    expect(shown(family, prefix)).toEqual([a]);
    expect(await make(prefix, undefined)).toBeUndefined();
    expect(ipJson(netns, `-${family} route show ${prefix}`)).toMatchObject([{ metric: 7 }]);
  });

  it.each([100, 70_000])("go into table %i and nowhere else", async (table) => {
    const elsewhere = KernelRoutes.open({ netns: netns.path, table, shareNextHops });
    try {
      expect(elsewhere.list()).toEqual([]);
      for (const target of [via(a), via(a, b), { kind: "blackhole" } as const]) {
        expect(await make(prefix, target, elsewhere)).toBeUndefined();
        expect(elsewhere.list()).toMatchObject([{ prefix: prefixOf(prefix), table, protocol: 201, metric: 1024 }]);
        expect(ipJson(netns, `-${family} route show table ${table} proto 201`)).toHaveLength(1);
        expect(shown(family, prefix)).toBeUndefined();
      }
      expect(await make(prefix, undefined, elsewhere)).toBeUndefined();
      expect(elsewhere.list()).toEqual([]);
    } finally {
      elsewhere.close();
    }
  });
});

describe("routes with shared next hops and without", () => {
  it.each([4, 6] as const)("take each other's place as a whole: IPv%i", async (family) => {
    const { prefix, gateways } = families[family];
    const [a, b, c] = gateways;
    const unshared = KernelRoutes.open({ netns: netns.path, shareNextHops: false });
    for (const [from, to] of [
      [unshared, routes],
      [routes, unshared],
    ] as const) {
      for (const before of [via(a), via(a, b), via(a, b, c), { kind: "blackhole" } as const]) {
        for (const [target, after] of [
          [via(b), [b]],
          [via(b, c), [b, c]],
        ] as const) {
          expect(await make(prefix, before, from)).toBeUndefined();
          expect(await make(prefix, target, to)).toBeUndefined();
          expect(shown(family, prefix)).toEqual(after);
        }
      }
    }
    unshared.close();
  });
});

describe("IPv4 routes by IPv6 gateways (RFC 8950)", () => {
  it("are written, several of them or beside IPv4 ones too, and listed back", async () => {
    const prefix = "10.9.0.0/16";
    for (const gateways of [["fe80::9"], ["fe80::9", "10.1.0.2"], ["fd00:1::2", "fe80::9"], ["10.1.0.2"]]) {
      expect(await make(prefix, via(...gateways))).toBeUndefined();
      expect(listed(prefix)).toEqual(gateways);
      for (const gateway of gateways) expect(ip(netns, `route show ${prefix}`)).toContain(gateway);
      const [same, another] = [hops(...gateways).reverse(), hops("fe80::1")];
      const found: boolean[] = [];
      finish(
        routes.scan((route) => {
          if (route.protocol === 201) found.push(route.goesBy(same), route.goesBy(another));
        }),
      );
      expect(found).toEqual([true, false]);
    }
    expect(await make(prefix, undefined)).toBeUndefined();
  });
});

describe("many route changes at once", () => {
  const nowhere: RouteTarget = { kind: "unicast", nextHops: [{ gateway: addressOf("192.0.2.1") }] };
  const prefixAt = (i: number) => `10.${100 + (i >> 8)}.${i & 255}.0/24`;

  it.each([150, 3000])("%i are all made, with the failed ones named and the others done", async (count) => {
    const wrong = [0, 120, 399, 400, 401, 2999].filter((i) => i < count);
    const target = via("10.1.0.2");
    for (let i = 0; i < count; i++) put(prefixAt(i), wrong.includes(i) ? nowhere : target);
    expect(routes.waiting).toBe(count);
    const failed = (i: number): FailedWrite => ({
      prefix: prefixOf(prefixAt(i)),
      change: "replace",
      errno: "ENETUNREACH",
    });
    expect(await routes.send()).toEqual(wrong.map(failed));
    expect(routes.list().filter(({ protocol }) => protocol === 201)).toHaveLength(count - wrong.length);
    for (let i = 0; i < count; i++) put(prefixAt(i), undefined);
    expect(await routes.send()).toEqual([]);
    expect(routes.list().filter(({ protocol }) => protocol === 201)).toEqual([]);
  });

  it("are put in while others are being sent", async () => {
    const target = via("10.1.0.2");
    for (let i = 0; i < 1000; i++) put(prefixAt(i), target);
    const sending = routes.send();
    expect(routes.isSending).toBe(true);
    for (let i = 1000; i < 2000; i++) put(prefixAt(i), target);
    expect(() => routes.send()).toThrow("still being sent");
    await sending;
    await routes.send();
    expect(routes.list().filter(({ protocol }) => protocol === 201)).toHaveLength(2000);
  });

  it("are refused, not forgotten, where there is no room", () => {
    const { address, length } = prefixOf("10.9.0.0/16");
    const wide = hops(...Array.from({ length: 200 }, (_, i) => `10.1.0.${i + 2}`));
    const unshared = KernelRoutes.open({ netns: netns.path, shareNextHops: false });
    let count = 0;
    while (unshared.replace(address, length, wide)) count++;
    expect(unshared.waiting).toBe(count);
    expect(count).toBeLessThan(unshared.capacity);
    unshared.close();
  });
});

describe("listing", () => {
  it("shows routes of the kernel and of others with protocol, scope and source", () => {
    const connected = routes.list().find(({ prefix }) => formatPrefix(prefix) === "10.1.0.0/24");
    expect(connected).toMatchObject({ protocol: 2, scope: 253, table: 254, source: addressOf("10.1.0.1") });
  });

  it("says when a route's link has lost its carrier", async () => {
    ip(netns, "route add 10.9.0.0/16 via 10.1.0.2");
    ip(other, "link set right down");
    const route = () => routes.list().find(({ prefix }) => formatPrefix(prefix) === "10.9.0.0/16");
    // The kernel gathers carrier changes for up to a second.
    await until("the next hop is marked", () => route()?.interfaceDown === true);
  });

  it("shows links with their addresses", () => {
    const link = listLinks(netns.path).find(({ name }) => name === "left");
    expect(link).toMatchObject({ up: true, carrier: true, kind: "veth", mtu: 1500 });
    expect(link?.addresses.map(formatPrefix)).toEqual(expect.arrayContaining(["10.1.0.1/24", "fd00:1::1/64"]));
  });
});
