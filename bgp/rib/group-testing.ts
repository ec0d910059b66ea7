/**
 * For tests: peers come, go, announce, withdraw, stall and change their terms in any order; a plain model says what
 * each of them must hold once all is quiet.
 */
import { expect } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { OPEN_CHAIN } from "../policy/chain.ts";
import { compileFilter, type RuleSpec } from "../policy/compile-filter.ts";
import { exportAttributes, LOCAL_ATTRIBUTES } from "../policy/export.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { NEGOTIATED } from "../session/testing.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { UpdateWriter } from "../wire/encode-update.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { messagesIn, nlriTable } from "../wire/testing.ts";
import { Listener, pathOf, peerConfig, TestRib } from "./testing.ts";

const PREFIXES = Array.from({ length: 6 }, (_, n) => `10.${n}.0.0/16`);
/** These peers announce; and all of {@link LISTENERS} may be told. */
const SOURCES = [1, 2, 3] as const;
const LISTENERS = [1, 2, 3, 9] as const;
const PATIENCE_MS = 250;
/** Work that never comes to an end is a fault. */
const MOST_TURNS = 1000;

const exportBy = (...exportV4: RuleSpec[]): Partial<PeerConfig> => ({
  exportChain: { ...OPEN_CHAIN, filters: [compileFilter("f", { exportV4 }, "export")] },
});
const COMMUNITY = 65000 * 0x10000 + 1;

/** What a listener may be configured with, and what then becomes of an announced route. */
interface Terms {
  readonly change: Partial<PeerConfig>;
  expected(prefix: string, path: PathAttributes, own: boolean): PathAttributes | undefined;
}

const TERMS: readonly Terms[] = [
  { change: {}, expected: (_prefix, path) => path },
  {
    change: exportBy({ cidr: "10.1.0.0/16", matchOperator: "In", action: "Reject" }),
    expected: (prefix, path) => (prefix === "10.1.0.0/16" ? undefined : path),
  },
  {
    change: exportBy({ asPathPrefix: [64512, 65002], action: "Reject" }),
    expected: (_prefix, path) => (path.asPath[0]?.asNumbers[1] === 65002 ? undefined : path),
  },
  {
    change: exportBy({
      cidr: "10.2.0.0/15",
      matchOperator: "In",
      action: "Accept",
      operations: [{ addCommunity: { value: "65000:1" } }],
    }),
    expected: (prefix, path) => (/^10\.[23]\./.test(prefix) ? { ...path, communities: [COMMUNITY] } : path),
  },
  { change: { removePrivateAs: true }, expected: (_prefix, path) => path },
  { change: { exportChain: { ...OPEN_CHAIN, otherwise: "Reject" } }, expected: () => undefined },
  { change: { exportScope: "originated" }, expected: (_prefix, path, own) => (own ? path : undefined) },
  { change: { maxPrefixesOut: 2 }, expected: (_prefix, path) => path },
];

export interface Step {
  readonly what: (typeof STEPS)[number];
  readonly source: (typeof SOURCES)[number];
  readonly listener: (typeof LISTENERS)[number];
  readonly prefix: string;
  /** Of the AS_PATH. */
  readonly length: number;
  readonly pathId: number;
  readonly terms: number;
}

const STEPS = [
  ...(["announce", "announce", "announce", "announce", "withdraw", "withdraw", "originate", "stale", "sweep"] as const),
  ...(["reach", "decide", "decide", "forward", "work", "work", "work", "wait"] as const),
  ...(["congest", "drain", "join", "join", "leave", "move", "refresh"] as const),
] as const;

export const STEP: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(...STEPS),
  source: fc.constantFrom(...SOURCES),
  listener: fc.constantFrom(...LISTENERS),
  prefix: fc.constantFrom(...PREFIXES),
  length: fc.integer({ min: 1, max: 3 }),
  pathId: fc.integer({ min: 1, max: 2 }),
  terms: fc.nat({ max: TERMS.length - 1 }),
});

interface ModelPath {
  readonly source: number;
  readonly prefix: string;
  readonly length: number;
  stale: boolean;
}

interface Told {
  readonly listener: Listener;
  terms: Terms;
  config: PeerConfig;
  /** Times at which all there is may be told once more. */
  catchUps: number;
  /** Changes so far by prefix, when it joined. */
  readonly since: ReadonlyMap<string, number>;
}

export class Play {
  readonly #addPath: boolean;
  readonly #rib: TestRib;
  readonly #paths = new Map<string, ModelPath>();
  readonly #own = new Set<string>();
  readonly #unreachable = new Set<number>();
  readonly #told = new Map<number, Told>();
  readonly #changes = new Map<string, number>();
  #now = 0;

  constructor(addPath: boolean) {
    this.#addPath = addPath;
    const both = addPath ? [4 as const] : [];
    this.#rib = new TestRib(LISTENERS, { ...NEGOTIATED, addPathSend: both, addPathReceive: both });
  }

  do(step: Step): void {
    const rib = this.#rib;
    const told = this.#told.get(step.listener);
    switch (step.what) {
      case "announce":
      case "withdraw":
        return this.#hear(step);
      case "originate":
        if (!this.#own.delete(step.prefix)) this.#own.add(step.prefix);
        this.#changed(step.prefix);
        return rib.own.set([...this.#own].map(prefixOf));
      case "stale":
      case "sweep":
        return this.#age(step);
      case "reach":
        return this.#reach(step.source);
      case "decide":
        // Fewer than may be marked: the rest waits, as it does under load.
        rib.decideMarked(2);
        return undefined;
      case "forward":
        rib.takeForwardingChanges(2, () => undefined);
        return undefined;
      case "work":
        return told?.listener.group.work(this.#now);
      case "wait":
        this.#now += PATIENCE_MS;
        return undefined;
      case "congest":
      case "drain":
        if (told !== undefined) told.listener.congested = step.what === "congest";
        return undefined;
      default:
        return this.#manage(step, told);
    }
  }

  /** Sessions and terms. */
  #manage({ what, listener: number, terms: index }: Step, told: Told | undefined): void {
    const terms = TERMS[index] as Terms;
    const config = { ...peerConfig(number), ...terms.change };
    if (told === undefined) {
      if (what !== "join") return;
      const listener = new Listener(this.#rib, number, config);
      // A change that is on its way already comes behind the first telling.
      const one = { listener, terms, config, catchUps: 2, since: new Map(this.#changes) };
      this.#told.set(number, one);
    } else if (what === "leave") {
      this.#leave(number, told);
    } else if (what === "refresh") {
      told.listener.group.tellAll(told.listener.member);
      told.catchUps++;
    } else if (what === "move") {
      const { listener } = told;
      listener.group = this.#rib.move(listener.group, this.#rib.negotiatedTerms(config), listener.member);
      told.terms = terms;
      told.config = config;
      told.catchUps += 2;
    }
  }

  #leave(number: number, { listener }: Told): void {
    this.#rib.leave(listener.group, listener.member);
    this.#told.delete(number);
  }

  #hear({ what, source, prefix, length, pathId }: Step): void {
    const key = this.#addPath ? `${source} ${prefix} ${pathId}` : `${source} ${prefix}`;
    const writer = new UpdateWriter(4096);
    if (what === "announce") {
      const octets = encodeAttributes(attributesOf(source, length), 4);
      writer.announce(4, undefined, octets, 0, octets.length);
      this.#paths.set(key, { source, prefix, length, stale: false });
    } else {
      writer.withdraw(4);
      this.#paths.delete(key);
    }
    writer.add(nlriTable([prefixOf(prefix)]), 0, this.#addPath ? pathId : undefined);
    for (const message of messagesIn(writer.take())) this.#rib.receive(source, message);
    this.#changed(prefix);
  }

  #age({ what, source }: Step): void {
    if (what === "stale") this.#rib.markStale(source, 4);
    else this.#rib.sweep(source, 4, "stale");
    for (const [key, path] of [...this.#paths]) {
      if (path.source !== source) continue;
      if (what === "stale") path.stale = true;
      else if (path.stale) {
        this.#paths.delete(key);
        this.#changed(path.prefix);
      }
    }
  }

  #reach(source: number): void {
    if (!this.#unreachable.delete(source)) this.#unreachable.add(source);
    const reachable = SOURCES.filter((one) => !this.#unreachable.has(one));
    const via = [{ interfaceIndex: 2 }];
    this.#rib.updateUnderlay(reachable.map((n) => ({ prefix: prefixOf(`10.0.0.${n}/32`), via, metric: 0 })));
    for (const prefix of PREFIXES) this.#changed(prefix);
  }

  #changed(prefix: string): void {
    this.#changes.set(prefix, (this.#changes.get(prefix) ?? 0) + 1);
  }

  /** Everybody takes what there is to take. */
  settle(): void {
    for (const { listener } of this.#told.values()) listener.congested = false;
    this.#rib.decideAll();
    for (let turn = 0; ; turn++) {
      const groups = [...this.#rib.groups.values()];
      const due = Math.min(...groups.map((group) => group.nextDue(this.#now)));
      if (due === Number.POSITIVE_INFINITY) return;
      if (turn === MOST_TURNS) throw new Error("a group has work to do for ever");
      this.#now = Math.max(this.#now, due);
      for (const group of groups) group.work(this.#now);
    }
  }

  check(): void {
    for (const [number, told] of this.#told) {
      const { listener } = told;
      const held = [...listener.holds].map(([key, attributes]) => `${key.split(" ")[0]} ${attributes}`);
      const expected = this.#expected(number, told).sort();
      const limit = told.config.maxPrefixesOut;
      if (limit === undefined) expect({ number, held: held.sort() }).toEqual({ number, held: expected });
      else this.#checkLimited(number, held, expected, limit);
      expect({ number, ends: listener.endsOfRib }).toEqual({ number, ends: 1 });
      expect(listener.group.countFor(number)).toBe(held.length);
      for (const [key, times] of listener.heard) {
        const prefix = key.split(" ")[0] as string;
        const changes = (this.#changes.get(prefix) ?? 0) - (told.since.get(prefix) ?? 0);
        expect({ number, key, often: times > changes + told.catchUps }).toEqual({ number, key, often: false });
      }
    }
  }

  /** Which prefixes are left out is of no concern; how many is, but its own paths count for a peer that has some. */
  #checkLimited(number: number, held: readonly string[], expected: readonly string[], limit: number): void {
    const prefixes = (all: readonly string[]) => new Set(all.map((one) => one.split(" ")[0])).size;
    expect(held.filter((one) => !expected.includes(one))).toEqual([]);
    expect(prefixes(held)).toBeLessThanOrEqual(limit);
    if (number === 9) expect(prefixes(held)).toBe(Math.min(limit, prefixes(expected)));
  }

  #expected(number: number, { terms, config }: Told): string[] {
    const expected: string[] = [];
    for (const prefix of PREFIXES) {
      for (const { source, length } of this.#announceable(prefix)) {
        if (source === number) continue;
        const own = source === 0;
        const peerId = addressOf("10.0.0.1");
        const origin = { local: own, external: !own, client: false, attached: false, peerId };
        const path = own ? LOCAL_ATTRIBUTES : attributesOf(source, length);
        const out = exportAttributes({ ...this.#rib.negotiatedTerms(config), addPath: false }, origin, path);
        const last = terms.expected(prefix, out as PathAttributes, own);
        if (last !== undefined) expected.push(`${prefix} ${Buffer.from(encodeAttributes(last, 4)).toString("hex")}`);
      }
    }
    return expected;
  }

  /** The best path of a prefix, or with add-path all of them. */
  #announceable(prefix: string): { readonly source: number; readonly length: number }[] {
    const paths = [...this.#paths.values()]
      .filter((path) => path.prefix === prefix && !this.#unreachable.has(path.source))
      .map(({ source, length }) => ({ source, length }))
      .sort((a, b) => a.length - b.length || a.source - b.source);
    if (this.#own.has(prefix)) paths.unshift({ source: 0, length: 0 });
    return this.#addPath ? paths : paths.slice(0, 1);
  }

  /** All is withdrawn and everybody leaves, in this or the other order; nothing may be left. */
  end(withdrawnFirst: boolean): void {
    const withdraw = () => {
      for (const source of SOURCES) this.#rib.sweep(source, 4, "all");
      this.#rib.own.set([]);
      this.#paths.clear();
      this.#own.clear();
      this.settle();
    };
    if (withdrawnFirst) {
      withdraw();
      for (const { listener } of this.#told.values()) expect([...listener.holds]).toEqual([]);
    }
    for (const [number, told] of [...this.#told]) this.#leave(number, told);
    if (!withdrawnFirst) withdraw();
    this.#rib.takeForwardingChanges(1000, () => undefined);
    expect(this.#rib.groups.size).toBe(0);
    expect(this.#rib.leftovers).toEqual([0, 0, 0]);
  }
}

/** Peers of one prefix in the order of their length, then of their number: the decision's. */
function attributesOf(source: number, length: number): PathAttributes {
  return pathOf(source, { asPath: [{ type: 2, asNumbers: Array.from({ length }, () => 65000 + source) }] });
}

/** A few hundred random plays. */
export function playMany(addPath: boolean, numRuns: number): void {
  fc.assert(
    fc.property(
      fc.array(STEP, { maxLength: 100, size: "max" }),
      fc.nat({ max: 99 }),
      fc.boolean(),
      (steps, at, first) => {
        const play = new Play(addPath);
        for (const listener of [1, 9] as const) {
          play.do({ what: "join", listener, source: 1, prefix: "10.0.0.0/16", length: 1, pathId: 1, terms: 0 });
        }
        for (const [i, step] of steps.entries()) {
          play.do(step);
          if (i !== at) continue;
          play.settle();
          play.check();
        }
        play.settle();
        play.check();
        play.end(first);
      },
    ),
    { numRuns },
  );
}
