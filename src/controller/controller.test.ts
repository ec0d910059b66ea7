/** The controller on a store in memory: who leads, and what becomes of nodes that are gone. */
import { Writable } from "node:stream";
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { affinitiesOf, affinityKey, blocksRoot, handlesRoot, ipamRoot } from "../../ipam/keys.ts";
import { type Interference, MemoryStore } from "../../ipam/memory-store.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf, texts } from "../../ipam/world-for-tests.ts";
import { kindRoot, resourceKey } from "../config/resource-keys.ts";
import { openLog } from "../telemetry/log.ts";
import { DepartedNodes } from "./departed-nodes.ts";
import { Leadership } from "./leader.ts";

const terms = { beatMs: 5, expiryMs: 15 };
const graceMs = 300_000;
const pools = [poolOf("v4", "10.244.0.0/28", 30), poolOf("v6", "fd00:244::/120", 126)];

const putNode = (store: Store, name: string) =>
  store.commit({ expect: [], put: [{ key: resourceKey("Node", name), value: "{}" }], delete: [] });
const deleteNode = (store: Store, name: string) =>
  store.commit({ expect: [], put: [], delete: [resourceKey("Node", name)] });
const handles = async (store: Store) =>
  (await store.listKeys(handlesRoot)).map((key) => key.slice(handlesRoot.length)).sort();

async function world(client?: MemoryStore) {
  const store = client ?? new MemoryStore();
  const lines: string[] = [];
  const stream = new Writable({ write: (chunk, _, done) => (lines.push(String(chunk)), done()) });
  const clock = new Clock();
  const leader = new Leadership(store, terms);
  await leader.beat(0);
  const nodes = new DepartedNodes(store, leader, openLog({ stream }), graceMs, clock.now);
  for (const name of ["n1", "n2"]) await putNode(store, name);
  const [n1, n2] = [allocatorOn(store, "n1", pools, clock), allocatorOn(store, "n2", pools, clock)];
  return { store, clock, leader, nodes, lines, n1, n2 };
}

it("has one leader, and another one when its heartbeat stays away", async () => {
  const store = new MemoryStore();
  const [a, b] = [new Leadership(store, terms), new Leadership(store, terms)];
  for (let now = 0; now < 50; now += 5) {
    await a.beat(now);
    await b.beat(now + 1);
    expect([a.leads, b.leads]).toEqual([true, false]);
  }
  expect(b.other).toContain("pid");
  for (let now = 50; now < 60; now += 5) await b.beat(now);
  expect(b.leads).toBe(false);
  await b.beat(66);
  expect(b.leads).toBe(true);
  // The old one does not know: what it does is not done.
  expect(a.leads).toBe(true);
  const put = [{ key: "x", value: "" }];
  expect(await a.commit({ expect: [], put, delete: [] })).toBe(false);
  expect(await b.commit({ expect: [], put, delete: [] })).toBe(true);
  await a.beat(70);
  expect(a.leads).toBe(false);
  await b.resign();
  await a.beat(71);
  expect(a.leads).toBe(true);
});

it("takes back what a deleted node held, after the grace time, and logs the evidence", async () => {
  const { store, clock, nodes, lines, n1, n2 } = await world();
  const given = texts(await n1.assign(requestOf("a")));
  await n2.assign(requestOf("b"));
  await deleteNode(store, "n1");
  expect((await nodes.look(0)).departed).toEqual(["n1"]);
  expect((await nodes.look(graceMs - 1)).done).toEqual([]);
  expect(await handles(store)).toEqual(["a", "b"]);
  const look = await nodes.look(graceMs);
  expect(look.done.flatMap(({ freed }) => freed.map(({ handle }) => handle))).toEqual(["a"]);
  expect(look.kept.map(({ why }) => why)).toEqual(Array(2).fill(expect.stringContaining("released a moment ago")));
  expect(await auditOf(store)).toEqual([]);
  clock.ms += 31_000;
  expect((await nodes.look(graceMs + 1)).done.flatMap(({ blocks }) => blocks)).toHaveLength(2);
  expect([await handles(store), await store.listKeys(affinitiesOf("n1"))]).toEqual([["b"], []]);
  expect(await auditOf(store)).toEqual([]);
  expect((await nodes.look(graceMs + 2)).departed).toEqual([]);
  const freed = JSON.parse(lines.find((line) => line.includes("addresses of a departed node are freed")) as string);
  expect(freed).toMatchObject({ node: "n1", addresses: given, handle: "a", pod: "pod-a", since: expect.any(String) });
});

it("touches nothing of a node that comes back, be it in the last moment", async () => {
  const { store, nodes, n1 } = await world();
  await n1.assign(requestOf("a"));
  await deleteNode(store, "n1");
  await nodes.look(0);
  await putNode(store, "n1");
  await nodes.look(graceMs / 2);
  await deleteNode(store, "n1");
  expect((await nodes.look(graceMs)).done).toEqual([]);
  // Between the look at the nodes and the act.
  const listKeys = store.listKeys.bind(store);
  store.listKeys = async (prefix) => {
    const keys = await listKeys(prefix);
    if (prefix === kindRoot("Node")) await putNode(store, "n1");
    return keys;
  };
  expect((await nodes.look(2 * graceMs)).done).toEqual([]);
  expect(await handles(store)).toEqual(["a"]);
});

it("frees what the node borrowed, and keeps its block while others borrow there", async () => {
  const { store, clock, nodes, n1, n2 } = await world();
  for (let i = 0; i < 8; i++) await n1.assign(requestOf(`a${i}`, [4]));
  for (let i = 0; i < 8; i++) await n2.assign(requestOf(`b${i}`, [4]));
  await n1.release("a0");
  await n2.release("b0");
  clock.ms += 31_000;
  const fresh = (name: string) => allocatorOn(store, name, pools, clock);
  // Each in the other's block.
  const [block1, block2] = [n1.blocks()[0]?.cidr, n2.blocks()[0]?.cidr].map((cidr) => formatPrefix(cidr as never));
  await n2.load();
  await n1.assign(requestOf("mine", [4]));
  await fresh("n1").assign(requestOf("borrowed", [4]));
  await n2.release("b1");
  await n1.release("mine");
  clock.ms += 31_000;
  await fresh("n2").assign(requestOf("c1", [4]));
  await fresh("n2").assign(requestOf("c2", [4]));
  expect(await auditOf(store)).toEqual([]);
  await deleteNode(store, "n1");
  await nodes.look(0);
  await nodes.look(graceMs);
  clock.ms += 31_000;
  const { kept } = await nodes.look(graceMs + 1);
  expect((await handles(store)).filter((name) => /^(a|mine|borrowed)/.test(name))).toEqual([]);
  expect(kept.map(({ cidr, why }) => [formatPrefix(cidr), why])).toEqual([
    [block1, "1 borrowed by n2: it stays until they are gone"],
  ]);
  expect(block2).not.toBe(block1);
  expect(await auditOf(store)).toEqual([]);
  for (const handle of ["c1", "c2"]) await n2.release(handle);
  clock.ms += 31_000;
  expect((await nodes.look(graceMs + 2)).kept).toEqual([]);
  expect(await store.listKeys(affinitiesOf("n1"))).toEqual([]);
  expect(await auditOf(store)).toEqual([]);
});

it("deletes records of a departed node that nothing hangs on, and reports the others", async () => {
  const { store, nodes } = await world();
  const cidr = prefixOf("10.244.0.0/30");
  const put = [
    { key: affinityKey("gone", cidr), value: "{}" },
    { key: affinityKey("n2", cidr), value: JSON.stringify({ cidr: "10.244.0.0/30", pool: "v4", claimedAt: 1 }) },
  ];
  await store.commit({ expect: [], put, delete: [] });
  const first = await nodes.look(0);
  expect(first.findings).toHaveLength(2);
  await nodes.look(graceMs);
  expect(await store.listKeys(ipamRoot)).toEqual([affinityKey("n2", cidr)]);
});

it("does nothing twice and nothing by half, whatever becomes of its calls", async () => {
  const faults = fc.array(
    fc.option(fc.constantFrom<Interference>("lose-request", "lose-reply", "delay-request", "refuse", "conflict"), {
      freq: 2,
      nil: undefined,
    }),
    { minLength: 1, maxLength: 11 },
  );
  await fc.assert(
    fc.asyncProperty(faults, fc.integer({ min: 1, max: 12 }), async (faults, pods) => {
      const store = new MemoryStore();
      const { nodes, leader, clock, n1, n2 } = await world(store.anotherClient());
      const kept: string[] = [];
      for (let i = 0; i < pods; i++) {
        await n1.assign(requestOf(`a${i}`, [4])).catch(full);
        const answer = await n2.assign(requestOf(`b${i}`, [4])).catch(full);
        if (answer !== undefined) kept.push(`b${i}`);
      }
      await deleteNode(store, "n1");
      let calls = 0;
      const troubled = store.anotherClient();
      troubled.interfere = () => faults[calls++ % faults.length];
      const second = new Leadership(troubled, terms);
      const late = new DepartedNodes(troubled, second, openLog({ level: "error" }), graceMs, clock.now);
      await leader.resign();
      for (let round = 0; round < 20; round++) {
        await second.beat(round).catch(known);
        await late.look(round * graceMs).catch(known);
        clock.ms += 31_000;
        expect(await auditOf(store)).toEqual([]);
      }
      store.deliverDelayed();
      expect(await auditOf(store)).toEqual([]);
      // The leader that follows ends it.
      for (let round = 0; round < 4; round++) await leader.beat(1000 + round * 20);
      for (let round = 0; round < 5; round++) {
        await nodes.look((40 + round) * graceMs);
        clock.ms += 31_000;
      }
      expect(await handles(store)).toEqual(kept.sort());
      const lent = (await store.list(blocksRoot)).entries.filter(({ value }) => value.includes('"node":"n1"'));
      for (const { value } of lent) expect(value).toContain('"node":"n2"');
      expect(await auditOf(store)).toEqual([]);
    }),
    { numRuns: 60, seed: 1 },
  );
}, 120_000);

function known(error: unknown): undefined {
  expect((error as { code: string }).code).toBe("STORE_UNAVAILABLE");
}

function full(error: unknown): undefined {
  expect((error as { code: string }).code).toBe("pool-full");
}
