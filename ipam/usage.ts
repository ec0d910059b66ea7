/** How full the pools are: rows for people (`overland ipam show`) and for metrics. Pure. */
import { type Block, capacity, reservedCount, restingCount } from "./block.ts";
import { compareAddresses } from "./net/address.ts";
import { containsPrefix, type Prefix, prefixSize } from "./net/prefix.ts";
import type { Pool } from "./pool.ts";
import { type Rules, usualRules } from "./rules.ts";

export interface PoolUsage {
  readonly name: string;
  readonly cidr: Prefix;
  /** Addresses in the pool; beyond 2^53 for large IPv6 pools. */
  readonly total: bigint;
  readonly inUse: bigint;
  /** Reserved by an IPReservation and not in use. */
  readonly reserved: bigint;
  /** Neither in use nor reserved, nor resting after their release. */
  readonly free: bigint;
  /** Of those in use, how many a node took from another node's block. */
  readonly borrowed: number;
  /** In the order of addresses. */
  readonly blocks: readonly BlockUsage[];
}

export interface BlockUsage {
  readonly cidr: Prefix;
  readonly node: string;
  readonly total: number;
  readonly inUse: number;
  readonly reserved: number;
  readonly free: number;
  readonly borrowed: number;
}

/**
 * One row per pool, by name; a block that lies in no pool is left out: {@link blocksInNoPool} has it. In each row total
 * is the sum of inUse, reserved, free and what rests.
 */
export function poolUsage(
  pools: readonly Pool[],
  blocks: readonly Block[],
  now: number,
  rules: Rules = usualRules,
): PoolUsage[] {
  const byName = [...pools].sort((a, b) => (a.name < b.name ? -1 : 1));
  return byName.map(({ name, cidr }) => {
    const rows = blocks.filter((block) => containsPrefix(cidr, block.cidr)).map((block) => row(block, now, rules));
    rows.sort((a, b) => compareAddresses(a.cidr.address, b.cidr.address));
    const sum = (of: (block: BlockUsage) => number) => BigInt(rows.reduce((total, block) => total + of(block), 0));
    const total = prefixSize(cidr);
    const inUse = sum((block) => block.inUse);
    // Reservations reach beyond the blocks there are.
    const inBlocks = rows.reduce((count, block) => count + rules.reserved.count(block.cidr), 0n);
    const reserved = rules.reserved.count(cidr) - inBlocks + sum((block) => block.reserved);
    const resting = sum((block) => block.total - block.inUse - block.reserved - block.free);
    return {
      name,
      cidr,
      total,
      inUse,
      reserved,
      free: total - inUse - reserved - resting,
      borrowed: Number(sum(({ borrowed }) => borrowed)),
      blocks: rows,
    };
  });
}

/** Blocks that lie in no pool any more. */
export function blocksInNoPool(pools: readonly Pool[], blocks: readonly Block[]): Block[] {
  return blocks.filter((block) => !pools.some((pool) => containsPrefix(pool.cidr, block.cidr)));
}

function row(block: Block, now: number, rules: Rules): BlockUsage {
  const total = capacity(block);
  const inUse = block.allocations.size;
  const reserved = reservedCount(block, rules);
  const borrowed = [...block.allocations.values()].filter(({ node }) => node !== undefined).length;
  const free = total - inUse - reserved - restingCount(block, now, rules);
  return { cidr: block.cidr, node: block.node, total, inUse, reserved, free, borrowed };
}
