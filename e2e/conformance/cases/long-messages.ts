/** RFC 8654: messages over 4096 octets, and routes that fit into none; RFC 8950: IPv4 with an IPv6 next hop. */
import { attribute, mpReach, nextHop } from "../attributes.ts";
import { announce, base, base6, type Case, P, passes, resets } from "../case.ts";
import { update } from "../messages.ts";
import { cat, filler, ip, nlri, type Octets } from "../octets.ts";
import type { Terms } from "../terms.ts";

const LONG: Terms = { extendedMessages: true };

/** An UPDATE of exactly so many octets, most of them in an attribute that goes on. */
const ofLength = (length: number): Octets => {
  const rest = length - 19 - 4 - cat(...base()).length - nlri(P).length - 4;
  return update({ attributes: [...base(), attribute(0xd0, 99, filler(rest))], nlri: [nlri(P)] });
};

/** There before, and what is left of it when it becomes so long. */
const grows = (
  id: string,
  title: string,
  length: number,
  terms: Partial<Record<"external" | "external2" | "external3", Terms>>,
  there: boolean,
): Case => ({
  id,
  title,
  terms,
  before: [announce(P)],
  first: { external2: { [P]: {} }, external3: { [P]: {} } },
  says: [ofLength(length)],
  expects: { sees: { external2: { [P]: there ? {} : [] }, external3: { [P]: {} } } },
});

export const RFC8654: readonly Case[] = [
  grows(
    "8654-4-01",
    "a route that fits into no message of 4096 octets is withdrawn from a neighbour without the capability",
    6000,
    { external: LONG, external3: LONG },
    false,
  ),
  grows("8654-4-02", "to one with it it goes", 6000, { external: LONG, external2: LONG, external3: LONG }, true),
  grows(
    "8654-4-03",
    "a route that fits as it came but not with our AS number in front",
    4094,
    { external3: LONG },
    false,
  ),
  grows("8654-4-04", "one that just fits", 4092, { external3: LONG }, true),
  passes("8654-4-05", "a message of 65535 octets", ofLength(65_535), {}, { terms: { external: LONG }, expects: {} }),
  passes(
    "8654-4-06",
    "a message of 60000 octets goes on",
    ofLength(60_000),
    {},
    { terms: { external: LONG, external2: LONG } },
  ),
  passes(
    "8654-4-07",
    "when it fits again it comes again",
    [ofLength(6000), announce(P)],
    {},
    { terms: { external: LONG } },
  ),
  resets("8654-5-01", "4097 octets where the capability was not said by us", ofLength(4097), "1/2", {
    by: "short",
    terms: { short: LONG },
  }),
  {
    id: "8654-4-08",
    title: "a thousand prefixes go to a short neighbour in messages of 4096 octets at most",
    script: async (stand) => {
      const says = await stand.session("external", LONG);
      const [short, long] = [await stand.session("external2"), await stand.session("external3", LONG)];
      const routes = Array.from({ length: 4000 }, (_, i) => nlri(`10.${i >> 8}.${i & 255}.0/24`));
      says.send(update({ attributes: base(), nlri: routes }));
      await stand.processed("external", says);
      await stand.settled([short, long]);
      for (const [name, session] of [
        ["external2", short],
        ["external3", long],
      ] as const) {
        const count = [...session.routes.keys()].filter((prefix) => prefix.startsWith("10.")).length;
        if (count !== 4000) throw new Error(`${name} has ${count} of 4000 prefixes`);
      }
      if (short.longest > 4096) throw new Error(`external2 heard a message of ${short.longest} octets`);
      for (const name of ["external", "external2", "external3"] as const) await stand.drop(name);
    },
  },
];

const ENHE: Terms = { extendedNextHop: true };
const V6 = ip("2001:db8:2::b");
const over6 = (next: Octets) => update({ attributes: [mpReach(1, next, [nlri(P)]), ...base6()] });

export const RFC8950: readonly Case[] = [
  passes(
    "8950-3-01",
    "an IPv4 route with an IPv6 next hop",
    over6(V6),
    {},
    { terms: { external: ENHE }, expects: { sees: { external3: { [P]: { nextHop: "192.0.2.1" } } } } },
  ),
  passes(
    "8950-3-02",
    "with a link-local next hop beside it",
    over6(cat(V6, ip("fe80::2"))),
    {},
    { terms: { external: ENHE }, expects: { sees: { external3: { [P]: {} } } } },
  ),
  passes(
    "8950-3-03",
    "with an IPv4 next hop all the same",
    [over6(ip("192.0.2.11"))],
    {},
    { terms: { external: ENHE } },
  ),
  passes("8950-3-04", "in the message's own field all the same", announce(P), {}, { terms: { external: ENHE } }),
  passes("8950-3-05", "to a neighbour that takes it", over6(V6), {}, { terms: { external: ENHE, external2: ENHE } }),
  resets("8950-3-06", "an IPv6 next hop where nobody agreed on it", over6(V6), ["3/9", "3/1", "3/8"]),
  resets("8950-3-07", "an IPv6 next hop of 17 octets", over6(cat(V6, [0])), ["3/9", "3/1", "3/8"], {
    terms: { external: ENHE },
  }),
  {
    id: "8950-3-08",
    title: "an IPv6 next hop is no NEXT_HOP",
    terms: { external: ENHE },
    before: [announce(P)],
    first: { external2: { [P]: {} } },
    says: [announce(P, ...base6(), nextHop("2001:db8:2::b"))],
    expects: { sees: { external2: { [P]: [] } } },
  },
];
