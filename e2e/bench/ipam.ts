/** Address management on a real etcd: how fast, and how many transactions an assignment and a release cost. */
import { Allocator } from "../../ipam/allocator.ts";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import { EtcdForTests } from "../../ipam/etcd/etcd-for-tests.ts";
import type { Store } from "../../ipam/store.ts";
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

function counted(store: Store): { store: Store; commits: () => number } {
  let commits = 0;
  const commit: Store["commit"] = (transaction) => {
    commits++;
    return store.commit(transaction);
  };
  const bound = { list: store.list.bind(store), listKeys: store.listKeys.bind(store), get: store.get.bind(store) };
  const rest = { watch: store.watch.bind(store), close: store.close.bind(store) };
  return { store: { ...bound, ...rest, commit }, commits: () => commits };
}

async function measure(etcd: EtcdForTests, parallel: number, total: number): Promise<void> {
  const { store, commits } = counted(openEtcdStore({ endpoints: [etcd.endpoint] }));
  const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const allocator = new Allocator(`node-${parallel}`, { store, now: Date.now, random: Math.random, wait });
  allocator.setPools([poolOf("v4", "10.244.0.0/16", 26), poolOf("v6", "fd00:244::/48", 122)]);
  await allocator.assign(requestOf(`${parallel}-warm`));
  const works = {
    assign: (i: number) => allocator.assign(requestOf(`${parallel}-${i}`)),
    release: (i: number) => allocator.release(`${parallel}-${i}`),
  };
  for (const [name, work] of Object.entries(works)) {
    const before = commits();
    const { times, seconds } = await inFlight(parallel, total, work);
    const at = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(2).padStart(7);
    const rate = Math.round(total / seconds)
      .toString()
      .padStart(7);
    const each = ((commits() - before) / total).toFixed(3);
    console.log(
      `${name.padEnd(8)} ${String(parallel).padStart(4)} ${at(0.5)} ${at(0.99)} ${rate} ${each.padStart(10)}`,
    );
  }
  await store.close();
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
} finally {
  await etcd.remove();
}
