import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { cease } from "../session/fsm.ts";
import { encodeKeepalive, frame } from "../wire/framer.ts";
import { encodeNotification, encodeShutdownMessage } from "../wire/notification.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { announcements, withdrawals } from "../wire/testing.ts";
import { attributesText, formatCommunity, viewAttributes } from "./attributes.ts";
import { type MessageContext, messageText, NO_SESSION, viewMessage } from "./message.ts";

const ATTRIBUTES: PathAttributes = {
  origin: 0,
  asPath: [{ type: 2, asNumbers: [65001, 4_200_000_000] }],
  nextHop: addressOf("192.0.2.1"),
  med: 10,
  atomicAggregate: true,
  aggregator: { asNumber: 65001, address: addressOf("192.0.2.9") },
  communities: [0xfde90064, 0xffffff01],
  largeCommunities: Uint8Array.of(0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3),
  extendedCommunities: Uint8Array.of(0, 2, 0xfd, 0xe9, 0, 0, 0, 5, 3, 12, 0, 0, 0, 0, 0, 8),
};

function textOf(octets: Uint8Array | undefined, context: MessageContext = NO_SESSION): string {
  return messageText(viewMessage(octets as Uint8Array, context));
}

describe("a message as a line of text", () => {
  it("an UPDATE says what is announced, and with which attributes", () => {
    const [update] = announcements(4, [prefixOf("10.1.0.0/16"), prefixOf("10.2.3.0/24")], ATTRIBUTES) ?? [];
    expect(textOf(update)).toBe(
      `UPDATE ${update?.length}: announce 10.1.0.0/16 10.2.3.0/24 (igp, path 65001 4200000000, next hop 192.0.2.1, ` +
        "med 10, atomic aggregate, aggregator 65001 192.0.2.9, communities 65001:100 no-export, " +
        "large communities 1:2:3, extended communities rt:65001:5 030c000000000008)",
    );
  });

  it("IPv6 routes with both next hops, and withdrawals of both families", () => {
    const hops = { nextHop: addressOf("2001:db8::1"), linkLocalNextHop: addressOf("fe80::1") };
    const [update] = announcements(6, [prefixOf("2001:db8:1::/48")], { origin: 2, asPath: [], ...hops }) ?? [];
    expect(viewMessage(update as Uint8Array, NO_SESSION)).toEqual({
      type: "UPDATE",
      length: update?.length,
      announced: ["2001:db8:1::/48"],
      attributes: { origin: "incomplete", asPath: "", nextHop: "2001:db8::1", linkLocalNextHop: "fe80::1" },
    });
    expect(textOf(withdrawals(6, [prefixOf("2001:db8:1::/48")])[0])).toMatch(/: withdraw 2001:db8:1::\/48$/);
    expect(textOf(withdrawals(4, [prefixOf("10.0.0.0/8")])[0])).toMatch(/: withdraw 10\.0\.0\.0\/8$/);
  });

  it("path identifiers where they were agreed on", () => {
    const [plain] =
      announcements(4, [prefixOf("10.1.0.0/16")], { origin: 0, asPath: [], nextHop: addressOf("192.0.2.1") }) ?? [];
    const update = plain as Uint8Array;
    const nlri = update.length - 3;
    const withId = Uint8Array.from([...update.slice(0, nlri), 0, 0, 0, 7, ...update.slice(nlri)]);
    withId[17] = withId.length;
    expect(textOf(withId, { ...NO_SESSION, addPath: [4] })).toMatch(/announce 10\.1\.0\.0\/16 path 7 \(igp/);
  });

  it.each([
    [encodeKeepalive(), "KEEPALIVE 19"],
    [
      encodeNotification(cease(2, encodeShutdownMessage("bye"))),
      'NOTIFICATION 25: Cease/Administrative Shutdown: "bye"',
    ],
    [frame(5, Uint8Array.of(0, 2, 0, 1)), "ROUTE-REFRESH 23: request ipv6-unicast"],
    [frame(5, Uint8Array.of(0, 1, 1, 1)), "ROUTE-REFRESH 23: begin ipv4-unicast"],
    [frame(5, Uint8Array.of(0, 1, 2, 128)), "ROUTE-REFRESH 23: end AFI 1 SAFI 128"],
    [frame(2, new Uint8Array(4)), "UPDATE 23: end-of-RIB ipv4-unicast"],
    [frame(2, Uint8Array.of(1)), "UPDATE 20: FAULT: a body of 1 octets is too short"],
    [frame(77, Uint8Array.of(1)), "type 77 20"],
  ])("%#", (octets, text) => {
    expect(textOf(octets)).toBe(text);
  });

  it("an OPEN with its capabilities", () => {
    const open = frame(1, Uint8Array.of(4, 0xfd, 0xe9, 0, 90, 192, 0, 2, 1, 8, 2, 6, 1, 4, 0, 1, 0, 1));
    expect(textOf(open)).toMatch(
      /^OPEN 37: AS 65001, hold time 90, router ID 192\.0\.2\.1, multiprotocol ipv4-unicast/,
    );
  });

  it("what is wrong with an UPDATE, and what is done about it", () => {
    const body = Uint8Array.of(0, 0, 0, 4, 0x40, 1, 1, 9, 24, 10, 0, 0);
    expect(viewMessage(frame(2, body), NO_SESSION).faults).toEqual(
      expect.arrayContaining([expect.stringMatching(/\(treat as withdraw\)$/)]),
    );
    expect(textOf(frame(2, Uint8Array.of(0, 9, 0, 0)))).toMatch(/FAULT: .* \(session reset\)$/);
  });
});

describe("whatever a peer sends", () => {
  it("has a line and a JSON form", () => {
    const body = fc.uint8Array({ maxLength: 120 });
    const context = fc.record({
      asOctets: fc.constantFrom(2 as const, 4 as const),
      external: fc.boolean(),
      addPath: fc.subarray([4, 6] as const),
      extendedNextHop: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), body, context, (type, octets, session) => {
        const text = textOf(frame(type, octets), session);
        expect(text).not.toMatch(/\n|undefined/);
        JSON.stringify(viewMessage(frame(type, octets), session));
      }),
      { numRuns: 3000 },
    );
  });

  it("its broken UPDATEs too, one octet changed anywhere", () => {
    const [update] =
      announcements(6, [prefixOf("2001:db8::/32")], { ...ATTRIBUTES, nextHop: addressOf("2001:db8::1") }) ?? [];
    const whole = update as Uint8Array;
    for (let at = 19; at < whole.length; at++) {
      for (const value of [0, 1, 0x7f, 0xff]) expect(textOf(whole.with(at, value))).toMatch(/^UPDATE /);
    }
  });
});

describe("attributes", () => {
  it("of a route of our own have no next hop", () => {
    const view = viewAttributes({ origin: 0, asPath: [], nextHop: new Uint8Array(0) });
    expect(view).toEqual({ origin: "igp", asPath: "" });
    expect(attributesText(view)).toBe("igp, empty path");
  });

  it("that are not known are shown in hex", () => {
    const unknown = [{ type: 99, flags: 0xe0, value: Uint8Array.of(1, 0xab) }];
    const view = viewAttributes({ ...ATTRIBUTES, unknown });
    expect(view.unknown).toEqual([{ type: 99, flags: 0xe0, value: "01ab" }]);
    expect(attributesText(view)).toMatch(/attribute 99 01ab$/);
  });

  it.each([
    [0xffffff01, "no-export"],
    [0xffff0000, "graceful-shutdown"],
    [0xffff029a, "blackhole"],
    [0, "0:0"],
    [0xfde90001, "65001:1"],
  ])("%d is %s", (community, text) => {
    expect(formatCommunity(community)).toBe(text);
  });
});
