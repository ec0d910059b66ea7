import { describe, expect, it } from "@jest/globals";
import { encodeAffinity } from "../../ipam/affinity.ts";
import { emptyBlock, encodeBlock } from "../../ipam/block.ts";
import { affinityKey, blockKey, ipamRoot } from "../../ipam/keys.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { misplaced } from "../../ipam/misplaced.ts";
import { prefixOf, subPrefix } from "../../ipam/net/prefix.ts";
import { readRecords } from "../../ipam/reading.ts";
import { maxTransactionOperations, type Store } from "../../ipam/store.ts";
import { allocatorOn, auditOf, requestOf, texts } from "../../ipam/world-for-tests.ts";
import { readManifests } from "./manifest.ts";
import { poolOf } from "./pools.ts";
import { applyResources, listResources } from "./resource-store.ts";
import { type ResourceView, watchResources } from "./resource-watch.ts";
import { splitPool } from "./split-pool.ts";

async function poolIn(store: Store, spec: string, name = "p"): Promise<void> {
  const head = `apiVersion: overland.dev/v1\nkind: IPPool\nmetadata: {name: ${name}, labels: {site: one}}\n`;
  const applied = await applyResources(store, readManifests(`${head}spec: {${spec}}\n`, "f.yaml").sourced);
  expect(applied).toHaveProperty("outcomes");
}

async function pools(store: Store) {
  const { resources, damaged } = await listResources(store, "IPPool");
  expect(damaged).toEqual([]);
  return resources.flatMap((resource) => (resource.kind === "IPPool" ? resource : []));
}

const split = (store: Store, parts: number, pool = "p", dryRun = false) => splitPool(store, { pool, parts, dryRun });

/** What the records say that makes no sense, once every node they name exists. */
async function nonsense(store: Store): Promise<string[]> {
  const reading = readRecords((await store.list(ipamRoot)).entries);
  const nodes = new Set([...reading.blocks.values()].flatMap(({ value }) => value?.node ?? []));
  return [...(await auditOf(store)), ...misplaced(reading, (await pools(store)).map(poolOf), nodes)];
}

/** So many empty blocks of /32, one after the other. */
async function cut(store: Store, count: number, pool: string): Promise<void> {
  const range = prefixOf("10.0.0.0/16");
  for (let i = 0; i < count; i++) {
    const cidr = subPrefix(range, 32, i);
    const put = [
      { key: blockKey(cidr), value: encodeBlock(emptyBlock(cidr, pool, "n1", i)) },
      { key: affinityKey("n1", cidr), value: encodeAffinity({ cidr, pool, claimedAt: i }) },
    ];
    await store.commit({ expect: [], put, delete: [] });
  }
}

describe("a split", () => {
  it.each([
    ["cidr: 10.0.0.0/24, natOutgoing: true", 4, 4, ["10.0.0.0/26", "10.0.0.64/26", "10.0.0.128/26", "10.0.0.192/26"]],
    ["cidr: 'fd00::/120', natOutgoing: true", 2, 6, ["fd00::/121", "fd00::80/121"]],
  ] as const)(
    "of a pool with pods leaves blocks, addresses and records in order: %s",
    async (spec, parts, family, cidrs) => {
      const store = new MemoryStore();
      await poolIn(store, spec);
      const allocators = ["n1", "n2", "n3"].map((node) => allocatorOn(store, node));
      const had: string[] = [];
      for (const [i, allocator] of allocators.entries()) {
        allocator.setPools((await pools(store)).map(poolOf));
        had.push(...texts(await allocator.assign(requestOf(`h${i}`, [family]))));
      }
      const done = await split(store, parts);
      expect(done).toMatchObject({ split: true, from: "p", left: 0 });
      const after = await pools(store);
      expect(after.map(({ metadata }) => metadata.name)).toEqual(cidrs.map((_, i) => `split-p-${i}`));
      expect(after.map(({ spec: { cidr } }) => cidr)).toEqual(cidrs);
      for (const pool of after) {
        expect(pool).toMatchObject({ spec: { natOutgoing: true }, metadata: { labels: { site: "one" } } });
      }
      expect(new Set(after.map(({ metadata }) => metadata.uid)).size).toBe(parts);
      expect(await nonsense(store)).toEqual([]);
      // The nodes go on, those that have not heard of it yet as well.
      for (const [i, allocator] of allocators.entries()) {
        if (i > 0) allocator.setPools(after.map(poolOf));
        expect(texts(await allocator.assign(requestOf(`h${i}`, [family])))).toEqual([had[i]]);
        expect(await allocator.assign(requestOf(`again${i}`, [family]))).toHaveLength(1);
        await allocator.release(`h${i}`);
      }
      expect(await auditOf(store)).toEqual([]);
    },
  );

  it("is refused for what cannot be halved so, and changes nothing then", async () => {
    const store = new MemoryStore();
    await poolIn(store, "cidr: 10.0.0.0/24");
    const before = await store.list("");
    const odd = (n: number) => `${n} is not a power of two from 2 to 64; what comes of a split can be split again`;
    for (const n of [0, 1, 3, 128]) expect(await split(store, n)).toEqual({ refusal: odd(n) });
    expect(await split(store, 8)).toEqual({
      refusal: "pool p (10.0.0.0/24) with blocks of /26 can be split into 4 pools at most",
    });
    expect(await split(store, 2, "q")).toEqual({ refusal: "IPPool q does not exist" });
    expect(await split(store, 2, "10.0.0.0/25")).toEqual({ refusal: "IPPool 10.0.0.0/25 does not exist" });
    expect(await split(store, 2, "10.0.0.0/24", true)).toMatchObject({ parts: [{ name: "split-p-0" }, {}] });
    expect((await store.list("")).entries).toEqual(before.entries);
    await poolIn(store, "cidr: 10.9.0.0/26", "split-p-1");
    expect(await split(store, 2)).toEqual({ refusal: "IPPool split-p-1 exists already; delete or rename it" });
    await poolIn(store, "cidr: 10.8.0.0/26", "one");
    expect(await split(store, 2, "one")).toMatchObject({ refusal: expect.stringContaining("is one block only") });
  });

  it("is seen by those who watch as one change", async () => {
    const store = new MemoryStore();
    await poolIn(store, "cidr: 10.0.0.0/24");
    const seen: string[] = [];
    const changed = ({ snapshot }: ResourceView) => seen.push(snapshot.pools.map((pool) => pool.spec.cidr).join(" "));
    const stop = watchResources(store, { changed, trouble: () => undefined });
    await new Promise((resolve) => setTimeout(resolve, 5));
    await split(store, 2);
    await new Promise((resolve) => setTimeout(resolve, 5));
    stop();
    expect(seen).toEqual(["10.0.0.0/24", "10.0.0.0/25 10.0.0.128/25"]);
  });

  it("of more blocks than a transaction takes is done in steps", async () => {
    const store = new MemoryStore();
    await poolIn(store, "cidr: 10.0.0.0/16, blockSize: 32");
    await cut(store, 200, "p");
    expect(await split(store, 2)).toMatchObject({ renamed: 200, left: 0, parts: [{ blocks: 200 }, { blocks: 0 }] });
    expect(await nonsense(store)).toEqual([]);
  });

  it("that was interrupted has done no harm, and is finished when asked for again", async () => {
    const store = new MemoryStore();
    await poolIn(store, "cidr: 10.0.0.0/16, blockSize: 32");
    await cut(store, 200, "p");
    let commits = 0;
    store.interfere = ({ kind }) => (kind === "commit" && ++commits > 2 ? "refuse" : undefined);
    await expect(split(store, 2)).rejects.toThrow();
    store.interfere = () => undefined;
    expect((await pools(store)).map(({ spec }) => spec.cidr)).toEqual(["10.0.0.0/17", "10.0.128.0/17"]);
    expect(await auditOf(store)).toEqual([]);
    const left = 200 - maxTransactionOperations / 2;
    expect(await nonsense(store)).toHaveLength(left);
    expect(await split(store, 2)).toMatchObject({ split: false, renamed: left, left: 0 });
    expect(await nonsense(store)).toEqual([]);
    expect(await split(store, 2)).toEqual({ refusal: "IPPool p does not exist" });
  });

  it("at the moment a pool is changed, or a block is used, takes that along", async () => {
    const store = new MemoryStore();
    await poolIn(store, "cidr: 10.0.0.0/24");
    const other = store.anotherClient();
    const allocator = allocatorOn(other, "n1", (await pools(store)).map(poolOf));
    let commits = 0;
    store.interfere = async ({ kind }) => {
      if (kind !== "commit") return undefined;
      commits++;
      if (commits === 1) await poolIn(other, "cidr: 10.0.0.0/24, disabled: true");
      if (commits === 2) await allocator.assign(requestOf("h", [4]));
      if (commits === 3) await allocator.assign(requestOf("i", [4]));
      return undefined;
    };
    expect(await split(store, 2)).toMatchObject({ split: true, renamed: 1, left: 0 });
    expect(commits).toBeGreaterThan(2);
    expect((await pools(store)).map(({ spec }) => spec.disabled)).toEqual([true, true]);
    expect(await nonsense(store)).toEqual([]);
  });
});
