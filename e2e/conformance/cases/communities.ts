/** Communities: well-known ones obeyed (RFC 1997, 8326), large (RFC 8092) and extended ones (RFC 4360, 5701) kept. */
import {
  asPath,
  attribute,
  communities,
  extendedCommunities,
  GRACEFUL_SHUTDOWN,
  largeCommunities,
  localPref,
  NO_ADVERTISE,
  NO_EXPORT,
  NO_EXPORT_SUBCONFED,
  nextHop,
  origin,
} from "../attributes.ts";
import { announce, base, type Case, P, passes, type RouteExpectation, withdraws } from "../case.ts";
import { filler, fromHex, type Octets, zeros } from "../octets.ts";

/** `P` with these attributes, and what an external and an internal peer get of it. */
const scoped = (
  id: string,
  title: string,
  attributes: readonly Octets[],
  external: RouteExpectation | [],
  internal: RouteExpectation | [],
): Case => ({
  id,
  title,
  says: [announce(P, ...base(), ...attributes)],
  expects: { sees: { external2: { [P]: external }, internal: { [P]: internal } } },
});

const plus = (...more: readonly Octets[]) => announce(P, ...base(), ...more);
const TARGET = fromHex("0002fde900000001");
const NON_TRANSITIVE = fromHex("4002fde900000001");

export const RFC1997: readonly Case[] = [
  scoped("1997-1-01", "NO_EXPORT stays within our AS", [communities(NO_EXPORT)], [], {
    with: [communities(NO_EXPORT)],
  }),
  scoped("1997-1-02", "NO_ADVERTISE goes to nobody", [communities(NO_ADVERTISE)], [], []),
  scoped("1997-1-03", "NO_EXPORT_SUBCONFED goes to no external peer", [communities(NO_EXPORT_SUBCONFED)], [], {
    with: [communities(NO_EXPORT_SUBCONFED)],
  }),
  scoped("1997-1-04", "NO_EXPORT among others", [communities("65001:1", NO_EXPORT, "65001:2")], [], {}),
  scoped(
    "1997-1-05",
    "other communities go everywhere as they came",
    [communities("65001:1", "65001:2")],
    { with: [communities("65001:1", "65001:2")] },
    { with: [communities("65001:1", "65001:2")] },
  ),
  scoped(
    "1997-1-06",
    "a reserved community without a meaning goes everywhere",
    [communities("65535:1234")],
    { with: [communities("65535:1234")] },
    {},
  ),
  withdraws("1997-1-07", "a route that gets NO_EXPORT is withdrawn from external peers", plus(communities(NO_EXPORT))),
  withdraws("1997-1-08", "a route that gets NO_ADVERTISE is withdrawn", plus(communities(NO_ADVERTISE))),
  {
    id: "1997-1-09",
    title: "NO_EXPORT from an internal peer",
    by: "internal",
    says: [announce(P, origin(), asPath(), nextHop("192.0.2.21"), localPref(100), communities(NO_EXPORT))],
    expects: { sees: { external2: { [P]: [] }, client: { [P]: {} } } },
  },
  {
    id: "1997-1-10",
    title: "NO_ADVERTISE is not reflected",
    by: "client",
    says: [announce(P, origin(), asPath(), nextHop("192.0.2.31"), localPref(100), communities(NO_ADVERTISE))],
    expects: { sees: { client2: { [P]: [] }, internal: { [P]: [] } } },
  },
  passes("1997-1-11", "many communities", plus(communities(...Array.from({ length: 200 }, (_, i) => `65001:${i}`))), {
    with: [communities(...Array.from({ length: 200 }, (_, i) => `65001:${i}`))],
  }),
];

export const RFC8326: readonly Case[] = [
  scoped(
    "8326-4-01",
    "GRACEFUL_SHUTDOWN from an external peer makes the route the last choice",
    [communities(GRACEFUL_SHUTDOWN)],
    {},
    { with: [localPref(0)] },
  ),
  {
    id: "8326-4-02",
    title: "a longer path is better than one that is being shut down",
    also: { external3: [announce(P, origin(), asPath(65_003, 7, 8), nextHop("192.0.2.13"))] },
    says: [plus(communities(GRACEFUL_SHUTDOWN))],
    expects: { sees: { external2: { [P]: { with: [asPath(65_000, 65_003, 7, 8)] } } } },
  },
];

export const RFC8092: readonly Case[] = [
  passes("8092-2-01", "large communities go on", plus(largeCommunities("65001:1:2", "4200000000:3:4")), {
    with: [largeCommunities("65001:1:2", "4200000000:3:4")],
  }),
  passes(
    "8092-2-02",
    "one that is there twice goes on once",
    plus(largeCommunities("65001:1:2", "65001:3:4", "65001:1:2")),
    { with: [largeCommunities("65001:1:2", "65001:3:4")] },
  ),
  withdraws("8092-6-01", "large communities of eleven octets", plus(attribute(0xc0, 32, zeros(11)))),
  withdraws("8092-6-02", "large communities of thirteen octets", plus(attribute(0xc0, 32, zeros(13)))),
  withdraws("8092-6-03", "large communities of no octets", plus(attribute(0xc0, 32, []))),
  passes("8092-6-04", "reserved values in them are no fault", plus(largeCommunities("0:0:0", "4294967295:1:1")), {
    with: [largeCommunities("0:0:0", "4294967295:1:1")],
  }),
];

export const RFC4360: readonly Case[] = [
  passes("4360-2-01", "extended communities go on", plus(extendedCommunities(TARGET)), {
    with: [extendedCommunities(TARGET)],
  }),
  scoped(
    "4360-6-01",
    "non-transitive ones do not leave our AS",
    [extendedCommunities(TARGET, NON_TRANSITIVE)],
    { with: [extendedCommunities(TARGET)] },
    {},
  ),
  passes("4360-2-02", "types nobody knows go on", plus(extendedCommunities(fromHex("3fff010203040506"))), {
    with: [extendedCommunities(fromHex("3fff010203040506"))],
  }),
  passes("5701-2-01", "IPv6 ones go on", plus(attribute(0xc0, 25, filler(20))), {
    with: [attribute(0xc0, 25, filler(20))],
  }),
];
