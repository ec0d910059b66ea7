import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import * as any from "./arbitraries.ts";
import { rangeText, readCidr } from "./cidr.ts";
import { formatPrefix, prefixOf } from "./prefix.ts";

describe("readCidr", () => {
  it("reads every canonical prefix", () => {
    fc.assert(fc.property(any.prefix, (prefix) => expect(readCidr(formatPrefix(prefix))).toEqual({ prefix })));
  });

  it.each([
    ["10.0.0.5/24", "has host bits set; did you mean 10.0.0.0/24?"],
    ["fd00::1/64", "has host bits set; did you mean fd00::/64?"],
    ["10.0.0.0", "lacks a prefix length such as /24"],
    ["", "lacks a prefix length such as /24"],
    ["10.0.0.0/08", "is not a CIDR such as 10.244.0.0/16 or fd00:244::/48"],
    ["::1/128/3", "is not a CIDR such as 10.244.0.0/16 or fd00:244::/48"],
    ["10.0.0.0/33", "is not a CIDR such as 10.244.0.0/16 or fd00:244::/48"],
    ["rack/8", "is not a CIDR such as 10.244.0.0/16 or fd00:244::/48"],
  ])("%j %s", (text, error) => expect(readCidr(text)).toEqual({ error }));

  it("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => expect(() => readCidr(text)).not.toThrow()));
  });
});

describe("rangeText", () => {
  it.each([
    ["10.0.0.0/26", "10.0.0.0 - 10.0.0.63 (IPv4)"],
    ["192.0.2.1/32", "192.0.2.1 - 192.0.2.1 (IPv4)"],
  ])("%s", (text, range) => expect(rangeText(prefixOf(text))).toBe(range));
});
