/** RFC 7911: several paths to a prefix, each by an identifier. */
import { asPath, communities, mpReach, mpUnreach, nextHop } from "../attributes.ts";
import { announce, base, base6, type Case, P, P6, Q, resets, type Sight } from "../case.ts";
import { keysOf } from "../expect-route.ts";
import { update } from "../messages.ts";
import { cat, ip, nlri, type Octets } from "../octets.ts";
import type { Terms } from "../terms.ts";

const SENDS: Terms = {
  addPath: [
    [1, 2],
    [2, 2],
  ],
};
const RECEIVES: Terms = {
  addPath: [
    [1, 1],
    [2, 1],
  ],
};
const TERMS = { external: SENDS, external2: RECEIVES } as const;
const ONE = communities("65001:1");
const TWO = communities("65001:2");

const path = (id: number, mark: Octets, prefix = P): Octets =>
  update({ attributes: [...base(), mark], nlri: [nlri(prefix, id)] });
const path6 = (id: number, mark: Octets): Octets =>
  update({ attributes: [mpReach(2, ip("2001:db8:2::b"), [nlri(P6, id)]), ...base6(), mark] });
const gone = (id: number, prefix = P): Octets => update({ withdrawn: [nlri(prefix, id)] });

const both = { [P]: [{ with: [ONE] }, { with: [TWO] }] };

const paths = (
  id: string,
  title: string,
  says: readonly Octets[],
  sight: Sight,
  before: readonly Octets[] = [],
): Case => ({
  id,
  title,
  terms: TERMS,
  ...(before.length > 0 ? { before, first: { external2: both } } : {}),
  says,
  expects: { sees: { external2: sight } },
});

export const RFC7911: readonly Case[] = [
  paths("7911-3-01", "two paths of one peer come out both", [path(1, ONE), path(2, TWO)], both),
  paths(
    "7911-3-02",
    "in one UPDATE two prefixes with the same identifier",
    [update({ attributes: [...base(), ONE], nlri: [nlri(P, 9), nlri(Q, 9)] })],
    { [P]: { with: [ONE] }, [Q]: { with: [ONE] } },
  ),
  paths("7911-5-01", "a withdrawal takes the path of that identifier", [gone(1)], { [P]: { with: [TWO] } }, [
    path(1, ONE),
    path(2, TWO),
  ]),
  paths("7911-5-02", "a withdrawal of an identifier nobody used takes nothing", [gone(3)], both, [
    path(1, ONE),
    path(2, TWO),
  ]),
  paths("7911-5-03", "both withdrawn: none is left", [gone(1), gone(2)], { [P]: [] }, [path(1, ONE), path(2, TWO)]),
  paths(
    "7911-5-04",
    "the same identifier again replaces the path",
    [path(1, communities("65001:3"))],
    { [P]: [{ with: [communities("65001:3")] }, { with: [TWO] }] },
    [path(1, ONE), path(2, TWO)],
  ),
  paths("7911-3-03", "identifiers 0 and 4294967295", [path(0, ONE), path(0xffff_ffff, TWO)], both),
  paths("7911-3-04", "IPv6 too", [path6(1, ONE), path6(2, TWO)], { [P6]: [{ with: [ONE] }, { with: [TWO] }] }),
  {
    id: "7911-3-05",
    title: "a peer that did not ask for it gets the best path alone, without identifiers",
    terms: { external: SENDS },
    says: [
      path(1, TWO),
      update({
        attributes: [...base().map((one) => (one[1] === 2 ? asPath(65_001, 5) : one)), ONE],
        nlri: [nlri(P, 2)],
      }),
    ],
    expects: { sees: { external2: { [P]: { with: [TWO] } } } },
  },
  {
    id: "7911-3-06",
    title: "paths of two peers come out both, under different identifiers",
    terms: { external2: RECEIVES },
    also: { external3: [announce(P, base()[0] as Octets, asPath(65_003), nextHop("192.0.2.13"), TWO)] },
    says: [announce(P, ...base(), ONE)],
    expects: { sees: { external2: both } },
    script: async (stand) => {
      const ids = keysOf(await stand.session("external2", RECEIVES), P);
      if (new Set(ids).size !== 2) throw new Error(`path identifiers ${ids.join(" ")}`);
    },
  },
  {
    id: "7911-3-07",
    title: "a session that only receives sends without identifiers",
    terms: { external: RECEIVES },
    says: [announce(P)],
    expects: { sees: { external2: { [P]: {} } } },
  },
  {
    id: "7911-4-03",
    title: "add-path of IPv6 alone leaves IPv4 without identifiers",
    terms: { external: { addPath: [[2, 3]] }, external2: { addPath: [[2, 3]] } },
    says: [announce(P), path6(1, ONE), path6(2, TWO)],
    expects: { sees: { external2: { [P]: {}, [P6]: [{ with: [ONE] }, { with: [TWO] }] } } },
  },
  {
    id: "7911-3-08",
    title: "reflected to a client with all its paths",
    terms: { external: SENDS, client: RECEIVES },
    says: [path(1, ONE), path(2, TWO)],
    expects: { sees: { client: both } },
  },
  {
    id: "7911-5-05",
    title: "when the peer goes all its paths go",
    terms: TERMS,
    before: [path(1, ONE), path(2, TWO)],
    first: { external2: both },
    says: [new Uint8Array(19)],
    expects: { reset: "1/1", sees: { external2: { [P]: [] } } },
  },
  resets(
    "7911-3-09",
    "a path identifier that is cut off",
    update({ attributes: base(), nlri: [cat([0, 0, 0])] }),
    ["3/10", "3/1"],
    { terms: { external: SENDS } },
  ),
  resets(
    "7911-3-10",
    "an identifier without a prefix in MP_UNREACH_NLRI",
    update({ attributes: [mpUnreach(2, [cat([0, 0, 0, 1])])] }),
    ["3/9", "3/10", "3/1"],
    { terms: { external: SENDS } },
  ),
];
