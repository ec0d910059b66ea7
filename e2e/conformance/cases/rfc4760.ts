/** RFC 4760 and 2545: routes in MP_REACH_NLRI and MP_UNREACH_NLRI, IPv6 ones and IPv4 ones, and their next hops. */
import { asPath, attribute, communities, localPref, med, mpReach, mpUnreach, nextHop, origin } from "../attributes.ts";
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
  Q6,
  reach6,
  resets,
  type Sight,
  withdraw6,
  withdraws,
  withdraws6,
} from "../case.ts";
import { update } from "../messages.ts";
import { cat, ip, nlri, type Octets, zeros } from "../octets.ts";

const AT = (sees: Sight) => ({ expects: { sees: { external2: sees } } });
const to6 = (next: Octets, ...routes: readonly Octets[]) =>
  update({ attributes: [mpReach(2, next, routes), ...base6()] });
const GLOBAL = ip("2001:db8:2::b");
const BOTH = cat(GLOBAL, ip("fe80::2"));
const OWN6 = [
  "2001:db8:2::1",
  "2001:db8:2::1 fe80::1",
  "2001:db8:2::b",
  "2001:db8:2::b fe80::1",
  "2001:db8:2::b fe80::2",
];

export const RFC4760: readonly Case[] = [
  passes(
    "4760-3-01",
    "an IPv6 route",
    announce6(),
    {},
    AT({ [P6]: { with: [asPath(65_000, 65_001)], nextHop: OWN6 } }),
  ),
  passes(
    "4760-3-02",
    "an IPv6 route keeps its next hop towards an internal peer",
    announce6(),
    {},
    {
      expects: { sees: { internal: { [P6]: { nextHop: "2001:db8:2::b", with: [localPref(100)] } } } },
    },
  ),
  passes(
    "4760-3-03",
    "the reserved octet means nothing",
    update({ attributes: [mpReach(2, GLOBAL, [nlri(P6)], { reserved: 255 }), ...base6()] }),
    {},
    AT({ [P6]: {} }),
  ),
  passes(
    "4760-3-04",
    "an extended length, and prefixes of every length",
    update({
      attributes: [
        attribute(
          0x90,
          14,
          cat([0, 2, 1, 16], GLOBAL, [0], nlri("::/0"), nlri("2001:db8:100::1/128"), nlri("2001:db8:100:8000::/49")),
        ),
        ...base6(),
      ],
    }),
    {},
    AT({ "::/0": {}, "2001:db8:100::1/128": {}, "2001:db8:100:8000::/49": {} }),
  ),
  passes(
    "4760-3-05",
    "an IPv4 route in MP_REACH_NLRI",
    update({ attributes: [mpReach(1, ip("192.0.2.11"), [nlri(P)]), ...base6()] }),
  ),
  passes(
    "4760-3-06",
    "its next hop is the one in MP_REACH_NLRI, not NEXT_HOP",
    update({ attributes: [mpReach(1, ip("192.0.2.11"), [nlri(P)]), ...base6(), nextHop("192.0.2.77")] }),
    {},
    { expects: { sees: { internal: { [P]: { nextHop: "192.0.2.11" } } } } },
  ),
  passes(
    "4760-3-07",
    "IPv4 routes in MP_REACH_NLRI and in the message's own field",
    update({
      attributes: [mpReach(1, ip("192.0.2.11"), [nlri(P)]), ...base6(), nextHop("192.0.2.13")],
      nlri: [nlri(Q)],
    }),
    {},
    { expects: { sees: { internal: { [P]: { nextHop: "192.0.2.11" }, [Q]: { nextHop: "192.0.2.13" } } } } },
  ),
  passes(
    "4760-3-08",
    "a NEXT_HOP beside MP_REACH_NLRI is ignored",
    update({ attributes: [reach6(), ...base6(), nextHop("192.0.2.77")] }),
    {},
    AT({ [P6]: { nextHop: OWN6 } }),
  ),
  harmless("4760-3-09", "MP_REACH_NLRI without a prefix", update({ attributes: [mpReach(2, GLOBAL, []), ...base6()] })),
  passes(
    "4760-3-10",
    "an IPv6 route with many attributes",
    update({ attributes: [...base6(), med(3), communities("65001:5"), reach6()] }),
    {},
    AT({ [P6]: { with: [communities("65001:5")], without: [4] } }),
  ),
  {
    id: "4760-3-11",
    title: "an IPv6 route of an internal peer",
    by: "internal",
    says: [update({ attributes: [mpReach(2, ip("2001:db8:2::15"), [nlri(P6)]), origin(), asPath(), localPref(100)] })],
    expects: { sees: { external2: { [P6]: { with: [asPath(65_000)], without: [5] } }, internal2: { [P6]: [] } } },
  },
  withdraws6("4760-4-01", "MP_UNREACH_NLRI takes the route away", withdraw6(P6)),
  withdraws6(
    "4760-4-02",
    "MP_UNREACH_NLRI beside other attributes",
    update({ attributes: [...base6(), mpUnreach(2, [nlri(P6)])] }),
  ),
  withdraws("4760-4-03", "MP_UNREACH_NLRI of IPv4", update({ attributes: [mpUnreach(1, [nlri(P)])] })),
  withdraws6(
    "4760-4-04",
    "an IPv4 announcement and an IPv6 withdrawal in one UPDATE",
    update({ attributes: [...base(), mpUnreach(2, [nlri(P6)])], nlri: [nlri(P)] }),
    { ...AT({ [P6]: [], [P]: {} }), first: { external2: { [P6]: {} } } },
  ),
  withdraws6(
    "4760-4-05",
    "the same prefix in MP_UNREACH_NLRI and MP_REACH_NLRI is announced",
    update({ attributes: [mpUnreach(2, [nlri(P6)]), reach6(), ...base6()] }),
    AT({ [P6]: {} }),
  ),
  withdraws6(
    "4760-4-06",
    "MP_REACH_NLRI of one and MP_UNREACH_NLRI of another",
    update({ attributes: [reach6(Q6), mpUnreach(2, [nlri(P6)]), ...base6()] }),
    AT({ [P6]: [], [Q6]: {} }),
  ),
  harmless("4760-4-07", "an End-of-RIB marker of IPv6", update({ attributes: [mpUnreach(2, [])] })),
  harmless(
    "4760-4-08",
    "MP_UNREACH_NLRI of an IPv4 prefix that was never there",
    update({ attributes: [mpUnreach(1, [nlri(Q)])] }),
  ),
  harmless(
    "4760-6-01",
    "a family that nobody negotiated",
    update({ attributes: [attribute(0x80, 14, cat([0, 1, 128, 12], zeros(12), [0], [112], zeros(14))), ...base6()] }),
  ),
  harmless(
    "4760-6-02",
    "a withdrawal in a family that nobody negotiated",
    update({ attributes: [attribute(0x80, 15, cat([0, 25, 70], zeros(10)))] }),
  ),
  harmless(
    "4760-6-03",
    "an AFI that does not exist",
    update({ attributes: [attribute(0x80, 14, cat([0x40, 4, 71, 4], zeros(4), [0], zeros(8))), ...base6()] }),
  ),
  harmless(
    "4760-6-04",
    "an End-of-RIB marker of a family nobody negotiated",
    update({ attributes: [attribute(0x80, 15, [0, 1, 128])] }),
  ),
  {
    id: "4760-6-05",
    title: "IPv6 routes on a session that agreed on IPv4 alone are not used",
    terms: { external: { families: [1] } },
    says: [announce6()],
    expects: { sees: { external2: { [P6]: [] } } },
  },
  {
    id: "4760-6-06",
    title: "a peer that did not agree on IPv6 hears no IPv6",
    terms: { external2: { families: [1] } },
    says: [announce6(), announce(P)],
    expects: { sees: { external2: { [P6]: [], [P]: {} } } },
  },
  {
    id: "4760-6-07",
    title: "a peer that did not agree on IPv4 hears no IPv4",
    terms: { external2: { families: [2] } },
    says: [announce6(), announce(P)],
    expects: { sees: { external2: { [P6]: {}, [P]: [] } } },
  },
  {
    id: "4760-8-03",
    title: "a peer without the capability speaks IPv4",
    terms: { external: { families: [] }, external2: { families: [] } },
    says: [announce(P)],
    expects: { sees: { external2: { [P]: {} } } },
  },
  resets("4760-7-01", "an IPv6 next hop of no octets", to6(cat(), nlri(P6)), ["3/9", "3/1", "3/8"]),
  resets("4760-7-02", "an IPv6 next hop of 24 octets", to6(zeros(24), nlri(P6)), ["3/9", "3/1", "3/8"]),
  resets("4760-7-03", "an IPv6 next hop of 33 octets", to6(zeros(33), nlri(P6)), ["3/9", "3/1", "3/8"]),
  resets(
    "4760-7-04",
    "an IPv4 next hop of three octets in MP_REACH_NLRI",
    update({ attributes: [mpReach(1, zeros(3), [nlri(P)]), ...base6()] }),
    ["3/9", "3/1", "3/8"],
  ),
  passes("2545-3-01", "a global and a link-local next hop", to6(BOTH, nlri(P6)), {}, AT({ [P6]: { nextHop: OWN6 } })),
  passes(
    "2545-3-02",
    "the link-local next hop does not go to an internal peer as it came from elsewhere",
    to6(BOTH, nlri(P6)),
    {},
    {
      expects: { sees: { internal: { [P6]: { nextHop: ["2001:db8:2::b", "2001:db8:2::b fe80::2"] } } } },
    },
  ),
  passes(
    "2545-3-03",
    "the next hop of a peer on the same link stands with our link-local address or alone",
    announce6(),
    {},
    AT({ [P6]: { nextHop: OWN6 } }),
  ),
  withdraws6("2545-3-04", "next hop ::1", to6(ip("::1"), nlri(P6))),
  withdraws6("2545-3-05", "next hop ::", to6(ip("::"), nlri(P6))),
  withdraws6("2545-3-06", "a multicast IPv6 next hop", to6(ip("ff02::1"), nlri(P6))),
  withdraws6("2545-3-07", "our own address as IPv6 next hop", to6(ip("2001:db8:2::1"), nlri(P6))),
  {
    id: "4760-1-01",
    title: "a session over IPv6 carries IPv4 and IPv6 routes",
    by: "six",
    says: [
      announce(P, ...base(65_016, 16)),
      update({ attributes: [mpReach(2, ip("2001:db8:2::10"), [nlri(P6)]), ...base6(65_016)] }),
    ],
    expects: {
      sees: { external2: { [P]: { with: [asPath(65_000, 65_016)] }, [P6]: { with: [asPath(65_000, 65_016)] } } },
    },
  },
  {
    id: "4760-1-02",
    title: "a neighbour over IPv6 gets both, each with a next hop of its own family",
    says: [announce(P), announce6()],
    expects: {
      sees: {
        six: { [P]: { nextHop: ["192.0.2.1", "192.0.2.11"] }, [P6]: { nextHop: OWN6, with: [asPath(65_000, 65_001)] } },
      },
    },
  },
];
