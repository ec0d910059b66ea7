/** What can come between a look at a leak and its release. */
import { describe, expect, it } from "@jest/globals";
import { blocksRoot, ipamRoot } from "../../ipam/keys.ts";
import { findLeaks, type Leak } from "../../ipam/leaks.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { readRecords } from "../../ipam/reading.ts";
import { allocatorOn, auditOf, requestOf } from "../../ipam/world-for-tests.ts";
import { POOLS_GUARD, resourceKey } from "../config/resource-keys.ts";
import { giveBackBlock, releaseLeak } from "./ipam-give-back.ts";

const careful = { dryRun: false, force: false };
const stray = { cidr: "", node: "n1", why: "its node does not exist" } as const;

/** A pod of n1, which has no Node resource. */
async function leaked(): Promise<{ store: MemoryStore; leak: Leak }> {
  const store = new MemoryStore();
  await allocatorOn(store, "n1").assign(requestOf("h", [4]));
  const [leak] = findLeaks(readRecords((await store.list(ipamRoot)).entries), new Set());
  return { store, leak: leak as Leak };
}

const put = (store: MemoryStore, key: string) => store.commit({ expect: [], put: [{ key, value: "{}" }], delete: [] });

/** Does something beside the store's first commit. */
function atCommit(store: MemoryStore, work: (other: MemoryStore) => Promise<unknown>): void {
  const other = store.anotherClient();
  let commits = 0;
  store.interfere = async ({ kind }) => {
    if (kind === "commit" && ++commits === 1) await work(other);
    return undefined;
  };
}

async function cidrIn(store: MemoryStore): Promise<string> {
  const [key = ""] = await store.listKeys(blocksRoot);
  return key.slice(blocksRoot.length).replace("-", "/");
}

describe("a leak", () => {
  it("whose node comes back at this moment is kept", async () => {
    const { store, leak } = await leaked();
    atCommit(store, (other) => put(other, resourceKey("Node", "n1")));
    expect(await releaseLeak(store, leak, careful)).toMatchObject({ outcome: "refused" });
    expect(findLeaks(readRecords((await store.list(ipamRoot)).entries), new Set())).toHaveLength(1);
  });

  it("is released although its block is changed at this moment by another's pod", async () => {
    const { store, leak } = await leaked();
    const neighbour = allocatorOn(store.anotherClient(), "n1");
    await neighbour.load();
    atCommit(store, () => neighbour.assign(requestOf("other", [4])));
    expect(await releaseLeak(store, leak, careful)).toEqual({ outcome: "released", why: "node n1 does not exist" });
    expect(await auditOf(store)).toEqual([]);
    const { handles } = readRecords((await store.list(ipamRoot)).entries);
    expect([...handles.keys()]).toEqual(["other"]);
  });

  it("that its owner releases at this moment needs nothing more", async () => {
    const { store, leak } = await leaked();
    atCommit(store, (other) => allocatorOn(other, "n1").release("h"));
    expect(await releaseLeak(store, leak, careful)).toEqual({
      outcome: "changed",
      why: "handle h was released since",
    });
  });

  it.each(["refuse", "lose-request", "lose-reply"] as const)("is not known of when etcd fails: %s", async (failure) => {
    const { store, leak } = await leaked();
    store.interfere = ({ kind }) => (kind === "commit" ? failure : undefined);
    expect(await releaseLeak(store, leak, careful)).toMatchObject({
      outcome: "unknown",
      why: expect.stringContaining("run this again"),
    });
    store.interfere = () => undefined;
    expect((await releaseLeak(store, leak, careful)).outcome).toBe(failure === "lose-reply" ? "changed" : "released");
    expect(await auditOf(store)).toEqual([]);
  });
});

describe("a block that nobody needs", () => {
  it("is kept while an address of it is in use, also one given out at this moment", async () => {
    const { store, leak } = await leaked();
    const cidr = await cidrIn(store);
    expect(await giveBackBlock(store, { ...stray, cidr }, false, new Set())).toEqual({
      outcome: "kept",
      why: "1 in use",
    });
    expect((await giveBackBlock(store, { ...stray, cidr }, true, new Set(["h"]))).outcome).toBe("would-release");
    await releaseLeak(store, leak, careful);
    atCommit(store, (other) => allocatorOn(other, "n1").assign(requestOf("late", [4])));
    expect((await giveBackBlock(store, { ...stray, cidr }, false, new Set())).outcome).toBe("kept");
    expect(await auditOf(store)).toEqual([]);
  });

  it("goes with its owner's claim; but not into a pool that is made at this moment, and not when it is another's", async () => {
    const { store, leak } = await leaked();
    const cidr = await cidrIn(store);
    await releaseLeak(store, leak, careful);
    expect((await giveBackBlock(store, { ...stray, cidr, node: "n9" }, false, new Set())).outcome).toBe("changed");
    const inNoPool = { cidr, node: "n1", why: "it is in no pool" } as const;
    await put(store, resourceKey("Node", "n1"));
    const pool = {
      apiVersion: "overland.dev/v1",
      kind: "IPPool",
      metadata: { name: "p" },
      spec: { cidr: "10.244.0.0/16" },
    };
    const write = { key: resourceKey("IPPool", "p"), value: JSON.stringify(pool) };
    atCommit(store, (other) => other.commit({ expect: [], put: [write, { key: POOLS_GUARD, value: "" }], delete: [] }));
    expect(await giveBackBlock(store, inNoPool, false, new Set())).toEqual({
      outcome: "changed",
      why: "its node exists, and it is in a pool",
    });
    await store.commit({ expect: [], put: [], delete: [write.key] });
    expect((await giveBackBlock(store, inNoPool, false, new Set())).outcome).toBe("released");
    expect(await store.listKeys(ipamRoot)).toEqual([]);
  });
});
