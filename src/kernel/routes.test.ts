import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { listLinks } from "./links.ts";
import { KernelRoutes, type RouteChange, type RouteTarget } from "./routes.ts";
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

function via(...gateways: readonly string[]): RouteTarget {
  const { index } = listLinks(netns.path).find(({ name }) => name === "left") as { index: number };
  return {
    kind: "unicast",
    nextHops: gateways.map((gateway) => ({ gateway: addressOf(gateway), interfaceIndex: index })),
  };
}

function change(prefix: string, target: RouteTarget | undefined): RouteChange {
  return { prefix: prefixOf(prefix), target };
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

describe.each([4, 6] as const)("the kernel's IPv%i routes", (family) => {
  const { prefix, gateways } = families[family];
  const [a, b, c] = gateways;

  it("take every change of target from every other as a whole, and list it back", () => {
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
        expect(routes.apply([change(prefix, from)])).toEqual([]);
        expect(shown(family, prefix)).toEqual(before);
        expect(routes.apply([change(prefix, to)])).toEqual([]);
        expect(shown(family, prefix)).toEqual(after);
        expect(listed(prefix)).toEqual(after);
      }
    }
  });

  it("keep the route that is there when the new gateway cannot be reached", () => {
    const nowhere = family === 4 ? "192.0.2.1" : "2001:db8::1";
    routes.apply([change(prefix, via(a))]);
    const wrong = change(prefix, { kind: "unicast", nextHops: [{ gateway: addressOf(nowhere) }] });
    expect(routes.apply([wrong])).toEqual([{ change: wrong, errno: family === 4 ? "ENETUNREACH" : "EHOSTUNREACH" }]);
    expect(shown(family, prefix)).toEqual([a]);
  });

  it("of somebody else with our prefix and metric are reported, neither replaced nor removed", () => {
    ip(netns, `-${family} route add ${prefix} via ${b} dev left metric 1024 proto static`);
    const replace = change(prefix, via(a));
    expect(routes.apply([replace])).toEqual([{ change: replace, errno: "EEXIST" }]);
    expect(routes.apply([change(prefix, undefined)])).toEqual([]);
    expect(ipJson(netns, `-${family} route show proto static`)).toMatchObject([{ dst: prefix, gateway: b }]);
  });

  it("of another metric stand beside ours", () => {
    ip(netns, `-${family} route add ${prefix} via ${b} dev left metric 7`);
    expect(routes.apply([change(prefix, via(a))])).toEqual([]);
    expect(shown(family, prefix)).toEqual([a]);
    expect(routes.apply([change(prefix, undefined)])).toEqual([]);
    expect(ipJson(netns, `-${family} route show ${prefix}`)).toMatchObject([{ metric: 7 }]);
  });
});

describe("many route changes at once", () => {
  it("are all made, with the failed ones named and the others done", () => {
    const wrong = new Set([0, 399, 400, 401, 1999]);
    const nowhere: RouteTarget = { kind: "unicast", nextHops: [{ gateway: addressOf("192.0.2.1") }] };
    const changes = Array.from({ length: 2000 }, (_, i) =>
      change(`10.${100 + (i >> 8)}.${i & 255}.0/24`, wrong.has(i) ? nowhere : via("10.1.0.2")),
    );
    expect(routes.apply(changes)).toEqual(
      [...wrong].map((i) => ({ change: changes[i] as RouteChange, errno: "ENETUNREACH" })),
    );
    expect(routes.list().filter(({ protocol }) => protocol === 201)).toHaveLength(2000 - wrong.size);
    expect(routes.apply(changes.map(({ prefix }) => ({ prefix, target: undefined })))).toEqual([]);
    expect(routes.list().filter(({ protocol }) => protocol === 201)).toEqual([]);
  });

  it("refuse a unicast route without next hops", () => {
    const empty = change("10.9.0.0/16", { kind: "unicast", nextHops: [] });
    expect(routes.apply([empty])).toEqual([{ change: empty, errno: "EINVAL" }]);
  });
});

describe("listing", () => {
  it("shows routes of the kernel and of others with protocol, scope and source", () => {
    const connected = routes.list().find(({ prefix }) => formatPrefix(prefix) === "10.1.0.0/24");
    expect(connected).toMatchObject({ protocol: 2, scope: 253, table: 254, source: addressOf("10.1.0.1") });
  });

  it("says when a route's link has lost its carrier", async () => {
    routes.apply([change("10.9.0.0/16", via("10.1.0.2"))]);
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
