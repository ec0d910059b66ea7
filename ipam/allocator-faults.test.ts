/** Every call to the store fails once, in every way a call can fail: what is then stored, and what was answered. */
import { describe, expect, it } from "@jest/globals";
import type { Allocator } from "./allocator.ts";
import { handleKey } from "./keys.ts";
import { type Interference, MemoryStore } from "./memory-store.ts";
import { formatAddress } from "./net/address.ts";
import { formatPrefix } from "./net/prefix.ts";
import { allocatorOn, auditOf, poolOf, requestOf, texts } from "./world-for-tests.ts";

const kinds: readonly Interference[] = ["lose-request", "lose-reply", "delay-request", "refuse", "conflict"];
/** More calls than any of the scenarios makes with one fault. */
const calls = Array.from({ length: 14 }, (_, i) => i + 1);
/** The first call only, and every call until the request is answered. */
const lasting = [false, true];

const cases = kinds.flatMap((kind) => lasting.map((all) => [kind, all] as const));
const pools = [poolOf("v4", "192.0.2.0/30", 31), poolOf("v6", "fd00::/64", 122)];

/** The store after some life, and a client of it whose calls from the n-th on fail. */
async function brokenWorld(kind: Interference, n: number, all: boolean) {
  const store = new MemoryStore();
  const neighbour = allocatorOn(store, "n0", pools);
  await neighbour.assign(requestOf("old"));
  const client = store.anotherClient();
  client.interfere = ({ number }) => (number === n || (all && number > n) ? kind : undefined);
  return { store, neighbour, client, heal: () => (client.interfere = () => undefined) };
}

async function heldInStore(store: MemoryStore, handle: string): Promise<string[]> {
  return texts(await allocatorOn(store, "observer", pools).assignmentsOf(handle));
}

describe.each(cases)("%s (all later calls too: %s)", (kind, all) => {
  it.each(calls)("at call %i of assign", async (n) => {
    const { store, client, heal } = await brokenWorld(kind, n, all);
    const node = allocatorOn(client, "n1", pools);
    const answer = await node.assign(requestOf("h")).then(texts, expectKnownFailure);
    heal();
    if (answer !== undefined) expect(await heldInStore(store, "h")).toEqual(answer);
    // The next request finds out what became of the failed one; what is still under way comes after that, too late.
    await node.assign(requestOf("next"));
    store.deliverDelayed();
    expect(await heldInStore(store, "h")).toEqual(answer ?? []);
    expect(await auditOf(store)).toEqual([]);
    await expectViewIsTrue(store, node);
  });

  it.each(calls)("at call %i of assign, then the runtime cleans up", async (n) => {
    const { store, client, heal } = await brokenWorld(kind, n, all);
    const node = allocatorOn(client, "n1", pools);
    await node.assign(requestOf("h")).catch(expectKnownFailure);
    heal();
    await node.release("h");
    store.deliverDelayed();
    expect(await store.get([handleKey("h")])).toEqual([undefined]);
    expect(await auditOf(store)).toEqual([]);
  });

  it.each(calls)("at call %i of assign, then it is asked of another process", async (n) => {
    const { store, client, heal } = await brokenWorld(kind, n, all);
    const node = allocatorOn(client, "n1", pools);
    const first = await node.assign(requestOf("h")).then(texts, expectKnownFailure);
    heal();
    const second = texts(await allocatorOn(store, "n1", pools).assign(requestOf("h")));
    if (first !== undefined) expect(second).toEqual(first);
    await node.release("something else");
    store.deliverDelayed();
    expect(await heldInStore(store, "h")).toEqual(second);
    expect(await auditOf(store)).toEqual([]);
  });

  it.each(calls)("at call %i of release", async (n) => {
    const { store, neighbour, client, heal } = await brokenWorld(kind, n, all);
    const assigned = texts(await neighbour.assign(requestOf("h")));
    const node = allocatorOn(client, "n1", pools);
    const answer = await node.release("h").then((freed) => freed.map(formatAddress), expectKnownFailure);
    heal();
    if (answer !== undefined) {
      expect(answer).toEqual(assigned);
      expect(await heldInStore(store, "h")).toEqual([]);
    }
    store.deliverDelayed();
    const left = await heldInStore(store, "h");
    expect([[], assigned]).toContainEqual(left);
    expect((await node.release("h")).map(formatAddress)).toEqual(left);
    expect(await auditOf(store)).toEqual([]);
  });
});

function expectKnownFailure(error: { code: string }): undefined {
  expect(["STORE_UNAVAILABLE", "busy"]).toContain(error.code);
}

/** What the allocator believes of its blocks is what is stored. */
async function expectViewIsTrue(store: MemoryStore, node: Allocator): Promise<void> {
  const again = allocatorOn(store, "n1", pools);
  await again.load();
  const lines = (allocator: Allocator) =>
    allocator
      .blocks()
      .flatMap(({ cidr, allocations }) =>
        [...allocations].map(([ordinal, { handle }]) => `${formatPrefix(cidr)} ${ordinal} ${handle}`),
      );
  expect(lines(node).sort()).toEqual(lines(again).sort());
}
