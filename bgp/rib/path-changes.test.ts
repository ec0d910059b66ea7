import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { NO_PATH } from "./paths.ts";
import { Listener, TestRib } from "./testing.ts";

const PREFIX = "10.1.0.0/16";

function path(asNumber: number, med: number | undefined): Partial<PathAttributes> {
  return { asPath: [{ type: 2, asNumbers: [asNumber, 65099] }], ...(med === undefined ? {} : { med }) };
}

/** Peers 1 to 4; nothing is forwarded, so only the best path counts. */
function ribWith(paths: readonly [peer: number, asNumber: number, med: number][]): TestRib {
  const rib = new TestRib([1, 2, 3, 4, 9], undefined, undefined, false);
  for (const [peer, asNumber, med] of paths) rib.hear(peer, [PREFIX], path(asNumber, med));
  rib.decideAll();
  return rib;
}

function bestOf(rib: TestRib): string | undefined {
  const family = rib.families[4];
  const best = family.best(0);
  return best === NO_PATH ? undefined : `p${family.paths.source(best)}`;
}

describe("a path that goes", () => {
  it("is no reason to decide again where it was not the best and kept no other from being it", () => {
    const rib = ribWith([
      [1, 65001, 0],
      [2, 65002, 0],
      [3, 65003, 0],
    ]);
    rib.unhear(3, [PREFIX]);
    expect(rib.undecided).toBe(0);
    rib.unhear(1, [PREFIX]);
    expect(rib.undecided).toBe(1);
    rib.decideAll();
    expect(bestOf(rib)).toBe("p2");
  });

  it("lets the one come back that it removed by its MED, though it was not the best itself", () => {
    // 3 removes 1, the lowest router id, by a lower MED of the same AS, and then loses to 2.
    const rib = ribWith([
      [1, 65001, 50],
      [2, 65002, 0],
      [3, 65001, 10],
    ]);
    expect(bestOf(rib)).toBe("p2");
    rib.unhear(3, [PREFIX]);
    rib.decideAll();
    expect(bestOf(rib)).toBe("p1");
  });

  it("is one gateway less where equal paths are used side by side", () => {
    const rib = new TestRib([1, 2]);
    rib.hear(1, [PREFIX], path(65001, 0));
    rib.hear(2, [PREFIX], path(65002, 0));
    expect(rib.forwardingText()).toEqual({ [PREFIX]: "10.0.0.1,10.0.0.2" });
    rib.unhear(2, [PREFIX]);
    expect(rib.forwardingText()).toEqual({ [PREFIX]: "10.0.0.1" });
  });
});

describe("whatever comes and goes", () => {
  const step = fc.record({
    peer: fc.integer({ min: 1, max: 4 }),
    prefix: fc.constantFrom("10.1.0.0/16", "10.2.0.0/16"),
    asNumber: fc.constantFrom(65001, 65002),
    med: fc.constantFrom(undefined, 0, 10, 20),
    unreachable: fc.boolean(),
    what: fc.constantFrom("announce", "announce", "withdraw", "decide", "hear", "sweep"),
  });
  const settings = fc.record({
    compareMed: fc.constantFrom("same-as" as const, "always" as const),
    missingMed: fc.constantFrom("best" as const, "worst" as const),
    multipath: fc.constantFrom(1, 16),
  });

  it.each([true, false])("the best path is the one that all steps over all paths choose; forwards: %s", (forwards) => {
    fc.assert(
      fc.property(settings, fc.array(step, { maxLength: 80, size: "max" }), (chosen, steps) => {
        const rib = new TestRib([1, 2, 3, 4, 9], undefined, undefined, forwards);
        rib.applySettings(chosen);
        const listener = new Listener(rib, 9);
        for (const { peer, prefix, asNumber, med, unreachable, what } of steps) {
          if (what === "announce") {
            const nextHop = addressOf(unreachable ? "192.0.2.1" : `10.0.0.${peer}`);
            rib.hear(peer, [prefix], { ...path(asNumber, med), nextHop });
          } else if (what === "withdraw") rib.unhear(peer, [prefix]);
          else if (what === "decide") rib.decideMarked(1);
          else if (what === "hear") listener.group.work(0);
          else rib.sweep(peer, 4, "all");
        }
        rib.decideAll();
        const { paths } = rib.families[4];
        let chosenOnes = 0;
        for (const { id } of rib.families[4].known()) {
          const best = rib.families[4].best(id);
          expect(best).toBe(rib.decision.decide(paths, id));
          if (best !== NO_PATH) chosenOnes++;
        }
        expect(Object.keys(listener.listen())).toHaveLength(chosenOnes);
        for (const peer of [1, 2, 3, 4]) rib.sweep(peer, 4, "all");
        listener.listen();
        rib.takeForwardingChanges(1000, () => undefined);
        expect(rib.leftovers).toEqual([0, 0, 0]);
      }),
      { numRuns: 500 },
    );
  });
});
