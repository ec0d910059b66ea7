/** RFC 4271 5 and 9: what each attribute means, and what becomes of it on the way to another AS or within ours. */
import {
  aggregator,
  asPath,
  asPathOf,
  atomicAggregate,
  attribute,
  communities,
  localPref,
  med,
  nextHop,
  origin,
  SEQUENCE,
  segments,
} from "../attributes.ts";
import { announce, base, type Case, harmless, P, passes, Q, resets, unknown, withdraw, withdraws } from "../case.ts";
import { update } from "../messages.ts";
import { cat, nlri, u32 } from "../octets.ts";

const AT_INTERNAL = (route = {}) => ({ expects: { sees: { internal: { [P]: route } } } });
const [B0, B1, B2] = base() as [Uint8Array, Uint8Array, Uint8Array];

export const RFC4271_ATTRIBUTES: readonly Case[] = [
  passes("4271-5.1.1-01", "ORIGIN IGP goes on as it came", announce(P), { with: [origin(0)] }),
  passes("4271-5.1.1-02", "ORIGIN EGP goes on as it came", announce(P, origin(1), B1, B2), { with: [origin(1)] }),
  passes("4271-5.1.1-03", "ORIGIN INCOMPLETE goes on as it came", announce(P, origin(2), B1, B2), {
    with: [origin(2)],
  }),
  passes("4271-5.1.2-01", "our AS number is put in front towards an external peer", announce(P), {
    with: [asPath(65_000, 65_001)],
  }),
  passes(
    "4271-5.1.2-02",
    "the path is not changed towards an internal peer",
    announce(P),
    {},
    {
      ...AT_INTERNAL({ with: [asPath(65_001)] }),
    },
  ),
  passes(
    "4271-5.1.2-03",
    "a sequence that is full gets a new one in front of it",
    announce(P, B0, asPath(65_001, ...new Array<number>(254).fill(64_999)), B2),
    {
      with: [asPathOf(segments(4, [SEQUENCE, 65_000], [SEQUENCE, 65_001, ...new Array<number>(254).fill(64_999)]))],
    },
  ),
  passes(
    "4271-5.1.2-04",
    "two sequences are kept apart",
    announce(P, B0, asPathOf(segments(4, [SEQUENCE, 65_001], [SEQUENCE, 64_999])), B2),
    { with: [asPathOf(segments(4, [SEQUENCE, 65_000, 65_001], [SEQUENCE, 64_999]))] },
  ),
  {
    id: "4271-5.1.2-05",
    title: "an internal peer's own route has an empty path, which becomes ours alone",
    by: "internal",
    says: [announce(P, origin(), asPath(), nextHop("192.0.2.21"), localPref(100))],
    expects: { sees: { external2: { [P]: { with: [asPath(65_000)] } } } },
  },
  passes(
    "4271-5.1.3-01",
    "the next hop towards an external peer is our address, or the one on its own subnet",
    announce(P),
    {
      nextHop: ["192.0.2.11", "192.0.2.1"],
    },
  ),
  passes(
    "4271-5.1.3-02",
    "the next hop is not changed towards an internal peer",
    announce(P),
    {},
    {
      ...AT_INTERNAL({ nextHop: "192.0.2.11" }),
    },
  ),
  passes("4271-5.1.4-01", "MED of another AS does not go on to a third", announce(P, ...base(), med(50)), {
    without: [4],
  }),
  passes(
    "4271-5.1.4-02",
    "MED goes on within our AS",
    announce(P, ...base(), med(50)),
    {},
    {
      ...AT_INTERNAL({ with: [med(50)] }),
    },
  ),
  passes("4271-5.1.5-01", "LOCAL_PREF does not go to an external peer", announce(P), { without: [5] }),
  passes(
    "4271-5.1.5-02",
    "LOCAL_PREF goes to an internal peer",
    announce(P),
    {},
    {
      ...AT_INTERNAL({ with: [localPref(100)] }),
    },
  ),
  passes(
    "4271-5.1.5-03",
    "LOCAL_PREF from an external peer is ignored",
    announce(P, ...base(), localPref(777)),
    {},
    {
      ...AT_INTERNAL({ with: [localPref(100)] }),
    },
  ),
  {
    id: "4271-5.1.5-04",
    title: "the degree of preference of an internal peer decides",
    also: { internal: [announce(P, origin(), asPath(64_999, 64_998), nextHop("192.0.2.21"), localPref(200))] },
    says: [announce(P)],
    expects: { sees: { external2: { [P]: { with: [asPath(65_000, 64_999, 64_998)] } } } },
  },
  passes("4271-5.1.6-01", "ATOMIC_AGGREGATE goes on", announce(P, ...base(), atomicAggregate()), {
    with: [atomicAggregate()],
  }),
  passes("4271-5.1.7-01", "AGGREGATOR goes on", announce(P, ...base(), aggregator(65_001, "192.0.2.77")), {
    with: [aggregator(65_001, "192.0.2.77")],
  }),
  passes(
    "4271-5-01",
    "an unknown optional transitive attribute goes on with the Partial bit",
    announce(P, ...base(), unknown(0xc0, 99)),
    {
      with: [unknown(0xe0, 99)],
    },
  ),
  passes("4271-5-02", "one whose Partial bit is set keeps it", announce(P, ...base(), unknown(0xe0, 99)), {
    with: [unknown(0xe0, 99)],
  }),
  passes(
    "4271-5-03",
    "an unknown optional non-transitive attribute is dropped, the route goes on",
    announce(P, ...base(), unknown(0x80, 99)),
    {
      without: [99],
    },
  ),
  passes("4271-5-04", "attribute 254 is like any other unknown one", announce(P, ...base(), unknown(0xc0, 254)), {
    with: [unknown(0xe0, 254)],
  }),
  passes(
    "4271-5-05",
    "attribute 255 too, and with 300 octets",
    announce(P, ...base(), unknown(0xd0, 255, new Array<number>(300).fill(5))),
    {
      with: [unknown(0xf0, 255, new Array<number>(300).fill(5))],
    },
  ),
  passes(
    "4271-5-06",
    "an unknown one goes on within our AS too",
    announce(P, ...base(), unknown(0xc0, 99)),
    {},
    {
      ...AT_INTERNAL({ with: [unknown(0xe0, 99)] }),
    },
  ),
  passes("4271-5-07", "attributes may come in any order", announce(P, communities("65001:9"), B2, med(1), B1, B0), {
    with: [communities("65001:9"), asPath(65_000, 65_001), origin()],
  }),
  passes("4271-5-08", "what is sent has exactly the attributes it needs", announce(P), { only: [1, 2] }),
  passes(
    "4271-5-09",
    "a known transitive attribute keeps its Partial bit",
    announce(P, ...base(), attribute(0xe0, 8, u32(65_001 * 65_536 + 1))),
    {
      with: [attribute(0xe0, 8, u32(65_001 * 65_536 + 1))],
    },
  ),
  passes(
    "4271-4.3-01",
    "the extended-length bit is fine on a short attribute",
    announce(P, attribute(0x50, 1, [0]), B1, B2),
    {
      with: [origin()],
    },
  ),
  passes(
    "4271-4.3-02",
    "the low four bits of the flags are ignored",
    announce(P, attribute(0x4f & ~0x10, 1, [0]), B1, B2),
    {
      with: [origin()],
    },
  ),
  passes(
    "4271-4.3-03",
    "one UPDATE announces many prefixes",
    update({ attributes: base(), nlri: [nlri(Q), nlri(P)] }),
    {},
    {
      expects: { sees: { external2: { [P]: {}, [Q]: {} } } },
    },
  ),
  withdraws("4271-4.3-04", "a withdrawal takes the route away", withdraw(P)),
  withdraws(
    "4271-4.3-05",
    "an UPDATE may withdraw one and announce another",
    update({ withdrawn: [nlri(P)], attributes: base(), nlri: [nlri(Q)] }),
    {
      expects: { sees: { external2: { [P]: [], [Q]: {} } } },
    },
  ),
  harmless(
    "4271-4.3-06",
    "a prefix in both lists of one UPDATE is announced",
    update({ withdrawn: [nlri(P)], attributes: base(), nlri: [nlri(P)] }),
  ),
  harmless("4271-4.3-07", "a withdrawal of what was never announced is nothing", withdraw(Q)),
  harmless("4271-4.3-08", "attributes without any prefix are nothing", update({ attributes: base() })),
  passes("4271-4.3-09", "a new announcement replaces the old one", [announce(P), announce(P, origin(2), B1, B2)], {
    with: [origin(2)],
  }),
  passes(
    "4271-4.3-10",
    "bits behind the prefix length mean nothing",
    update({ attributes: base(), nlri: [[23, 198, 51, 101]].map((octets) => cat(octets)) }),
    {},
    {
      expects: { sees: { external2: { "198.51.100.0/23": {} } } },
    },
  ),
  passes(
    "4271-4.3-11",
    "the default route",
    announce("0.0.0.0/0"),
    {},
    { expects: { sees: { external2: { "0.0.0.0/0": {} } } } },
  ),
  passes(
    "4271-4.3-12",
    "a host route",
    announce("198.51.100.7/32"),
    {},
    {
      expects: { sees: { external2: { "198.51.100.7/32": {} } } },
    },
  ),
  harmless("4271-4.3-13", "an End-of-RIB marker in the middle", update({})),
  resets("4271-6.3-01", "an unknown well-known attribute", announce(P, ...base(), unknown(0x40, 99)), "3/2", {
    data: unknown(0x40, 99),
  }),
  resets(
    "4271-6.3-02",
    "an NLRI prefix length of 33",
    update({ attributes: base(), nlri: [cat([33, 198, 51, 100, 0, 0])] }),
    "3/10",
  ),
  resets("4271-6.3-03", "a withdrawn prefix length of 33", update({ withdrawn: [cat([33, 198, 51, 100, 0, 0])] }), [
    "3/10",
    "3/1",
  ]),
  resets("4271-6.3-04", "an NLRI that is cut off", update({ attributes: base(), nlri: [cat([24, 198, 51])] }), [
    "3/10",
    "3/1",
  ]),
  resets("4271-6.3-05", "a withdrawn prefix that is cut off", update({ withdrawn: [cat([24, 198, 51])] }), [
    "3/10",
    "3/1",
  ]),
  resets("4271-6.3-06", "withdrawn routes longer than the message", update({ withdrawnLength: 200, nlri: [] }), "3/1"),
  resets(
    "4271-6.3-07",
    "attributes longer than the message",
    update({ attributes: base(), attributesLength: 200 }),
    "3/1",
  ),
];
