import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import {
  type AsPath,
  decodeAsPath,
  encodeAsPath,
  formatAsPath,
  mergeAs4Path,
  pathLength,
  prepend,
  withoutPrivate,
} from "./as-path.ts";
import { checkAttributes, readAttributes } from "./attributes.ts";
import { encodeAttribute, encodeAttributes } from "./encode-attributes.ts";
import { type Fault, isFault } from "./fault.ts";
import { type PathAttributes } from "./path-attributes.ts";

/** One attribute, as octets. */
const raw = (flags: number, type: number, value: string) =>
  encodeAttribute(flags, type, Uint8Array.from(Buffer.from(value, "hex")));

function check(
  octets: Uint8Array,
  asOctets: 2 | 4,
  external: boolean,
): Fault | readonly [PathAttributes, readonly Fault[]] {
  const checked = checkAttributes(octets, 0, octets.length, { asOctets, external, multiprotocol: false });
  return isFault(checked) ? checked : [readAttributes(checked.canonical ?? octets), checked.discarded];
}

function outcome(attribute: Uint8Array, external = true, asOctets: 2 | 4 = 4): string {
  const checked = check(attribute, asOctets, external);
  if (isFault(checked)) return `${checked.action} ${checked.code}/${checked.subcode}`;
  return checked[1].length > 0 ? "discard" : "ok";
}

function roundTrip(attributes: PathAttributes, asOctets: 2 | 4, external: boolean): PathAttributes {
  const checked = check(encodeAttributes(attributes, asOctets), asOctets, external);
  if (isFault(checked)) throw new Error(checked.text);
  expect(checked[1]).toEqual([]);
  return checked[0];
}

const asNumber = fc.integer({ min: 1, max: 0xffffffff });
const asPath: fc.Arbitrary<AsPath> = fc.array(
  fc.record({ type: fc.constant(2), asNumbers: fc.array(asNumber, { minLength: 1, maxLength: 12 }) }),
  { maxLength: 4 },
);
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const u32 = fc.integer({ min: 0, max: 0xffffffff });
const blocks = (width: number) =>
  fc
    .integer({ min: 1, max: 40 })
    .chain((count) => fc.uint8Array({ minLength: width * count, maxLength: width * count }));

const attributes = fc.record(
  {
    origin: fc.nat({ max: 2 }),
    asPath,
    nextHop: octets(4),
    med: u32,
    localPref: u32,
    atomicAggregate: fc.constant(true),
    aggregator: fc.record({ asNumber, address: octets(4) }),
    communities: fc.array(u32, { minLength: 1, maxLength: 80 }),
    largeCommunities: fc
      .uniqueArray(octets(12), { minLength: 1, maxLength: 40, selector: (one) => one.join() })
      .map((all) => Uint8Array.from(all.flatMap((one) => [...one]))),
    ipv6ExtendedCommunities: blocks(20),
    onlyToCustomer: u32,
    extendedCommunities: blocks(8),
    originatorId: octets(4),
    clusterList: fc.array(octets(4), { minLength: 1, maxLength: 5 }),
  },
  { requiredKeys: ["origin", "asPath", "nextHop"] },
);

describe("path attributes", () => {
  it("decode undoes encode between four-octet speakers", () => {
    fc.assert(fc.property(attributes, (value) => expect(roundTrip(value, 4, false)).toEqual(value)));
  });

  it("a two-octet speaker in between loses nothing of a path of sequences (RFC 6793)", () => {
    const sequences = fc.array(asNumber, { minLength: 1, maxLength: 20 });
    fc.assert(
      fc.property(
        sequences,
        fc.option(fc.record({ asNumber, address: octets(4) }), { nil: undefined }),
        (path, aggregator) => {
          const value: PathAttributes = {
            origin: 0,
            asPath: [{ type: 2, asNumbers: path }],
            nextHop: addressOf("10.0.0.1"),
            ...(aggregator === undefined ? {} : { aggregator }),
          };
          expect(roundTrip(value, 2, true)).toEqual(value);
        },
      ),
    );
  });

  it("an unknown optional transitive attribute goes on with the Partial bit", () => {
    const decoded = readAttributes(raw(0xc0, 200, "0102"));
    expect(Buffer.from(encodeAttributes(decoded, 4)).toString("hex")).toContain("e0c8020102");
  });

  it.each([
    ["ORIGIN of 2 octets (7.1)", raw(0x40, 1, "0000"), "withdraw 3/5"],
    ["ORIGIN 3 (7.1)", raw(0x40, 1, "03"), "withdraw 3/6"],
    ["AS_PATH with an unknown segment (7.2)", raw(0x40, 2, "05010000fde9"), "withdraw 3/11"],
    ["AS_PATH with an empty segment (7.2)", raw(0x40, 2, "0200"), "withdraw 3/11"],
    ["AS_PATH that overruns (7.2)", raw(0x40, 2, "02020000fde9"), "withdraw 3/11"],
    ["AS_PATH with AS 0 (RFC 7607)", raw(0x40, 2, "020100000000"), "withdraw 3/11"],
    ["AS_PATH with a set (RFC 9774 3)", raw(0x40, 2, "01010000fde9"), "withdraw 3/11"],
    ["ONLY_TO_CUSTOMER of 3 octets (RFC 9234 5)", raw(0xc0, 35, "000001"), "withdraw 3/5"],
    ["IPV6 EXTENDED COMMUNITIES of 19 octets (7.15)", raw(0xc0, 25, "00".repeat(19)), "withdraw 3/5"],
    ["AS_PATH with a confederation segment", raw(0x40, 2, "03010000fde9"), "withdraw 3/11"],
    ["AS_PATH that is empty", raw(0x40, 2, ""), "ok"],
    ["NEXT_HOP of 3 octets (7.3)", raw(0x40, 3, "0a0000"), "withdraw 3/5"],
    ["MED of 5 octets (7.4)", raw(0x80, 4, "0000000000"), "withdraw 3/5"],
    ["LOCAL_PREF of 3 octets from eBGP (7.5)", raw(0x40, 5, "000000"), "ok"],
    ["ATOMIC_AGGREGATE of 1 octet (7.6)", raw(0x40, 6, "00"), "discard"],
    ["AGGREGATOR of 6 octets (7.7)", raw(0xc0, 7, "fde90a000001"), "discard"],
    ["AGGREGATOR with AS 0 (RFC 7607)", raw(0xc0, 7, "000000000a000001"), "discard"],
    ["COMMUNITIES of 3 octets (7.8)", raw(0xc0, 8, "fde900"), "withdraw 3/5"],
    ["COMMUNITIES of none (7.8)", raw(0xc0, 8, ""), "withdraw 3/5"],
    ["ORIGINATOR_ID of 3 octets from eBGP (7.9)", raw(0x80, 9, "0a0000"), "ok"],
    ["CLUSTER_LIST of 3 octets from eBGP (7.10)", raw(0x80, 10, "0a0000"), "ok"],
    ["EXTENDED COMMUNITIES of 7 octets (7.14)", raw(0xc0, 16, "00020048000000"), "withdraw 3/5"],
    ["LARGE_COMMUNITY of 11 octets (RFC 8092)", raw(0xc0, 32, "00".repeat(11)), "withdraw 3/5"],
    ["wrong flags on ORIGIN (3 c)", raw(0xc0, 1, "00"), "withdraw 3/4"],
    ["wrong flags on AGGREGATOR (3 f)", raw(0x80, 7, "0000fde90a000001"), "discard"],
    ["the Partial bit does not count (3 c)", raw(0x60, 1, "00"), "ok"],
    ["an unknown well-known attribute", raw(0x40, 99, ""), "reset 3/2"],
    ["an unknown optional non-transitive attribute", raw(0x80, 99, "00"), "ok"],
  ])("%s", (_name, attribute, expected) => {
    expect(outcome(attribute)).toBe(expected);
  });

  it.each([
    ["LOCAL_PREF of 3 octets (7.5)", raw(0x40, 5, "000000"), "withdraw 3/5"],
    ["ORIGINATOR_ID of 3 octets (7.9)", raw(0x80, 9, "0a0000"), "withdraw 3/5"],
    ["CLUSTER_LIST of 3 octets (7.10)", raw(0x80, 10, "0a0000"), "withdraw 3/5"],
  ])("from an internal peer, %s costs the route", (_name, attribute, expected) => {
    expect(outcome(attribute, false)).toBe(expected);
  });

  it("a malformed AS4_PATH costs itself only (RFC 6793 6)", () => {
    expect(outcome(raw(0xc0, 17, "0201"), true, 2)).toBe("discard");
    expect(outcome(raw(0xc0, 17, "01010000fde9"), true, 2)).toBe("withdraw 3/11");
  });
});

describe("AS_PATH", () => {
  const path: AsPath = [
    { type: 2, asNumbers: [65001, 65002] },
    { type: 1, asNumbers: [64512, 64513] },
  ];

  it("is read and written", () => {
    fc.assert(fc.property(asPath, (value) => expect(decodeAsPath(encodeAsPath(value, 4), 4)).toEqual(value)));
    expect(decodeAsPath(encodeAsPath(path, 4), 4)).toEqual(path);
    expect(formatAsPath(path)).toBe("65001 65002 {64512 64513}");
  });

  it("a set counts as one AS", () => {
    expect(pathLength(path)).toBe(3);
  });

  it("prepending starts a new sequence where the first is full or a set", () => {
    const full: AsPath = [{ type: 2, asNumbers: Array.from({ length: 255 }, () => 65001) }];
    expect(prepend(full, 1)[0]).toEqual({ type: 2, asNumbers: [1] });
    expect(prepend(path, 1)[0]).toEqual({ type: 2, asNumbers: [1, 65001, 65002] });
    expect(prepend([{ type: 1, asNumbers: [5] }], 1)).toHaveLength(2);
  });

  it("AS4_PATH longer than AS_PATH is stale and ignored (RFC 6793 4.2.3)", () => {
    const short: AsPath = [{ type: 2, asNumbers: [23456] }];
    expect(mergeAs4Path(short, [{ type: 2, asNumbers: [1, 2] }])).toEqual(short);
    const longer: AsPath = [{ type: 2, asNumbers: [65001, 23456, 23456] }];
    expect(mergeAs4Path(longer, [{ type: 2, asNumbers: [100_000, 200_000] }])).toEqual([
      { type: 2, asNumbers: [65001, 100_000, 200_000] },
    ]);
  });

  it("private numbers leave it (RFC 6996)", () => {
    const mixed: AsPath = [
      { type: 2, asNumbers: [65001, 3356] },
      { type: 2, asNumbers: [4_200_000_000] },
    ];
    expect(withoutPrivate(mixed)).toEqual([{ type: 2, asNumbers: [3356] }]);
  });
});
