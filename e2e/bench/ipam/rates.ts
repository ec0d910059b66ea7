/** One node that gives out and takes back addresses, so many calls at a time. */
import { openEtcdStore } from "../../../ipam/etcd/client.ts";
import { allocatorOnTime } from "../../../ipam/etcd/etcd-clients-for-tests.ts";
import { counted } from "../../../ipam/large-cluster-for-tests.ts";
import { poolOf, requestOf } from "../../../ipam/world-for-tests.ts";

export interface Rate {
  readonly op: "assign" | "release";
  readonly parallel: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  readonly perSecond: number;
  readonly perTransaction: number;
}

export const LOADS = [
  { parallel: 1, calls: 500 },
  { parallel: 10, calls: 1000 },
  { parallel: 100, calls: 4000 },
] as const;

export async function rates(endpoint: string): Promise<Rate[]> {
  const { store, counts } = counted(openEtcdStore({ endpoints: [endpoint] }));
  const measured: Rate[] = [];
  try {
    for (const { parallel, calls } of LOADS) {
      const pools = [poolOf("v4", "10.244.0.0/16", 26), poolOf("v6", "fd00:244::/48", 122)];
      const allocator = allocatorOnTime(store, `node-${parallel}`, pools);
      await allocator.assign(requestOf(`${parallel}-warm`));
      const works = {
        assign: (i: number) => allocator.assign(requestOf(`${parallel}-${i}`)),
        release: (i: number) => allocator.release(`${parallel}-${i}`),
      };
      for (const op of ["assign", "release"] as const) {
        const before = counts.commits;
        const { times, seconds } = await inFlight(parallel, calls, works[op]);
        const at = (share: number) => times[Math.floor((times.length - 1) * share)] as number;
        const perTransaction = calls / (counts.commits - before);
        measured.push({ op, parallel, p50: at(0.5), p99: at(0.99), perSecond: calls / seconds, perTransaction });
      }
    }
    return measured;
  } finally {
    await store.close();
  }
}

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
