import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { NEGOTIATED } from "../session/testing.ts";
import { HEADER_LENGTH } from "../wire/codes.ts";
import { encodeEndOfRib } from "../wire/encode-update.ts";
import { isFault } from "../wire/fault.ts";
import { announcements } from "../wire/testing.ts";
import type { Imported } from "./adj-rib-in.ts";
import { Listener, pathOf, TestRib } from "./testing.ts";

describe("the RIB", () => {
  it("the better of two peers' paths is forwarded, and the other when that one goes", () => {
    const rib = new TestRib([1, 2]);
    rib.hear(1, ["10.1.0.0/16"]);
    rib.hear(2, ["10.1.0.0/16"], { asPath: [{ type: 2, asNumbers: [65002, 65009] }] });
    expect(rib.forwardingText()).toEqual({ "10.1.0.0/16": "10.0.0.1" });
    rib.unhear(1, ["10.1.0.0/16"]);
    expect(rib.forwardingText()).toEqual({ "10.1.0.0/16": "10.0.0.2" });
  });

  it("a route that cannot be used replaces the one before it by nothing", () => {
    const rib = new TestRib([1]);
    rib.hear(1, ["10.1.0.0/16"]);
    rib.hear(1, ["10.1.0.0/16"], { asPath: [{ type: 2, asNumbers: [65001, 64512] }] });
    expect(rib.forwardingText()).toEqual({});
  });

  it("a malformed attribute withdraws the routes of its UPDATE and keeps the session (RFC 7606)", () => {
    const rib = new TestRib([1]);
    rib.hear(1, ["10.1.0.0/16", "10.2.0.0/16"]);
    const [message] = announcements(4, [prefixOf("10.1.0.0/16")], pathOf(1)) as [Uint8Array];
    message[HEADER_LENGTH + 4 + 3] = 9; // ORIGIN
    const imported = rib.receive(1, message);
    expect(isFault(imported)).toBe(false);
    expect((imported as Imported).faults).toMatchObject([{ action: "withdraw", subcode: 6 }]);
    expect(rib.forwardingText()).toEqual({ "10.2.0.0/16": "10.0.0.1" });
  });

  it("an UPDATE that ends the session changes nothing", () => {
    const rib = new TestRib([1]);
    rib.hear(1, ["10.1.0.0/16"]);
    const body = Buffer.from("0003 100a01 0007 40010100 406300 080a".replaceAll(" ", ""), "hex");
    const message = Buffer.concat([new Uint8Array(HEADER_LENGTH), body]);
    expect(isFault(rib.receive(1, message))).toBe(true);
    expect(rib.forwardingText()).toEqual({ "10.1.0.0/16": "10.0.0.1" });
  });

  it("families that were not negotiated are passed over", () => {
    const rib = new TestRib([1], { ...NEGOTIATED, families: [4] });
    const v6 = { ...pathOf(1), nextHop: addressOf("fd00::1") };
    const [message] = announcements(6, [prefixOf("fd00:244::/48")], v6) as [Uint8Array];
    rib.receive(1, message);
    expect(rib.families[6].prefixes.size).toBe(0);
  });

  it("End-of-RIB is told", () => {
    expect(new TestRib([1]).receive(1, encodeEndOfRib(6))).toMatchObject({ endOfRib: 6, faults: [] });
  });

  it("own routes win and are not forwarded", () => {
    const rib = new TestRib([1]);
    rib.hear(1, ["10.1.0.0/16"]);
    rib.own.set([prefixOf("10.1.0.0/16")]);
    expect(rib.forwardingText()).toEqual({});
    rib.own.set([]);
    expect(rib.forwardingText()).toEqual({ "10.1.0.0/16": "10.0.0.1" });
  });

  it("own routes change one by one, with communities of their own, and each change is told once", () => {
    const rib = new TestRib([]);
    const listener = new Listener(rib, 1);
    const network = (text: string, communities: string[] = []) => ({ ...prefixOf(text), communities });
    rib.own.set([prefixOf("10.1.0.0/16"), prefixOf("10.2.0.0/16")]);
    expect(Object.keys(listener.listen()).sort()).toEqual(["10.1.0.0/16", "10.2.0.0/16"]);
    const tagged = network("10.3.0.1/32", ["65000:1", "65000:1:2"]);
    rib.own.change(
      [tagged, network("10.2.0.0/16", ["65535:65281"])],
      [prefixOf("10.1.0.0/16"), prefixOf("10.9.0.0/16")],
    );
    const told = listener.listen();
    expect(Object.keys(told).sort()).toEqual(["10.2.0.0/16", "10.3.0.1/32"]);
    // NO_EXPORT on a route of our own is meant for the peer (RFC 1997 has it bind who receives it).
    expect(told["10.2.0.0/16"]).toContain("c00804ffffff01");
    expect(told["10.3.0.1/32"]).toMatch(/c00804fde80001.*c0200c0000fde80000000100000002/);
    rib.own.change([tagged], []);
    listener.listen();
    expect([...listener.heard]).toEqual([
      ["10.1.0.0/16", 1],
      ["10.2.0.0/16", 2],
      ["10.3.0.1/32", 1],
    ]);
    rib.own.set([]);
    expect(listener.listen()).toEqual({});
    expect(rib.leftovers).toEqual([0, 0, 0]);
  });

  it("a path whose next hop cannot be reached is no candidate until it can", () => {
    const rib = new TestRib([1]);
    rib.hear(1, ["10.1.0.0/16"]);
    expect(rib.forwardingText()).toEqual({ "10.1.0.0/16": "10.0.0.1" });
    rib.updateUnderlay([]);
    expect(rib.forwardingText()).toEqual({});
    rib.updateUnderlay([{ prefix: prefixOf("0.0.0.0/0"), via: [{ gateway: addressOf("192.0.2.1") }], metric: 0 }]);
    expect(rib.forwardingText()).toEqual({ "10.1.0.0/16": "192.0.2.1" });
  });

  it("a peer is told once and never its own routes, a change as one change, and End-of-RIB once", () => {
    const rib = new TestRib([1, 2]);
    rib.hear(1, ["10.1.0.0/16"]);
    rib.hear(2, ["10.2.0.0/16"]);
    const listener = new Listener(rib, 2);
    expect(Object.keys(listener.listen())).toEqual(["10.1.0.0/16"]);
    for (let i = 0; i < 5; i++) {
      rib.unhear(1, ["10.1.0.0/16"]);
      rib.hear(1, ["10.1.0.0/16"]);
    }
    rib.decideAll();
    expect(listener.group.pending.size).toBeLessThanOrEqual(2);
    expect(Object.keys(listener.listen())).toEqual(["10.1.0.0/16"]);
    expect(listener.endsOfRib).toBe(1);
  });

  it("a route that is withdrawn and not decided again yet is neither announced nor forwarded", () => {
    const rib = new TestRib([1, 9]);
    const listener = new Listener(rib, 9);
    rib.hear(1, ["10.1.0.0/16"]);
    rib.decideAll();
    rib.unhear(1, ["10.1.0.0/16"]);
    listener.group.work(0);
    expect(rib.takeForwardingChanges(1000, () => undefined)).toBe(0);
    expect(listener.listen()).toEqual({});
  });

  it("End-of-RIB waits until everything known is decided", () => {
    const rib = new TestRib([1, 9]);
    rib.hear(1, ["10.1.0.0/16"]);
    const listener = new Listener(rib, 9);
    listener.group.work(0);
    expect(listener.endsOfRib).toBe(0);
    expect(Object.keys(listener.listen())).toEqual(["10.1.0.0/16"]);
    expect(listener.endsOfRib).toBe(1);
  });

  it("whatever comes and goes: forwarding and a listener agree with a plain model, and nothing is left", () => {
    const prefixes = Array.from({ length: 6 }, (_, n) => `10.${n}.0.0/16`);
    const step = fc.record({
      peer: fc.integer({ min: 1, max: 3 }),
      prefix: fc.constantFrom(...prefixes),
      length: fc.integer({ min: 1, max: 3 }),
      what: fc.constantFrom("announce", "announce", "withdraw", "decide", "hear", "forward", "stale", "sweep"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const rib = new TestRib([1, 2, 3, 9]);
        const listener = new Listener(rib, 9);
        const model = new Map<string, { peer: number; prefix: string; length: number; stale: boolean }>();
        for (const { peer, prefix, length, what } of steps) {
          const key = `${peer} ${prefix}`;
          if (what === "announce") {
            rib.hear(peer, [prefix], {
              asPath: [{ type: 2, asNumbers: Array.from({ length }, () => 65000 + peer) }],
            });
            model.set(key, { peer, prefix, length, stale: false });
          } else if (what === "withdraw") {
            rib.unhear(peer, [prefix]);
            model.delete(key);
          } else if (what === "decide") {
            // Fewer than may be marked: the rest waits, as it does under load.
            rib.decideMarked(2);
          } else if (what === "hear") {
            listener.group.work(0);
          } else if (what === "forward") {
            rib.takeForwardingChanges(2, () => undefined);
          } else {
            if (what === "stale") rib.markStale(peer, 4);
            else rib.sweep(peer, 4, "stale");
            for (const [one, path] of [...model]) {
              if (path.peer !== peer) continue;
              if (what === "stale") path.stale = true;
              else if (path.stale) model.delete(one);
            }
          }
        }
        const expected: Record<string, string> = {};
        for (const prefix of prefixes) {
          const paths = [...model.values()].filter((path) => path.prefix === prefix);
          paths.sort((a, b) => a.length - b.length || a.peer - b.peer);
          // Equally good paths are used side by side.
          const best = paths.filter(({ length }) => length === paths[0]?.length);
          if (best.length > 0) expected[prefix] = best.map(({ peer }) => `10.0.0.${peer}`).join();
        }
        expect(rib.forwardingText()).toEqual(expected);
        expect(Object.keys(listener.listen()).sort()).toEqual(Object.keys(expected).sort());
        for (const peer of [1, 2, 3]) rib.sweep(peer, 4, "all");
        expect(listener.listen()).toEqual({});
        rib.takeForwardingChanges(1000, () => undefined);
        expect(rib.leftovers).toEqual([0, 0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});
