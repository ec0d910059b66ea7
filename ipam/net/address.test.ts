import { isIP } from "node:net";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  addressFromBigInt,
  addressOf,
  addressPlus,
  addressToBigInt,
  bitsOf,
  compareAddresses,
  familyOf,
  formatAddress,
  isLinkLocal,
  isLoopback,
  isMulticast,
  isUnspecified,
  parseAddress,
  sameAddress,
} from "./address.ts";
import * as any from "./arbitraries.ts";

describe("parseAddress", () => {
  it.each([
    "0.0.0.0",
    "192.0.2.1",
    "255.255.255.255",
    "::",
    "::1",
    "1::",
    "2001:DB8::1",
    "::ffff:192.0.2.1",
    "1:2:3:4:5:6:7::",
  ])("reads %s", (text) => expect(parseAddress(text)).toHaveLength(text.includes(":") ? 16 : 4));

  it.each([
    ["", "nothing"],
    ["1.2.3", "three parts"],
    ["1.2.3.4.5", "five parts"],
    ["01.2.3.4", "octal"],
    ["1.2.3.256", "too large"],
    ["0x1.2.3.4", "hexadecimal"],
    [" 1.2.3.4", "white space"],
    ["1.2.3.4\n", "a line end"],
    ["1.2.3.-4", "a sign"],
    ["١.2.3.4", "another script's digit"],
    [":", "one colon"],
    [":::", "three colons"],
    ["1::2::3", "two gaps"],
    ["1:2:3:4:5:6:7", "seven groups"],
    ["1:2:3:4:5:6:7:8:9", "nine groups"],
    ["1:2:3:4:5:6:7:8::", "a gap for nothing"],
    ["12345::", "five digits"],
    ["g::", "no hexadecimal digit"],
    ["fe80::1%eth0", "a zone"],
    ["[::1]", "brackets"],
    ["::1.2.3", "a short IPv4 tail"],
    ["1.2.3.4::", "IPv4 in front"],
    ["::1.2.3.4:1", "IPv4 in the middle"],
    ["::ffff:01.2.3.4", "octal in the tail"],
    ["::1/128", "a length"],
  ])("refuses %j: %s", (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(() => addressOf(text)).toThrow("not an IP address");
  });

  it("agrees with Node.js on what is an address, zones apart", () => {
    const text = fc.oneof(
      fc.stringMatching(/^[0-9a-f:.]{0,20}$/),
      any.address.map(formatAddress),
      fc
        .tuple(any.address.map(formatAddress), fc.nat(20), fc.constantFrom("", "0", ":", ".", "::"))
        .map(([good, at, extra]) => good.slice(0, at) + extra + good.slice(at + 1)),
    );
    fc.assert(
      fc.property(text, (one) => {
        const parsed = parseAddress(one);
        expect(parsed === undefined ? 0 : familyOf(parsed)).toBe(isIP(one));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("formatAddress", () => {
  it.each([
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:DB8::00AB", "2001:db8::ab"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
    ["::c000:201", "::c000:201"],
  ])("%s is %s (RFC 5952)", (text, canonical) => expect(formatAddress(addressOf(text))).toBe(canonical));

  it("is read back as the same address, and is the shortest of its spellings in lower case", () => {
    fc.assert(
      fc.property(any.address, (address) => {
        const text = formatAddress(address);
        expect(parseAddress(text)).toEqual(address);
        expect(text).toBe(text.toLowerCase());
        if (address.length === 16 && !text.includes(".")) {
          // The URL standard's serializer follows RFC 5952 but for mapped addresses.
          expect(`[${text}]`).toBe(new URL(`http://[${text}]/`).hostname);
        }
      }),
    );
  });
});

describe("order and arithmetic", () => {
  it("orders like the numbers", () => {
    const pair = any.family.chain((family) => fc.tuple(any.addressIn(family), any.addressIn(family)));
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const [x, y] = [addressToBigInt(a), addressToBigInt(b)];
        expect(Math.sign(compareAddresses(a, b))).toBe(x < y ? -1 : x > y ? 1 : 0);
        expect(sameAddress(a, b)).toBe(x === y);
      }),
    );
  });

  it("sorts IPv4 before IPv6 and calls them different", () => {
    expect(compareAddresses(addressOf("255.255.255.255"), addressOf("::"))).toBeLessThan(0);
    expect(sameAddress(addressOf("0.0.0.0"), addressOf("::"))).toBe(false);
  });

  it("goes to numbers and back, and adds", () => {
    fc.assert(
      fc.property(any.address, fc.nat(1000), (address, n) => {
        const family = familyOf(address);
        const value = addressToBigInt(address);
        expect(addressFromBigInt(value, family)).toEqual(address);
        const sum = value + BigInt(n);
        if (sum >> BigInt(bitsOf(family)) === 0n) expect(addressToBigInt(addressPlus(address, n))).toBe(sum);
        else expect(() => addressPlus(address, n)).toThrow(RangeError);
      }),
    );
  });

  it("refuses numbers outside the family", () => {
    expect(() => addressFromBigInt(-1n, 6)).toThrow(RangeError);
    expect(() => addressFromBigInt(1n << 32n, 4)).toThrow("is no IPv4 address");
  });
});

describe("kinds of addresses", () => {
  it.each([
    ["127.0.0.1", isLoopback, true],
    ["128.0.0.1", isLoopback, false],
    ["::1", isLoopback, true],
    ["::2", isLoopback, false],
    ["169.254.1.1", isLinkLocal, true],
    ["169.253.1.1", isLinkLocal, false],
    ["fe80::1", isLinkLocal, true],
    ["febf::1", isLinkLocal, true],
    ["fec0::1", isLinkLocal, false],
    ["224.0.0.5", isMulticast, true],
    ["240.0.0.1", isMulticast, false],
    ["ff02::1", isMulticast, true],
    ["0.0.0.0", isUnspecified, true],
    ["::", isUnspecified, true],
    ["::1", isUnspecified, false],
  ] as const)("%s", (text, is, expected) => expect(is(addressOf(text))).toBe(expected));
});
