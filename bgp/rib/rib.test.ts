import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { NEGOTIATED, PEER_CONFIG } from "../session/testing.ts";
import { HEADER_LENGTH } from "../wire/codes.ts";
import { encodeEndOfRib, encodeWithdrawals } from "../wire/encode-update.ts";
import { isFault } from "../wire/fault.ts";
import { prefixesOf } from "../wire/nlri.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { announcements } from "../wire/testing.ts";
import { decodeUpdate, type Update } from "../wire/update.ts";
import { type Imported, importUpdate } from "./adj-rib-in.ts";
import { AdjRibOut } from "./adj-rib-out.ts";
import { packUpdates } from "./packer.ts";
import { Rib } from "./rib.ts";

function config(n: number): PeerConfig {
  return {
    ...PEER_CONFIG,
    name: `p${n}`,
    address: addressOf(`10.0.0.${n}`),
    asNumber: 65000 + n,
    routerId: addressOf("10.0.0.99"),
    localAddresses: { 4: addressOf("10.0.0.99") },
  };
}

function attributes(n: number, extra: Partial<PathAttributes> = {}): PathAttributes {
  return { origin: 0, asPath: [{ type: 2, asNumbers: [65000 + n] }], nextHop: addressOf(`10.0.0.${n}`), ...extra };
}

function ribWith(...peers: number[]): Rib {
  const rib = new Rib();
  rib.updateUnderlay([{ prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 }]);
  for (const n of peers) {
    const peerAddress = addressOf(`10.0.0.${n}`);
    rib.sources.set(n, { external: true, peerId: peerAddress, peerAddress });
  }
  rib.nextHops.update([{ prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 }]);
  return rib;
}

function receive(rib: Rib, n: number, message: Uint8Array, negotiated = NEGOTIATED) {
  return importUpdate(message.subarray(HEADER_LENGTH), { rib, source: n, config: config(n), negotiated });
}

function announce(rib: Rib, n: number, prefixes: string[], extra: Partial<PathAttributes> = {}): void {
  const messages = announcements(4, prefixes.map(prefixOf), attributes(n, extra)) as Uint8Array[];
  for (const message of messages) expect(receive(rib, n, message)).toMatchObject({ faults: [] });
}

function withdraw(rib: Rib, n: number, prefixes: string[]): void {
  for (const message of encodeWithdrawals(4, prefixes.map(prefixOf), 4096)) receive(rib, n, message);
}

/** Prefix to gateway, decided. */
function forwarding(rib: Rib): Record<string, string | undefined> {
  while (rib.decideMarked(1000));
  return Object.fromEntries(
    [...rib.forwarding()].map(({ prefix, gateways }) => [
      formatPrefix(prefix),
      gateways[0]?.gateway && formatAddress(gateways[0].gateway),
    ]),
  );
}

/** What a peer holds after every message it was sent so far. */
class Listener {
  readonly out = new AdjRibOut();
  readonly holds = new Map<string, string>();
  endsOfRib = 0;
  readonly #rib: Rib;
  readonly #source: number;

  constructor(rib: Rib, source: number) {
    this.#rib = rib;
    this.#source = source;
    rib.attach(4, this.out);
  }

  listen(): Record<string, string> {
    while (this.#rib.decideMarked(1000));
    this.hear();
    return Object.fromEntries(this.holds);
  }

  /** Whatever there is to say now, decided or not. */
  hear(): void {
    const context = {
      config: config(this.#source),
      negotiated: NEGOTIATED,
      rib: this.#rib.families[4],
      attributes: this.#rib.attributes,
      source: this.#source,
      kindOf: (source: number) => this.#rib.kindOf(source),
    };
    do {
      for (const message of packUpdates(this.out, context))
        this.#take(decodeUpdate(message.subarray(HEADER_LENGTH)) as Update);
    } while (this.out.pending.size > 0);
  }

  #take(update: Update): void {
    if (update.endOfRib !== undefined) this.endsOfRib++;
    for (const block of update.withdrawn)
      for (const prefix of prefixesOf(block)) this.holds.delete(formatPrefix(prefix));
    for (const { nlri } of update.announced) {
      const path = Buffer.from(update.attributes.find(({ type }) => type === 2)?.value ?? []).toString("hex");
      for (const prefix of prefixesOf(nlri)) this.holds.set(formatPrefix(prefix), path);
    }
  }
}

describe("the RIB", () => {
  it("the better of two peers' paths is forwarded, and the other when that one goes", () => {
    const rib = ribWith(1, 2);
    announce(rib, 1, ["10.1.0.0/16"]);
    announce(rib, 2, ["10.1.0.0/16"], { asPath: [{ type: 2, asNumbers: [65002, 65009] }] });
    expect(forwarding(rib)).toEqual({ "10.1.0.0/16": "10.0.0.1" });
    withdraw(rib, 1, ["10.1.0.0/16"]);
    expect(forwarding(rib)).toEqual({ "10.1.0.0/16": "10.0.0.2" });
  });

  it("a route that cannot be used replaces the one before it by nothing", () => {
    const rib = ribWith(1);
    announce(rib, 1, ["10.1.0.0/16"]);
    announce(rib, 1, ["10.1.0.0/16"], { asPath: [{ type: 2, asNumbers: [65001, 64512] }] });
    expect(forwarding(rib)).toEqual({});
  });

  it("a malformed attribute withdraws the routes of its UPDATE and keeps the session (RFC 7606)", () => {
    const rib = ribWith(1);
    announce(rib, 1, ["10.1.0.0/16", "10.2.0.0/16"]);
    const [message] = announcements(4, [prefixOf("10.1.0.0/16")], attributes(1)) as [Uint8Array];
    message[HEADER_LENGTH + 4 + 3] = 9; // ORIGIN
    const imported = receive(rib, 1, message);
    expect(isFault(imported)).toBe(false);
    expect((imported as Imported).faults).toMatchObject([{ action: "withdraw", subcode: 6 }]);
    expect(forwarding(rib)).toEqual({ "10.2.0.0/16": "10.0.0.1" });
  });

  it("an UPDATE that ends the session changes nothing", () => {
    const rib = ribWith(1);
    announce(rib, 1, ["10.1.0.0/16"]);
    const body = Buffer.from("0003 100a01 0007 40010100 406300 080a".replaceAll(" ", ""), "hex");
    const message = Buffer.concat([new Uint8Array(HEADER_LENGTH), body]);
    expect(isFault(receive(rib, 1, message))).toBe(true);
    expect(forwarding(rib)).toEqual({ "10.1.0.0/16": "10.0.0.1" });
  });

  it("families that were not negotiated are passed over", () => {
    const rib = ribWith(1);
    const v6 = { ...attributes(1), nextHop: addressOf("fd00::1") };
    const [message] = announcements(6, [prefixOf("fd00:244::/48")], v6) as [Uint8Array];
    receive(rib, 1, message, { ...NEGOTIATED, families: [4] });
    expect(rib.families[6].prefixes.size).toBe(0);
  });

  it("End-of-RIB is told", () => {
    expect(receive(ribWith(1), 1, encodeEndOfRib(6))).toMatchObject({ endOfRib: 6, faults: [] });
  });

  it("own routes win and are not forwarded", () => {
    const rib = ribWith(1);
    announce(rib, 1, ["10.1.0.0/16"]);
    rib.originate([prefixOf("10.1.0.0/16")]);
    expect(forwarding(rib)).toEqual({});
    rib.originate([]);
    expect(forwarding(rib)).toEqual({ "10.1.0.0/16": "10.0.0.1" });
  });

  it("a path whose next hop cannot be reached is no candidate until it can", () => {
    const rib = ribWith(1);
    announce(rib, 1, ["10.1.0.0/16"]);
    expect(forwarding(rib)).toEqual({ "10.1.0.0/16": "10.0.0.1" });
    rib.updateUnderlay([]);
    expect(forwarding(rib)).toEqual({});
    rib.updateUnderlay([{ prefix: prefixOf("0.0.0.0/0"), via: [{ gateway: addressOf("192.0.2.1") }], metric: 0 }]);
    expect(forwarding(rib)).toEqual({ "10.1.0.0/16": "192.0.2.1" });
  });

  it("a peer is told once and never its own routes, a change as one change, and End-of-RIB once", () => {
    const rib = ribWith(1, 2);
    announce(rib, 1, ["10.1.0.0/16"]);
    announce(rib, 2, ["10.2.0.0/16"]);
    const listener = new Listener(rib, 2);
    expect(Object.keys(listener.listen())).toEqual(["10.1.0.0/16"]);
    for (let i = 0; i < 5; i++) {
      withdraw(rib, 1, ["10.1.0.0/16"]);
      announce(rib, 1, ["10.1.0.0/16"]);
    }
    while (rib.decideMarked(1000));
    expect(listener.out.pending.size).toBeLessThanOrEqual(2);
    expect(Object.keys(listener.listen())).toEqual(["10.1.0.0/16"]);
    expect(listener.endsOfRib).toBe(1);
  });

  it("a route that is withdrawn and not decided again yet is neither announced nor forwarded", () => {
    const rib = ribWith(1, 9);
    const listener = new Listener(rib, 9);
    announce(rib, 1, ["10.1.0.0/16"]);
    while (rib.decideMarked(1000));
    withdraw(rib, 1, ["10.1.0.0/16"]);
    listener.hear();
    expect(rib.takeForwardingChanges(1000)).toEqual([]);
    expect(listener.listen()).toEqual({});
  });

  it("End-of-RIB waits until everything known is decided", () => {
    const rib = ribWith(1, 9);
    announce(rib, 1, ["10.1.0.0/16"]);
    const listener = new Listener(rib, 9);
    listener.hear();
    expect(listener.endsOfRib).toBe(0);
    expect(Object.keys(listener.listen())).toEqual(["10.1.0.0/16"]);
    expect(listener.endsOfRib).toBe(1);
  });

  it("whatever comes and goes: forwarding and a listening peer agree with a plain model, and nothing is left over", () => {
    const prefixes = Array.from({ length: 6 }, (_, n) => `10.${n}.0.0/16`);
    const step = fc.record({
      peer: fc.integer({ min: 1, max: 3 }),
      prefix: fc.constantFrom(...prefixes),
      length: fc.integer({ min: 1, max: 3 }),
      what: fc.constantFrom("announce", "announce", "withdraw", "decide", "hear", "forward", "stale", "sweep"),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120, size: "max" }), (steps) => {
        const rib = ribWith(1, 2, 3, 9);
        const listener = new Listener(rib, 9);
        const model = new Map<string, { peer: number; prefix: string; length: number; stale: boolean }>();
        for (const { peer, prefix, length, what } of steps) {
          const key = `${peer} ${prefix}`;
          if (what === "announce") {
            announce(rib, peer, [prefix], {
              asPath: [{ type: 2, asNumbers: Array.from({ length }, () => 65000 + peer) }],
            });
            model.set(key, { peer, prefix, length, stale: false });
          } else if (what === "withdraw") {
            withdraw(rib, peer, [prefix]);
            model.delete(key);
          } else if (what === "decide") {
            // Fewer than may be marked: the rest waits, as it does under load.
            rib.decideMarked(2);
          } else if (what === "hear") {
            listener.hear();
          } else if (what === "forward") {
            rib.takeForwardingChanges(2);
          } else {
            if (what === "stale") rib.markStale(peer, 4);
            else rib.sweep(peer, 4, "stale");
            for (const [one, path] of [...model]) {
              if (path.peer !== peer) continue;
              if (path.stale) model.delete(one);
              else if (what === "stale") path.stale = true;
            }
          }
        }
        const expected: Record<string, string> = {};
        for (const prefix of prefixes) {
          const paths = [...model.values()].filter((path) => path.prefix === prefix);
          paths.sort((a, b) => a.length - b.length || a.peer - b.peer);
          if (paths[0] !== undefined) expected[prefix] = `10.0.0.${paths[0].peer}`;
        }
        expect(forwarding(rib)).toEqual(expected);
        expect(Object.keys(listener.listen()).sort()).toEqual(Object.keys(expected).sort());
        for (const peer of [1, 2, 3]) rib.sweep(peer, 4, "all");
        expect(listener.listen()).toEqual({});
        rib.takeForwardingChanges(1000);
        expect([rib.attributes.size, rib.families[4].prefixes.size, rib.families[4].paths.size]).toEqual([0, 0, 0]);
      }),
      { numRuns: 200 },
    );
  });
});
