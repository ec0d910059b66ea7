/** RFC 4271 9: loops, next hops, the order of preference, and who is told. */
import { asPath, attribute, communities, localPref, med, nextHop, origin } from "../attributes.ts";
import { announce, base, type Case, harmless, P, passes, Q, withdraw, withdraws } from "../case.ts";
import { update } from "../messages.ts";
import { ip, nlri, type Octets } from "../octets.ts";

const [ORIGIN, , NEXT] = base() as [Octets, Octets, Octets];
const internalRoute = (host: number, ...more: readonly Octets[]) =>
  announce(
    P,
    ...(more.some((octets) => octets[1] === 2) ? [] : [asPath()]),
    ...more,
    origin(),
    nextHop(`192.0.2.${host}`),
    ...pref(more),
  );
const pref = (more: readonly Octets[]) => (more.some((octets) => octets[1] === 5) ? [] : [localPref(100)]);

/** Where two paths compete, the better one carries this. */
const MARK = communities("65001:1");
const isMarked = { [P]: { with: [MARK] } };

/** The mark is on what `external` says; `external3` says the other. */
const better = (id: string, title: string, marked: readonly Octets[], other: readonly Octets[]): Case => ({
  id,
  title,
  also: { external3: [announce(P, ...other)] },
  says: [announce(P, ...marked, MARK)],
  expects: { sees: { external2: isMarked } },
});

const third = (...more: readonly Octets[]) => [origin(), asPath(65_003), nextHop("192.0.2.13"), ...more];

const martian = (id: string, title: string, address: string): Case =>
  withdraws(id, title, announce(P, ORIGIN, asPath(65_001), nextHop(address)));

export const RFC4271_DECISION: readonly Case[] = [
  withdraws("4271-9.1.2-01", "our own AS number in the path", announce(P, ORIGIN, asPath(65_001, 65_000), NEXT)),
  withdraws(
    "4271-9.1.2-02",
    "our own AS number at the end of a long path",
    announce(P, ORIGIN, asPath(65_001, 3, 4, 5, 65_000), NEXT),
  ),
  {
    id: "4271-9.1.2-03",
    title: "our own AS number in the path of an internal peer",
    by: "internal",
    before: [internalRoute(21)],
    first: { external2: { [P]: {} } },
    says: [internalRoute(21, asPath(65_000))],
    expects: { sees: { external2: { [P]: [] } } },
  },
  passes(
    "4271-9.1.2-04",
    "the same foreign AS number many times over is no loop",
    announce(P, ORIGIN, asPath(65_001, 65_001, 65_001), NEXT),
    { with: [asPath(65_000, 65_001, 65_001, 65_001)] },
  ),
  martian("4271-6.3-11", "a next hop that is our own address", "192.0.2.1"),
  martian("4271-6.3-12", "next hop 0.0.0.0", "0.0.0.0"),
  martian("4271-6.3-13", "next hop 127.0.0.1", "127.0.0.1"),
  martian("4271-6.3-14", "a multicast next hop", "224.0.0.5"),
  martian("4271-6.3-15", "next hop 255.255.255.255", "255.255.255.255"),
  {
    id: "4271-6.3-16",
    title: "a multicast next hop from an internal peer",
    by: "internal",
    before: [internalRoute(21)],
    first: { external2: { [P]: {} } },
    says: [announce(P, origin(), asPath(), nextHop("239.0.0.1"), localPref(100))],
    expects: { sees: { external2: { [P]: [] } } },
  },
  {
    id: "4271-6.3-17",
    title: "a loopback next hop from an internal peer",
    by: "internal",
    before: [internalRoute(21)],
    first: { external2: { [P]: {} } },
    says: [announce(P, origin(), asPath(), nextHop("127.0.0.1"), localPref(100))],
    expects: { sees: { external2: { [P]: [] } } },
  },
  {
    id: "4271-5.1.3-03",
    title: "a peer is never given its own address as next hop",
    says: [announce(P, ORIGIN, asPath(65_001), nextHop("192.0.2.12"))],
    expects: {
      sees: {
        external2: { [P]: { nextHop: "192.0.2.1" } },
        external3: { [P]: { nextHop: ["192.0.2.12", "192.0.2.1"] } },
      },
    },
  },
  {
    id: "4271-5.1.3-04",
    title: "a route of an internal peer goes out with our address or with that of a router on the peer's own subnet",
    by: "internal",
    says: [internalRoute(21)],
    expects: { sees: { external2: { [P]: { nextHop: ["192.0.2.1", "192.0.2.21"] } } } },
  },
  {
    id: "4271-9.1.3-01",
    title: "who said a route does not get it back",
    says: [announce(P)],
    expects: { sees: { external: { [P]: [] }, external2: { [P]: {} } } },
  },
  {
    id: "4271-9.2-01",
    title: "a route of an internal peer does not go to another internal peer",
    by: "internal",
    says: [internalRoute(21)],
    expects: { sees: { internal2: { [P]: [] }, external2: { [P]: {} } } },
  },
  {
    id: "4271-9.2-02",
    title: "an external route goes to every internal peer",
    says: [announce(P)],
    expects: { sees: { internal: { [P]: {} }, internal2: { [P]: {} } } },
  },
  better(
    "4271-9.1.2.2a-01",
    "the shorter path",
    [ORIGIN, asPath(65_001), NEXT],
    third().map((one) => (one[1] === 2 ? asPath(65_003, 7) : one)),
  ),
  better(
    "4271-9.1.2.2b-01",
    "the lower origin",
    [ORIGIN, asPath(65_001), NEXT],
    [origin(1), asPath(65_003), nextHop("192.0.2.13")],
  ),
  better(
    "4271-9.1.2.2b-02",
    "EGP before INCOMPLETE",
    [origin(1), asPath(65_001), NEXT],
    [origin(2), asPath(65_003), nextHop("192.0.2.13")],
  ),
  better(
    "4271-9.1.2.2f-01",
    "the lower identifier, MED of different ASes not being compared",
    [...base(), med(500)],
    third(med(1)),
  ),
  {
    id: "4271-9.1.2.2c-01",
    title: "the lower MED of the same AS",
    also: { internal2: [internalRoute(22, asPath(64_999), med(5), MARK)] },
    by: "internal",
    says: [internalRoute(21, asPath(64_999), med(10))],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.2.2c-02",
    title: "no MED is the lowest",
    also: { internal2: [internalRoute(22, asPath(64_999), MARK)] },
    by: "internal",
    says: [internalRoute(21, asPath(64_999), med(10))],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.2.2c-03",
    title: "a lower MED of another AS is not compared: the lower identifier",
    also: { internal2: [internalRoute(22, asPath(64_998), med(5))] },
    by: "internal",
    says: [internalRoute(21, asPath(64_999), med(10), MARK)],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.2.2d-01",
    title: "external before internal",
    also: { internal: [internalRoute(21, asPath(64_999))] },
    says: [announce(P, ...base(), MARK)],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.1-01",
    title: "the higher LOCAL_PREF before the shorter path",
    also: { internal2: [internalRoute(22, localPref(99))] },
    by: "internal",
    says: [internalRoute(21, asPath(64_999, 64_998, 64_997), localPref(101), MARK)],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.2-05",
    title: "when the best path goes the next best comes",
    also: { external3: [announce(P, ...third(MARK))] },
    before: [announce(P)],
    first: { external2: { [P]: { without: [8] } } },
    says: [withdraw(P)],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.2-06",
    title: "a path that becomes a loop gives way to the next best",
    also: { external3: [announce(P, ...third(MARK))] },
    before: [announce(P)],
    first: { external2: { [P]: { without: [8] } } },
    says: [announce(P, ORIGIN, asPath(65_001, 65_000), NEXT)],
    expects: { sees: { external2: isMarked } },
  },
  {
    id: "4271-9.1.4-01",
    title: "overlapping prefixes live beside each other",
    says: [announce(P), announce("198.51.100.0/25"), announce("198.51.100.128/25")],
    expects: { sees: { external2: { [P]: {}, "198.51.100.0/25": {}, "198.51.100.128/25": {} } } },
  },
  harmless("4271-9.1.4-02", "withdrawing a more specific prefix leaves the other", [
    announce("198.51.100.0/25"),
    withdraw("198.51.100.0/25"),
  ]),
  passes(
    "4271-3.1-01",
    "one UPDATE with 500 prefixes",
    update({ attributes: base(), nlri: Array.from({ length: 500 }, (_, i) => nlri(`10.${i >> 8}.${i & 255}.0/24`)) }),
    {},
    {
      expects: { sees: { external2: { "10.0.0.0/24": {}, "10.1.243.0/24": {} } } },
    },
  ),
  passes(
    "4271-9.2-03",
    "two routes that differ in their attributes go out each with its own",
    [announce(P, ...base(), MARK), announce(Q, ...base(), communities("65001:2"))],
    {},
    {
      expects: { sees: { external2: { [P]: { with: [MARK] }, [Q]: { with: [communities("65001:2")] } } } },
    },
  ),
  {
    id: "4456-9-00",
    title: "the lowest peer address is the last word between paths of one router",
    also: {
      internal2: [
        announce(P, asPath(), origin(), nextHop("192.0.2.22"), localPref(100), attribute(0x80, 9, ip("192.0.2.21"))),
      ],
    },
    by: "internal",
    says: [internalRoute(21, MARK)],
    expects: { sees: { external2: isMarked } },
  },
];
