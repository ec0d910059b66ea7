/**
 * In which order a node tries the blocks of a pool: an order of its own, seeded from its name, so that a thousand nodes
 * that start together rarely want the same block, and no node needs to know who has which.
 */
import type { Prefix } from "./net/prefix.ts";
import { subPrefix } from "./net/prefix.ts";
import { blockCount, type Pool } from "./pool.ts";

/**
 * Every block of the pool, once. The count is a power of two, so any odd step visits all of them; a step of the node's
 * own keeps two nodes that met once from meeting again at the next candidate.
 */
export function* candidateBlocks(pool: Pool, node: string): Generator<Prefix> {
  const count = blockCount(pool);
  const step = hash64(`step ${node}`) | 1n;
  let place = hash64(`start ${node}`) % count;
  for (let tried = 0n; tried < count; tried++) {
    yield subPrefix(pool.cidr, pool.blockSize, place);
    place = (place + step) % count;
  }
}

/** All of the list, once, from a place and with a step of the node's own. */
export function* inOwnOrder<T>(list: readonly T[], node: string): Generator<T> {
  const count = list.length;
  if (count === 0) return;
  let step = Number(hash64(`step ${node}`) % BigInt(count)) | 1;
  while (commonDivisor(step, count) !== 1) step += 2;
  let place = Number(hash64(`start ${node}`) % BigInt(count));
  for (let i = 0; i < count; i++) {
    yield list[place] as T;
    place = (place + step) % count;
  }
}

function commonDivisor(a: number, b: number): number {
  return b === 0 ? a : commonDivisor(b, a % b);
}

/** FNV-1a over UTF-16 units, then the finalizer of splitmix64, since names of nodes differ in their last digit only. */
function hash64(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i++) hash = ((hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n) & mask64;
  hash = ((hash ^ (hash >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64;
  hash = ((hash ^ (hash >> 27n)) * 0x94d049bb133111ebn) & mask64;
  return hash ^ (hash >> 31n);
}

const mask64 = (1n << 64n) - 1n;
