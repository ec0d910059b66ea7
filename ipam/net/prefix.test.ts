import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf, addressToBigInt, bitsOf, familyOf, formatAddress } from "./address.ts";
import * as any from "./arbitraries.ts";
import {
  containsAddress,
  containsPrefix,
  familyOfPrefix,
  formatPrefix,
  hostBitsAreZero,
  hostPrefix,
  lastAddress,
  type Prefix,
  parseAddressWithLength,
  parsePrefix,
  prefixAround,
  prefixesOverlap,
  prefixOf,
  prefixSize,
  samePrefix,
  subPrefix,
} from "./prefix.ts";

/** First and last address as numbers: what every relation below is checked against. */
function range(prefix: Prefix): { family: number; first: bigint; last: bigint } {
  const first = addressToBigInt(prefix.address);
  const family = familyOf(prefix.address);
  return { family, first, last: first + (1n << BigInt(bitsOf(family) - prefix.length)) - 1n };
}

const twoPrefixes = fc.oneof(
  fc.tuple(any.prefix, any.prefix),
  fc
    .tuple(any.prefix, fc.nat(128))
    .map(([inner, length]): [Prefix, Prefix] => [inner, prefixAround(inner.address, Math.min(length, inner.length))]),
);

describe("reading", () => {
  it("reads back what is written", () => {
    fc.assert(fc.property(any.prefix, (prefix) => expect(parsePrefix(formatPrefix(prefix))).toEqual(prefix)));
  });

  it.each([
    "10.0.0.0",
    "10.0.0.0/",
    "/8",
    "10.0.0.0/08",
    "10.0.0.0/33",
    "::/129",
    "10.0.0.0/8/8",
    "10.0.0.0/+8",
    "10.0.0.0/8 ",
    "10.0.0/8",
    "::/-1",
  ])("refuses %j", (text) => {
    expect(parseAddressWithLength(text)).toBeUndefined();
    expect(() => prefixOf(text)).toThrow("not a prefix");
  });

  it("refuses host bits in a prefix, and keeps them in an interface's address", () => {
    expect(parsePrefix("10.0.0.1/24")).toBeUndefined();
    expect(parsePrefix("fd00::1/64")).toBeUndefined();
    const address = parseAddressWithLength("10.0.0.1/24");
    expect(address && formatPrefix(address)).toBe("10.0.0.1/24");
  });
});

describe("relations, against ranges of numbers", () => {
  it("contains an address", () => {
    fc.assert(
      fc.property(any.prefix, any.address, (prefix, address) => {
        const { family, first, last } = range(prefix);
        const value = addressToBigInt(address);
        expect(containsAddress(prefix, address)).toBe(familyOf(address) === family && first <= value && value <= last);
      }),
    );
  });

  it("contains, overlaps, equals a prefix", () => {
    fc.assert(
      fc.property(twoPrefixes, ([a, b]) => {
        const [x, y] = [range(a), range(b)];
        const same = x.family === y.family;
        expect(containsPrefix(a, b)).toBe(same && x.first <= y.first && y.last <= x.last);
        expect(prefixesOverlap(a, b)).toBe(same && x.first <= y.last && y.first <= x.last);
        expect(samePrefix(a, b)).toBe(same && x.first === y.first && x.last === y.last);
      }),
    );
  });

  it("has a size and a last address", () => {
    fc.assert(
      fc.property(any.prefix, (prefix) => {
        const { first, last } = range(prefix);
        expect(prefixSize(prefix)).toBe(last - first + 1n);
        expect(addressToBigInt(lastAddress(prefix))).toBe(last);
      }),
    );
  });
});

describe("making", () => {
  it("the prefix around an address contains it and has no host bits; the address itself is untouched", () => {
    const case_ = any.address.chain((address) => fc.tuple(fc.constant(address), fc.nat(bitsOf(familyOf(address)))));
    fc.assert(
      fc.property(case_, ([address, length]) => {
        const before = formatAddress(address);
        const prefix = prefixAround(address, length);
        expect(containsAddress(prefix, address)).toBe(true);
        expect(hostBitsAreZero(prefix.address, length)).toBe(true);
        expect(familyOfPrefix(prefix)).toBe(familyOf(address));
        expect(formatAddress(address)).toBe(before);
      }),
    );
  });

  it("cuts into parts that lie side by side", () => {
    expect(formatPrefix(subPrefix(prefixOf("10.0.0.0/24"), 26, 2))).toBe("10.0.0.128/26");
    expect(formatPrefix(subPrefix(prefixOf("fd00::/48"), 122, (1n << 74n) - 1n))).toBe(
      "fd00::ffff:ffff:ffff:ffff:ffc0/122",
    );
    fc.assert(
      fc.property(any.prefix, fc.nat(6), fc.nat(70), (prefix, more, i) => {
        const length = Math.min(prefix.length + more, bitsOf(familyOfPrefix(prefix)));
        const count = 1 << (length - prefix.length);
        const [part, next] = [subPrefix(prefix, length, i % count), (i % count) + 1];
        expect(containsPrefix(prefix, part)).toBe(true);
        if (next < count) expect(range(subPrefix(prefix, length, next)).first).toBe(range(part).last + 1n);
      }),
    );
  });

  it("makes host prefixes", () => {
    expect(formatPrefix(hostPrefix(addressOf("192.0.2.1")))).toBe("192.0.2.1/32");
    expect(formatPrefix(hostPrefix(addressOf("::1")))).toBe("::1/128");
  });
});
