import { describe, expect, it } from "@jest/globals";
import { affinitiesOf, blocksRoot, handleKey, ipamRoot } from "./keys.ts";
import { MemoryStore } from "./memory-store.ts";
import { formatAddress } from "./net/address.ts";
import { containsAddress, formatPrefix } from "./net/prefix.ts";
import { usualRules } from "./rules.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf, smallPools, texts } from "./world-for-tests.ts";

const refusal = (code: string, retryable: boolean, message: RegExp = /./) =>
  expect.objectContaining({ name: "Refusal", code, retryable, message: expect.stringMatching(message) });

describe("assign", () => {
  it("gives one address of each family out of blocks it claims, in one transaction", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    await node.load();
    const before = store.calls;
    const assigned = await node.assign(requestOf("h"));
    expect(store.calls - before).toBe(1);
    expect(assigned.map(({ pool }) => pool)).toEqual(["v4", "v6"]);
    for (const { address, block } of assigned) expect(containsAddress(block, address)).toBe(true);
    expect(node.blocks().map(({ cidr }) => formatPrefix(cidr))).toEqual(
      assigned.map(({ block }) => formatPrefix(block)),
    );
    expect((await store.listKeys(ipamRoot)).length).toBe(2 + 2 + 1);
    expect(await auditOf(store)).toEqual([]);
  });

  it("gives the same handle the same addresses, also after a restart and in one batch", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    const [first, twin] = await Promise.all([node.assign(requestOf("h")), node.assign(requestOf("h"))]);
    expect(texts(twin)).toEqual(texts(first));
    expect(texts(await node.assign(requestOf("h")))).toEqual(texts(first));
    expect(texts(await allocatorOn(store, "n1").assign(requestOf("h")))).toEqual(texts(first));
    expect(texts(await allocatorOn(store, "n2").assign(requestOf("h")))).toEqual(texts(first));
  });

  it("adds the family that a handle lacks", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    const [v4] = texts(await node.assign(requestOf("h", [4])));
    const both = texts(await node.assign(requestOf("h", [6, 4])));
    expect(both).toHaveLength(2);
    expect(both).toContain(v4);
    expect(await auditOf(store)).toEqual([]);
  });

  it("commits requests that wait together in one transaction", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    await node.load();
    const before = store.calls;
    const all = await Promise.all(Array.from({ length: 100 }, (_, i) => node.assign(requestOf(`h${i}`))));
    expect(new Set(all.flatMap(texts)).size).toBe(200);
    expect(store.calls - before).toBe(4);
    expect(await auditOf(store)).toEqual([]);
  });

  it("tells of a new block before it answers, and only then", async () => {
    const node = allocatorOn(new MemoryStore(), "n1");
    const events: string[] = [];
    node.onBlocksChanged(() => events.push(`blocks ${node.blocks().length}`));
    await node.assign(requestOf("a", [4])).then(() => events.push("a"));
    await node.assign(requestOf("b", [4])).then(() => events.push("b"));
    await node.assign(requestOf("c")).then(() => events.push("c"));
    expect(events).toEqual(["blocks 1", "a", "b", "blocks 2", "c"]);
  });

  it("finds its blocks again after a restart without listing the cluster", async () => {
    const store = new MemoryStore();
    await allocatorOn(store, "n1").assign(requestOf("a"));
    await allocatorOn(store, "n2").assign(requestOf("b"));
    const client = store.anotherClient();
    const listed: string[] = [];
    const list = client.list.bind(client);
    client.list = (prefix) => {
      listed.push(prefix);
      return list(prefix);
    };
    const node = allocatorOn(client, "n1");
    let changes = 0;
    node.onBlocksChanged(() => changes++);
    await node.load();
    expect(listed).toEqual([affinitiesOf("n1")]);
    expect(node.blocks().map((block) => block.node)).toEqual(["n1", "n1"]);
    expect(changes).toBe(1);
  });

  it("gives out network and broadcast address, and nothing outside the pool", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", [poolOf("tiny", "192.0.2.0/30", 30)]);
    const all = await Promise.all(["a", "b", "c", "d"].map((handle) => node.assign(requestOf(handle, [4]))));
    expect(all.flatMap(texts).sort()).toEqual(["192.0.2.0", "192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  });

  it("works with blocks of one address and with pools of 2^80", async () => {
    const store = new MemoryStore();
    const pools = [poolOf("v4", "192.0.2.0/29", 32), poolOf("v6", "2001:db8::/48", 128)];
    const nodes = ["n1", "n2"].map((name) => allocatorOn(store, name, pools));
    const all = await Promise.all(Array.from({ length: 8 }, (_, i) => nodes[i % 2]?.assign(requestOf(`h${i}`)) ?? []));
    expect(new Set(all.flatMap(texts)).size).toBe(16);
    expect(await auditOf(store)).toEqual([]);
  });
});

describe("release", () => {
  it("frees what the handle holds, borrowed or not, in one transaction, and again nothing", async () => {
    const store = new MemoryStore();
    const pools = [poolOf("v4", "192.0.2.0/31", 31), poolOf("v6", "fd00::/64", 122)];
    await allocatorOn(store, "n1", pools).assign(requestOf("a", [4]));
    const node = allocatorOn(store, "n2", pools);
    const assigned = texts(await node.assign(requestOf("b")));
    const before = store.calls;
    expect((await node.release("b")).map(formatAddress)).toEqual(assigned);
    expect(store.calls - before).toBe(1);
    expect(await node.release("b")).toEqual([]);
    expect(await node.release("never seen")).toEqual([]);
    expect(await store.listKeys(handleKey("b"))).toEqual([]);
    expect(await auditOf(store)).toEqual([]);
  });

  it("works from another process, that never assigned it", async () => {
    const store = new MemoryStore();
    const assigned = texts(await allocatorOn(store, "n1").assign(requestOf("a")));
    expect((await allocatorOn(store, "n1").release("a")).map(formatAddress)).toEqual(assigned);
    expect(await allocatorOn(store, "n2").release("a")).toEqual([]);
  });

  it("lets an address rest, and reuses the one that rested longest", async () => {
    const store = new MemoryStore();
    const clock = new Clock();
    const node = allocatorOn(store, "n1", [poolOf("v4", "192.0.2.0/30", 30)], clock);
    for (const handle of ["a", "b", "c", "d"]) await node.assign(requestOf(handle, [4]));
    await node.release("c");
    clock.ms += 1000;
    await node.release("a");
    await expect(node.assign(requestOf("e", [4]))).rejects.toEqual(
      refusal("pool-full", true, /2 of them released less than 30 s ago/),
    );
    clock.ms += usualRules.restMs;
    expect(texts(await node.assign(requestOf("e", [4])))).toEqual(["192.0.2.2"]);
    expect(texts(await node.assign(requestOf("f", [4])))).toEqual(["192.0.2.0"]);
  });

  it("and assign of one handle in one batch follow one another", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    const first = texts(await node.assign(requestOf("h")));
    const [released, again] = await Promise.all([node.release("h"), node.assign(requestOf("h"))]);
    expect(released.map(formatAddress)).toEqual(first);
    expect(texts(again)).not.toEqual(first);
    expect(await auditOf(store)).toEqual([]);
  });
});

describe("assignmentsOf", () => {
  it("reads what a handle holds", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    const assigned = await node.assign(requestOf("h"));
    expect(await allocatorOn(store, "n2").assignmentsOf("h")).toEqual(assigned);
    expect(await node.assignmentsOf("other")).toEqual([]);
    await allocatorOn(store, "n2").release("h");
    expect(await node.assignmentsOf("h")).toEqual([]);
  });
});

describe("odd stores", () => {
  it("leaves records alone that it cannot read, and says which", async () => {
    const store = new MemoryStore();
    const garbage = { expect: [], delete: [], put: [{ key: handleKey("h"), value: "garbage" }] };
    await store.commit(garbage);
    await expect(allocatorOn(store, "n1").assign(requestOf("h"))).rejects.toEqual(
      refusal("corrupt", false, /handle h/),
    );
    await expect(allocatorOn(store, "n1").release("h")).rejects.toEqual(refusal("corrupt", false));
  });

  it("claims around blocks that it cannot read", async () => {
    const store = new MemoryStore();
    await store.commit({ expect: [], delete: [], put: [{ key: `${blocksRoot}192.0.2.0-31`, value: "{}" }] });
    const node = allocatorOn(store, "n1", [poolOf("v4", "192.0.2.0/30", 31)]);
    expect(texts(await node.assign(requestOf("a", [4])))).toEqual(["192.0.2.2"]);
    expect(texts(await node.assign(requestOf("b", [4])))).toEqual(["192.0.2.3"]);
    await expect(node.assign(requestOf("c", [4]))).rejects.toEqual(refusal("pool-full", true));
  });

  it("loses a block that somebody else took away", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    await node.assign(requestOf("a", [4]));
    await store.commit({ expect: [], put: [], delete: await store.listKeys(ipamRoot) });
    const assigned = await node.assign(requestOf("b", [4]));
    expect(node.blocks().map(({ cidr }) => cidr)).toEqual(assigned.map(({ block }) => block));
    expect(await auditOf(store)).toEqual([]);
  });

  it("answers StoreUnavailable when the store is away, and works again after", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1", smallPools);
    store.interfere = () => "refuse";
    await expect(node.assign(requestOf("a"))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    await expect(node.release("a")).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    store.interfere = () => undefined;
    expect(await node.assign(requestOf("a"))).toHaveLength(2);
  });
});
