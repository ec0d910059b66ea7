/** RFC 6793: peers that know two-octet AS numbers only; RFC 7607: AS 0; RFC 9774: sets. */
import {
  aggregator,
  aggregator2,
  as4Aggregator,
  as4Path,
  asPath,
  asPath2,
  asPathOf,
  attribute,
  nextHop,
  origin,
  SEQUENCE,
  SET,
  segments,
} from "../attributes.ts";
import { announce, base, type Case, P, passes, type RouteExpectation, withdraws } from "../case.ts";
import { cat, type Octets, u32, zeros } from "../octets.ts";

const BIG = 4_200_000_014;
const [ORIGIN, , NEXT] = base() as [Octets, Octets, Octets];
const OLD = { external: { as4: false } };
const OLD_OBSERVER = { external2: { as4: false } };

/** From a two-octet speaker, seen by a four-octet one. */
const fromOld = (id: string, title: string, attributes: readonly Octets[], route: RouteExpectation): Case =>
  passes(id, title, announce(P, ORIGIN, NEXT, ...attributes), route, { terms: OLD });

const oldWithdraws = (id: string, title: string, ...attributes: readonly Octets[]): Case =>
  withdraws(id, title, announce(P, ORIGIN, NEXT, ...attributes), {
    terms: OLD,
    before: [announce(P, ORIGIN, asPath2(65_001), NEXT)],
  });

const bigBase = [origin(), asPath(BIG), nextHop("192.0.2.14")];
const as4 = (octets: Octets) => attribute(0xc0, 17, octets);

export const RFC6793: readonly Case[] = [
  {
    id: "6793-4.2.2-01",
    title: "a two-octet peer gets AS_TRANS in AS_PATH and the truth in AS4_PATH",
    by: "big",
    terms: OLD_OBSERVER,
    says: [announce(P, ...bigBase)],
    expects: { sees: { external2: { [P]: { with: [asPath2(65_000, 23_456), as4Path(65_000, BIG)] } } } },
  },
  {
    id: "6793-4.2.2-02",
    title: "no AS4_PATH when every number fits",
    terms: OLD_OBSERVER,
    says: [announce(P)],
    expects: { sees: { external2: { [P]: { with: [asPath2(65_000, 65_001)], without: [17] } } } },
  },
  {
    id: "6793-4.2.2-03",
    title: "AGGREGATOR of a big number: AS_TRANS, and the truth in AS4_AGGREGATOR",
    terms: OLD_OBSERVER,
    says: [announce(P, ...base(), aggregator(BIG, "192.0.2.7"))],
    expects: {
      sees: { external2: { [P]: { with: [aggregator2(23_456, "192.0.2.7"), as4Aggregator(BIG, "192.0.2.7")] } } },
    },
  },
  {
    id: "6793-4.2.2-04",
    title: "AGGREGATOR of a number that fits has no AS4_AGGREGATOR",
    terms: OLD_OBSERVER,
    says: [announce(P, ...base(), aggregator(65_001, "192.0.2.7"))],
    expects: { sees: { external2: { [P]: { with: [aggregator2(65_001, "192.0.2.7")], without: [18] } } } },
  },
  {
    id: "6793-4.2.2-05",
    title: "between four-octet speakers nothing is translated",
    by: "big",
    says: [announce(P, ...bigBase, aggregator(BIG, "192.0.2.7"))],
    expects: {
      sees: { external2: { [P]: { with: [asPath(65_000, BIG), aggregator(BIG, "192.0.2.7")], without: [17, 18] } } },
    },
  },
  fromOld("6793-4.2.3-01", "a path of two octets becomes one of four", [asPath2(65_001, 64_999)], {
    with: [asPath(65_000, 65_001, 64_999)],
  }),
  fromOld(
    "6793-4.2.3-02",
    "AS4_PATH replaces the end of AS_PATH",
    [asPath2(65_001, 23_456, 23_456), as4Path(4_200_000_001, 4_200_000_002)],
    { path: [65_000, 65_001, 4_200_000_001, 4_200_000_002], without: [17] },
  ),
  fromOld(
    "6793-4.2.3-03",
    "AS4_PATH of the same length replaces all of it",
    [asPath2(65_001, 23_456), as4Path(65_001, 4_200_000_002)],
    { path: [65_000, 65_001, 4_200_000_002] },
  ),
  fromOld(
    "6793-4.2.3-04",
    "an AS4_PATH that is longer than AS_PATH is ignored",
    [asPath2(65_001), as4Path(65_001, 4_200_000_002)],
    { with: [asPath(65_000, 65_001)], without: [17] },
  ),
  fromOld(
    "6793-4.2.3-05",
    "AS4_AGGREGATOR replaces an AGGREGATOR of AS_TRANS",
    [asPath2(65_001), aggregator2(23_456, "192.0.2.7"), as4Aggregator(BIG, "192.0.2.8")],
    { with: [aggregator(BIG, "192.0.2.8")], without: [18] },
  ),
  fromOld(
    "6793-4.2.3-06",
    "with another AGGREGATOR both AS4 attributes are ignored",
    [asPath2(65_001, 23_456), as4Path(65_001, BIG), aggregator2(64_999, "192.0.2.7"), as4Aggregator(BIG, "192.0.2.8")],
    { with: [asPath(65_000, 65_001, 23_456), aggregator(64_999, "192.0.2.7")], without: [17, 18] },
  ),
  fromOld("6793-4.2.3-07", "AS4_PATH in front of AS_PATH", [as4Path(BIG), asPath2(65_001, 23_456)], {
    path: [65_000, 65_001, BIG],
  }),
  fromOld("6793-4.2.3-08", "AS4_AGGREGATOR alone is dropped", [asPath2(65_001), as4Aggregator(BIG, "192.0.2.8")], {
    without: [7, 18],
  }),
  passes(
    "6793-4.1-01",
    "AS4_PATH from a four-octet speaker is discarded",
    announce(P, ...base(), as4Path(65_001, BIG)),
    { with: [asPath(65_000, 65_001)], without: [17] },
  ),
  passes(
    "6793-4.1-02",
    "AS4_AGGREGATOR from a four-octet speaker is discarded",
    announce(P, ...base(), as4Aggregator(BIG, "192.0.2.8")),
    { without: [7, 18] },
  ),
  fromOld(
    "6793-6-01",
    "an AS4_PATH of odd length is discarded",
    [asPath2(65_001, 23_456), as4(cat([SEQUENCE, 1], u32(BIG), [0]))],
    { with: [asPath(65_000, 65_001, 23_456)], without: [17] },
  ),
  fromOld(
    "6793-6-02",
    "an AS4_PATH whose segment overruns is discarded",
    [asPath2(65_001, 23_456), as4(cat([SEQUENCE, 5], u32(BIG)))],
    { with: [asPath(65_000, 65_001, 23_456)], without: [17] },
  ),
  fromOld(
    "6793-6-03",
    "an AS4_PATH with an empty segment is discarded",
    [asPath2(65_001, 23_456), as4(cat([SEQUENCE, 0]))],
    { with: [asPath(65_000, 65_001, 23_456)], without: [17] },
  ),
  fromOld(
    "6793-6-04",
    "an AS4_PATH of an unknown segment type is discarded",
    [asPath2(65_001, 23_456), as4(segments(4, [9, BIG]))],
    { with: [asPath(65_000, 65_001, 23_456)], without: [17] },
  ),
  fromOld("6793-6-05", "an AS4_PATH of no octets is discarded", [asPath2(65_001, 23_456), as4(cat())], {
    with: [asPath(65_000, 65_001, 23_456)],
    without: [17],
  }),
  fromOld(
    "6793-6-06",
    "confederation segments in AS4_PATH are dropped from it",
    [asPath2(65_001, 23_456), as4(segments(4, [3, 64_512], [SEQUENCE, BIG]))],
    { path: [65_000, 65_001, BIG] },
  ),
  fromOld(
    "6793-6-07",
    "an AS4_AGGREGATOR of six octets is discarded",
    [asPath2(65_001), aggregator2(23_456, "192.0.2.7"), attribute(0xc0, 18, zeros(6))],
    { with: [aggregator(23_456, "192.0.2.7")] },
  ),
  fromOld(
    "6793-6-08",
    "an AS4_PATH in front of AS_PATH, malformed, is discarded",
    [as4(cat([SEQUENCE, 5], u32(BIG))), asPath2(65_001)],
    { with: [asPath(65_000, 65_001)] },
  ),
  oldWithdraws("7606-7.2-09", "four-octet numbers where two were agreed", asPathOf(segments(4, [SEQUENCE, 65_001]))),
  fromOld(
    "7606-7.7-04",
    "AGGREGATOR of eight octets where six were agreed is discarded",
    [asPath2(65_001), aggregator(65_001, "192.0.2.7")],
    { without: [7] },
  ),
];

export const RFC7607: readonly Case[] = [
  withdraws("7607-2-03", "AS 0 in AS_PATH", announce(P, ORIGIN, asPath(65_001, 0, 64_999), NEXT)),
  withdraws("7607-2-04", "AS 0 as the origin", announce(P, ORIGIN, asPath(65_001, 0), NEXT)),
  oldWithdraws("7607-2-05", "AS 0 in a path of two octets", asPath2(65_001, 0)),
  passes("7607-2-06", "AGGREGATOR of AS 0 is discarded", announce(P, ...base(), aggregator(0, "192.0.2.7")), {
    without: [7],
  }),
  fromOld("7607-2-07", "AS 0 in AS4_PATH: the attribute is discarded", [asPath2(65_001, 23_456), as4Path(65_001, 0)], {
    with: [asPath(65_000, 65_001, 23_456)],
    without: [17],
  }),
  fromOld(
    "7607-2-08",
    "AS 0 in AS4_AGGREGATOR: the attribute is discarded",
    [asPath2(65_001), aggregator2(23_456, "192.0.2.7"), as4Aggregator(0, "192.0.2.8")],
    { with: [aggregator(23_456, "192.0.2.7")] },
  ),
];

export const RFC9774: readonly Case[] = [
  withdraws(
    "9774-3-01",
    "a set in AS_PATH",
    announce(P, ORIGIN, asPathOf(segments(4, [SEQUENCE, 65_001], [SET, 64_998, 64_999])), NEXT),
  ),
  withdraws(
    "9774-3-02",
    "a set of one",
    announce(P, ORIGIN, asPathOf(segments(4, [SEQUENCE, 65_001], [SET, 64_998])), NEXT),
  ),
  withdraws(
    "9774-3-03",
    "a confederation set",
    announce(P, ORIGIN, asPathOf(segments(4, [SEQUENCE, 65_001], [4, 64_998])), NEXT),
  ),
  oldWithdraws("9774-3-04", "a set in AS4_PATH", asPath2(65_001, 23_456), as4(cat([SET, 1], u32(BIG)))),
  withdraws(
    "9774-3-05",
    "a set in the path of an internal peer",
    announce(P, origin(), asPathOf(segments(4, [SET, 64_998])), nextHop("192.0.2.21"), attribute(0x40, 5, u32(100))),
    {
      by: "internal",
      before: [announce(P, origin(), asPath(), nextHop("192.0.2.21"), attribute(0x40, 5, u32(100)))],
    },
  ),
];
