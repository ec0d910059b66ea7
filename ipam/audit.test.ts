import { describe, expect, it } from "@jest/globals";
import { audit } from "./audit.ts";
import { affinityKey, blockKey, handleKey, ipamRoot } from "./keys.ts";
import { MemoryStore } from "./memory-store.ts";
import { prefixOf } from "./net/prefix.ts";
import { allocatorOn, auditOf, poolOf, requestOf } from "./world-for-tests.ts";

const cidr = prefixOf("192.0.2.0/30");

/** One node with one pod, sound; then the records are spoilt. */
async function spoilt(spoil: (records: Map<string, string>) => void): Promise<string[]> {
  const store = new MemoryStore();
  await allocatorOn(store, "n1", [poolOf("p", "192.0.2.0/30", 30)]).assign(requestOf("h", [4]));
  expect(await auditOf(store)).toEqual([]);
  const records = new Map((await store.list(ipamRoot)).entries.map(({ key, value }) => [key, value]));
  spoil(records);
  return audit([...records].map(([key, value]) => ({ key, value, modRevision: 1n })));
}

function edit(records: Map<string, string>, key: string, change: (value: never) => object): void {
  records.set(key, JSON.stringify(change(JSON.parse(records.get(key) as string) as never)));
}

describe("every way in which records can disagree is named", () => {
  it("handle missing", async () => {
    expect(await spoilt((records) => records.delete(handleKey("h")))).toEqual([
      "block 192.0.2.0/30, ordinal 0: handle h does not exist",
    ]);
  });

  it("block missing", async () => {
    expect(await spoilt((records) => records.delete(blockKey(cidr)))).toEqual([
      "affinity of node n1 for 192.0.2.0/30: no such block",
      "handle h: holds 192.0.2.0, but there is no block 192.0.2.0/30",
    ]);
  });

  it("affinity missing, and one of another node", async () => {
    expect(await spoilt((records) => records.delete(affinityKey("n1", cidr)))).toEqual([
      "block 192.0.2.0/30 of node n1: affinity missing",
    ]);
    const two = await spoilt((records) =>
      records.set(affinityKey("n2", cidr), records.get(affinityKey("n1", cidr)) as string),
    );
    expect(two).toEqual(["affinity of node n2 for 192.0.2.0/30: the block is node n1's"]);
  });

  it("allocation missing, or of another address", async () => {
    const none = await spoilt((records) =>
      edit(records, blockKey(cidr), (block: object) => ({ ...block, allocations: {} })),
    );
    expect(none).toEqual(["handle h: holds 192.0.2.0, but it is nobody's in block 192.0.2.0/30"]);
    const moved = await spoilt((records) =>
      edit(records, blockKey(cidr), (block: { allocations: Record<string, unknown> }) => ({
        ...block,
        allocations: { 2: block.allocations[0] },
        released: { 2: 1 },
      })),
    );
    expect(moved).toEqual([
      "block 192.0.2.0/30, ordinal 2: handle h does not have it",
      "block 192.0.2.0/30, ordinal 2: both in use and released",
      "handle h: holds 192.0.2.0, but it is nobody's in block 192.0.2.0/30",
    ]);
  });

  it("one address held twice, and a handle that holds nothing", async () => {
    const faults = await spoilt((records) => {
      const record = records.get(handleKey("h")) as string;
      records.set(handleKey("twin"), record.replace('"handle":"h"', '"handle":"twin"'));
      edit(records, handleKey("h"), (value: { workload: object }) => value);
    });
    expect(faults).toEqual([
      "handle twin: holds 192.0.2.0, but it is handle h's in block 192.0.2.0/30",
      "address 192.0.2.0: held by handle h and by handle twin",
    ]);
    const empty = await spoilt((records) =>
      edit(records, handleKey("h"), (value: object) => ({ ...value, addresses: [], blocks: [] })),
    );
    expect(empty).toContain("handle h: holds no address");
  });

  it("blocks that overlap", async () => {
    const faults = await spoilt((records) => {
      for (const text of ["192.0.2.0/28", "192.0.2.8/30", "192.0.2.16/30"]) {
        const inner = { cidr: text, pool: "p", node: "n1", claimedAt: 1 };
        records.set(blockKey(prefixOf(text)), JSON.stringify({ ...inner, allocations: {}, released: {} }));
        records.set(affinityKey("n1", prefixOf(text)), JSON.stringify(inner));
      }
    });
    expect(faults).toEqual([
      "blocks 192.0.2.0/28 and 192.0.2.0/30 overlap",
      "blocks 192.0.2.0/28 and 192.0.2.8/30 overlap",
    ]);
  });

  it("records that cannot be read or stand under the wrong key", async () => {
    const faults = await spoilt((records) => {
      records.set(blockKey(prefixOf("10.0.0.0/26")), records.get(blockKey(cidr)) as string);
      records.set(handleKey("x"), "{}");
      records.set(`${ipamRoot}junk`, "");
    });
    expect(faults).toEqual([
      "/overland/v1/ipam/blocks/10.0.0.0-26: the record cannot be read",
      "/overland/v1/ipam/handles/x: the record cannot be read",
      "/overland/v1/ipam/junk: the record cannot be read",
    ]);
  });
});
