import { expect, it } from "@jest/globals";
import { candidateBlocks } from "./candidates.ts";
import { containsPrefix, formatPrefix, prefixOf } from "./net/prefix.ts";
import { poolOf } from "./world-for-tests.ts";

it("visits every block of the pool once, each node in an order of its own", () => {
  const pool = poolOf("p", "10.244.0.0/18", 26);
  const orders = ["n1", "n2"].map((node) => [...candidateBlocks(pool, node)].map(formatPrefix));
  for (const order of orders) {
    expect(new Set(order).size).toBe(256);
    expect(order.every((text) => containsPrefix(pool.cidr, prefixOf(text)))).toBe(true);
  }
  expect(orders[0]).not.toEqual(orders[1]);
  expect([...candidateBlocks(pool, "n1")].map(formatPrefix)).toEqual(orders[0]);
});

it("spreads nodes whose names differ in a digit: of 200 in 1024 blocks few want the same first", () => {
  const pool = poolOf("p", "10.244.0.0/16", 26);
  const firsts = Array.from({ length: 200 }, (_, i) => candidateBlocks(pool, `rack1-node${i}`).next().value);
  // Chance alone leaves 181.7 different on average.
  expect(new Set(firsts.map((cidr) => cidr && formatPrefix(cidr))).size).toBeGreaterThan(165);
});

it("begins at once in a pool of 2^74 blocks", () => {
  const pool = poolOf("p", "fd00::/48", 122);
  const candidates = candidateBlocks(pool, "n1");
  const [first, second] = [candidates.next().value, candidates.next().value];
  expect(containsPrefix(pool.cidr, first)).toBe(true);
  expect(first).not.toEqual(second);
});
