import { expect, it } from "@jest/globals";
import type { Block } from "./block.ts";
import { decodeBlock } from "./block.ts";
import { blocksRoot } from "./keys.ts";
import { MemoryStore } from "./memory-store.ts";
import { formatPrefix, prefixOf } from "./net/prefix.ts";
import { Reservations } from "./reservations.ts";
import { usualRules } from "./rules.ts";
import { blocksInNoPool, poolUsage } from "./usage.ts";
import { allocatorOn, Clock, poolOf, requestOf } from "./world-for-tests.ts";

const pools = [poolOf("v6", "fd00::/48", 122), poolOf("small", "192.0.2.0/29", 30)];

it("counts what is in use, free, resting and borrowed, per pool and block", async () => {
  const store = new MemoryStore();
  const clock = new Clock();
  const [n1, n2, n3] = ["n1", "n2", "n3"].map((name) => allocatorOn(store, name, pools, clock));
  await n1?.assign(requestOf("a", [4, 6]));
  await n2?.assign(requestOf("b", [4]));
  await n3?.assign(requestOf("c", [4]));
  await n3?.assign(requestOf("d", [4]));
  await n3?.release("d");
  const { entries } = await store.list(blocksRoot);
  const blocks = entries.map(({ value }) => decodeBlock(value) as Block);
  const [small, v6] = poolUsage(pools, blocks, clock.ms);
  expect(small).toMatchObject({ name: "small", total: 8n, inUse: 3n, free: 4n, borrowed: 1 });
  expect(small?.blocks.map(({ cidr, total }) => [formatPrefix(cidr), total])).toEqual([
    ["192.0.2.0/30", 4],
    ["192.0.2.4/30", 4],
  ]);
  expect(small?.blocks.map(({ inUse }) => inUse).sort()).toEqual([1, 2]);
  expect(v6).toMatchObject({ name: "v6", total: 1n << 80n, inUse: 1n, free: (1n << 80n) - 1n, borrowed: 0 });
  expect(poolUsage(pools, blocks, clock.ms + 60_000)[0]?.free).toBe(5n);
  expect(blocksInNoPool(pools, blocks)).toEqual([]);
  expect(blocksInNoPool([], blocks)).toHaveLength(3);
  const prefixes = [small?.blocks[0]?.cidr, prefixOf("fd00::/64")].flatMap((cidr) => cidr ?? []);
  const rules = { ...usualRules, reserved: new Reservations(prefixes) };
  const [reserved, reserved6] = poolUsage(pools, blocks, clock.ms + 60_000, rules);
  const used = reserved?.blocks[0]?.inUse ?? 0;
  expect(reserved).toMatchObject({ total: 8n, inUse: 3n, reserved: 4n - BigInt(used), free: 1n + BigInt(used) });
  expect(reserved6?.reserved).toBeGreaterThanOrEqual((1n << 64n) - 1n);
  expect(poolUsage(pools, [], 0).map(({ free }) => free)).toEqual([8n, 1n << 80n]);
});
