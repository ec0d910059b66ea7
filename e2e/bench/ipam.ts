/** Address management on a real etcd: how fast, and how many transactions an assignment and a release cost. */
import { Allocator } from "../../ipam/allocator.ts";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import { EtcdForTests } from "../../ipam/etcd/etcd-for-tests.ts";
import { counted, fill } from "../../ipam/large-cluster-for-tests.ts";
import type { Pool } from "../../ipam/pool.ts";
import { poolOf, requestOf } from "../../ipam/world-for-tests.ts";

/** Keeps so many calls in flight until all are made; their times in ms, sorted, and the whole. */
async function inFlight(parallel: number, total: number, call: (i: number) => Promise<unknown>) {
  const times: number[] = [];
  let next = 0;
  const began = performance.now();
  const worker = async (): Promise<void> => {
    while (next < total) {
      const start = performance.now();
      await call(next++);
      times.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return { times: times.sort((a, b) => a - b), seconds: (performance.now() - began) / 1000 };
}

async function measure(etcd: EtcdForTests, parallel: number, total: number): Promise<void> {
  const { store, counts } = counted(openEtcdStore({ endpoints: [etcd.endpoint] }));
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const allocator = new Allocator(`node-${parallel}`, { store, now: Date.now, random: Math.random, wait });
  allocator.setPools([poolOf("v4", "10.244.0.0/16", 26), poolOf("v6", "fd00:244::/48", 122)]);
  await allocator.assign(requestOf(`${parallel}-warm`));
  const works = {
    assign: (i: number) => allocator.assign(requestOf(`${parallel}-${i}`)),
    release: (i: number) => allocator.release(`${parallel}-${i}`),
  };
  for (const [name, work] of Object.entries(works)) {
    const before = counts.commits;
    const { times, seconds } = await inFlight(parallel, total, work);
    const at = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(2).padStart(7);
    const rate = Math.round(total / seconds)
      .toString()
      .padStart(7);
    const each = ((counts.commits - before) / total).toFixed(3);
    console.log(
      `${name.padEnd(8)} ${String(parallel).padStart(4)} ${at(0.5)} ${at(0.99)} ${rate} ${each.padStart(10)}`,
    );
  }
  await store.close();
}

/** Nodes that start and want their first address, one after the other: what a claim or the first borrowing takes. */
async function measureFirst(etcd: EtcdForTests, name: string, pool: Pool): Promise<void> {
  const times: number[] = [];
  const sum = { commits: 0, reads: 0, keys: 0, lists: 0 };
  const nodes = 50;
  for (let i = 0; i < nodes; i++) {
    const { store, counts } = counted(openEtcdStore({ endpoints: [etcd.endpoint] }));
    const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const allocator = new Allocator(`new-${i}`, { store, now: Date.now, random: Math.random, wait });
    allocator.setPools([pool]);
    await allocator.load();
    const before = { ...counts };
    const start = performance.now();
    await allocator.assign(requestOf(`${name}-${i}`, [4]));
    times.push(performance.now() - start);
    for (const what of ["commits", "reads", "keys", "lists"] as const) sum[what] += counts[what] - before[what];
    await store.close();
  }
  times.sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor((nodes - 1) * share)] ?? 0).toFixed(2).padStart(7);
  const each = Object.values(sum).map((count) => (count / nodes).toFixed(2).padStart(8));
  console.log(`${name.padEnd(28)} ${at(0.5)} ${at(0.9)} ${each.join(" ")}`);
}

const etcd = await EtcdForTests.start();
try {
  console.log("dual stack, one address of each family; times in ms");
  console.log("what     par.     p50     p99      /s  commits each");
  for (const [parallel, total] of [
    [1, 500],
    [10, 1000],
    [100, 2000],
  ] as const)
    await measure(etcd, parallel, total);
  console.log("\na node's first address, IPv4; times in ms, the rest for each address");
  console.log("cluster                          p50     p90  commits    reads     keys    lists");
  const store = openEtcdStore({ endpoints: [etcd.endpoint] });
  const large = poolOf("large", "10.32.0.0/11", 26);
  await measureFirst(etcd, "no blocks: claim", large);
  await fill(store, large, 20_000, () => 1);
  await measureFirst(etcd, "20,000 of 32,768: claim", large);
  const claimed = poolOf("claimed", "10.64.0.0/17", 31);
  await fill(store, claimed, 16_384, () => 1);
  await measureFirst(etcd, "16,384 of 16,384: borrow", claimed);
  await store.close();
} finally {
  await etcd.remove();
}
