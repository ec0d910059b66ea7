/** RFC 7606 3 to 5: flags, lengths, what is missing or there twice, and what is reset all the same. */
import {
  aggregator,
  asPath,
  atomicAggregate,
  attribute,
  communities,
  flagged,
  localPref,
  med,
  mpReach,
  mpUnreach,
  nextHop,
  origin,
} from "../attributes.ts";
import {
  announce,
  announce6,
  base,
  base6,
  type Case,
  harmless,
  P,
  P6,
  passes,
  Q,
  reach6,
  resets,
  unknown,
  withdraws,
  withdraws6,
} from "../case.ts";
import { update } from "../messages.ts";
import { cat, ip, nlri, type Octets, u32, zeros } from "../octets.ts";

const [ORIGIN, PATH, NEXT] = base() as [Octets, Octets, Octets];
const plus = (...more: readonly Octets[]) => announce(P, ...base(), ...more);
const IBGP = [origin(), asPath(64_999), nextHop("192.0.2.21"), localPref(100)] as const;

/** As `withdraws`, on the session of an internal peer. */
const withdrawsInternal = (id: string, title: string, ...attributes: readonly Octets[]): Case =>
  withdraws(id, title, announce(P, ...attributes), { by: "internal", before: [announce(P, ...IBGP)] });

export const RFC7606_FLAGS: readonly Case[] = [
  withdraws("7606-3c-01", "ORIGIN with the Optional bit", announce(P, flagged(0xc0, ORIGIN), PATH, NEXT)),
  withdraws("7606-3c-02", "ORIGIN without the Transitive bit", announce(P, flagged(0x00, ORIGIN), PATH, NEXT)),
  withdraws("7606-3c-03", "AS_PATH with the Optional bit", announce(P, ORIGIN, flagged(0xc0, PATH), NEXT)),
  withdraws("7606-3c-04", "NEXT_HOP as optional non-transitive", announce(P, ORIGIN, PATH, flagged(0x80, NEXT))),
  withdraws("7606-3c-05", "MED as well-known", plus(flagged(0x40, med(5)))),
  withdraws("7606-3c-06", "MED as transitive", plus(flagged(0xc0, med(5)))),
  withdrawsInternal(
    "7606-3c-07",
    "LOCAL_PREF as optional, from an internal peer",
    ...IBGP.slice(0, 3),
    flagged(0xc0, localPref(5)),
  ),
  withdraws("7606-3c-08", "COMMUNITIES as well-known", plus(flagged(0x40, communities("65001:1")))),
  withdraws("7606-3c-09", "COMMUNITIES as non-transitive", plus(flagged(0x80, communities("65001:1")))),
  passes(
    "7606-3c-10",
    "the Partial bit on a well-known attribute is no fault",
    announce(P, flagged(0x60, ORIGIN), PATH, NEXT),
  ),
  harmless(
    "7606-3f-01",
    "ATOMIC_AGGREGATE with the Optional bit costs its route at most",
    announce(Q, ...base(), flagged(0xc0, atomicAggregate())),
  ),
  harmless(
    "7606-3f-02",
    "AGGREGATOR as well-known costs its route at most",
    announce(Q, ...base(), flagged(0x40, aggregator(65_001, "192.0.2.7"))),
  ),
];

export const RFC7606_STRUCTURE: readonly Case[] = [
  resets(
    "7606-3b-01",
    "lengths that exceed the message",
    update({ withdrawn: [nlri(P)], attributes: base(), attributesLength: cat(...base()).length + 1 }),
    "3/1",
  ),
  withdraws("7606-3d-01", "no ORIGIN", announce(P, PATH, NEXT)),
  withdraws("7606-3d-02", "no AS_PATH", announce(P, ORIGIN, NEXT)),
  withdraws("7606-3d-03", "no NEXT_HOP", announce(P, ORIGIN, PATH)),
  withdraws("7606-3d-04", "no attributes at all", update({ nlri: [nlri(P)] })),
  withdraws(
    "7606-3d-05",
    "an unknown transitive attribute and nothing else",
    announce(P, unknown(0xc0, 31, [1, 2, 3, 4])),
  ),
  withdraws(
    "7606-3d-06",
    "MP_UNREACH_NLRI and no mandatory attribute",
    update({ attributes: [mpUnreach(2, [nlri(P6)])], nlri: [nlri(P)] }),
  ),
  withdraws6("7606-3d-07", "MP_REACH_NLRI without ORIGIN", announce6(P6, asPath(65_001))),
  withdraws6("7606-3d-08", "MP_REACH_NLRI without AS_PATH", announce6(P6, origin())),
  withdraws6("7606-3d-09", "MP_REACH_NLRI and nothing else", update({ attributes: [reach6()] })),
  passes(
    "7606-3d-10",
    "MP_REACH_NLRI needs no NEXT_HOP",
    announce6(),
    {},
    { expects: { sees: { external2: { [P6]: {} } } } },
  ),
  passes(
    "7606-3d-11",
    "LOCAL_PREF is not mandatory in the sense of this: without it an internal route is usable",
    announce(P, ...IBGP.slice(0, 3)),
    {},
    { by: "internal" },
  ),
  resets(
    "7606-3g-01",
    "MP_REACH_NLRI twice",
    update({ attributes: [reach6(), reach6("2001:db8:101::/48"), ...base6()] }),
    "3/1",
  ),
  resets(
    "7606-3g-02",
    "MP_UNREACH_NLRI twice",
    update({ attributes: [mpUnreach(2, [nlri(P6)]), mpUnreach(2, [nlri(P6)])] }),
    "3/1",
  ),
  passes("7606-3g-03", "ORIGIN twice: the first counts", announce(P, ORIGIN, origin(2), PATH, NEXT), {
    with: [origin(0)],
  }),
  passes(
    "7606-3g-04",
    "MED twice: the first counts",
    plus(med(1), med(2)),
    {},
    { expects: { sees: { internal: { [P]: { with: [med(1)] } } } } },
  ),
  passes(
    "7606-3g-05",
    "an unknown attribute twice: the first counts",
    plus(unknown(0xc0, 99, [1]), unknown(0xc0, 99, [2])),
    { with: [unknown(0xe0, 99, [1])] },
  ),
  passes(
    "7606-3g-06",
    "a second COMMUNITIES that is malformed is discarded unread",
    plus(communities("65001:1"), attribute(0xc0, 8, [1, 2, 3])),
    { with: [communities("65001:1")] },
  ),
  withdraws(
    "7606-3h-01",
    "a fault that discards and one that withdraws: withdrawn",
    plus(attribute(0xc0, 7, [1]), attribute(0xc0, 8, [1])),
  ),
  withdraws(
    "7606-3h-03",
    "two faults that withdraw: withdrawn",
    plus(attribute(0x80, 4, [1]), attribute(0xc0, 8, [1])),
  ),
  resets(
    "7606-3h-02",
    "a fault that withdraws and one that resets: reset",
    update({ attributes: [...base(), attribute(0xc0, 8, [1])], nlri: [cat([40, 1, 2, 3, 4, 5])] }),
    "3/10",
  ),
  withdraws(
    "7606-4-01",
    "the last attribute overruns the total length",
    announce(P, ...base(), attribute(0xc0, 8, u32(1), 12)),
  ),
  withdraws("7606-4-02", "two octets are left for a last attribute", announce(P, ...base(), cat([0xc0, 8]))),
  withdraws("7606-4-03", "one octet is left for a last attribute", announce(P, ...base(), cat([0xc0]))),
  withdraws("7606-4-04", "three octets are left for one of extended length", announce(P, ...base(), cat([0xd0, 8, 0]))),
  withdraws("7606-4-05", "an attribute of length 0 that may not be", plus(attribute(0xc0, 8, []))),
  passes(
    "7606-4-06",
    "the total length, not a broken attribute, says where NLRI begin",
    [announce(Q), update({ attributes: [...base(), attribute(0xc0, 8, u32(1), 200)], nlri: [nlri(P)] })],
    {},
    { expects: { sees: { external2: { [P]: [], [Q]: {} } } } },
  ),
  passes(
    "7606-5.1-01",
    "MP_REACH_NLRI that is not the first attribute",
    update({ attributes: [...base6(), reach6()] }),
    {},
    { expects: { sees: { external2: { [P6]: {} } } } },
  ),
  passes(
    "7606-5.1-02",
    "MP_REACH_NLRI and NLRI in one UPDATE",
    update({ attributes: [reach6(), ...base()], nlri: [nlri(P)] }),
    {},
    { expects: { sees: { external2: { [P6]: {}, [P]: {} } } } },
  ),
  passes(
    "7606-5.1-03",
    "MP_UNREACH_NLRI, MP_REACH_NLRI, withdrawn routes and NLRI in one UPDATE",
    update({
      withdrawn: [nlri(Q)],
      attributes: [...base(), mpUnreach(2, [nlri("2001:db8:101::/48")]), reach6()],
      nlri: [nlri(P)],
    }),
    {},
    {
      before: [announce(Q), announce6("2001:db8:101::/48")],
      expects: { sees: { external2: { [P6]: {}, [P]: {}, [Q]: [], "2001:db8:101::/48": [] } } },
    },
  ),
  resets(
    "7606-5.2-01",
    "withdrawn routes and a broken attribute, but nothing reachable",
    update({ withdrawn: [nlri(P)], attributes: [attribute(0x40, 1, [9])] }),
    ["3/1", "3/6"],
  ),
  resets(
    "7606-5.2-02",
    "an attribute list that overruns, nothing reachable",
    update({ attributes: [...base(), attribute(0xc0, 8, u32(1), 12)] }),
    ["3/1", "3/5"],
  ),
  passes("7606-5.2-03", "nothing reachable and a fault that only discards is harmless", [
    announce(P),
    update({ withdrawn: [nlri(Q)], attributes: [...base(), attribute(0xc0, 7, [1])] }),
  ]),
  resets(
    "7606-5.3-01",
    "an IPv6 prefix length of 129",
    update({ attributes: [mpReach(2, ip("2001:db8:2::b"), [cat([129], zeros(17))]), ...base6()] }),
    ["3/9", "3/10", "3/1"],
  ),
  resets(
    "7606-5.3-02",
    "an IPv6 prefix that is cut off",
    update({ attributes: [mpReach(2, ip("2001:db8:2::b"), [cat([48, 0x20, 1])]), ...base6()] }),
    ["3/9", "3/10", "3/1"],
  ),
  resets(
    "7606-5.3-03",
    "an IPv6 withdrawal that is cut off",
    update({ attributes: [mpUnreach(2, [cat([48, 0x20, 1])])] }),
    ["3/9", "3/10", "3/1"],
  ),
  resets(
    "7606-5.3-04",
    "MP_REACH_NLRI with the Transitive bit",
    update({ attributes: [mpReach(2, ip("2001:db8:2::b"), [nlri(P6)], { flags: 0xc0 }), ...base6()] }),
    ["3/9", "3/4", "3/1"],
  ),
  resets(
    "7606-5.3-05",
    "MP_UNREACH_NLRI without the Optional bit",
    update({ attributes: [mpUnreach(2, [nlri(P6)], { flags: 0x00 })] }),
    ["3/9", "3/4", "3/1", "3/2"],
  ),
  resets(
    "7606-7.11-01",
    "MP_REACH_NLRI of three octets",
    update({ attributes: [attribute(0x80, 14, [0, 2, 1]), ...base6()] }),
    ["3/9", "3/1", "3/5"],
  ),
  resets(
    "7606-7.11-02",
    "MP_REACH_NLRI whose next hop overruns it",
    update({ attributes: [attribute(0x80, 14, cat([0, 2, 1, 16], zeros(4))), ...base6()] }),
    ["3/9", "3/1", "3/5"],
  ),
  resets(
    "7606-7.11-03",
    "an IPv6 next hop of five octets",
    update({ attributes: [mpReach(2, zeros(5), [nlri(P6)]), ...base6()] }),
    ["3/9", "3/1", "3/8", "3/5"],
  ),
  resets("7606-7.12-01", "MP_UNREACH_NLRI of two octets", update({ attributes: [attribute(0x80, 15, [0, 2])] }), [
    "3/9",
    "3/1",
    "3/5",
  ]),
];
