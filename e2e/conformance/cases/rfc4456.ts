/** RFC 4456: the speaker as a route reflector; RFC 7947: as a route server. */
import {
  asPath,
  clusterList,
  communities,
  localPref,
  med,
  mpReach,
  nextHop,
  origin,
  originatorId,
} from "../attributes.ts";
import { announce, base, type Case, P, P6, type RouteExpectation, unknown, withdraw } from "../case.ts";
import { update } from "../messages.ts";
import { ip, nlri, type Octets } from "../octets.ts";
import { address4, type PeerName, planOf } from "../peers.ts";

const OURS = "192.0.2.1";
const routeOf = (name: PeerName, ...more: readonly Octets[]): Octets =>
  announce(P, origin(), asPath(64_999), nextHop(address4(planOf(name).host)), localPref(150), ...more);

const GONE: readonly RouteExpectation[] = [];
const goes = (
  id: string,
  title: string,
  by: PeerName,
  says: Octets,
  to: Partial<Record<PeerName, RouteExpectation | readonly RouteExpectation[]>>,
): Case => ({
  id,
  title,
  by,
  says: [says],
  expects: { sees: Object.fromEntries(Object.entries(to).map(([name, route]) => [name, { [P]: route }])) },
});

const reflected = (host: number, ...clusters: readonly string[]): RouteExpectation => ({
  with: [originatorId(address4(host)), clusterList(OURS, ...clusters)],
});

export const RFC4456: readonly Case[] = [
  goes(
    "4456-6-01",
    "a client's route goes to clients, to other internal peers and to external ones",
    "client",
    routeOf("client"),
    {
      client2: reflected(31),
      internal: reflected(31),
      external2: { without: [9, 10] },
      client: GONE,
    },
  ),
  goes(
    "4456-6-02",
    "another internal peer's route goes to clients and external peers only",
    "internal",
    routeOf("internal"),
    {
      client: reflected(21),
      internal2: GONE,
      external2: { without: [9, 10] },
    },
  ),
  goes("4456-6-03", "an external route goes to all, without the attributes of reflection", "external", announce(P), {
    client: { without: [9, 10] },
    internal: { without: [9, 10] },
    external2: {},
  }),
  goes("4456-8-01", "ORIGINATOR_ID is made once only", "client", routeOf("client", originatorId("198.51.100.77")), {
    client2: { with: [originatorId("198.51.100.77"), clusterList(OURS)] },
  }),
  goes(
    "4456-8-02",
    "our cluster goes in front of those before it",
    "client",
    routeOf("client", originatorId("198.51.100.77"), clusterList("198.51.100.8", "198.51.100.9")),
    {
      client2: { with: [clusterList(OURS, "198.51.100.8", "198.51.100.9")] },
    },
  ),
  goes("4456-8-03", "a route that we originated is ignored", "client", routeOf("client", originatorId(OURS)), {
    client2: GONE,
    external2: GONE,
  }),
  goes(
    "4456-8-04",
    "a route that was in our cluster is ignored",
    "client",
    routeOf("client", originatorId("198.51.100.77"), clusterList("198.51.100.8", OURS)),
    {
      client2: GONE,
      external2: GONE,
    },
  ),
  {
    ...goes(
      "4456-8-05",
      "the earlier path goes when it comes back as a loop",
      "client",
      routeOf("client", originatorId(OURS)),
      {
        client2: GONE,
        external2: GONE,
      },
    ),
    before: [routeOf("client")],
    first: { client2: { [P]: {} } },
  },
  goes(
    "4456-10-01",
    "reflection changes nothing else",
    "client",
    routeOf("client", med(7), communities("65000:5"), unknown(0xc0, 99)),
    {
      client2: {
        with: [asPath(64_999), localPref(150), med(7), communities("65000:5"), unknown(0xe0, 99)],
        nextHop: "192.0.2.31",
      },
    },
  ),
  {
    id: "4456-6-04",
    title: "a client's withdrawal is reflected",
    by: "client",
    before: [routeOf("client")],
    first: { client2: { [P]: {} }, internal: { [P]: {} } },
    says: [withdraw(P)],
    expects: { sees: { client2: { [P]: [] }, internal: { [P]: [] } } },
  },
  {
    id: "4456-6-05",
    title: "IPv6 routes are reflected alike",
    by: "client",
    says: [update({ attributes: [mpReach(2, ip("2001:db8:2::1f"), [nlri(P6)]), origin(), asPath(), localPref(100)] })],
    expects: { sees: { client2: { [P6]: { ...reflected(31), nextHop: "2001:db8:2::1f" } } } },
  },
  {
    id: "4456-9-01",
    title: "the shorter CLUSTER_LIST is better",
    by: "client",
    also: { client2: [routeOf("client2", originatorId("198.51.100.9"), communities("65000:1"))] },
    says: [routeOf("client", originatorId("198.51.100.9"), clusterList("198.51.100.8"))],
    expects: { sees: { external2: { [P]: { with: [communities("65000:1")] } } } },
  },
  {
    id: "4456-9-02",
    title: "ORIGINATOR_ID stands for the identifier",
    by: "client",
    also: { client2: [routeOf("client2", originatorId("192.0.2.2"), communities("65000:1"))] },
    says: [routeOf("client")],
    expects: { sees: { external2: { [P]: { with: [communities("65000:1")] } } } },
  },
];

const memberRoute = (...more: readonly Octets[]): Octets =>
  announce(P, origin(), asPath(65_041, 64_999), nextHop("192.0.2.41"), ...more);

export const RFC7947: readonly Case[] = [
  goes(
    "7947-2.2-01",
    "a member gets another member's route with its path and next hop as they came",
    "member",
    memberRoute(med(7)),
    {
      member2: { with: [asPath(65_041, 64_999)], nextHop: "192.0.2.41" },
    },
  ),
  goes("7947-2.2.3-01", "MED goes on between members", "member", memberRoute(med(7)), { member2: { with: [med(7)] } }),
  goes(
    "7947-2.2.4-01",
    "communities and unknown attributes go on between members",
    "member",
    memberRoute(communities("65041:1"), unknown(0xc0, 99)),
    {
      member2: { with: [communities("65041:1"), unknown(0xe0, 99)] },
    },
  ),
  goes("7947-2.2-02", "to others it is a route like any other", "member", memberRoute(med(7)), {
    external2: { with: [asPath(65_000, 65_041, 64_999)], without: [4] },
    internal: { with: [asPath(65_041, 64_999), localPref(100)] },
  }),
  goes("7947-2.2-03", "a member gets others' routes without our number too", "external", announce(P, ...base()), {
    member: { with: [asPath(65_001)] },
  }),
];
