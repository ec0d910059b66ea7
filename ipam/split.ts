/** Splitting a pool into smaller ones of equal size. Its blocks stay where they are and lie each in one part. Pure. */
import { encodeAffinity } from "./affinity.ts";
import { type Block, encodeBlock } from "./block.ts";
import { affinityKey, blockKey } from "./keys.ts";
import { containsPrefix, formatPrefix, type Prefix, subPrefix } from "./net/prefix.ts";
import type { Pool } from "./pool.ts";
import type { Reading } from "./reading.ts";
import type { Transaction } from "./store.ts";

/** Pools are written in one transaction, beside which little else has room. */
export const mostParts = 64;

/** A sentence for the person who asked, when the pool cannot be split so. */
export function splitFault(pool: Pick<Pool, "name" | "cidr" | "blockSize">, parts: number): string | undefined {
  const bits = Math.log2(parts);
  if (!Number.isInteger(bits) || parts < 2 || parts > mostParts) {
    return `${parts} is not a power of two from 2 to ${mostParts}; what comes of a split can be split again`;
  }
  const room = pool.blockSize - pool.cidr.length;
  if (bits <= room) return undefined;
  const text = `pool ${pool.name} (${formatPrefix(pool.cidr)}) with blocks of /${pool.blockSize}`;
  return room < 1
    ? `${text} is one block only and cannot be split`
    : `${text} can be split into ${Math.min(2 ** room, mostParts)} pools at most`;
}

/** `10.0.0.0/24` in 4: 10.0.0.0/26, 10.0.0.64/26, … */
export function partsOf(cidr: Prefix, parts: number): Prefix[] {
  const length = cidr.length + Math.log2(parts);
  return Array.from({ length: parts }, (_, i) => subPrefix(cidr, length, i));
}

export interface Rename {
  readonly block: Block;
  readonly to: string;
}

/** Blocks that say they are of the pool that was split, and the part each lies in. */
export function renames(
  reading: Reading,
  from: string,
  parts: readonly { readonly name: string; readonly cidr: Prefix }[],
): Rename[] {
  return [...reading.blocks.values()].flatMap(({ value: block }) => {
    if (block === undefined || block.pool !== from) return [];
    const part = parts.find(({ cidr }) => containsPrefix(cidr, block.cidr));
    return part === undefined ? [] : [{ block, to: part.name }];
  });
}

/** Blocks and their owners' claims with the new name, expected as they were read. */
export function renaming(list: readonly Rename[], reading: Reading): Transaction {
  const put: { key: string; value: string }[] = [];
  const expect: { key: string; modRevision: bigint }[] = [];
  for (const { block, to } of list) {
    const { cidr, node, claimedAt } = block;
    const known = reading.blocks.get(formatPrefix(cidr));
    expect.push({ key: blockKey(cidr), modRevision: known?.modRevision ?? 0n });
    put.push({ key: blockKey(cidr), value: encodeBlock({ ...block, pool: to }) });
    const text = formatPrefix(cidr);
    const claim = reading.affinities.find((one) => one.node === node && formatPrefix(one.cidr) === text);
    if (claim === undefined) continue;
    expect.push({ key: affinityKey(node, cidr), modRevision: claim.modRevision });
    put.push({ key: affinityKey(node, cidr), value: encodeAffinity({ cidr, pool: to, claimedAt }) });
  }
  return { expect, put, delete: [] };
}
