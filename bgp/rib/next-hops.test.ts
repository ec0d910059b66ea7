import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { describeGateway, NextHops, type UnderlayRoute } from "./next-hops.ts";

const CONNECTED: UnderlayRoute = { prefix: prefixOf("10.10.1.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 };
const DEFAULT: UnderlayRoute = {
  prefix: prefixOf("0.0.0.0/0"),
  via: [{ gateway: addressOf("10.10.1.1"), interfaceIndex: 2 }],
  metric: 0,
};

function resolved(nextHops: NextHops, address: string): string | undefined {
  const octets = addressOf(address);
  const id = nextHops.intern(octets, 0, octets.length, 0);
  return nextHops.resolution(id)?.gateways.map(describeGateway).join(",");
}

describe("next hops (RFC 4271 9.1.2.1)", () => {
  it("on a connected network are the gateway themselves, further away go through the route that covers them", () => {
    const nextHops = new NextHops();
    nextHops.update([CONNECTED, DEFAULT]);
    expect(resolved(nextHops, "10.10.1.12")).toBe("10.10.1.12%2");
    expect(resolved(nextHops, "10.10.2.11")).toBe("10.10.1.1%2");
    expect(resolved(nextHops, "fd00::1")).toBeUndefined();
  });

  it("all gateways of a route are used, and of two routes the lower metric", () => {
    const nextHops = new NextHops();
    const two = [addressOf("10.10.1.1"), addressOf("10.10.1.2")].map((gateway) => ({ gateway, interfaceIndex: 2 }));
    nextHops.update([
      { ...DEFAULT, metric: 100 },
      { ...DEFAULT, via: two, metric: 10 },
    ]);
    expect(resolved(nextHops, "192.0.2.1")).toBe("10.10.1.1%2,10.10.1.2%2");
  });

  it("inside a blackhole lead nowhere", () => {
    const nextHops = new NextHops();
    nextHops.update([DEFAULT, { prefix: prefixOf("192.0.2.0/24"), via: [], metric: 0 }]);
    expect(resolved(nextHops, "192.0.2.1")).toBeUndefined();
  });

  it("a change is told when, and only when, a next hop in use leads elsewhere", () => {
    const nextHops = new NextHops();
    nextHops.update([CONNECTED, DEFAULT]);
    expect(nextHops.update([DEFAULT, CONNECTED]).size).toBe(0);
    resolved(nextHops, "10.10.2.11");
    expect(nextHops.update([CONNECTED, { ...DEFAULT }]).size).toBe(0);
    expect(nextHops.update([CONNECTED]).size).toBe(1);
    expect(resolved(nextHops, "10.10.2.11")).toBeUndefined();
    expect(nextHops.update([CONNECTED, DEFAULT]).size).toBe(1);
  });

  it("a link-local one leads out by the interface it came on, and nowhere without one", () => {
    const nextHops = new NextHops();
    const octets = addressOf("fe80::1");
    expect(nextHops.resolution(nextHops.intern(octets, 0, 16, 7))?.gateways.map(describeGateway)).toEqual([
      "fe80::1%7",
    ]);
    expect(nextHops.resolution(nextHops.intern(octets, 0, 16, 0))).toBeUndefined();
  });

  it("are forgotten with the last reference, and their number used again", () => {
    const nextHops = new NextHops();
    const [a, b] = [addressOf("10.0.0.1"), addressOf("10.0.0.2")];
    const first = nextHops.intern(a, 0, 4, 0);
    expect(nextHops.intern(a, 0, 4, 0)).toBe(first);
    nextHops.release(first);
    nextHops.release(first);
    expect(nextHops.intern(b, 0, 4, 0)).toBe(first);
  });
});
