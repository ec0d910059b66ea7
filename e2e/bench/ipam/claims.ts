/** Nodes that take their first address, and a block with it. */
import { openEtcdStore } from "../../../ipam/etcd/client.ts";
import { allocatorOnTime } from "../../../ipam/etcd/etcd-clients-for-tests.ts";
import { type Counts, counted, fill } from "../../../ipam/large-cluster-for-tests.ts";
import type { Store } from "../../../ipam/store.ts";
import { poolOf, requestOf } from "../../../ipam/world-for-tests.ts";

export interface Claims {
  /** Milliseconds a node, and until the last was done. */
  readonly p50: number;
  readonly wall: number;
  /** On average for a node. */
  readonly transactions: number;
  readonly reads: number;
  readonly failed: number;
}

const BLOCK_SIZE = 26;
const CLAIMS = 100;
/** Two hundred nodes that start at once have each other to wait for. */
const CALL_TIMEOUT_MS = 10_000;

/** One node after the other, in a cluster that has so many blocks already. */
export async function claimBlocks(endpoint: string, pool: string, blocks: number): Promise<Claims> {
  const { store, counts } = counted(openEtcdStore({ endpoints: [endpoint], callTimeoutMs: CALL_TIMEOUT_MS }));
  try {
    await fill(store, poolIn(pool), blocks, () => 0);
    // The first ones pay for what is read and compiled once.
    for (let i = 0; i < CLAIMS / 4; i++) await firstAddress(store, pool, `warm-${pool}-${i}`);
    const before = { ...counts };
    const times: number[] = [];
    const began = performance.now();
    for (let i = 0; i < CLAIMS; i++) {
      const start = performance.now();
      await firstAddress(store, pool, `node-${pool}-${i}`);
      times.push(performance.now() - start);
    }
    const wall = performance.now() - began;
    times.sort((a, b) => a - b);
    return {
      p50: times[CLAIMS / 2] as number,
      wall,
      transactions: (counts.commits - before.commits) / CLAIMS,
      reads: (calls(counts) - calls(before)) / CLAIMS,
      failed: 0,
    };
  } finally {
    await store.close();
  }
}

/** All at once, in a pool that has no more than four times as many blocks. */
export async function startTogether(endpoint: string, nodes: number): Promise<Claims> {
  const { store, counts } = counted(openEtcdStore({ endpoints: [endpoint], callTimeoutMs: CALL_TIMEOUT_MS }));
  try {
    const before = { ...counts };
    const times: number[] = [];
    const began = performance.now();
    const start = async (node: number) => {
      await firstAddress(store, "12.0.0.0/16", `rack-node-${node}`);
      times.push(performance.now() - began);
    };
    const ends = await Promise.allSettled(Array.from({ length: nodes }, (_, node) => start(node)));
    times.sort((a, b) => a - b);
    return {
      p50: times[times.length >> 1] ?? 0,
      wall: performance.now() - began,
      transactions: (counts.commits - before.commits) / nodes,
      reads: (calls(counts) - calls(before)) / nodes,
      failed: ends.filter(({ status }) => status === "rejected").length,
    };
  } finally {
    await store.close();
  }
}

async function firstAddress(store: Store, pool: string, node: string): Promise<void> {
  await allocatorOnTime(store, node, [poolIn(pool)]).assign(requestOf(node, [4]));
}

function poolIn(cidr: string) {
  return poolOf(cidr.replace(/[./]/g, "-"), cidr, BLOCK_SIZE);
}

/** That read, of one kind or the other. */
function calls({ reads, lists }: Counts): number {
  return reads + lists;
}
