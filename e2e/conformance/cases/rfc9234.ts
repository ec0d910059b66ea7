/** RFC 9234: roles in the OPEN, and where a route marked Only to Customer may not go. */
import { asPath, attribute, nextHop, onlyToCustomer, origin } from "../attributes.ts";
import { announce, base, type Case, P, passes, type RouteExpectation, resets, withdraws } from "../case.ts";
import { capability, open, role } from "../messages.ts";
import type { Octets } from "../octets.ts";
import { address4, type PeerName, planOf } from "../peers.ts";
import { capabilitiesFor } from "../terms.ts";

/** What each of them has to say of itself. */
const ROLES: Partial<Record<PeerName, number>> = {
  customer: 3,
  provider: 0,
  lateral: 4,
  strict: 4,
  routeServer: 1,
  exchangeMember: 2,
};
const TERMS = Object.fromEntries(Object.entries(ROLES).map(([name, value]) => [name, { role: value }]));

const openAs = (name: PeerName, ...roles: readonly Octets[]): Octets => {
  const { asNumber, host } = planOf(name);
  return open({ asNumber, identifier: address4(host), capabilities: [...capabilitiesFor(asNumber, {}), ...roles] });
};

const refused = (id: string, title: string, by: PeerName, ...roles: readonly Octets[]): Case =>
  resets(id, title, openAs(by, ...roles), "2/11", { stage: "connected", by });

const agreed = (id: string, title: string, by: PeerName, ...roles: readonly Octets[]): Case => ({
  id,
  title,
  by,
  open: openAs(by, ...roles),
});

const routeOf = (name: PeerName, ...more: readonly Octets[]): Octets => {
  const { asNumber, host } = planOf(name);
  return announce(P, origin(), asPath(asNumber), nextHop(address4(host)), ...more);
};

const GONE: readonly RouteExpectation[] = [];
const marked = (asNumber: number): RouteExpectation => ({ with: [onlyToCustomer(asNumber)] });
const UNMARKED: RouteExpectation = { without: [35] };

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
  terms: TERMS,
  expects: { sees: Object.fromEntries(Object.entries(to).map(([name, route]) => [name, { [P]: route }])) },
});

export const RFC9234: readonly Case[] = [
  agreed("9234-4.2-01", "a customer of ours that says so", "customer", role(3)),
  agreed("9234-4.2-02", "a provider of ours that says so", "provider", role(0)),
  agreed("9234-4.2-03", "a peer on both sides", "lateral", role(4)),
  agreed("9234-4.2-04", "a route server whose client we are", "routeServer", role(1)),
  agreed("9234-4.2-05", "a client of our route server", "exchangeMember", role(2)),
  agreed("9234-4.2-06", "no role from a peer that need not say it", "customer"),
  agreed("9234-4.2-07", "the same role twice", "customer", role(3), role(3)),
  refused("9234-4.2-08", "a customer that says it is a provider", "customer", role(0)),
  refused("9234-4.2-09", "a customer that says it is a peer", "customer", role(4)),
  refused("9234-4.2-10", "a provider that says it is a customer of ours", "provider", role(3)),
  refused("9234-4.2-11", "two different roles", "customer", role(3), role(4)),
  refused("9234-4.2-12", "no role from a peer that must say it", "strict"),
  refused("9234-4.2-13", "a role nobody knows", "customer", role(200)),
  agreed("9234-4.2-14", "a role to a peer for which none is configured", "external", role(0)),
  resets(
    "9234-4.1-01",
    "a role of two octets to a peer that must say it",
    openAs("strict", capability(9, [4, 4])),
    ["2/11", "2/0"],
    { stage: "connected", by: "strict" },
  ),
  goes(
    "9234-5-01",
    "a customer's route goes everywhere, marked towards customers and peers",
    "customer",
    routeOf("customer"),
    {
      provider: UNMARKED,
      lateral: marked(65_000),
      exchangeMember: marked(65_000),
      routeServer: UNMARKED,
      external2: UNMARKED,
    },
  ),
  goes(
    "9234-5-02",
    "a provider's route is marked with its number and goes to customers only",
    "provider",
    routeOf("provider"),
    {
      customer: marked(65_052),
      exchangeMember: marked(65_052),
      lateral: GONE,
      routeServer: GONE,
      external2: marked(65_052),
    },
  ),
  goes("9234-5-03", "so does a peer's", "lateral", routeOf("lateral"), {
    customer: marked(65_053),
    provider: GONE,
    routeServer: GONE,
  }),
  goes("9234-5-04", "so does a route server's", "routeServer", routeOf("routeServer"), {
    customer: marked(65_055),
    provider: GONE,
    lateral: GONE,
  }),
  goes(
    "9234-5-05",
    "a customer's route that is marked is a leak",
    "customer",
    routeOf("customer", onlyToCustomer(65_051)),
    {
      provider: GONE,
      lateral: GONE,
      external2: GONE,
      internal: GONE,
    },
  ),
  goes(
    "9234-5-06",
    "so is one of a client of our route server",
    "exchangeMember",
    routeOf("exchangeMember", onlyToCustomer(1)),
    {
      provider: GONE,
      external2: GONE,
    },
  ),
  goes(
    "9234-5-07",
    "a peer's route that is marked with another number is a leak",
    "lateral",
    routeOf("lateral", onlyToCustomer(1)),
    {
      customer: GONE,
      external2: GONE,
    },
  ),
  goes(
    "9234-5-08",
    "a peer's route that is marked with its own is none",
    "lateral",
    routeOf("lateral", onlyToCustomer(65_053)),
    {
      customer: marked(65_053),
      provider: GONE,
    },
  ),
  goes("9234-5-09", "a mark from a provider stays as it is", "provider", routeOf("provider", onlyToCustomer(1)), {
    customer: marked(1),
    lateral: GONE,
  }),
  goes("9234-5-10", "without roles the mark goes on untouched", "external", announce(P, ...base(), onlyToCustomer(7)), {
    external2: marked(7),
    customer: marked(7),
    provider: GONE,
    lateral: GONE,
  }),
  passes(
    "9234-5-11",
    "and within our AS",
    announce(P, ...base(), onlyToCustomer(7)),
    {},
    {
      expects: { sees: { internal: { [P]: marked(7) } } },
    },
  ),
  withdraws("9234-5-12", "a mark of three octets", announce(P, ...base(), attribute(0xc0, 35, [1, 2, 3]))),
  withdraws(
    "9234-5-13",
    "a mark of 1024 octets",
    announce(P, ...base(), attribute(0xd0, 35, new Array<number>(1024).fill(0))),
  ),
];
