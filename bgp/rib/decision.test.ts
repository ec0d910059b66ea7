import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { type Candidate, decide } from "./decision.ts";

const ATTRIBUTES: PathAttributes = {
  origin: 0,
  asPath: [{ type: 2, asNumbers: [65001, 65002] }],
  nextHop: addressOf("10.0.0.1"),
};

function candidate(path: number, attributes: Partial<PathAttributes> = {}, rest: Partial<Candidate> = {}): Candidate {
  const peerAddress = addressOf(`10.0.1.${path}`);
  return {
    path,
    attributes: { ...ATTRIBUTES, ...attributes },
    local: false,
    external: true,
    igpMetric: 0,
    peerId: peerAddress,
    peerAddress,
    ...rest,
  };
}

const sequence = (...asNumbers: number[]) => ({ asPath: [{ type: 2, asNumbers }] });

describe("the decision process (RFC 4271 9.1.2.2)", () => {
  it.each<[string, Candidate, Candidate, string]>([
    ["an own route", candidate(9, {}, { local: true }), candidate(1, { localPref: 1000 }), "local"],
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
      candidate(9, {}, { peerId: addressOf("1.1.1.1") }),
      candidate(1, { clusterList: [addressOf("9.9.9.9")] }, { peerId: addressOf("1.1.1.1") }),
      "cluster-list",
    ],
    [
      "lower peer address",
      candidate(1, {}, { peerId: addressOf("1.1.1.1") }),
      candidate(2, {}, { peerId: addressOf("1.1.1.1") }),
      "peer-address",
    ],
  ])("prefers %s", (_name, winner, loser, step) => {
    expect(decide([loser, winner])).toEqual({ best: winner, step });
    expect(decide([winner, loser])).toEqual({ best: winner, step });
  });

  it("MEDs of different neighbouring ASes are not compared", () => {
    const a = candidate(1, { ...sequence(65001, 65002), med: 100 });
    const b = candidate(2, { ...sequence(65003, 65002), med: 1 });
    expect(decide([a, b])).toEqual({ best: a, step: "router-id" });
  });

  it("one path is best for being the only one; none is none", () => {
    const only = candidate(1);
    expect(decide([only])).toEqual({ best: only, step: "only" });
    expect(decide([])).toBeUndefined();
  });

  it("does not depend on the order in which paths came, and always decides", () => {
    const any = fc.record({
      localPref: fc.constantFrom(undefined, 100, 200),
      med: fc.constantFrom(undefined, 0, 10),
      neighbor: fc.constantFrom(65001, 65002),
      length: fc.integer({ min: 1, max: 2 }),
      origin: fc.nat({ max: 1 }),
      external: fc.boolean(),
      igpMetric: fc.nat({ max: 1 }),
      id: fc.nat({ max: 2 }),
    });
    const candidates = fc.array(any, { minLength: 1, maxLength: 6 }).map((all) =>
      all.map(({ localPref, med, neighbor, length, origin, external, igpMetric, id }, path) =>
        candidate(
          path,
          {
            origin,
            ...(localPref === undefined ? {} : { localPref }),
            ...(med === undefined ? {} : { med }),
            ...sequence(neighbor, ...Array.from({ length: length - 1 }, () => 65009)),
          },
          { external, igpMetric, peerId: addressOf(`1.1.1.${id}`) },
        ),
      ),
    );
    fc.assert(
      fc.property(candidates, fc.infiniteStream(fc.nat()), (all, random) => {
        const shuffled = all
          .map((one) => ({ one, key: random.next().value as number }))
          .sort((a, b) => a.key - b.key)
          .map(({ one }) => one);
        expect(decide(shuffled)).toEqual(decide(all));
      }),
    );
  });
});
