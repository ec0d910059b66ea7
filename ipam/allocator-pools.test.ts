import { describe, expect, it } from "@jest/globals";
import { handleKey } from "./keys.ts";
import { MemoryStore } from "./memory-store.ts";
import { addressOf, formatAddress } from "./net/address.ts";
import { prefixOf } from "./net/prefix.ts";
import { usualRules } from "./rules.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf, texts } from "./world-for-tests.ts";

const refusal = (code: string, retryable: boolean, message: RegExp = /./) =>
  expect.objectContaining({ name: "Refusal", code, retryable, message: expect.stringMatching(message) });

describe("when a pool runs full", () => {
  it("borrows from other nodes' blocks, says so in the record, and refuses when all is given out", async () => {
    const store = new MemoryStore();
    const pools = [poolOf("small", "192.0.2.0/29", 30)];
    const nodes = ["n1", "n2", "n3"].map((name) => allocatorOn(store, name, pools));
    for (const [i, node] of nodes.slice(0, 2).entries()) await node.assign(requestOf(`own${i}`, [4]));
    const borrower = nodes[2];
    const borrowed = [];
    for (let i = 0; i < 6; i++) borrowed.push(...((await borrower?.assign(requestOf(`b${i}`, [4]))) ?? []));
    expect(new Set(texts(borrowed)).size).toBe(6);
    expect(borrower?.blocks()).toEqual([]);
    await expect(borrower?.assign(requestOf("one too many", [4]))).rejects.toEqual(
      refusal("pool-full", true, /small \(192\.0\.2\.0\/29\) has no free address \(8 in all\).*IPPool/),
    );
    await expect(nodes[0]?.assign(requestOf("me too", [4]))).rejects.toEqual(refusal("pool-full", true));
    expect(await auditOf(store)).toEqual([]);
    expect(texts(borrowed)).toContain(formatAddress((await borrower?.release("b3"))?.[0] ?? addressOf("::")));
    expect(await auditOf(store)).toEqual([]);
  });

  it("gives no family when one of them is full", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1", [poolOf("v4", "192.0.2.0/32", 32), poolOf("v6", "fd00::/64", 122)]);
    await node.assign(requestOf("a"));
    await expect(node.assign(requestOf("b"))).rejects.toEqual(refusal("pool-full", true));
    expect(await store.get([handleKey("b")])).toEqual([undefined]);
    expect(
      node
        .blocks()
        .flatMap(({ allocations }) => [...allocations.values()])
        .map(({ handle }) => handle),
    ).toEqual(["a", "a"]);
  });

  it("takes a second pool when the first is full", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", [
      poolOf("a", "192.0.2.0/32", 32),
      poolOf("b", "198.51.100.0/32", 32),
    ]);
    expect(texts(await node.assign(requestOf("1", [4])))).toEqual(["192.0.2.0"]);
    expect(texts(await node.assign(requestOf("2", [4])))).toEqual(["198.51.100.0"]);
  });

  it("sees room that others made meanwhile", async () => {
    const store = new MemoryStore();
    const clock = new Clock();
    const pools = [poolOf("one", "192.0.2.0/32", 32)];
    const [n1, n2] = ["n1", "n2"].map((name) => allocatorOn(store, name, pools, clock));
    await n1?.assign(requestOf("a", [4]));
    await expect(n2?.assign(requestOf("b", [4]))).rejects.toEqual(refusal("pool-full", true));
    await n1?.release("a");
    clock.ms += usualRules.restMs;
    expect(texts((await n2?.assign(requestOf("b", [4]))) ?? [])).toEqual(["192.0.2.0"]);
  });

  it("does not walk into a block of another size", async () => {
    const store = new MemoryStore();
    await allocatorOn(store, "n1", [poolOf("old", "192.0.2.0/24", 28)]).assign(requestOf("a", [4]));
    const node = allocatorOn(store, "n2", [poolOf("new", "192.0.2.0/24", 30)]);
    await Promise.all(
      Array.from({ length: 256 }, (_, i) => node.assign(requestOf(`h${i}`, [4])).catch(() => undefined)),
    );
    expect(await auditOf(store)).toEqual([]);
  });
});

describe("which pools", () => {
  const rack1 = { nodeSelector: "rack == 'rack-1'" };

  it("names every pool it looked at and why each did not qualify", async () => {
    const pools = [
      poolOf("off", "10.0.0.0/24", 26, { disabled: true }),
      poolOf("elsewhere", "10.0.1.0/24", 26, rack1),
      poolOf("by-hand", "10.0.2.0/24", 26, { assignmentMode: "Manual" }),
      poolOf("typo", "10.0.3.0/24", 26, { nodeSelector: "rack = 1" }),
    ];
    const node = allocatorOn(new MemoryStore(), "n1", pools);
    node.setNodeLabels({ rack: "rack-2" });
    const text = await node.assign(requestOf("h", [4])).catch((error: Error) => error.message);
    expect(text).toMatch(/^no IPv4 pool for node n1: /);
    expect(text).toContain("off (10.0.0.0/24) is disabled");
    expect(text).toContain("elsewhere (10.0.1.0/24) has nodeSelector rack == 'rack-1', which this node does not match");
    expect(text).toContain("by-hand (10.0.2.0/24) has assignmentMode Manual and the request does not name it");
    expect(text).toMatch(/typo .* faulty nodeSelector "rack = 1"/);
    await expect(node.assign(requestOf("h", [6]))).rejects.toEqual(
      refusal("no-pool", false, /no IPv6 IPPool: create one/),
    );
  });

  it("takes a pool that is named by name or CIDR, whatever its selector and mode", async () => {
    const pools = [
      poolOf("a", "10.0.1.0/24", 26, { ...rack1, assignmentMode: "Manual" }),
      poolOf("v6", "fd00::/64", 122),
    ];
    const node = allocatorOn(new MemoryStore(), "n1", pools);
    for (const [i, name] of ["a", "10.0.1.0/24"].entries()) {
      const assigned = await node.assign(requestOf(`h${i}`, [4, 6], { pools: [name] }));
      expect(assigned.map(({ pool }) => pool)).toEqual(["a", "v6"]);
    }
    await expect(node.assign(requestOf("x", [4], { pools: ["b"] }))).rejects.toEqual(
      refusal("unknown-pool", false, /IPPool b does not exist; there are: a \(10\.0\.1\.0\/24\)/),
    );
  });

  it("does not use a disabled pool even by name", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", [poolOf("a", "10.0.1.0/24", 26, { disabled: true })]);
    await expect(node.assign(requestOf("x", [4], { pools: ["a"] }))).rejects.toEqual(
      refusal("no-pool", false, /disabled/),
    );
  });

  it("follows the labels of the node and changes of the pools", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", [poolOf("a", "10.0.1.0/24", 26, rack1)]);
    await expect(node.assign(requestOf("x", [4]))).rejects.toEqual(refusal("no-pool", false));
    node.setNodeLabels({ rack: "rack-1" });
    await node.assign(requestOf("x", [4]));
    node.setPools([poolOf("b", "10.0.2.0/24", 26)]);
    expect((await node.assign(requestOf("y", [4])))[0]?.pool).toBe("b");
  });
});

describe("addresses asked for exactly", () => {
  const exactly = (handle: string, ...addresses: string[]) =>
    requestOf(handle, [4], { addresses: addresses.map(addressOf) });

  it("gives them, claiming a block or borrowing as needed", async () => {
    const store = new MemoryStore();
    const [n1, n2] = ["n1", "n2"].map((name) => allocatorOn(store, name));
    expect(texts((await n1?.assign(exactly("a", "10.244.0.70", "fd00:244::7"))) ?? [])).toEqual([
      "10.244.0.70",
      "fd00:244::7",
    ]);
    expect(n1?.blocks().map(({ cidr }) => cidr)).toEqual([prefixOf("10.244.0.64/26"), prefixOf("fd00:244::/122")]);
    expect(texts((await n2?.assign(exactly("b", "10.244.0.71"))) ?? [])).toEqual(["10.244.0.71"]);
    expect(n2?.blocks()).toEqual([]);
    expect(await auditOf(store)).toEqual([]);
  });

  it("refuses what is used, outside, or beside what the handle has", async () => {
    const store = new MemoryStore();
    const node = allocatorOn(store, "n1");
    await node.assign(exactly("a", "10.244.0.70"));
    expect(texts(await node.assign(exactly("a", "10.244.0.70")))).toEqual(["10.244.0.70"]);
    await expect(node.assign(exactly("b", "10.244.0.70"))).rejects.toEqual(
      refusal("address-in-use", true, /pod default\/pod-a/),
    );
    await expect(node.assign(exactly("b", "192.0.2.1"))).rejects.toEqual(
      refusal("address-outside-pools", false, /192\.0\.2\.1/),
    );
    await expect(node.assign(exactly("a", "10.244.0.71"))).rejects.toEqual(refusal("handle-in-use", false));
    expect(await auditOf(store)).toEqual([]);
  });
});
