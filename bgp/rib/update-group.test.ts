import { describe, expect, it } from "@jest/globals";
import { addressOf, type Family } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { exportTerms } from "../policy/export-terms.ts";
import { NEGOTIATED } from "../session/testing.ts";
import { HEADER_LENGTH } from "../wire/codes.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { UpdateWriter } from "../wire/encode-update.ts";
import { isFault } from "../wire/fault.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { messagesIn, nlriTable, readUpdate } from "../wire/testing.ts";
import { playMany } from "./group-testing.ts";
import { Member } from "./member.ts";
import { Listener, pathOf, peerConfig, TestRib } from "./testing.ts";

const TEN = Array.from({ length: 10 }, (_, n) => `10.${n}.0.0/16`);

describe("update groups", () => {
  it("whatever comes and goes: everybody holds what a plain model says, told no more often than it changed", () => {
    playMany(false, 150);
  });

  it("peers with equal terms are one group, and the same octets go to both", () => {
    const rib = new TestRib([1, 8, 9]);
    const sent: Uint8Array[] = [];
    const host = { congested: false, send: (octets: Uint8Array) => sent.push(octets), refreshed: () => undefined };
    const terms = rib.negotiatedTerms(peerConfig(8));
    const group = rib.join(terms, new Member(8, host));
    expect(rib.join(rib.negotiatedTerms(peerConfig(9)), new Member(9, host))).toBe(group);
    group.work(0);
    rib.hear(1, TEN);
    rib.decideAll();
    sent.length = 0;
    group.work(0);
    expect(sent.length).toBe(2);
    expect(sent[0]).toBe(sent[1]);
  });

  it("a peer that takes nothing holds the others up for a moment only, and hears the outcome only", () => {
    const rib = new TestRib([1, 8, 9]);
    const slow = new Listener(rib, 8);
    const quick = new Listener(rib, 9);
    slow.listen();
    slow.congested = true;
    rib.hear(1, ["10.1.0.0/16"]);
    rib.decideAll();
    slow.group.work(0);
    expect(quick.holds.size).toBe(0);
    slow.group.work(slow.group.nextDue(0));
    expect([quick.holds.size, slow.holds.size]).toEqual([1, 0]);
    // From now on nobody waits.
    for (let length = 2; length < 9; length++) {
      rib.hear(1, ["10.1.0.0/16"], { asPath: [{ type: 2, asNumbers: Array.from({ length }, () => 65001) }] });
      rib.decideAll();
      slow.group.work(1000);
    }
    expect(quick.heard.get("10.1.0.0/16")).toBe(8);
    slow.congested = false;
    expect(slow.listen()).toEqual(quick.listen());
    expect(slow.heard.get("10.1.0.0/16")).toBe(1);
  });

  it("a route that came and went while a peer took nothing is not told at all", () => {
    const rib = new TestRib([1, 9]);
    const listener = new Listener(rib, 9);
    listener.listen();
    listener.congested = true;
    for (const what of ["hear", "unhear"] as const) {
      rib[what](1, TEN);
      rib.decideAll();
      listener.group.work(0);
      listener.group.work(1000);
    }
    listener.congested = false;
    expect(listener.listen()).toEqual({});
    expect(listener.heard.size).toBe(0);
  });

  it("everything told again ends with its mark, once (RFC 7313)", () => {
    const rib = new TestRib([1, 9]);
    const refreshed: Family[] = [];
    const member = new Member(9, { congested: false, send: () => undefined, refreshed: (one) => refreshed.push(one) });
    const group = rib.join(rib.negotiatedTerms(peerConfig(9)), member);
    rib.hear(1, TEN);
    rib.decideAll();
    group.work(0);
    member.refreshEndDue = true;
    group.tellAll(member);
    for (let n = 0; n < 3; n++) group.work(n);
    expect(refreshed).toEqual([4]);
  });
});

describe("a limit of announced prefixes", () => {
  const limited = (limit: number) => ({ ...peerConfig(9), maxPrefixesOut: limit });
  it.each([false, true])("is kept within one batch and over several, with add-path: %s", (addPath) => {
    const rib = new TestRib([1, 9], { ...NEGOTIATED, addPathSend: addPath ? [4] : [] });
    const listener = new Listener(rib, 9, limited(4));
    rib.hear(1, TEN);
    expect(Object.keys(listener.listen()).length).toBe(4);
    rib.hear(1, ["10.99.0.0/16"]);
    expect(Object.keys(listener.listen()).length).toBe(4);
  });

  it("a changed route is still told, and a withdrawn one makes room", () => {
    const rib = new TestRib([1, 9]);
    const listener = new Listener(rib, 9, limited(2));
    rib.hear(1, ["10.1.0.0/16", "10.2.0.0/16"]);
    const before = listener.listen();
    rib.hear(1, ["10.1.0.0/16"], { asPath: [{ type: 2, asNumbers: [65001, 65001] }] });
    expect(listener.listen()["10.1.0.0/16"]).not.toBe(before["10.1.0.0/16"]);
    rib.unhear(1, ["10.2.0.0/16"]);
    rib.hear(1, ["10.3.0.0/16"]);
    expect(Object.keys(listener.listen()).sort()).toEqual(["10.1.0.0/16", "10.3.0.0/16"]);
  });
});

describe("routes and the length of a message (RFC 4271 9.2, RFC 8654 4)", () => {
  const many = (count: number): PathAttributes =>
    pathOf(1, { communities: Array.from({ length: count }, (_, n) => 0x10000 + n) });

  function hear(rib: TestRib, family: Family, prefixes: readonly string[], attributes: PathAttributes): void {
    const writer = new UpdateWriter(65535);
    const octets = encodeAttributes(attributes, 4);
    writer.announce(family, family === 4 ? undefined : attributes.nextHop, octets, 0, octets.length);
    for (const id of prefixes.keys()) writer.add(nlriTable(prefixes.map(prefixOf)), id, undefined);
    for (const message of messagesIn(writer.take())) expect(isFault(rib.receive(1, message))).toBe(false);
  }

  /** What a peer holds and the longest message it was sent. */
  function listen(rib: TestRib, family: Family, maxMessageLength: number) {
    const holds = new Set<string>();
    let longest = 0;
    const send = (octets: Uint8Array) => {
      for (const message of messagesIn(octets)) {
        longest = Math.max(longest, message.length);
        const update = readUpdate(message.subarray(HEADER_LENGTH));
        if (isFault(update)) throw new Error(update.text);
        for (const { prefix } of update.withdrawn) holds.delete(formatPrefix(prefix));
        for (const { prefix } of update.announced) holds.add(formatPrefix(prefix));
      }
    };
    const terms = exportTerms(peerConfig(9), { ...NEGOTIATED, maxMessageLength }, family, undefined);
    const member = new Member(9, { congested: false, send, refreshed: () => undefined });
    const group = rib.join(terms, member);
    const all = () => {
      rib.decideAll();
      for (let n = 0; group.nextDue(0) <= 0 && n < 100; n++) group.work(0);
      return { count: holds.size, longest };
    };
    return all;
  }

  it("one that no longer fits is withdrawn, from the peers where it does not", () => {
    const rib = new TestRib([1, 8, 9]);
    const short = listen(rib, 4, 4096);
    const long = listen(rib, 4, 65535);
    hear(rib, 4, TEN, many(10));
    expect([short().count, long().count]).toEqual([10, 10]);
    hear(rib, 4, TEN.slice(0, 3), many(1100));
    expect([short().count, long().count]).toEqual([7, 10]);
    expect(short().longest).toBeLessThanOrEqual(4096);
    hear(rib, 4, TEN.slice(0, 3), many(20));
    expect([short().count, long().count]).toEqual([10, 10]);
  });

  it.each([4, 6] as const)("to the octet, IPv%s", (family) => {
    const prefixes = [8, 16, 24, 32].map((length) => (family === 4 ? `10.0.0.0/${length}` : `fd00::/${length}`));
    const counts = new Set<number>();
    const via = [{ interfaceIndex: 2 }];
    const underlay = ["fd00::/64", "10.0.0.0/24"].map((text) => ({ prefix: prefixOf(text), via, metric: 0 }));
    for (let count = 990; count <= 1010; count++) {
      for (const extra of [0, 1, 2, 3]) {
        const rib = new TestRib([1, 9]);
        rib.updateUnderlay(underlay);
        const nextHop = family === 4 ? addressOf("10.0.0.1") : addressOf("fd00::1");
        const unknown = [{ type: 99, flags: 0xe0, value: new Uint8Array(extra) }];
        const attributes = { ...many(count), nextHop, unknown };
        const all = listen(rib, family, 4096);
        hear(rib, family, prefixes, attributes);
        // As sent: a path longer by one, our own next hop.
        const sent = encodeAttributes({ ...attributes, asPath: [{ type: 2, asNumbers: [64512, 65001] }] }, 4).length;
        const fit = prefixes.filter((text) => {
          const nlri = 1 + prefixOf(text).length / 8;
          const reach = family === 4 ? nlri : 3 + 5 + 16 + nlri;
          return 23 + sent + reach <= 4096;
        });
        const { count: held, longest } = all();
        expect({ count, extra, held }).toEqual({ count, extra, held: fit.length });
        expect(longest).toBeLessThanOrEqual(4096);
        counts.add(held);
      }
    }
    expect([...counts].sort()).toEqual([0, 1, 2, 3, 4]);
  });

  it("a million octets of one set are packed into messages as full as they can be", () => {
    const rib = new TestRib([1, 9]);
    const prefixes = Array.from({ length: 2000 }, (_, n) => `10.${n >> 8}.${n & 255}.0/24`);
    let messages = 0;
    const host = { congested: false, send: (_: Uint8Array, n: number) => (messages += n), refreshed: () => undefined };
    const group = rib.join(rib.negotiatedTerms(peerConfig(9)), new Member(9, host));
    rib.hear(1, prefixes);
    rib.decideAll();
    group.work(0);
    // 8000 octets of prefixes, and End-of-RIB.
    expect(messages).toBe(3);
  });
});
