import { describe, expect, it } from "@jest/globals";
import { Scenario } from "./scenario.ts";

// Fixed seeds, so that a failure here is a failure everywhere; `npm run fuzz -- --kind network` tries new ones.
const FIRST_SEEDS = Array.from({ length: 5 }, (_, n) => n * 20 + 1);
const LARGE: readonly (readonly [kind: string, count: number, seed: number])[] = [
  ["reflectors", 49, 502],
  ["mesh", 36, 503],
  ["ring", 22, 521],
  ["fabric", 46, 531],
];

describe("random lives of simulated networks", () => {
  it.each(FIRST_SEEDS)("20 seeds from %i on, 3 to 8 speakers", (first) => {
    for (let seed = first; seed < first + 20; seed++) new Scenario(seed).run();
  });

  it.each(LARGE)("%s of %i speakers, seed %i", (kind, count, seed) => {
    const scenario = new Scenario(seed, 50);
    expect(scenario.topology).toMatchObject({ kind, count });
    scenario.run();
  });

  it("a failure tells the seed and what was done", () => {
    const scenario = new Scenario(1);
    const [first] = scenario.network.hosts.values();
    const run = scenario.network.run.bind(scenario.network);
    // A route that nobody announced.
    scenario.network.run = (milliseconds) => {
      run(milliseconds);
      first?.fib.set("10.250.0.0/24", "10.0.0.2");
    };
    expect(() => scenario.run()).toThrow(/^seed 1 \(.*10\.250\.0\.0\/24/s);
  });
});
