/** RFC 7606 7: a fault in an attribute costs the routes it is about, or the attribute, and not the session. */
import { asPath, asPathOf, attribute, flagged, localPref, nextHop, origin, SEQUENCE, segments } from "../attributes.ts";
import { announce, base, type Case, P, passes, Q, withdraw, withdraws } from "../case.ts";
import { update } from "../messages.ts";
import { cat, ip, nlri, type Octets, u32, zeros } from "../octets.ts";

const [ORIGIN, PATH, NEXT] = base() as [Octets, Octets, Octets];
const plus = (...more: readonly Octets[]) => announce(P, ...base(), ...more);
const IBGP = [origin(), asPath(64_999), nextHop("192.0.2.21"), localPref(100)] as const;

/** As `withdraws`, on the session of an internal peer. */
const withdrawsInternal = (id: string, title: string, ...attributes: readonly Octets[]): Case =>
  withdraws(id, title, announce(P, ...attributes), { by: "internal", before: [announce(P, ...IBGP)] });

export const RFC7606_ATTRIBUTES: readonly Case[] = [
  withdraws("7606-7.1-01", "ORIGIN of two octets", announce(P, attribute(0x40, 1, [0, 0]), PATH, NEXT)),
  withdraws("7606-7.1-02", "ORIGIN 3", announce(P, origin(3), PATH, NEXT)),
  withdraws("7606-7.1-03", "ORIGIN 255", announce(P, origin(255), PATH, NEXT)),
  withdraws("7606-7.1-04", "ORIGIN of no octets", announce(P, attribute(0x40, 1, []), PATH, NEXT)),
  withdraws("7606-7.2-01", "an unknown segment type", announce(P, ORIGIN, asPathOf(segments(4, [9, 65_001])), NEXT)),
  withdraws("7606-7.2-02", "a segment of length 0", announce(P, ORIGIN, asPathOf(segments(4, [SEQUENCE])), NEXT)),
  withdraws(
    "7606-7.2-03",
    "a segment of length 0 behind a good one",
    announce(P, ORIGIN, asPathOf(segments(4, [SEQUENCE, 65_001], [SEQUENCE])), NEXT),
  ),
  withdraws(
    "7606-7.2-04",
    "a segment that overruns",
    announce(P, ORIGIN, asPathOf(cat([SEQUENCE, 2], u32(65_001))), NEXT),
  ),
  withdraws(
    "7606-7.2-05",
    "one octet behind the last segment",
    announce(P, ORIGIN, asPathOf(cat(segments(4, [SEQUENCE, 65_001]), [SEQUENCE])), NEXT),
  ),
  withdraws(
    "7606-7.2-06",
    "two-octet numbers where four were agreed",
    announce(P, ORIGIN, asPathOf(segments(2, [SEQUENCE, 65_001])), NEXT),
  ),
  withdraws("7606-7.2-07", "segment type 0", announce(P, ORIGIN, asPathOf(segments(4, [0, 65_001])), NEXT)),
  withdraws(
    "7606-7.2-08",
    "a confederation sequence from outside",
    announce(P, ORIGIN, asPathOf(segments(4, [3, 65_001])), NEXT),
  ),
  withdraws("7606-7.3-01", "NEXT_HOP of three octets", announce(P, ORIGIN, PATH, attribute(0x40, 3, [192, 0, 2]))),
  withdraws(
    "7606-7.3-02",
    "NEXT_HOP of sixteen octets",
    announce(P, ORIGIN, PATH, attribute(0x40, 3, ip("2001:db8:2::b"))),
  ),
  withdraws("7606-7.3-03", "NEXT_HOP of one octet", announce(P, ORIGIN, PATH, attribute(0x40, 3, [1]))),
  withdraws("7606-7.3-04", "NEXT_HOP of no octets", announce(P, ORIGIN, PATH, attribute(0x40, 3, []))),
  withdraws("7606-7.4-01", "MED of three octets", plus(attribute(0x80, 4, [1, 2, 3]))),
  withdraws("7606-7.4-02", "MED of eight octets", plus(attribute(0x80, 4, zeros(8)))),
  withdraws("7606-7.4-03", "MED of no octets", plus(attribute(0x80, 4, []))),
  passes(
    "7606-7.5-01",
    "LOCAL_PREF of three octets from an external peer is discarded",
    plus(attribute(0x40, 5, [1, 2, 3])),
  ),
  withdrawsInternal(
    "7606-7.5-02",
    "LOCAL_PREF of three octets from an internal peer",
    ...IBGP.slice(0, 3),
    attribute(0x40, 5, [1, 2, 3]),
  ),
  passes(
    "7606-7.5-03",
    "LOCAL_PREF with wrong flags from an external peer is discarded",
    plus(flagged(0x80, localPref(5))),
  ),
  passes("7606-7.6-01", "ATOMIC_AGGREGATE of one octet is discarded", plus(attribute(0x40, 6, [1])), { without: [6] }),
  passes(
    "7606-7.7-01",
    "AGGREGATOR of six octets where eight were agreed is discarded",
    plus(attribute(0xc0, 7, zeros(6))),
    { without: [7] },
  ),
  passes("7606-7.7-02", "AGGREGATOR of nine octets is discarded", plus(attribute(0xc0, 7, zeros(9))), { without: [7] }),
  passes("7606-7.7-03", "AGGREGATOR of no octets is discarded", plus(attribute(0xc0, 7, [])), { without: [7] }),
  withdraws("7606-7.8-01", "COMMUNITIES of five octets", plus(attribute(0xc0, 8, zeros(5)))),
  withdraws("7606-7.8-02", "COMMUNITIES of no octets", plus(attribute(0xc0, 8, []))),
  passes(
    "7606-7.9-01",
    "ORIGINATOR_ID from an external peer is discarded",
    plus(attribute(0x80, 9, ip("192.0.2.200"))),
    {},
    { expects: { sees: { internal: { [P]: { without: [9] } } } } },
  ),
  passes(
    "7606-7.9-02",
    "ORIGINATOR_ID of three octets from an external peer is discarded",
    plus(attribute(0x80, 9, [1, 2, 3])),
  ),
  withdrawsInternal(
    "7606-7.9-03",
    "ORIGINATOR_ID of three octets from an internal peer",
    ...IBGP,
    attribute(0x80, 9, [1, 2, 3]),
  ),
  passes(
    "7606-7.10-01",
    "CLUSTER_LIST from an external peer is discarded",
    plus(attribute(0x80, 10, ip("192.0.2.200"))),
    {},
    { expects: { sees: { internal: { [P]: { without: [10] } } } } },
  ),
  passes(
    "7606-7.10-02",
    "CLUSTER_LIST of five octets from an external peer is discarded",
    plus(attribute(0x80, 10, zeros(5))),
  ),
  withdrawsInternal(
    "7606-7.10-03",
    "CLUSTER_LIST of five octets from an internal peer",
    ...IBGP,
    attribute(0x80, 10, zeros(5)),
  ),
  withdrawsInternal(
    "7606-7.10-04",
    "CLUSTER_LIST of no octets from an internal peer",
    ...IBGP,
    attribute(0x80, 10, []),
  ),
  withdraws("7606-7.14-01", "EXTENDED COMMUNITIES of seven octets", plus(attribute(0xc0, 16, zeros(7)))),
  withdraws("7606-7.14-02", "EXTENDED COMMUNITIES of no octets", plus(attribute(0xc0, 16, []))),
  withdraws("7606-7.15-01", "IPv6 EXTENDED COMMUNITIES of nineteen octets", plus(attribute(0xc0, 25, zeros(19)))),
  passes(
    "7606-8-01",
    "a route that was fine before stays while another is withdrawn",
    [announce(Q), announce(P), announce(Q, PATH, NEXT)],
    {},
    { expects: { sees: { external2: { [P]: {}, [Q]: [] } } } },
  ),
  passes("7606-2-01", "a treated-as-withdrawn route may come again", [
    announce(P),
    announce(P, PATH, NEXT),
    announce(P),
  ]),
  passes(
    "7606-2-02",
    "withdrawals in an UPDATE with a bad announcement are done",
    [announce(Q), update({ withdrawn: [nlri(Q)], attributes: [PATH, NEXT], nlri: [nlri(P)] })],
    {},
    { expects: { sees: { external2: { [P]: [], [Q]: [] } } } },
  ),
  passes(
    "7606-2-03",
    "a plain withdrawal of what was treated as withdrawn",
    [announce(P), announce(P, PATH, NEXT), withdraw(P)],
    {},
    { expects: { sees: { external2: { [P]: [] } } } },
  ),
];
