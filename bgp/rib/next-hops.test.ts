import { describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { NextHops, type UnderlayRoute } from "./next-hops.ts";

const CONNECTED: UnderlayRoute = { prefix: prefixOf("10.10.1.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 };
const DEFAULT: UnderlayRoute = {
  prefix: prefixOf("0.0.0.0/0"),
  via: [{ gateway: addressOf("10.10.1.1"), interfaceIndex: 2 }],
  metric: 0,
};

function resolved(nextHops: NextHops, address: string): string | undefined {
  return nextHops
    .resolve(addressOf(address))
    ?.gateways.map(({ gateway, interfaceIndex }) => `${gateway && formatAddress(gateway)}%${interfaceIndex}`)
    .join(",");
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
    expect(nextHops.update([DEFAULT, CONNECTED])).toBe(false);
    resolved(nextHops, "10.10.2.11");
    expect(nextHops.update([CONNECTED, { ...DEFAULT }])).toBe(false);
    expect(nextHops.update([CONNECTED])).toBe(true);
    expect(resolved(nextHops, "10.10.2.11")).toBeUndefined();
    expect(nextHops.update([CONNECTED, DEFAULT])).toBe(true);
  });
});
