/** RFC 4724, 8538, 9494: a neighbour that goes and comes back. */
import { communities, mpUnreach } from "../attributes.ts";
import { announce, base, type Case, P, Q } from "../case.ts";
import { capabilitiesOf, type Message } from "../decode.ts";
import { capability, gracefulRestart, notification, update } from "../messages.ts";
import { cat, hex, type Octets } from "../octets.ts";
import type { PeerName } from "../peers.ts";
import type { Session } from "../session.ts";
import type { Stand } from "../stand.ts";
import type { Terms } from "../terms.ts";

const N_BIT = 4;
const R_BIT = 8;
const KEPT = 0x80;
const restarts = (flags: number, seconds = 30, f = KEPT): Terms => ({
  more: [gracefulRestart(flags, seconds, [1, f], [2, f])],
});
const NO_RESTART: Terms = {};
const END_OF_RIB = [update({}), update({ attributes: [mpUnreach(2, [])] })];

interface Story {
  readonly by?: PeerName;
  readonly terms: Terms;
  /** How the session ends; default: the connection is reset. */
  readonly ends?: Octets;
  /** Coming back on these terms, if at all; and what is said then. */
  readonly back?: Terms;
  readonly says?: readonly Octets[];
}

/** The observer and what it has heard by then. */
type Check = (observer: Session, when: "away" | "back" | "after") => string | undefined;

/** `P` is announced, the session ends, the neighbour comes back and says something; at each step we look. */
const story =
  ({ by = "external", terms, ends, back, says = [] }: Story, check: Check, watching: Terms = {}) =>
  async (stand: Stand) => {
    const observer = await stand.session("external2", watching);
    const ask = (when: "away" | "back" | "after") => {
      const problem = check(observer, when);
      if (problem !== undefined) throw new Error(`${when}: ${problem}`);
    };
    const first = await stand.session(by, terms);
    const routes = by === "external" ? [announce(P)] : [announce(P, ...base(65_061, 61))];
    first.send(...routes);
    await stand.processed(by, first);
    await stand.settled([observer]);
    if (!observer.routes.has(P)) throw new Error("the route did not come out");
    observer.withdrawals.length = 0;
    if (ends === undefined) first.reset();
    else first.send(ends);
    await first.ended();
    // A first clock mark may overtake the end of a session; by the second it has been noticed.
    await stand.settled([observer]);
    await stand.settled([observer]);
    ask("away");
    if (back !== undefined) {
      const second = await stand.session(by, back);
      await stand.settled([observer]);
      ask("back");
      second.send(...says);
      await stand.processed(by, second);
      await stand.settled([observer]);
      ask("after");
    }
    await stand.drop(by);
  };

const has = (observer: Session): boolean => observer.routes.has(P);
const there = (observer: Session): string | undefined => (has(observer) ? undefined : "the route is gone");
const gone = (observer: Session): string | undefined => (has(observer) ? "the route is still there" : undefined);
const never = (observer: Session): string | undefined =>
  observer.withdrawals.includes(P) ? "the route was withdrawn meanwhile" : there(observer);

export const RFC4724: readonly Case[] = [
  {
    id: "4724-2-01",
    title: "the first routes end with an End-of-RIB marker in each family",
    script: async (stand) => {
      await stand.drop("external");
      const session = await stand.session("external", restarts(0));
      await session.until("End-of-RIB of both families", () =>
        [4, 6].every((family) => session.endsOfRib.includes(family)),
      );
    },
  },
  {
    id: "4724-3-04",
    title: "our capability names the families, a restart time, and the N bit of RFC 8538",
    script: async (stand) => {
      const session = await stand.connect("external", restarts(0));
      await session.until("OPEN", () => session.theirOpen !== undefined);
      const values = capabilitiesOf(session.theirOpen as Message).get(64) ?? [];
      if (values.length !== 1) throw new Error(`${values.length} graceful restart capabilities`);
      const [head = 0, low = 0, ...families] = values[0] as Octets;
      if ((((head & 15) << 8) | low) === 0) throw new Error("the restart time is 0");
      if ((head & 0x40) === 0) throw new Error("the N bit is not set");
      const named = hex(cat(families.map((octet, i) => (i % 4 === 3 ? octet & 0x7f : octet))));
      if (named !== "0001010000020100") throw new Error(`families ${named}`);
      await stand.drop("external");
    },
  },
  {
    id: "4724-3-05",
    title: "a neighbour that has restarted gets routes before it says its own are complete",
    script: async (stand) => {
      const other = await stand.session("external2");
      other.send(announce(Q, ...base(65_002, 12)));
      await stand.processed("external2", other);
      const session = await stand.session("external", restarts(R_BIT));
      await session.until("a route", () => session.routes.has(Q));
      await stand.drop("external");
    },
  },
  {
    id: "4724-4.2-01",
    title: "routes stay while their neighbour restarts, and it may say them again",
    script: story({ terms: restarts(0), back: restarts(R_BIT), says: [announce(P), ...END_OF_RIB] }, never),
  },
  {
    id: "4724-4.2-02",
    title: "what it does not say again goes with End-of-RIB",
    script: story(
      { terms: restarts(0), back: restarts(R_BIT), says: [announce(Q), ...END_OF_RIB] },
      (observer, when) => (when === "after" ? gone(observer) : there(observer)),
    ),
  },
  {
    id: "4724-4.2-03",
    title: "until End-of-RIB nothing goes",
    script: story({ terms: restarts(0), back: restarts(R_BIT), says: [announce(Q)] }, there),
  },
  {
    id: "4724-4.2-04",
    title: "a neighbour that lost its forwarding state loses its routes when it is back",
    script: story({ terms: restarts(0), back: restarts(R_BIT, 30, 0) }, (observer, when) =>
      when === "away" ? there(observer) : gone(observer),
    ),
  },
  {
    id: "4724-4.2-05",
    title: "one that comes back without the capability too",
    script: story({ terms: restarts(0), back: NO_RESTART }, (observer, when) =>
      when === "away" ? there(observer) : gone(observer),
    ),
  },
  {
    id: "4724-4.2-06",
    title: "one that comes back without a family of the capability too",
    script: story({ terms: restarts(0), back: { more: [gracefulRestart(R_BIT, 30, [2, KEPT])] } }, (observer, when) =>
      when === "away" ? there(observer) : gone(observer),
    ),
  },
  {
    id: "4724-4.2-07",
    title: "routes of a neighbour without the capability go with it",
    script: story({ terms: NO_RESTART }, gone),
  },
  {
    id: "4724-4.2-08",
    title: "a NOTIFICATION is no restart",
    script: story({ terms: restarts(0), ends: notification(6, 4) }, gone),
  },
  {
    id: "4724-4.2-09",
    title: "a neighbour that does not come back in its restart time loses its routes then",
    script: async (stand) => {
      await story({ terms: restarts(0, 1) }, there)(stand);
      const observer = await stand.session("external2");
      await observer.sees(() => !observer.routes.has(P));
      if (observer.routes.has(P)) throw new Error("the route is still there");
    },
  },
  {
    id: "4724-4.2-10",
    title: "what is still stale when the neighbour restarts again goes",
    script: async (stand) => {
      const observer = await stand.session("external2");
      await story({ terms: restarts(0), back: restarts(R_BIT), says: [announce(Q)] }, there)(stand);
      await stand.settled([observer]);
      if (observer.routes.has(P) || !observer.routes.has(Q))
        throw new Error(`of the stale ${P} and the fresh ${Q} there are: ${[...observer.routes.keys()].join(" ")}`);
    },
  },
  {
    id: "4724-4.2-11",
    title: "we do not say that we have restarted when we have not",
    script: async (stand) => {
      const session = await stand.greeted("external", restarts(0));
      const [head = 0] = capabilitiesOf(session.theirOpen as Message).get(64)?.[0] ?? [];
      if ((head & 0x80) !== 0) throw new Error("the R bit is set");
      await stand.drop("external");
    },
  },
  {
    id: "8538-4-01",
    title: "with the N bit on both sides a NOTIFICATION is a restart",
    script: story(
      {
        terms: restarts(N_BIT),
        ends: notification(6, 4),
        back: restarts(R_BIT | N_BIT),
        says: [announce(P), ...END_OF_RIB],
      },
      never,
    ),
  },
  {
    id: "8538-3-02",
    title: "a hard reset is none",
    script: story({ terms: restarts(N_BIT), ends: notification(6, 9, cat([6, 2])) }, gone),
  },
];

const LLGR_CAPABILITY = capability(71, [0, 1, 1, KEPT, 0, 0, 60, 0, 2, 1, KEPT, 0, 0, 60]);
const LONG_LIVED: Terms = { more: [gracefulRestart(0, 0, [1, KEPT], [2, KEPT]), LLGR_CAPABILITY] };
const STALE = hex(communities("65535:6").subarray(3));

export const RFC9494: readonly Case[] = [
  {
    id: "9494-4.3-01",
    title: "after the restart time routes stay as a last resort, marked LLGR_STALE, for neighbours that know it",
    script: story(
      { by: "lasting", terms: LONG_LIVED },
      (observer) => {
        const value = observer.routes.get(P)?.attributes.get(8)?.value;
        return value !== undefined && hex(value).includes(STALE) ? undefined : "no route with LLGR_STALE";
      },
      LONG_LIVED,
    ),
  },
  {
    id: "9494-4.3-02",
    title: "from neighbours that do not know it they are withdrawn",
    script: story({ by: "lasting", terms: LONG_LIVED }, gone),
  },
];
