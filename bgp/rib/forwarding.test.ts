import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { describeGateway, type Gateway } from "./next-hops.ts";
import { DEFAULT_SETTINGS } from "./settings.ts";
import { TestRib } from "./testing.ts";

const PREFIX = "10.1.0.0/16";
const TEN = Array.from({ length: 10 }, (_, n) => `10.${n}.0.0/16`);

/** A forwarding table that takes changes: prefix to gateways, in text. */
class Fib {
  readonly holds = new Map<string, string>();
  readonly seen: (readonly Gateway[])[] = [];
  changes = 0;

  take(rib: TestRib, limit = 1000): number {
    rib.decideAll();
    return rib.takeForwardingChanges(limit, (_family, address, length, gateways) => {
      this.changes++;
      const prefix = formatPrefix({ address: address.slice(), length });
      if (gateways === undefined) this.holds.delete(prefix);
      else this.holds.set(prefix, gateways.map((one) => describeGateway(one)).join());
      if (gateways !== undefined) this.seen.push(gateways);
    });
  }
}

describe("what is to be forwarded", () => {
  it("equally good paths are used side by side, up to a number, the best one's gateway first", () => {
    const rib = new TestRib([1, 2, 3]);
    const fib = new Fib();
    for (const n of [3, 2, 1]) rib.hear(n, [PREFIX]);
    fib.take(rib);
    expect(fib.holds.get(PREFIX)).toMatch(/^10\.0\.0\.1%2,/);
    expect(fib.holds.get(PREFIX)?.split(",").sort()).toEqual(["10.0.0.1%2", "10.0.0.2%2", "10.0.0.3%2"]);
    rib.applySettings({ ...DEFAULT_SETTINGS, multipath: 2 });
    fib.take(rib);
    expect(fib.holds.get(PREFIX)?.split(",").length).toBe(2);
    rib.applySettings({ ...DEFAULT_SETTINGS, multipath: 1 });
    fib.take(rib);
    expect(fib.holds.get(PREFIX)).toBe("10.0.0.1%2");
  });

  it("a path that is not as good is not used beside the best", () => {
    const rib = new TestRib([1, 2]);
    rib.hear(1, [PREFIX]);
    rib.hear(2, [PREFIX], { med: 1, asPath: [{ type: 2, asNumbers: [65002, 65002] }] });
    expect(rib.forwardingText()).toEqual({ [PREFIX]: "10.0.0.1" });
  });

  it("a change that changes nothing for the table is not handed over", () => {
    const rib = new TestRib([1]);
    const fib = new Fib();
    rib.hear(1, [PREFIX]);
    fib.take(rib);
    rib.hear(1, [PREFIX], { asPath: [{ type: 2, asNumbers: [65001, 65001] }] });
    fib.take(rib);
    rib.unhear(1, [PREFIX]);
    rib.hear(1, [PREFIX]);
    fib.take(rib);
    expect(fib.changes).toBe(1);
  });

  it("at most as many as asked for are handed over, the rest next time, and the count is right", () => {
    const rib = new TestRib([1]);
    const fib = new Fib();
    rib.hear(1, TEN);
    expect([fib.take(rib, 4), fib.take(rib, 4), fib.take(rib, 4), fib.take(rib, 4)]).toEqual([4, 4, 2, 0]);
    expect(rib.forwardingTables[4].count).toBe(10);
    expect(rib.forwardingChangesPending).toBe(false);
    rib.sweep(1, 4, "all");
    expect([fib.take(rib, 7), fib.take(rib, 7)]).toEqual([7, 3]);
    expect(rib.forwardingTables[4].count).toBe(0);
    expect(fib.holds.size).toBe(0);
  });

  it("equal sets of gateways are one object", () => {
    const rib = new TestRib([1, 2]);
    const fib = new Fib();
    for (const n of [1, 2]) rib.hear(n, TEN);
    fib.take(rib);
    expect(new Set(fib.seen).size).toBe(1);
  });

  it("a next hop that leads elsewhere takes its prefixes along, one that is gone loses them", () => {
    const rib = new TestRib([1, 2]);
    const fib = new Fib();
    for (const n of [1, 2]) rib.hear(n, [PREFIX]);
    fib.take(rib);
    const to = (text: string, via: Gateway[]) => ({ prefix: prefixOf(text), via, metric: 0 });
    const router = { gateway: addressOf("192.0.2.1"), interfaceIndex: 3 };
    rib.updateUnderlay([to("10.0.0.1/32", [{ interfaceIndex: 2 }]), to("10.0.0.2/32", [router])]);
    fib.take(rib);
    expect(fib.holds.get(PREFIX)).toBe("10.0.0.1%2,192.0.2.1%3");
    rib.updateUnderlay([to("10.0.0.1/32", [router]), to("10.0.0.2/32", [router])]);
    fib.take(rib);
    expect(fib.holds.get(PREFIX)).toBe("192.0.2.1%3");
    // A blackhole is no way.
    rib.updateUnderlay([to("10.0.0.0/8", [])]);
    fib.take(rib);
    expect(fib.holds.size).toBe(0);
  });

  it("one prefix is known as the table was told last", () => {
    const rib = new TestRib([1]);
    const fib = new Fib();
    rib.hear(1, [PREFIX]);
    rib.decideAll();
    expect(rib.forwardingOf(prefixOf(PREFIX))).toBeUndefined();
    fib.take(rib);
    expect(rib.forwardingOf(prefixOf(PREFIX))?.map(describeGateway)).toEqual(["10.0.0.1%2"]);
    expect(rib.forwardingOf(prefixOf("10.1.0.0/17"))).toBeUndefined();
    rib.unhear(1, [PREFIX]);
    fib.take(rib);
    expect(rib.forwardingOf(prefixOf(PREFIX))).toBeUndefined();
  });

  it("where nobody asks for changes none are gathered", () => {
    const rib = new TestRib([1], undefined, undefined, false);
    rib.hear(1, TEN);
    rib.decideAll();
    expect(rib.forwardingChangesPending).toBe(false);
    rib.sweep(1, 4, "all");
    rib.decideAll();
    expect(rib.leftovers).toEqual([0, 0, 0]);
  });

  it("whatever changes, taken at any time: the table is in the end what it should hold", () => {
    const step = fc.record({
      what: fc.constantFrom("hear", "hear", "unhear", "decide", "take", "reach", "multipath", "originate"),
      peer: fc.integer({ min: 1, max: 3 }),
      prefix: fc.constantFrom(...TEN.slice(0, 4)),
      length: fc.integer({ min: 1, max: 2 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const rib = new TestRib([1, 2, 3]);
        const fib = new Fib();
        const via = [{ interfaceIndex: 2 }];
        for (const { what, peer, prefix, length } of steps) {
          const asPath = [{ type: 2, asNumbers: Array.from({ length }, () => 65000 + peer) }];
          if (what === "hear") rib.hear(peer, [prefix], { asPath });
          else if (what === "unhear") rib.unhear(peer, [prefix]);
          else if (what === "decide") rib.decideMarked(2);
          else if (what === "take") fib.take(rib, length);
          else if (what === "multipath") rib.applySettings({ ...DEFAULT_SETTINGS, multipath: peer });
          else if (what === "originate") rib.own.set(length === 1 ? [prefixOf(prefix)] : []);
          else {
            const through = length === 1 ? via : [{ gateway: addressOf("192.0.2.1"), interfaceIndex: 3 }];
            rib.updateUnderlay([{ prefix: prefixOf(`10.0.0.${peer}/32`), via: through, metric: 0 }]);
          }
        }
        while (fib.take(rib, 3) > 0);
        const wanted = [...rib.families[4].known()].flatMap(({ id, prefix }) => {
          const gateways = rib.forwardingTables[4].gatewaysOf(id);
          const text = gateways?.map((one) => describeGateway(one)).sort();
          return text === undefined ? [] : [[formatPrefix(prefix), text.join()]];
        });
        const held = [...fib.holds].map(([prefix, text]) => [prefix, text.split(",").sort().join()]);
        expect(held.sort()).toEqual(wanted.sort());
        rib.own.set([]);
        for (const peer of [1, 2, 3]) rib.sweep(peer, 4, "all");
        fib.take(rib);
        expect(fib.holds.size).toBe(0);
        expect(rib.leftovers).toEqual([0, 0, 0]);
      }),
      { numRuns: 300 },
    );
  });
});
