import { describe, expect, it } from "@jest/globals";
import { formatPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { PrefixSet } from "./prefix-set.ts";

const add = (set: PrefixSet, { address, length }: Prefix) => set.add(address, length);
const has = (set: PrefixSet, text: string) => {
  const { address, length } = prefixOf(text);
  return set.has(address, length);
};

describe("a set of prefixes", () => {
  it("holds prefixes of both families, each length for itself, once", () => {
    const set = new PrefixSet();
    for (const text of ["10.0.0.0/8", "10.0.0.0/9", "10.0.0.0/8", "::/0", "0.0.0.0/0"]) add(set, prefixOf(text));
    expect(set.size).toBe(4);
    expect(has(set, "10.0.0.0/8")).toBe(true);
    expect(has(set, "10.0.0.0/10")).toBe(false);
    expect([...set].map(formatPrefix).sort()).toEqual(["0.0.0.0/0", "10.0.0.0/8", "10.0.0.0/9", "::/0"]);
    const { address, length } = prefixOf("10.0.0.0/8");
    expect([set.delete(address, length), set.delete(address, length)]).toEqual([true, false]);
    expect(has(set, "10.0.0.0/8")).toBe(false);
  });

  it("gives out each once, also what comes meanwhile", () => {
    const set = new PrefixSet();
    const texts = Array.from({ length: 5000 }, (_, i) =>
      i % 2 === 0 ? `10.${i >> 8}.${i & 255}.0/24` : `2001:db8:${i.toString(16)}::/48`,
    );
    for (const text of texts) add(set, prefixOf(text));
    const taken: string[] = [];
    for (let prefix = set.take(); prefix !== undefined; prefix = set.take()) {
      taken.push(formatPrefix(prefix));
      if (taken.length === 100) add(set, prefixOf("192.0.2.0/24"));
    }
    expect(taken.sort()).toEqual([...texts, "192.0.2.0/24"].sort());
    expect(set.size).toBe(0);
  });
});
