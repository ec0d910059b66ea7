/** Nodes that take their first address, and a block with it. */
import { encodeAffinity } from "../../../ipam/affinity.ts";
import { Allocator } from "../../../ipam/allocator.ts";
import { emptyBlock, encodeBlock } from "../../../ipam/block.ts";
import { affinityKey, blockKey } from "../../../ipam/keys.ts";
import { prefixOf, subPrefix } from "../../../ipam/net/prefix.ts";
import type { Store } from "../../../ipam/store.ts";
import { poolOf, requestOf } from "../../../ipam/world-for-tests.ts";
import { countedStore } from "./counted-store.ts";

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
/** Of the pool's blocks, one in so many is taken. */
const SPREAD = 13n;
const BLOCKS_PER_TRANSACTION = 60;

const PORTS = {
  now: Date.now,
  random: Math.random,
  wait: (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
};

/** One node after the other, in a cluster that has so many blocks already. */
export async function claimBlocks(endpoint: string, pool: string, blocks: number): Promise<Claims> {
  const { store, counts } = countedStore(endpoint);
  try {
    await fill(store, pool, blocks);
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
      reads: (counts.reads - before.reads) / CLAIMS,
      failed: 0,
    };
  } finally {
    await store.close();
  }
}

/** All at once, in a pool that has no more than four times as many blocks. */
export async function startTogether(endpoint: string, nodes: number): Promise<Claims> {
  const { store, counts } = countedStore(endpoint);
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
      reads: (counts.reads - before.reads) / nodes,
      failed: ends.filter(({ status }) => status === "rejected").length,
    };
  } finally {
    await store.close();
  }
}

async function firstAddress(store: Store, pool: string, node: string): Promise<void> {
  const allocator = new Allocator(node, { store, ...PORTS });
  allocator.setPools([poolOf(pool.replace(/[./]/g, "-"), pool, BLOCK_SIZE)]);
  await allocator.assign(requestOf(node, [4]));
}

/** Blocks of other nodes, ten each, spread over the pool. */
async function fill(store: Store, pool: string, blocks: number): Promise<void> {
  const cidr = prefixOf(pool);
  for (let first = 0; first < blocks; first += BLOCKS_PER_TRANSACTION) {
    const put: { key: string; value: string }[] = [];
    for (let n = first; n < Math.min(blocks, first + BLOCKS_PER_TRANSACTION); n++) {
      const block = emptyBlock(
        subPrefix(cidr, BLOCK_SIZE, BigInt(n) * SPREAD),
        "full",
        `full-${Math.floor(n / 10)}`,
        0,
      );
      const affinity = { cidr: block.cidr, pool: block.pool, claimedAt: 0 };
      put.push({ key: blockKey(block.cidr), value: encodeBlock(block) });
      put.push({ key: affinityKey(block.node, block.cidr), value: encodeAffinity(affinity) });
    }
    await store.commit({ expect: [], put, delete: [] });
  }
}
