/** What claiming and borrowing cost in a cluster of many blocks, in calls to the store. Times are in `npm run bench`. */
import { describe, expect, it } from "@jest/globals";
import { counted, fill } from "./large-cluster-for-tests.ts";
import { MemoryStore } from "./memory-store.ts";
import { formatPrefix } from "./net/prefix.ts";
import { allocatorOn, auditOf, Clock, poolOf, randomFrom, requestOf, texts } from "./world-for-tests.ts";

describe("in a cluster of 20,000 blocks", () => {
  it.each([0, 20_000])("a claim is one transaction and nothing else, as with no block at all: %i", async (blocks) => {
    const store = new MemoryStore();
    const pool = poolOf("v4", "10.0.0.0/11", 26);
    await fill(store, pool, blocks, () => 1);
    const client = counted(store);
    const node = allocatorOn(client.store, "me", [pool]);
    await node.load();
    // The folder listed is the node's own, and empty.
    expect(client.counts).toEqual({ commits: 0, reads: 1, keys: 8, lists: 1 });
    await node.assign(requestOf("h", [4]));
    expect(client.counts).toEqual({ commits: 1, reads: 1, keys: 8, lists: 1 });
  });

  it("so is each further one, with a read of a few candidates now and then", async () => {
    const store = new MemoryStore();
    const pool = poolOf("v4", "10.0.0.0/17", 32);
    await fill(store, pool, 20_000, () => 1);
    const client = counted(store);
    const clock = new Clock();
    const node = allocatorOn(client.store, "me", [pool], clock);
    await node.load();
    for (let i = 0; i < 100; i++) {
      clock.ms += 500;
      await node.assign(requestOf(`h${i}`, [4]));
    }
    expect(client.counts.commits).toBe(100);
    expect(client.counts.lists).toBe(1);
    expect(client.counts.keys).toBeLessThan(100 * 8);
    expect(client.counts.reads).toBeLessThan(60);
  });

  it("where all are claimed, an address is borrowed after one list of keys and one read", async () => {
    const store = new MemoryStore();
    const pairs = poolOf("v4", "10.0.0.0/17", 31);
    await fill(store, pairs, 16_384, () => 1);
    const client = counted(store);
    const node = allocatorOn(client.store, "me", [pairs]);
    await node.load();
    const before = { ...client.counts };
    await node.assign(requestOf("h", [4]));
    const { commits, reads, keys, lists } = client.counts;
    expect([commits, lists - before.lists]).toEqual([1, 1]);
    expect(reads - before.reads).toBeLessThanOrEqual(4);
    expect(keys - before.keys).toBeLessThanOrEqual(3 * 8 + 16);
    // The next ones know who has room.
    await node.assign(requestOf("h2", [4]));
    expect(client.counts).toEqual({ commits: 2, reads, keys, lists });
  });

  it("where nearly all are full, a request looks at 256 of them, the next one at others, until the last is found", async () => {
    const store = new MemoryStore();
    const room = 1234;
    const pairs = poolOf("v4", "10.0.0.0/19", 31);
    await fill(store, pairs, 4096, (i) => (i === room ? 1 : 2));
    const client = counted(store);
    const clock = new Clock();
    const node = allocatorOn(client.store, "me", [pairs], clock);
    for (let tries = 1; ; tries++) {
      clock.ms += 1000;
      const before = client.counts.keys;
      const given = await node.assign(requestOf("h", [4])).catch((error: Error) => error.message);
      expect(client.counts.keys - before).toBeLessThanOrEqual(300);
      if (typeof given !== "string") break;
      expect(given).toMatch(/no address known to be free .*not all 4096 blocks of other nodes were looked at/);
      expect(tries).toBeLessThan(4096 / 256 + 1);
    }
    expect(await auditOf(store)).toEqual([]);
  });
});

it.each([1, 2, 3])(
  "200 nodes that claim their first block at once need three transactions each at most: seed %i",
  async (seed) => {
    const store = new MemoryStore();
    const pools = [poolOf("v4", "10.244.0.0/16", 26), poolOf("v6", "fd00:244::/48", 122)];
    const clock = new Clock();
    const random = randomFrom(seed * 7919);
    const nodes = Array.from({ length: 200 }, (_, i) => {
      const client = store.anotherClient();
      // Whoever comes is late by chance, so that the nodes overtake one another.
      client.interfere = async () => {
        for (let turns = Math.floor(random() * 4); turns > 0; turns--) await new Promise((done) => setImmediate(done));
        return undefined;
      };
      const { store: countedStore, counts } = counted(client);
      return { counts, allocator: allocatorOn(countedStore, `rack${seed}-node${i}`, pools, clock) };
    });
    const all = await Promise.all(nodes.map(({ allocator }, i) => allocator.assign(requestOf(`h${i}`))));
    expect(new Set(all.flatMap((assigned) => assigned.map(({ block }) => formatPrefix(block)))).size).toBe(400);
    expect(new Set(all.flatMap(texts)).size).toBe(400);
    const sum = (of: (counts: (typeof nodes)[0]["counts"]) => number) =>
      nodes.reduce((total, { counts }) => total + of(counts), 0) / nodes.length;
    expect(sum(({ commits }) => commits)).toBeLessThanOrEqual(3);
    expect(Math.max(...nodes.map(({ counts }) => counts.commits))).toBeLessThanOrEqual(6);
    expect(sum(({ lists }) => lists)).toBe(1);
    expect(await auditOf(store)).toEqual([]);
  },
);
