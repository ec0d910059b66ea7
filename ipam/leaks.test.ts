import { describe, expect, it } from "@jest/globals";
import { affinityKey, blockKey, handleKey, ipamRoot } from "./keys.ts";
import { findLeaks, holdingsOf, type Leak } from "./leaks.ts";
import { MemoryStore } from "./memory-store.ts";
import { misplaced } from "./misplaced.ts";
import { formatAddress } from "./net/address.ts";
import { prefixOf } from "./net/prefix.ts";
import { readRecords } from "./reading.ts";
import { keysOfLeak, planLeakRelease, type Seen } from "./release-address.ts";
import { allocatorOn, auditOf, poolOf, requestOf } from "./world-for-tests.ts";

const pools = [poolOf("v4", "192.0.2.0/30", 30), poolOf("v6", "2001:db8::/126", 126)];
const v4 = prefixOf("192.0.2.0/30");
const both = new Set(["n1", "n2"]);

/** n1 owns both blocks and has pod a; n2 borrowed for pod b. */
async function world(): Promise<MemoryStore> {
  const store = new MemoryStore();
  await allocatorOn(store, "n1", pools).assign(requestOf("a"));
  await allocatorOn(store, "n2", pools).assign(requestOf("b"));
  return store;
}

const readingOf = async (store: MemoryStore) => readRecords((await store.list(ipamRoot)).entries);
const leaksOf = async (store: MemoryStore, nodes: ReadonlySet<string>) => findLeaks(await readingOf(store), nodes);
const remove = (store: MemoryStore, key: string) => store.commit({ expect: [], put: [], delete: [key] });
const write = (store: MemoryStore, key: string, value: string) =>
  store.commit({ expect: [], put: [{ key, value }], delete: [] });

async function edit(store: MemoryStore, key: string, change: (record: never) => object): Promise<void> {
  const [entry] = await store.get([key]);
  await write(store, key, JSON.stringify(change(JSON.parse(entry?.value ?? "") as never)));
}

function said({ handle, addresses, nodes, why, ownerGone }: Leak) {
  return { handle, ips: addresses.map(({ address }) => formatAddress(address)), nodes, why, ownerGone };
}

async function seenBy(store: MemoryStore, leak: Leak): Promise<Seen> {
  const { handles, blocks } = await readingOf(store);
  expect(keysOfLeak(leak)).toContain(handleKey(leak.handle));
  return { handle: handles.get(leak.handle) ?? { modRevision: 0n, value: undefined }, blocks };
}

/** Commits the release, and says what it freed; or why it did not. */
async function release(store: MemoryStore, leak: Leak): Promise<string> {
  const plan = planLeakRelease(leak, await seenBy(store, leak), 5);
  if ("changed" in plan) return plan.changed;
  if ("unreadable" in plan) return plan.unreadable;
  expect((await store.commit(plan.transaction)).committed).toBe(true);
  return plan.released.map(formatAddress).join(" ");
}

describe("what is leaked", () => {
  it("is nothing while all nodes are there and the records agree", async () => {
    expect(await leaksOf(await world(), both)).toEqual([]);
  });

  it("is all that a node which is gone had, also in the blocks of others", async () => {
    const [leak, ...more] = await leaksOf(await world(), new Set(["n1"]));
    expect(more).toEqual([]);
    expect(said(leak as Leak)).toEqual({
      handle: "b",
      ips: ["192.0.2.1", "2001:db8::1"],
      nodes: ["n2"],
      why: "node n2 does not exist",
      ownerGone: true,
    });
  });

  it("is an address whose handle has no record, cannot be read, or does not name it", async () => {
    const store = await world();
    const expected = { handle: "a", ips: ["192.0.2.0", "2001:db8::"], nodes: ["n1"], ownerGone: false };
    await edit(store, handleKey("a"), (record: { addresses: string[]; blocks: string[] }) => {
      return { ...record, addresses: record.addresses.slice(0, 1), blocks: record.blocks.slice(0, 1) };
    });
    const why = "the record of its handle does not name it";
    expect((await leaksOf(store, both)).map(said)).toEqual([{ ...expected, ips: ["2001:db8::"], why }]);
    await write(store, handleKey("a"), "{");
    const unreadable = { ...expected, why: "the record of its handle cannot be read" };
    expect((await leaksOf(store, both)).map(said)).toEqual([unreadable]);
    await remove(store, handleKey("a"));
    expect((await leaksOf(store, both)).map(said)).toEqual([{ ...expected, why: "its handle has no record" }]);
  });

  it("is what only the handle knows of, but not where the block cannot be read", async () => {
    const store = await world();
    await write(store, blockKey(v4), "{");
    expect(await leaksOf(store, both)).toEqual([]);
    await remove(store, blockKey(v4));
    expect((await leaksOf(store, both)).map(said)).toMatchObject([
      { handle: "a", ips: ["192.0.2.0"], why: "the handle names it, and its block does not agree" },
      { handle: "b", ips: ["192.0.2.1"] },
    ]);
  });
});

describe("the release", () => {
  it("frees block and handle together, in both families, and leaves records that agree", async () => {
    const store = await world();
    const [leak] = await leaksOf(store, new Set(["n1"]));
    expect(await release(store, leak as Leak)).toBe("192.0.2.1 2001:db8::1");
    expect(await auditOf(store)).toEqual([]);
    const { handles, blocks } = await readingOf(store);
    expect([...handles.keys()]).toEqual(["a"]);
    expect(blocks.get("192.0.2.0/30")?.value?.released).toEqual(new Map([[1, 5]]));
  });

  it("of one address of two leaves the other with its handle", async () => {
    const store = await world();
    const leak = holdingsOf("a", await readingOf(store), both, "asked for");
    expect(await release(store, { ...leak, addresses: leak.addresses.slice(0, 1) })).toBe("192.0.2.0");
    expect(await auditOf(store)).toEqual([]);
    expect((await readingOf(store)).handles.get("a")?.value?.addresses.map(formatAddress)).toEqual(["2001:db8::"]);
  });

  it.each([
    ["no record", (store: MemoryStore) => remove(store, handleKey("a"))],
    ["a record that cannot be read", (store: MemoryStore) => write(store, handleKey("a"), "{")],
    [
      "a record without addresses",
      (store: MemoryStore) =>
        edit(store, handleKey("a"), (record: object) => ({ ...record, addresses: [], blocks: [] })),
    ],
    [
      "addresses that its block denies",
      (store: MemoryStore) =>
        edit(store, blockKey(v4), (block: { allocations: object }) => ({ ...block, allocations: {} })),
    ],
  ] as const)("of a handle with %s makes records agree", async (_what, spoil) => {
    const store = await world();
    await spoil(store);
    expect(await auditOf(store)).not.toEqual([]);
    for (const leak of await leaksOf(store, both)) await release(store, leak);
    expect(await auditOf(store)).toEqual([]);
  });

  it("does nothing to what is no longer as it was seen", async () => {
    const store = await world();
    const [leak] = (await leaksOf(store, new Set(["n1"]))) as [Leak];
    const other = allocatorOn(store, "n2", pools);
    await other.release("b");
    expect(await release(store, leak)).toBe("handle b was released since");
    await other.assign(requestOf("b"));
    expect(await release(store, leak)).toBe("handle b was written since");

    // The same without a record of the handle, where only the allocation can tell.
    await remove(store, handleKey("b"));
    const [orphan] = (await leaksOf(store, both)) as [Leak];
    await edit(store, blockKey(v4), (block: { allocations: Record<string, { handle: string; at: number }> }) => {
      const allocations = Object.fromEntries(
        Object.entries(block.allocations).map(([key, one]) => [key, one.handle === "b" ? { ...one, at: 77 } : one]),
      );
      return { ...block, allocations };
    });
    expect(await release(store, orphan)).toMatch(/^192\.0\.2\.\d was given to handle b since$/);
  });

  it("loses to whoever changes the block at the same moment", async () => {
    const store = await world();
    const [leak] = (await leaksOf(store, new Set(["n1"]))) as [Leak];
    const plan = planLeakRelease(leak, await seenBy(store, leak), 5);
    await allocatorOn(store, "n1", pools).assign(requestOf("c"));
    if (!("transaction" in plan)) throw new Error("no plan");
    expect((await store.commit(plan.transaction)).committed).toBe(false);
  });

  it("says which record stands in the way", async () => {
    const store = await world();
    const [leak] = (await leaksOf(store, new Set(["n1"]))) as [Leak];
    await write(store, blockKey(v4), "{");
    expect(await release(store, leak)).toBe("/overland/v1/ipam/blocks/192.0.2.0-30");
  });
});

describe("records that make no sense", () => {
  it("are named with pool and node", async () => {
    const store = await world();
    expect(misplaced(await readingOf(store), pools, both)).toEqual([]);
    const [, v6] = pools as [never, (typeof pools)[0]];
    expect(misplaced(await readingOf(store), [v6], both)).toEqual([
      "block 192.0.2.0/30 of node n1: it is in no pool; 2 in use",
    ]);
    expect(misplaced(await readingOf(store), [v6, poolOf("new", "192.0.2.0/24", 26)], both)).toEqual([
      "block 192.0.2.0/30: pool new has blocks of /26",
      "block 192.0.2.0/30: says it is of pool v4, and lies in new",
    ]);
    expect(misplaced(await readingOf(store), pools, new Set(["n2"]))).toEqual([
      "block 192.0.2.0/30: owned by node n1, which does not exist; 2 in use",
      "block 2001:db8::/126: owned by node n1, which does not exist; 2 in use",
    ]);
    await edit(store, handleKey("b"), (record: object) => ({ ...record, node: "n1" }));
    expect(misplaced(await readingOf(store), pools, new Set(["n1"]))).toEqual([
      "block 192.0.2.0/30: 192.0.2.1 is borrowed by node n2, which does not exist (handle b says n1)",
      "block 2001:db8::/126: 2001:db8::1 is borrowed by node n2, which does not exist (handle b says n1)",
    ]);
    expect((await readingOf(store)).affinities).toMatchObject([{ node: "n1", pool: "v4" }, { pool: "v6" }]);
    await write(store, affinityKey("n1", v4), "{");
    expect((await readingOf(store)).affinities[0]).toMatchObject({ node: "n1", pool: undefined });
  });
});
