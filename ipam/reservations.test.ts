import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf, addressPlus } from "./net/address.ts";
import { containsAddress, prefixAround, prefixOf, prefixSize } from "./net/prefix.ts";
import { Reservations } from "./reservations.ts";

describe("reservations", () => {
  it("of one family say nothing of the other", () => {
    const reserved = new Reservations([prefixOf("0.0.0.0/0")]);
    expect(reserved.cover(prefixOf("10.0.0.0/8"))).toBe(true);
    expect(reserved.count(prefixOf("::/0"))).toBe(0n);
    expect(reserved.has(addressOf("::1"))).toBe(false);
  });

  it("that overlap or lie side by side are counted once", () => {
    const reserved = new Reservations(["10.0.0.0/30", "10.0.0.2/31", "10.0.0.4/30", "fd00::/64"].map(prefixOf));
    expect(reserved.count(prefixOf("10.0.0.0/24"))).toBe(8n);
    expect(reserved.cover(prefixOf("10.0.0.0/29"))).toBe(true);
    expect(reserved.within(prefixOf("10.0.0.6/31"))).toEqual([{ first: 0n, last: 1n }]);
    expect(reserved.count(prefixOf("fd00::/48"))).toBe(1n << 64n);
  });

  it.each(["10.0.0.0", "fd00::"])("cover what one of their prefixes contains: %s", (text) => {
    const base = addressOf(text);
    const bits = base.length * 8;
    const within = fc
      .tuple(fc.nat(255), fc.integer({ min: bits - 8, max: bits }))
      .map(([place, length]) => prefixAround(addressPlus(base, place), length));
    fc.assert(
      fc.property(fc.array(within, { maxLength: 8 }), within, (prefixes, block) => {
        const reserved = new Reservations(prefixes);
        const addresses = Array.from({ length: Number(prefixSize(block)) }, (_, i) => addressPlus(block.address, i));
        const inside = addresses.filter((address) => prefixes.some((prefix) => containsAddress(prefix, address)));
        expect(addresses.filter((address) => reserved.has(address))).toEqual(inside);
        expect(reserved.count(block)).toBe(BigInt(inside.length));
        expect(reserved.cover(block)).toBe(inside.length === addresses.length);
      }),
    );
  });
});
