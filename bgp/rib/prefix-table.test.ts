import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { formatPrefix, type Prefix, prefixAround } from "../../ipam/net/prefix.ts";
import { encodePrefix } from "../wire/nlri.ts";
import { PrefixTable } from "./prefix-table.ts";

/** Few different ones, so that they meet again. */
const prefix = (family: 4 | 6): fc.Arbitrary<Prefix> =>
  fc
    .tuple(fc.nat({ max: 40 }), fc.nat({ max: 3 }), fc.integer({ min: 0, max: family === 4 ? 32 : 128 }))
    .map(([a, b, length]) => {
      const address = new Uint8Array(family === 4 ? 4 : 16).fill(a);
      address[1] = b;
      return prefixAround(address, length);
    });

describe.each([4, 6] as const)("the table of IPv%i prefixes", (family) => {
  it("is a map from prefixes to ids, whatever is added and released", () => {
    const step = fc.record({ prefix: prefix(family), release: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), (steps) => {
        const table = new PrefixTable(family, 16);
        const model = new Map<string, number>();
        for (const { prefix: one, release } of steps) {
          const key = formatPrefix(one);
          const octets = encodePrefix(one);
          expect(table.lookup(octets, 0)).toBe(model.get(key) ?? -1);
          if (release) {
            const id = model.get(key);
            if (id !== undefined) table.release(id);
            model.delete(key);
          } else {
            model.set(key, table.intern(octets, 0));
          }
        }
        expect(table.size).toBe(model.size);
        expect(new Set(model.values()).size).toBe(model.size);
        for (const [key, id] of model) expect(formatPrefix(table.prefix(id))).toBe(key);
        expect([...table.ids()].sort()).toEqual([...model.values()].sort());
      }),
    );
  });

  it("grows", () => {
    const table = new PrefixTable(family, 16);
    const octets = (n: number) => Uint8Array.of(24, n >> 16, n >> 8, n);
    const ids = Array.from({ length: 5000 }, (_, n) => table.intern(octets(n), 0));
    for (const [n, id] of ids.entries()) expect(table.lookup(octets(n), 0)).toBe(id);
  });

  it("bits behind the length do not count", () => {
    const table = new PrefixTable(family, 16);
    expect(table.intern(Uint8Array.of(12, 10, 0x4f), 0)).toBe(table.intern(Uint8Array.of(12, 10, 0x40), 0));
  });
});
