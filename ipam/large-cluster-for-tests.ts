/** For tests and measurements: a store that holds the blocks of a large cluster, and a count of what a client does. */
import { encodeAffinity } from "./affinity.ts";
import { type Allocation, type Block, emptyBlock, encodeBlock } from "./block.ts";
import { encodeHandle, type HandleRecord } from "./handle.ts";
import { affinityKey, blockKey, handleKey } from "./keys.ts";
import { addressPlus } from "./net/address.ts";
import { formatPrefix, prefixSize, subPrefix } from "./net/prefix.ts";
import { blockCount, type Pool } from "./pool.ts";
import { maxTransactionOperations, type Store } from "./store.ts";
import { randomFrom } from "./world-for-tests.ts";

/**
 * Fills the pool with so many blocks of other nodes, at random places.
 *
 * @param used how many addresses of the i-th of them are in use
 */
export async function fill(store: Store, pool: Pool, blocks: number, used: (i: number) => number): Promise<void> {
  const random = randomFrom(4711);
  const places = Array.from({ length: Number(blockCount(pool)) }, (_, i) => i);
  let put: { key: string; value: string }[] = [];
  for (let i = 0; i < blocks; i++) {
    const other = i + Math.floor(random() * (places.length - i));
    [places[i], places[other]] = [places[other] as number, places[i] as number];
    const records = recordsOf(blockOf(pool, places[i] as number, i, used(i)));
    if (put.length + records.length > maxTransactionOperations) put = await written(store, put);
    put.push(...records);
  }
  await written(store, put);
}

async function written(store: Store, put: readonly { key: string; value: string }[]): Promise<[]> {
  await store.commit({ expect: [], put, delete: [] });
  return [];
}

function blockOf(pool: Pool, place: number, i: number, used: number): Block {
  const empty = emptyBlock(subPrefix(pool.cidr, pool.blockSize, place), pool.name, `other-${i >> 2}`, 0);
  const most = Math.min(used, Number(prefixSize(empty.cidr)));
  const allocations = new Map<number, Allocation>();
  for (let ordinal = 0; ordinal < most; ordinal++) {
    const handle = `${formatPrefix(empty.cidr)}.${ordinal}`;
    allocations.set(ordinal, { handle, containerID: handle, ifName: "eth0", at: 0 });
  }
  return { ...empty, allocations };
}

function recordsOf(block: Block): { key: string; value: string }[] {
  const { cidr, pool, claimedAt, node } = block;
  const handles = [...block.allocations].map(([ordinal, { handle }]): HandleRecord => {
    const workload = { handle, containerID: handle, ifName: "eth0" };
    return { addresses: [addressPlus(cidr.address, ordinal)], blocks: [cidr], node, writer: "", workload };
  });
  return [
    { key: blockKey(cidr), value: encodeBlock(block) },
    { key: affinityKey(node, cidr), value: encodeAffinity({ cidr, pool, claimedAt }) },
    ...handles.map((record) => ({ key: handleKey(record.workload.handle), value: encodeHandle(record) })),
  ];
}

export interface Counts {
  commits: number;
  /** Calls that read keys one by one, and how many keys these were. */
  reads: number;
  keys: number;
  /** Calls that read a whole folder. */
  lists: number;
}

/** The store, and what is asked of it from now on. */
export function counted(store: Store): { readonly store: Store; readonly counts: Counts } {
  const counts = { commits: 0, reads: 0, keys: 0, lists: 0 };
  return {
    counts,
    store: {
      get: (keys) => {
        counts.reads++;
        counts.keys += keys.length;
        return store.get(keys);
      },
      list: (prefix) => {
        counts.lists++;
        return store.list(prefix);
      },
      listKeys: (prefix) => {
        counts.lists++;
        return store.listKeys(prefix);
      },
      commit: (transaction) => {
        counts.commits++;
        return store.commit(transaction);
      },
      watch: (prefix, listener) => store.watch(prefix, listener),
      close: () => store.close(),
    },
  };
}
