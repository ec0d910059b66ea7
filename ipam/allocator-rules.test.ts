/** What an IPAMConfiguration and IPReservations do to assignments. */
import { describe, expect, it } from "@jest/globals";
import { MemoryStore } from "./memory-store.ts";
import { addressOf } from "./net/address.ts";
import { formatPrefix, prefixOf } from "./net/prefix.ts";
import { Reservations } from "./reservations.ts";
import { type Rules, usualRules } from "./rules.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf, texts } from "./world-for-tests.ts";

const refusal = (code: string, retryable: boolean, message: RegExp) =>
  expect.objectContaining({ name: "Refusal", code, retryable, message: expect.stringMatching(message) });

/** Two blocks of two addresses. */
const tiny = [poolOf("v4", "192.0.2.0/30", 31)];
const strict: Partial<Rules> = { strictAffinity: true };
const reserve = (...cidrs: string[]): Partial<Rules> => ({ reserved: new Reservations(cidrs.map(prefixOf)) });

function nodesOn(store: MemoryStore, rules: Partial<Rules>, pools = tiny, clock = new Clock()) {
  const nodes = ["n1", "n2", "n3"].map((name) => allocatorOn(store, name, pools, clock, rules));
  let count = 0;
  return (node: number, family: 4 | 6 = 4, addresses: readonly string[] = []) => {
    const request = requestOf(`h${count++}`, [family], { addresses: addresses.map(addressOf) });
    return (nodes[node - 1] as (typeof nodes)[0]).assign(request);
  };
}

describe("strictAffinity", () => {
  it("leaves other nodes' blocks alone, and says so", async () => {
    const store = new MemoryStore();
    const assign = nodesOn(store, strict);
    const own = [await assign(1), await assign(2)].flat().map(({ block }) => formatPrefix(block));
    expect(own.sort()).toEqual(["192.0.2.0/31", "192.0.2.2/31"]);
    await expect(assign(3)).rejects.toEqual(
      refusal("pool-full", true, /v4 \(192.0.2.0\/30\) has no free address for node n3 .*strictAffinity .*configure/),
    );
    await assign(1);
    await expect(assign(1)).rejects.toEqual(refusal("pool-full", true, /strictAffinity/));
    expect(await auditOf(store)).toEqual([]);
  });

  it("can be lifted while the node runs", async () => {
    const store = new MemoryStore();
    const lender = nodesOn(store, {}, [poolOf("v4", "192.0.2.0/31", 31)]);
    await lender(1);
    const node = allocatorOn(store, "n2", [poolOf("v4", "192.0.2.0/31", 31)], new Clock(), strict);
    await expect(node.assign(requestOf("x", [4]))).rejects.toEqual(refusal("pool-full", true, /strictAffinity/));
    node.setRules(usualRules);
    expect(await node.assign(requestOf("x", [4]))).toHaveLength(1);
  });

  it.each([
    [4, "192.0.2.0/31", "192.0.2.1"],
    [6, "fd00::/127", "fd00::1"],
  ] as const)("holds for an IPv%i address that is asked for, too", async (family, cidr, wanted) => {
    const store = new MemoryStore();
    const pools = [poolOf("p", cidr, family === 4 ? 31 : 127)];
    const assign = nodesOn(store, strict, pools);
    expect((await assign(1, family)).map(({ pool }) => pool)).toEqual(["p"]);
    await expect(assign(2, family, [wanted])).rejects.toEqual(
      refusal("strict-affinity", false, new RegExp(`${wanted} is in block ${cidr} of node n1, and strictAffinity`)),
    );
    expect(texts(await assign(1, family, [wanted]))).toEqual([wanted]);
    await expect(assign(2, family, [wanted])).rejects.toEqual(
      refusal("address-in-use", true, /is used by pod default\/pod-h\d on node n1/),
    );
  });
});

describe("maxBlocksPerHost", () => {
  const limit = { maxBlocksPerHost: 1 };
  const pools = [poolOf("v4", "192.0.2.0/28", 31), poolOf("v6", "fd00::/120", 127)];

  it("stops claims, for each family on its own; then addresses are borrowed", async () => {
    const store = new MemoryStore();
    const assign = nodesOn(store, limit, pools);
    for (const node of [1, 2]) for (const family of [4, 6] as const) await assign(node, family);
    const blocks = (await assign(1)).map(({ block }) => block);
    const [borrowed] = await assign(1);
    expect(borrowed?.block).not.toEqual(blocks[0]);
    expect((await assign(1, 6))[0]?.pool).toBe("v6");
    await expect(assign(1)).rejects.toEqual(
      refusal(
        "block-limit",
        true,
        /^node n1 has no free IPv4 address in its 1 block \(no more with maxBlocksPerHost 1 .*--max-blocks-per-host/,
      ),
    );
    expect(await auditOf(store)).toEqual([]);
  });

  it("and strictAffinity together end at the node's own blocks", async () => {
    const store = new MemoryStore();
    const assign = nodesOn(store, { ...limit, ...strict }, pools);
    for (const node of [1, 2, 1]) await assign(node);
    await expect(assign(1)).rejects.toEqual(
      refusal(
        "block-limit",
        true,
        /strictAffinity forbids borrowing: .*--max-blocks-per-host N .* or --strictaffinity false/,
      ),
    );
  });

  it("does not hold back who asks for one address, as in Calico", async () => {
    const store = new MemoryStore();
    const assign = nodesOn(store, limit, pools);
    const [first] = await assign(1);
    const elsewhere = first?.block.address[3] === 0 ? "192.0.2.14" : "192.0.2.0";
    expect(texts(await assign(1, 4, [elsewhere]))).toEqual([elsewhere]);
    expect(await auditOf(store)).toEqual([]);
  });
});

describe("reserved addresses", () => {
  it("are not given out, and blocks of nothing else are not claimed", async () => {
    const store = new MemoryStore();
    const assign = nodesOn(store, reserve("192.0.2.0/31", "192.0.2.2/32", "fd00::/65"), [
      ...tiny,
      poolOf("v6", "fd00::/64", 122),
    ]);
    expect(texts(await assign(1))).toEqual(["192.0.2.3"]);
    const [v6] = await assign(1, 6);
    expect((v6?.address[8] ?? 0) >= 0x80).toBe(true);
    await expect(assign(2)).rejects.toEqual(
      refusal("pool-full", true, /no free address \(4 in all, 3 of them reserved by IPReservations\)/),
    );
    expect(await auditOf(store)).toEqual([]);
  });

  it("are given to who asks for them, in blocks that are not claimed otherwise", async () => {
    const store = new MemoryStore();
    const assign = nodesOn(store, reserve("192.0.2.0/30"));
    await expect(assign(1)).rejects.toEqual(refusal("pool-full", true, /reserved/));
    expect(texts(await assign(1, 4, ["192.0.2.2"]))).toEqual(["192.0.2.2"]);
    await expect(assign(1)).rejects.toEqual(refusal("pool-full", true, /reserved/));
    expect(await auditOf(store)).toEqual([]);
  });

  it("stay with whoever has them, and are not given out again", async () => {
    const store = new MemoryStore();
    const clock = new Clock();
    const node = allocatorOn(store, "n1", [poolOf("v4", "192.0.2.0/32", 32)], clock);
    await node.assign(requestOf("a", [4]));
    node.setRules({ ...usualRules, ...reserve("192.0.2.0/32") });
    expect(texts(await node.assign(requestOf("a", [4])))).toEqual(["192.0.2.0"]);
    await node.release("a");
    clock.ms += usualRules.restMs;
    await expect(node.assign(requestOf("b", [4]))).rejects.toEqual(refusal("pool-full", true, /1 of them reserved/));
  });

  it("are given out as soon as they are reserved no more", async () => {
    const node = allocatorOn(new MemoryStore(), "n1", tiny, new Clock(), reserve("192.0.2.0/31", "192.0.2.2/31"));
    await expect(node.assign(requestOf("a", [4]))).rejects.toEqual(refusal("pool-full", true, /reserved/));
    node.setRules({ ...usualRules, ...reserve("192.0.2.0/31") });
    expect(texts(await node.assign(requestOf("a", [4])))).toEqual(["192.0.2.2"]);
    expect(texts(await node.assign(requestOf("b", [4])))).toEqual(["192.0.2.3"]);
    await expect(node.assign(requestOf("c", [4]))).rejects.toEqual(refusal("pool-full", true, /2 of them reserved/));
    node.setRules(usualRules);
    expect(texts(await node.assign(requestOf("c", [4])))).toEqual(["192.0.2.0"]);
  });

  it("may be nearly all of an endless pool", async () => {
    const assign = nodesOn(new MemoryStore(), reserve("fd00::/65", "fd00:0:0:0:8000::/66"), [
      poolOf("v6", "fd00::/64", 122),
    ]);
    expect((await assign(1, 6))[0]?.address[8]).toBeGreaterThanOrEqual(0xc0);
  });
});

it("a released address rests as long as the configuration says", async () => {
  const clock = new Clock();
  const node = allocatorOn(new MemoryStore(), "n1", [poolOf("v4", "192.0.2.0/32", 32)], clock, { restMs: 5000 });
  await node.assign(requestOf("a", [4]));
  await node.release("a");
  await expect(node.assign(requestOf("b", [4]))).rejects.toEqual(
    refusal("pool-full", true, /1 of them released less than 5 s ago/),
  );
  clock.ms += 5000;
  await node.assign(requestOf("b", [4]));
  await node.release("b");
  node.setRules({ ...usualRules, restMs: 0 });
  expect(texts(await node.assign(requestOf("c", [4])))).toEqual(["192.0.2.0"]);
});
