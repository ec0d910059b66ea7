import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  addressAt,
  allocate,
  type Block,
  emptyBlock,
  freeOrdinal,
  ordinalOf,
  releaseHandle,
  restingCount,
} from "./block.ts";
import { addressOf, formatAddress } from "./net/address.ts";
import { prefixOf } from "./net/prefix.ts";
import { Reservations } from "./reservations.ts";
import { usualRules } from "./rules.ts";

const four = emptyBlock(prefixOf("192.0.2.4/30"), "p", "n", 0);
const owner = (handle: string) => ({ handle, containerID: "c", ifName: "eth0", at: 0 });

function take(block: Block, now: number, handle = "h"): Block {
  return allocate(block, freeOrdinal(block, now) ?? Number.NaN, owner(handle));
}

describe("a block of four", () => {
  it("knows its addresses by their places", () => {
    expect([0, 3].map((ordinal) => formatAddress(addressAt(four, ordinal)))).toEqual(["192.0.2.4", "192.0.2.7"]);
    expect(ordinalOf(four, addressOf("192.0.2.6"))).toBe(2);
    expect(ordinalOf(four, addressOf("192.0.2.8"))).toBeUndefined();
    expect(ordinalOf(four, addressOf("::6"))).toBeUndefined();
  });

  it("gives the lowest never used, then the one that rested longest", () => {
    let block = four;
    for (const handle of ["a", "b", "c"]) block = take(block, 0, handle);
    block = releaseHandle(block, "b", 100).block;
    block = releaseHandle(block, "a", 200).block;
    expect(freeOrdinal(block, 300)).toBe(3);
    block = take(block, 300, "d");
    expect(freeOrdinal(block, 300)).toBeUndefined();
    expect(restingCount(block, 300)).toBe(2);
    expect(freeOrdinal(block, 100 + usualRules.restMs)).toBe(1);
    expect(freeOrdinal(block, 5000 + usualRules.restMs)).toBe(1);
    expect(freeOrdinal(take(block, 5000 + usualRules.restMs), 5000 + usualRules.restMs)).toBe(0);
  });

  it("does not keep an address for ever when the clock is set back", () => {
    const released = releaseHandle(
      [0, 0, 0, 0].reduce<Block>((block) => take(block, 0), four),
      "h",
      1e9,
    ).block;
    expect(freeOrdinal(released, 1e9 - 1)).toBeUndefined();
    expect(freeOrdinal(released, 0)).toBe(0);
  });

  it("refuses an ordinal that is taken", () => {
    expect(() => allocate(take(four, 0), 0, owner("x"))).toThrow("192.0.2.4/30: ordinal 0 is taken");
  });
});

it("never gives one place twice, nor loses one, nor one that rests; and the longest rested first", () => {
  const act = fc.record({ take: fc.boolean(), handle: fc.constantFrom("a", "b", "c"), pass: fc.nat(20_000) });
  const restMs = fc.constantFrom(0, 5000, usualRules.restMs, 120_000);
  const reservations = fc.subarray(["fd00::/127", "fd00::5/128", "fd00::6/127"], { minLength: 0 });
  fc.assert(
    fc.property(fc.array(act, { maxLength: 60 }), restMs, reservations, (acts, restMs, texts) => {
      const rules = { ...usualRules, restMs, reserved: new Reservations(texts.map(prefixOf)) };
      let block = emptyBlock(prefixOf("fd00::/125"), "p", "n", 0);
      const givable = Array.from({ length: 8 }, (_, i) => i).filter((i) => !rules.reserved.has(addressAt(block, i)));
      let now = 0;
      for (const { take: takes, handle, pass } of acts) {
        now += pass;
        const ordinal = freeOrdinal(block, now, rules);
        const unused = givable.filter((one) => !block.allocations.has(one) && !block.released.has(one));
        const since = givable.flatMap((one) => block.released.get(one) ?? []);
        if (ordinal !== undefined) {
          expect(givable).toContain(ordinal);
          const at = block.released.get(ordinal);
          expect(at).toBe(unused.length > 0 ? undefined : Math.min(...since));
          if (at !== undefined) expect(now - at).toBeGreaterThanOrEqual(restMs);
        } else {
          expect(givable.filter((one) => block.allocations.has(one)).length + restingCount(block, now, rules)).toBe(
            givable.length,
          );
        }
        if (!takes) block = releaseHandle(block, handle, now).block;
        else if (ordinal !== undefined) block = allocate(block, ordinal, owner(handle));
        expect([...block.allocations.keys()].filter((one) => block.released.has(one))).toEqual([]);
      }
    }),
  );
});
