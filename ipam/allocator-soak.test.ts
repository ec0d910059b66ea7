/**
 * Tens of thousands of pods come and go on one node, some of them while the store fails: neither the records nor what
 * the node remembers grow with the number of pods there ever were.
 */
import { expect, it } from "@jest/globals";
import { Allocator } from "./allocator.ts";
import { blocksRoot, handlesRoot, ipamRoot } from "./keys.ts";
import { type Interference, MemoryStore } from "./memory-store.ts";
import { auditOf, Clock, poolOf, randomFrom, requestOf, texts } from "./world-for-tests.ts";

/** A longer life on request: 200000 takes minutes. */
const cycles = Number(process.env["OVERLAND_SOAK_CYCLES"] ?? 10_000);
/** As many pods as a node has. */
const podsAtOnce = 60;
/** Pods that come and go in this time, together: one transaction. */
const together = 25;
const pools = [poolOf("v4", "10.244.0.0/16", 26), poolOf("v6", "fd00:244::/64", 122)];
const kinds: readonly Interference[] = ["lose-request", "lose-reply", "delay-request", "refuse", "conflict"];

interface Size {
  readonly records: number;
  readonly octets: number;
  readonly remembered: number;
}

it("records and memory do not grow with pods that are gone", async () => {
  const [store, clock, random] = [new MemoryStore(), new Clock(), randomFrom(7)];
  const client = store.anotherClient();
  client.interfere = () => (random() < 0.02 ? kinds[Math.floor(random() * kinds.length)] : undefined);
  const node = new Allocator("n1", { store: client, now: clock.now, random, wait: clock.wait });
  node.setPools(pools);

  const size = async (): Promise<Size> => {
    const { entries } = await store.list(ipamRoot);
    const octets = entries.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
    return { records: entries.length, octets, remembered: node.remembered };
  };

  const living: string[] = [];
  const sizes: Size[] = [];
  for (let cycle = 0; cycle < cycles; cycle += together) {
    const names = Array.from({ length: together }, (_, i) => `pod-${cycle + i}`);
    const answers = await Promise.all(names.map((name) => node.assign(requestOf(name)).then(texts, () => undefined)));
    // A runtime says DEL after a request that failed, too.
    living.push(...names.filter((_, i) => answers[i] !== undefined));
    const gone = names.filter((_, i) => answers[i] === undefined);
    gone.push(...living.splice(0, Math.max(0, living.length - podsAtOnce)));
    await Promise.all(gone.map((name) => releaseAtLast(node, name)));
    store.deliverDelayed();
    // Rest for what was released, else a node of 60 pods would fill the pool.
    clock.ms += 5000;
    if (cycle % (cycles / 10) === 0) sizes.push(await size());
  }
  client.interfere = () => undefined;
  for (const name of living) await node.release(name);
  clock.ms += 5000;
  await node.release("nobody");

  // After the first of them the node has the blocks that it needs.
  const [, settled, ...later] = sizes;
  for (const one of later) {
    expect(one.records).toBeLessThan(2 * (settled?.records ?? 0));
    expect(one.octets).toBeLessThan(2 * (settled?.octets ?? 0));
    expect(one.remembered).toBeLessThan(1000);
  }
  expect(await store.listKeys(handlesRoot)).toEqual([]);
  expect((await store.listKeys(blocksRoot)).length).toBeLessThan(40);
  expect(node.remembered).toBeLessThan(100);
  expect(await auditOf(store)).toEqual([]);
}, 900_000);

it("a store that loses every write for a long time leaves one doubt and its handles", async () => {
  const [store, clock] = [new MemoryStore(), new Clock()];
  const client = store.anotherClient();
  const node = new Allocator("n1", { store: client, now: clock.now, random: randomFrom(9), wait: clock.wait });
  node.setPools(pools);
  await node.assign(requestOf("first"));
  client.interfere = ({ kind }) => (kind === "commit" ? "delay-request" : undefined);
  for (let i = 0; i < 200; i++) {
    await expect(node.assign(requestOf(`pod-${i}`))).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  }
  // What was looked at to find a block is remembered, too; nothing of the 200.
  expect(node.remembered).toBeLessThan(40);
  client.interfere = () => undefined;
  await node.release("nobody");
  store.deliverDelayed();
  expect(await store.listKeys(handlesRoot)).toHaveLength(1);
  expect(await auditOf(store)).toEqual([]);
});

async function releaseAtLast(node: Allocator, name: string): Promise<void> {
  for (;;) {
    try {
      await node.release(name);
      return;
    } catch (error) {
      expect(["STORE_UNAVAILABLE", "busy"]).toContain((error as { code: string }).code);
    }
  }
}
