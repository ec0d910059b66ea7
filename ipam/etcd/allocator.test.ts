/** Allocators on a real etcd: four claim and assign at once, two of them under one node's name. */
import { afterAll, beforeAll, expect, it, jest } from "@jest/globals";
import type { Allocator } from "../allocator.ts";
import { ipamRoot } from "../keys.ts";
import { formatAddress } from "../net/address.ts";
import type { Store } from "../store.ts";
import { auditOf, poolOf, requestOf, texts } from "../world-for-tests.ts";
import { openEtcdStore } from "./client.ts";
import { allocatorOnTime } from "./etcd-clients-for-tests.ts";
import { EtcdForTests } from "./etcd-for-tests.ts";

jest.setTimeout(30_000);

let etcd: EtcdForTests;
const stores: Store[] = [];
beforeAll(async () => {
  etcd = await EtcdForTests.start();
});
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()));
  await etcd.remove();
});

const pools = [poolOf("v4", "10.244.0.0/22", 26), poolOf("v6", "fd00:244::/64", 122)];

function allocator(node: string, now = Date.now): Allocator {
  const store = openEtcdStore({ endpoints: [etcd.endpoint] });
  stores.push(store);
  return allocatorOnTime(store, node, pools, now);
}

it("four allocators assign 500 addresses at once: all different, all in the records", async () => {
  const allocators = ["n1", "n1", "n2", "n3"].map((name) => allocator(name));
  const requests = Array.from({ length: 250 }, (_, i) => allocators[i % 4]?.assign(requestOf(`h${i}`)) ?? []);
  const all = (await Promise.all(requests)).map(texts);
  expect(new Set(all.flat()).size).toBe(500);
  const observer = allocator("observer");
  expect(texts(await observer.assignmentsOf("h17"))).toEqual(all[17]);
  expect(await auditOf(stores[0] as Store)).toEqual([]);

  const freed = await Promise.all(all.map((_, i) => allocators[(i + 1) % 4]?.release(`h${i}`) ?? []));
  expect(freed.map((addresses) => addresses.map(formatAddress).sort())).toEqual(all.map((texts) => [...texts].sort()));
  expect(await auditOf(stores[0] as Store)).toEqual([]);
});

it("a pool that runs full under contention is given out to the last address, and not beyond", async () => {
  const tight = [poolOf("tight", "192.0.2.0/26", 28)];
  const allocators = ["a", "b", "c", "d", "e", "f"].map((name) => allocator(name));
  for (const one of allocators) one.setPools(tight);
  const requests = Array.from({ length: 80 }, (_, i) => allocators[i % 6]?.assign(requestOf(`t${i}`, [4])));
  const settled = await Promise.allSettled(requests);
  const given = settled.flatMap((one) => (one.status === "fulfilled" ? texts(one.value ?? []) : []));
  const codes = settled.flatMap((one) => (one.status === "rejected" ? [(one.reason as { code: string }).code] : []));
  expect(new Set(given).size).toBe(64);
  expect(given).toHaveLength(64);
  expect(new Set(codes)).toEqual(new Set(["pool-full"]));
  expect(await auditOf(stores[0] as Store)).toEqual([]);
});

it("blocks go back while others claim, assign and release: the records agree, and at last none is left", async () => {
  // Each look at the clock is a minute later: nothing rests, everything is idle.
  let minutes = 0;
  const clock = () => Date.now() + 60_000 * minutes++;
  const tight = [poolOf("tight", "198.51.100.0/27", 31)];
  const allocators = ["x", "y", "y", "z"].map((name) => allocator(name, clock));
  for (const one of allocators) one.setPools(tight);
  let returned = 0;
  const lives = allocators.map(async (one, i) => {
    for (let turn = 0; turn < 20; turn++) {
      const handles = Array.from({ length: 1 + ((turn * 3 + i) % 4) }, (_, k) => `life${i}-${turn}-${k}`);
      await Promise.all(handles.map((handle) => one.assign(requestOf(handle, [4]))));
      await Promise.all([...handles.map((handle) => one.release(handle)), one.returnBlocks(1)]);
      returned += (await one.returnBlocks(1)).length;
    }
  });
  await Promise.all(lives);
  expect(returned).toBeGreaterThan(10);
  expect(await auditOf(stores[0] as Store)).toEqual([]);
  for (const one of allocators) {
    one.setPools([]);
    await one.load();
    while ((await one.returnBlocks(1)).length > 0);
    expect(one.blocks()).toEqual([]);
  }
  const left = await (stores[0] as Store).listKeys(ipamRoot);
  expect(left.filter((key) => key.includes("198.51.100."))).toEqual([]);
});

it("etcd restarted in the middle: what was answered is there, what failed is not", async () => {
  const store = stores[0] as Store;
  const node = allocator("restarted");
  await node.load();
  const requests = Array.from({ length: 200 }, async (_, i) => {
    await new Promise((resolve) => setTimeout(resolve, i * 2));
    return node.assign(requestOf(`r${i}`, [6])).then(texts, () => undefined);
  });
  await new Promise((resolve) => setTimeout(resolve, 150));
  await etcd.kill();
  await etcd.start();
  const answers = await Promise.all(requests);
  // The first request after the return puts in order what the failed ones may have left.
  const settled = async (): Promise<unknown> => node.release("nobody").catch(settled);
  await settled();
  const observer = allocator("observer");
  for (const [i, answer] of answers.entries())
    expect(texts(await observer.assignmentsOf(`r${i}`))).toEqual(answer ?? []);
  expect(answers.filter((answer) => answer !== undefined).length).toBeGreaterThan(20);
  expect((await store.listKeys(ipamRoot)).length).toBeGreaterThan(0);
  expect(await auditOf(store)).toEqual([]);
});
