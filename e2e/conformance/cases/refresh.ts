/** RFC 2918 and 7313: routes said again on request, and what was not said again taken away. */
import { announce, announce6, type Case, harmless, P, P6, Q, resets } from "../case.ts";
import { message, refresh, Type } from "../messages.ts";
import { cat, type Octets, zeros } from "../octets.ts";
import type { Stand } from "../stand.ts";
import type { Terms } from "../terms.ts";

const ENHANCED: Terms = { enhancedRefresh: true };
const EXTERNAL = { external: ENHANCED };

/** `external2` forgets what it has of both families, asks, and has it again. */
const saidAgain = (afi: number, terms: Terms, subtypes: readonly number[]) => async (stand: Stand) => {
  const asks = await stand.session("external2", terms);
  const says = await stand.session("external");
  says.send(announce(P), announce6());
  await stand.processed("external", says);
  await stand.settled([asks]);
  asks.routes.clear();
  asks.refreshes.length = 0;
  asks.send(refresh(afi));
  await stand.processed("external2", asks);
  await stand.settled([asks]);
  const [asked, other] = afi === 1 ? [P, P6] : [P6, P];
  if (!asks.routes.has(asked)) throw new Error(`${asked} was not said again`);
  if (asks.routes.has(other)) throw new Error(`${other} was said again though nobody asked`);
  const heard = asks.refreshes.map((one) => `${one.afi}/${one.subtype}`).join(" ");
  const wanted = subtypes.map((subtype) => `${afi}/${subtype}`).join(" ");
  if (heard !== wanted) throw new Error(`heard ROUTE-REFRESH ${heard || "never"}, expected ${wanted || "none"}`);
  await stand.drop("external");
  await stand.drop("external2");
};

const badLength = (id: string, title: string, octets: Octets): Case =>
  resets(id, title, octets, "7/1", { terms: EXTERNAL, data: octets });

const swept = (id: string, title: string, says: readonly Octets[], left: readonly string[]): Case => ({
  id,
  title,
  terms: EXTERNAL,
  before: [announce(P), announce(Q), announce6()],
  first: { external2: { [P]: {}, [Q]: {}, [P6]: {} } },
  says,
  expects: {
    sees: { external2: Object.fromEntries([P, Q, P6].map((prefix) => [prefix, left.includes(prefix) ? {} : []])) },
  },
});

export const REFRESH: readonly Case[] = [
  { id: "2918-4-01", title: "IPv4 routes are said again on request", script: saidAgain(1, {}, []) },
  { id: "2918-4-02", title: "IPv6 routes are said again on request", script: saidAgain(2, {}, []) },
  { id: "7313-4-01", title: "with RFC 7313 they come between BoRR and EoRR", script: saidAgain(1, ENHANCED, [1, 2]) },
  { id: "7313-4-02", title: "IPv6 ones too", script: saidAgain(2, ENHANCED, [1, 2]) },
  harmless("2918-4-03", "a request for a family nobody negotiated", refresh(25, 65)),
  harmless("2918-4-04", "a request for a SAFI nobody negotiated", refresh(1, 128)),
  harmless("2918-4-05", "a request where the capability was not said", refresh(1), {
    terms: { external: { refresh: false } },
  }),
  harmless("7313-5-01", "a subtype nobody knows", refresh(1, 1, 3), { terms: EXTERNAL }),
  harmless("7313-5-02", "subtype 255", refresh(1, 1, 255), { terms: EXTERNAL }),
  harmless("7313-4-03", "EoRR without BoRR", refresh(1, 1, 2), { terms: EXTERNAL }),
  harmless("7313-4-04", "BoRR of a family nobody negotiated", [refresh(25, 65, 1), refresh(25, 65, 2)], {
    terms: EXTERNAL,
  }),
  swept(
    "7313-4-05",
    "what is not said again between BoRR and EoRR is gone",
    [refresh(1, 1, 1), announce(Q), refresh(1, 1, 2)],
    [Q, P6],
  ),
  swept("7313-4-06", "until EoRR comes nothing is gone", [refresh(1, 1, 1), announce(Q)], [P, Q, P6]),
  swept("7313-4-07", "each family by itself", [refresh(2, 1, 1), refresh(2, 1, 2)], [P, Q]),
  swept(
    "7313-4-08",
    "a second BoRR begins anew",
    [refresh(1, 1, 1), announce(Q), refresh(1, 1, 1), announce(P), refresh(1, 1, 2)],
    [P, P6],
  ),
  badLength("7313-5-03", "BoRR with one octet too many", refresh(1, 1, 1, zeros(1))),
  badLength("7313-5-04", "EoRR with one octet too many", refresh(1, 1, 2, zeros(1))),
  badLength("7313-5-05", "BoRR with twenty octets too many", refresh(1, 1, 1, zeros(20))),
  resets("7313-5-06", "a ROUTE-REFRESH of 22 octets", message(Type.refresh, cat([0, 1, 0])), ["1/2", "7/1"], {
    terms: EXTERNAL,
  }),
];
