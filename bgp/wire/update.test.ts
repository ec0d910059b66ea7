import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf, type Family } from "../../ipam/net/address.ts";
import { formatPrefix, prefixAround, prefixOf } from "../../ipam/net/prefix.ts";
import { SegmentType } from "./as-path.ts";
import { checkAttributes, readAttributes } from "./attributes.ts";
import { encodeEndOfRib } from "./encode-update.ts";
import { isFault } from "./fault.ts";
import { type PathAttributes } from "./path-attributes.ts";
import { announcements, bodyOf, type ReadUpdate, readUpdate, withdrawals } from "./testing.ts";

const hexOf = (octets: Uint8Array) => Buffer.from(octets).toString("hex");
const body = (hex: string) => Buffer.from(hex.replaceAll(" ", ""), "hex");

/** Everything an UPDATE says, as text. */
function said(update: ReturnType<typeof readUpdate>) {
  if (isFault(update)) return `${update.action} ${update.code}/${update.subcode}`;
  return {
    withdrawn: update.withdrawn.map(({ prefix }) => formatPrefix(prefix)),
    announced: update.announced.map(({ prefix }) => formatPrefix(prefix)),
    ...(update.withdraw === undefined ? {} : { withdraw: `${update.withdraw.code}/${update.withdraw.subcode}` }),
    ...(update.endOfRib === undefined ? {} : { endOfRib: update.endOfRib }),
  };
}

const ORIGIN = "40 01 01 00";
const AS_PATH = "40 02 06 02 01 0000fde9";
const NEXT_HOP = "40 03 04 0a000001";
const GOOD = `${ORIGIN} ${AS_PATH} ${NEXT_HOP}`;

/** An UPDATE with these attributes and 10.244.0.0/26 announced. */
function withAttributes(attributes: string, nlri = "1a 0af40000"): Uint8Array {
  const octets = body(attributes);
  return Buffer.concat([Buffer.of(0, 0, octets.length >> 8, octets.length & 0xff), octets, body(nlri)]);
}

const V4: PathAttributes = {
  origin: 0,
  asPath: [{ type: SegmentType.Sequence, asNumbers: [65001] }],
  nextHop: addressOf("10.0.0.1"),
};

describe("UPDATE, golden octets", () => {
  it("announces IPv4 prefixes", () => {
    const messages = announcements(4, [prefixOf("10.244.0.0/26"), prefixOf("10.0.0.0/8")], V4);
    expect(messages?.map(hexOf)).toEqual([
      `${"ff".repeat(16)}0032020000001440010100400206020100 00fde9400304 0a0000011a0af40000080a`.replaceAll(" ", ""),
    ]);
  });

  it("announces IPv6 prefixes with MP_REACH_NLRI first", () => {
    const attributes = { ...V4, nextHop: addressOf("fd00::1"), localPref: 100 };
    const messages = announcements(6, [prefixOf("fd00:244::/122")], attributes);
    const reach = `800e26 0002 01 10 fd000000000000000000000000000001 00 7a fd000244000000000000000000000000`;
    const rest = `40010100 400206 0201 0000fde9 400504 00000064`;
    const attributesHex = `${reach}${rest}`.replaceAll(" ", "");
    const length = (23 + attributesHex.length / 2).toString(16).padStart(4, "0");
    const total = (attributesHex.length / 2).toString(16).padStart(4, "0");
    expect(messages?.map(hexOf)).toEqual([`${"ff".repeat(16)}${length}020000${total}${attributesHex}`]);
  });

  it("withdraws, in both families", () => {
    const v4 = withdrawals(4, [prefixOf("10.244.0.0/26")]);
    expect(v4.map(hexOf)).toEqual([`${"ff".repeat(16)}001c0200051a0af400000000`]);
    const v6 = withdrawals(6, [prefixOf("fd00::/16")]);
    expect(v6.map(hexOf)).toEqual([`${"ff".repeat(16)}00200200000009800f0600020110fd00`]);
  });

  it("End-of-RIB, in both families", () => {
    expect(said(readUpdate(bodyOf(encodeEndOfRib(4))))).toEqual({ withdrawn: [], announced: [], endOfRib: 4 });
    expect(said(readUpdate(bodyOf(encodeEndOfRib(6))))).toEqual({ withdrawn: [], announced: [], endOfRib: 6 });
    expect(hexOf(encodeEndOfRib(6))).toBe(`${"ff".repeat(16)}001d0200000006800f03000201`);
  });
});

describe("UPDATE, faults (RFC 7606)", () => {
  const announcedOnly = { withdrawn: [], announced: ["10.244.0.0/26"] };
  it.each([
    ["good attributes", withAttributes(GOOD), announcedOnly],
    ["ORIGIN missing", withAttributes(`${AS_PATH} ${NEXT_HOP}`), { ...announcedOnly, withdraw: "3/3" }],
    ["AS_PATH missing", withAttributes(`${ORIGIN} ${NEXT_HOP}`), { ...announcedOnly, withdraw: "3/3" }],
    ["NEXT_HOP missing", withAttributes(`${ORIGIN} ${AS_PATH}`), { ...announcedOnly, withdraw: "3/3" }],
    ["no attributes at all (CVE-2023-41358)", withAttributes(""), { ...announcedOnly, withdraw: "3/3" }],
    ["the last attribute overruns (4)", withAttributes(`${GOOD} c0 08 05 0001`), { ...announcedOnly, withdraw: "3/1" }],
    ["one octet left over (4)", withAttributes(`${GOOD} c0`), { ...announcedOnly, withdraw: "3/1" }],
    ["withdrawn routes overrun the message (3 b)", body("0005 1a0af40000"), "reset 3/1"],
    ["attributes overrun the message (3 b)", body("0000 0005 40"), "reset 3/1"],
    ["a prefix of 33 bits (3 i)", withAttributes(GOOD, "21 0af4000000"), "reset 3/10"],
    ["a prefix cut off (3 i)", withAttributes(GOOD, "1a 0af4"), "reset 3/10"],
    ["MP_REACH_NLRI twice (3 g)", withAttributes(`${GOOD} ${"800e05 0001850000".repeat(2)}`), "reset 3/1"],
    ["MP_REACH_NLRI of 4 octets (7.11)", withAttributes(`${GOOD} 800e04 00020100`), "reset 3/9"],
    ["MP_REACH_NLRI whose next hop overruns (7.11)", withAttributes(`${GOOD} 800e05 0002011000`), "reset 3/9"],
    [
      "MP_REACH_NLRI with a next hop of 5 octets",
      withAttributes(`${GOOD} 800e0a 000201 05 0102030405 00`),
      "reset 3/9",
    ],
    ["MP_UNREACH_NLRI of 2 octets (7.12)", withAttributes(`${GOOD} 800f02 0002`), "reset 3/9"],
    ["an IPv6 prefix of 129 bits", withAttributes(`${GOOD} 800f04 00020181`), "reset 3/9"],
    ["a family that nobody negotiated is passed over", withAttributes(`${GOOD} 800f05 0001850101`), announcedOnly],
    ["a broken list without routes (5.2)", body("0000 0001 40"), "reset 3/1"],
  ])("%s", (_name, octets, expected) => {
    expect(said(readUpdate(octets))).toEqual(expected);
  });

  it("keeps the first of an attribute that comes twice (3 g)", () => {
    const update = readUpdate(withAttributes(`${ORIGIN} 40 01 01 02 ${AS_PATH} ${NEXT_HOP}`)) as ReadUpdate;
    expect(update.discarded).toHaveLength(1);
    expect(readAttributes(update.attributes)).toMatchObject({ origin: 0 });
  });

  it("clears the bits behind a prefix's length", () => {
    expect(said(readUpdate(withAttributes(GOOD, "1a 0af4003f")))).toEqual(announcedOnly);
  });
});

describe("packing", () => {
  const prefixes = (family: Family) =>
    fc.array(
      fc
        .tuple(
          fc.uint8Array({ minLength: family === 4 ? 4 : 16, maxLength: family === 4 ? 4 : 16 }),
          fc.nat({ max: family === 4 ? 32 : 128 }),
        )
        .map(([address, length]) => prefixAround(address, length)),
      { maxLength: 600 },
    );

  it.each([4, 6] as const)("IPv%i: every prefix arrives, once, and no message is over the limit", (family) => {
    const attributes = family === 4 ? V4 : { ...V4, nextHop: addressOf("fd00::1") };
    fc.assert(
      fc.property(prefixes(family), fc.integer({ min: 120, max: 4096 }), (list, maxLength) => {
        const announced = announcements(family, list, attributes, maxLength) ?? [];
        const withdrawn = withdrawals(family, list, maxLength);
        for (const message of [...announced, ...withdrawn]) expect(message.length).toBeLessThanOrEqual(maxLength);
        const texts = list.map(formatPrefix);
        const updates = announced.map((message) => readUpdate(bodyOf(message)) as ReadUpdate);
        expect(updates.flatMap((one) => one.announced.map(({ prefix }) => formatPrefix(prefix)))).toEqual(texts);
        const gone = withdrawn.map((message) => readUpdate(bodyOf(message)) as ReadUpdate);
        expect(gone.flatMap((one) => one.withdrawn.map(({ prefix }) => formatPrefix(prefix)))).toEqual(texts);
      }),
      { numRuns: 40 },
    );
  });

  it("says so when not one prefix fits beside the attributes", () => {
    const communities = Array.from({ length: 1020 }, (_, i) => i);
    expect(announcements(4, [prefixOf("10.244.0.0/26")], { ...V4, communities })).toBeUndefined();
  });
});

describe("whatever comes", () => {
  it("the decoder answers and never throws", () => {
    const mutated = fc.tuple(
      fc.constant(withAttributes(GOOD)),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 6 }),
    );
    const any = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 300 }),
      mutated.map(([octets, changes]) => {
        const copy = Uint8Array.from(octets);
        for (const [at, value] of changes) copy[at % copy.length] = value;
        return copy;
      }),
    );
    fc.assert(
      fc.property(any, fc.constantFrom(2 as const, 4 as const), fc.boolean(), (octets, asOctets, external) => {
        const update = readUpdate(octets);
        if (isFault(update)) return;
        const { attributes } = update;
        const context = { asOctets, external, multiprotocol: false };
        const checked = checkAttributes(attributes, 0, attributes.length, context);
        if (!isFault(checked)) readAttributes(checked.canonical ?? attributes);
      }),
      { numRuns: 3000 },
    );
  });
});
