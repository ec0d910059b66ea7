import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type Address, addressOf, compareAddresses } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { AttributeTable } from "./attribute-table.ts";
import { Decision } from "./decision.ts";
import { NextHops } from "./next-hops.ts";
import { Match } from "./path-order.ts";
import { NO_PATH, Paths } from "./paths.ts";
import { DEFAULT_SETTINGS, type SpeakerSettings } from "./settings.ts";
import { LOCAL_SOURCE, Sources } from "./sources.ts";
import { STEPS, type Step } from "./steps.ts";

/** A path as the rules see it. */
interface Candidate {
  readonly attributes: Partial<PathAttributes>;
  readonly local: boolean;
  readonly external: boolean;
  /** Of the next hop: 0, or 5. */
  readonly igpMetric: 0 | 5;
  readonly peerId: string;
  readonly peerAddress: string;
  readonly pathId: number;
}

function candidate(n: number, attributes: Partial<PathAttributes> = {}, rest: Partial<Candidate> = {}): Candidate {
  const peerAddress = `10.0.1.${n}`;
  const defaults = { local: false, external: true, igpMetric: 0, peerId: peerAddress, peerAddress, pathId: 0 } as const;
  return { ...defaults, attributes, ...rest };
}

const sequence = (...asNumbers: number[]) => ({ asPath: [{ type: 2, asNumbers }] });
const LLGR_STALE = { communities: [0xffff0006] };

/** Decides between candidates that arrive in this order; the place of the best one, and the step. */
function decide(candidates: readonly Candidate[], settings: Partial<SpeakerSettings> = {}) {
  const nextHops = new NextHops();
  nextHops.update([
    { prefix: prefixOf("10.0.0.0/24"), via: [{ interfaceIndex: 2 }], metric: 0 },
    { prefix: prefixOf("10.0.5.0/24"), via: [{ interfaceIndex: 3 }], metric: 5 },
  ]);
  const attributes = new AttributeTable(nextHops, 16);
  const sources = new Sources();
  const paths = new Paths(16);
  const places = new Map<number, number>();
  const known = new Map<string, number>();
  const decision = new Decision(attributes, nextHops, sources);
  decision.settings = { ...DEFAULT_SETTINGS, ...settings };
  let winner = NO_PATH;
  for (const [place, one] of candidates.entries()) {
    const source = one.local ? LOCAL_SOURCE : (known.get(one.peerAddress) ?? sources.allocate());
    known.set(one.peerAddress, source);
    const peerId = addressOf(one.peerId);
    const peerAddress = addressOf(one.peerAddress);
    const { external } = one;
    if (!one.local) sources.set(source, { name: "", external, peerId, peerAddress, client: false, attached: false });
    const nextHop = addressOf(one.igpMetric === 0 ? "10.0.0.1" : "10.0.5.1");
    const set = attributes.intern({ origin: 0, ...sequence(65001, 65002), nextHop, ...one.attributes }, 0);
    const path = paths.add(0, source, one.pathId, set, set);
    places.set(path, place);
    const outcome = winner === NO_PATH ? Match.Unsure : decision.match(paths, winner, path);
    if (outcome !== Match.Lost) winner = outcome === Match.Won ? path : decision.decide(paths, 0);
  }
  const best = decision.decide(paths, 0);
  const equal = [...decision.equal.subarray(0, decision.equalCount)].map((path) => places.get(path) as number);
  return {
    best: best === NO_PATH ? undefined : (places.get(best) as number),
    step: STEPS[decision.step] as Step,
    /** Whether it comes out the same with every path held against the best one before it. */
    sameOneByOne: winner === best && decision.best(paths, 0) === best,
    equal: equal.sort((a, b) => a - b),
  };
}

/** The same rules over plain values: what is left after each step, one after the other. */
function model(candidates: readonly Candidate[], { compareMed, missingMed }: SpeakerSettings) {
  const all = candidates.map((one, place) => ({ ...one, place }));
  type Placed = (typeof all)[number];
  const path = (one: Placed) => one.attributes.asPath ?? sequence(65001, 65002).asPath;
  const med = ({ attributes }: Placed) => attributes.med ?? (missingMed === "worst" ? 2 ** 32 : 0);
  const lowest = (value: (one: Placed) => number) => (left: readonly Placed[]) => {
    const least = Math.min(...left.map(value));
    return left.filter((one) => value(one) === least);
  };
  const lowestAddress = (value: (one: Placed) => Address) => (left: readonly Placed[]) => {
    const least = left.map(value).sort(compareAddresses)[0] as Address;
    return left.filter((one) => compareAddresses(value(one), least) === 0);
  };
  const neighbor = (one: Placed) => path(one)[0]?.asNumbers[0];
  const lowestMed = (left: readonly Placed[]) =>
    left.filter(
      (one) => !left.some((o) => (compareMed === "always" || neighbor(o) === neighbor(one)) && med(o) < med(one)),
    );
  const steps: readonly [Step, (left: readonly Placed[]) => readonly Placed[]][] = [
    ["local", lowest(({ local }) => (local ? 0 : 1))],
    ["last-resort", lowest(({ attributes }) => attributes.communities?.length ?? 0)],
    ["local-pref", lowest(({ attributes }) => -(attributes.localPref ?? 100))],
    ["as-path", lowest((one) => path(one)[0]?.asNumbers.length ?? 0)],
    ["origin", lowest(({ attributes }) => attributes.origin ?? 0)],
    ["med", lowestMed],
    ["external", lowest(({ local, external }) => (external && !local ? 0 : 1))],
    ["igp-metric", lowest(({ igpMetric, local }) => (local ? 0 : igpMetric))],
    ["router-id", lowestAddress(({ attributes, peerId }) => attributes.originatorId ?? addressOf(peerId))],
    ["cluster-list", lowest(({ attributes }) => attributes.clusterList?.length ?? 0)],
    ["peer-address", lowestAddress(({ peerAddress }) => addressOf(peerAddress))],
    ["path-id", lowest(({ pathId }) => pathId)],
  ];
  let left: readonly Placed[] = all;
  let step: Step = "only";
  let equal: readonly Placed[] | undefined;
  for (const [name, keep] of steps) {
    if (left.length <= 1) break;
    const kept = keep(left);
    if (kept.length < left.length) step = name;
    left = kept;
    if (name === "igp-metric") equal = left;
  }
  return { best: left[0]?.place, step, equal: (equal ?? left).map(({ place }) => place) };
}

describe("the decision process (RFC 4271 9.1.2.2)", () => {
  it.each<[string, Candidate, Candidate, Step]>([
    ["an own route", candidate(9, {}, { local: true }), candidate(1, { localPref: 1000 }), "local"],
    ["one that is not long-lived stale", candidate(9), candidate(1, { ...LLGR_STALE, localPref: 900 }), "last-resort"],
    ["higher LOCAL_PREF", candidate(9, { localPref: 200 }), candidate(1, sequence(1)), "local-pref"],
    ["a missing LOCAL_PREF is 100", candidate(9), candidate(1, { localPref: 99 }), "local-pref"],
    ["shorter AS_PATH", candidate(9, sequence(1)), candidate(1, { origin: 0 }), "as-path"],
    ["lower ORIGIN", candidate(9), candidate(1, { origin: 2 }), "origin"],
    ["lower MED of one neighbour", candidate(9, { med: 5 }), candidate(1, { med: 6 }), "med"],
    ["a missing MED is 0", candidate(9), candidate(1, { med: 1 }), "med"],
    ["eBGP", candidate(9), candidate(1, {}, { external: false }), "external"],
    ["the nearer next hop", candidate(9), candidate(1, {}, { igpMetric: 5 }), "igp-metric"],
    ["lower router id", candidate(1), candidate(2), "router-id"],
    [
      "ORIGINATOR_ID stands for the router id",
      candidate(9, { originatorId: addressOf("1.1.1.1") }),
      candidate(1),
      "router-id",
    ],
    [
      "shorter CLUSTER_LIST",
      candidate(9, {}, { peerId: "1.1.1.1" }),
      candidate(1, { clusterList: [addressOf("9.9.9.9")] }, { peerId: "1.1.1.1" }),
      "cluster-list",
    ],
    [
      "lower peer address",
      candidate(1, {}, { peerId: "1.1.1.1" }),
      candidate(2, {}, { peerId: "1.1.1.1" }),
      "peer-address",
    ],
  ])("prefers %s", (_name, winner, loser, step) => {
    expect(decide([loser, winner])).toMatchObject({ best: 1, step });
    expect(decide([winner, loser])).toMatchObject({ best: 0, step });
  });

  it("prefers the lower path identifier of one peer (RFC 7911)", () => {
    const [a, b] = [candidate(1, {}, { pathId: 3 }), candidate(1, {}, { pathId: 4 })];
    expect(decide([b, a])).toMatchObject({ best: 1, step: "path-id" });
    expect(decide([a, b])).toMatchObject({ best: 0, step: "path-id" });
  });

  it("MEDs of different neighbouring ASes are compared only when asked for", () => {
    const a = candidate(1, { ...sequence(65001, 65002), med: 100 });
    const b = candidate(2, { ...sequence(65003, 65002), med: 1 });
    expect(decide([a, b])).toMatchObject({ best: 0, step: "router-id" });
    expect(decide([a, b], { compareMed: "always" })).toMatchObject({ best: 1, step: "med" });
  });

  it("a path without MED can be the worst instead of the best", () => {
    const [a, b] = [candidate(1), candidate(2, { med: 1 })];
    expect(decide([a, b], { missingMed: "worst" })).toMatchObject({ best: 1, step: "med" });
  });

  it("one path is best for being the only one; none is none", () => {
    expect(decide([candidate(1)])).toMatchObject({ best: 0, step: "only", equal: [0] });
    expect(decide([])).toMatchObject({ best: undefined, step: "only", equal: [] });
  });

  it("agrees with a plain model whatever the order in which paths came, and always decides", () => {
    const any = fc.record({
      localPref: fc.constantFrom(undefined, 100, 200),
      med: fc.constantFrom(undefined, 0, 10),
      neighbor: fc.constantFrom(65001, 65002),
      length: fc.integer({ min: 1, max: 2 }),
      origin: fc.nat({ max: 1 }),
      stale: fc.constantFrom(false, false, true),
      external: fc.boolean(),
      igpMetric: fc.constantFrom<0 | 5>(0, 5),
      id: fc.nat({ max: 2 }),
      reflected: fc.constantFrom(undefined, 0, 1),
    });
    const candidates = fc.array(any, { minLength: 1, maxLength: 8 }).map((all) =>
      all.map(({ localPref, med, neighbor, length, origin, stale, external, igpMetric, id, reflected }, n) => {
        const asPath = sequence(neighbor, ...Array.from({ length: length - 1 }, () => 65009));
        const attributes: Partial<PathAttributes> = {
          origin,
          ...asPath,
          ...(localPref === undefined ? {} : { localPref }),
          ...(med === undefined ? {} : { med }),
          ...(stale ? LLGR_STALE : {}),
          ...(reflected === undefined
            ? {}
            : { originatorId: addressOf(`1.1.1.${reflected}`), clusterList: [addressOf("9.9.9.9")] }),
        };
        return candidate(n, attributes, { external, igpMetric, peerId: `1.1.1.${id}` });
      }),
    );
    const settings = fc.record({
      compareMed: fc.constantFrom("same-as" as const, "always" as const),
      missingMed: fc.constantFrom("best" as const, "worst" as const),
      multipath: fc.constant(16),
    });
    fc.assert(
      fc.property(candidates, settings, fc.infiniteStream(fc.nat()), (all, chosen, random) => {
        const order = all
          .map((_one, place) => ({ place, key: random.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ place }) => place);
        const expected = model(all, chosen);
        expect(decide(all, chosen)).toEqual({ ...expected, sameOneByOne: true });
        const shuffled = decide(
          order.map((place) => all[place] as Candidate),
          chosen,
        );
        expect({ ...shuffled, best: order[shuffled.best as number], equal: [] }).toEqual({
          best: expected.best,
          step: expected.step,
          sameOneByOne: true,
          equal: [],
        });
      }),
      { numRuns: 800 },
    );
  });
});
