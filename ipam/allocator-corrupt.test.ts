/** A record that somebody spoilt: the node says which, goes on without it, and takes it back when it is put right. */
import { describe, expect, it } from "@jest/globals";
import { affinitiesOf, blockKey, blocksRoot, handleKey } from "./keys.ts";
import { MemoryStore } from "./memory-store.ts";
import { prefixOf } from "./net/prefix.ts";
import { allocatorOn, auditOf, poolOf, requestOf, texts } from "./world-for-tests.ts";

const pools = [poolOf("v4", "192.0.2.0/29", 30)];

async function spoil(store: MemoryStore, key: string): Promise<() => Promise<void>> {
  const [entry] = await store.get([key]);
  const write = (value: string) => store.commit({ expect: [], put: [{ key, value }], delete: [] });
  await write("{");
  return async () => void (await write(entry?.value ?? ""));
}

describe("what cannot be read", () => {
  it("of a node's blocks is left alone, and theirs again when it can", async () => {
    const store = new MemoryStore();
    await allocatorOn(store, "n1", pools).assign(requestOf("a", [4]));
    const [key] = (await store.listKeys(blocksRoot)) as [string];
    const repair = await spoil(store, key);
    const allocator = allocatorOn(store, "n1", pools);
    await allocator.load();
    expect([allocator.blocks(), allocator.unreadable()]).toEqual([[], [key]]);
    const [other] = await allocator.assign(requestOf("b", [4]));
    expect(other && blockKey(other.block)).not.toBe(key);
    expect(allocator.unreadable()).toEqual([key]);
    await repair();
    await allocator.load();
    expect([allocator.blocks().length, allocator.unreadable()]).toEqual([2, []]);
    expect(await auditOf(store)).toEqual([]);
  });

  it("of a node's claims is no harm: the key says which block it is for", async () => {
    const store = new MemoryStore();
    await allocatorOn(store, "n1", pools).assign(requestOf("a", [4]));
    const [key] = (await store.listKeys(affinitiesOf("n1"))) as [string];
    const repair = await spoil(store, key);
    const allocator = allocatorOn(store, "n1", pools);
    await allocator.load();
    expect([allocator.blocks().length, allocator.unreadable()]).toEqual([1, [key]]);
    expect(await allocator.assign(requestOf("b", [4]))).toHaveLength(1);
    await repair();
    await allocator.load();
    expect(allocator.unreadable()).toEqual([]);
  });

  it("of a handle refuses this handle only, with the key, until the record is gone", async () => {
    const store = new MemoryStore();
    const allocator = allocatorOn(store, "n1", pools);
    await allocator.assign(requestOf("a", [4]));
    const key = handleKey("a");
    await spoil(store, key);
    const again = allocatorOn(store, "n1", pools);
    await expect(again.release("a")).rejects.toMatchObject({ code: "corrupt", message: expect.stringContaining(key) });
    expect(again.unreadable()).toEqual([key]);
    expect(texts(await again.assign(requestOf("b", [4])))).toHaveLength(1);
    await store.commit({ expect: [], put: [], delete: [key] });
    expect(await again.release("a")).toEqual([]);
    expect(again.unreadable()).toEqual([]);
  });
});

describe("blocks that went with their pool", () => {
  it("are not the node's any more once it reads again", async () => {
    const store = new MemoryStore();
    const allocator = allocatorOn(store, "n1", pools);
    await allocator.assign(requestOf("a", [4]));
    await allocator.release("a");
    const changes: number[] = [];
    allocator.onBlocksChanged(() => changes.push(allocator.blocks().length));
    const [key] = (await store.listKeys(blocksRoot)) as [string];
    const cidr = allocator.blocks()[0]?.cidr ?? prefixOf("::/0");
    const [claim] = (await store.listKeys(affinitiesOf("n1"))) as [string];
    await store.commit({ expect: [], put: [], delete: [key, claim] });
    await allocator.load();
    expect([blockKey(cidr), allocator.blocks(), changes]).toEqual([key, [], [0]]);
  });
});
