/** How full the pools are: rows for people (`overland ipam show`) and for metrics. Pure. */
import { type Block, capacity, restingCount } from "./block.ts";
import { compareAddresses } from "./net/address.ts";
import { containsPrefix, type Prefix, prefixSize } from "./net/prefix.ts";
import type { Pool } from "./pool.ts";

export interface PoolUsage {
  readonly name: string;
  readonly cidr: Prefix;
  /** Addresses in the pool; beyond 2^53 for large IPv6 pools. */
  readonly total: bigint;
  readonly inUse: bigint;
  /** Neither in use nor resting after their release. */
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
  readonly free: number;
  readonly borrowed: number;
}

/** One row per pool, by name; a block that lies in no pool is left out: {@link strayBlocks} has it. */
export function poolUsage(pools: readonly Pool[], blocks: readonly Block[], now: number): PoolUsage[] {
  const byName = [...pools].sort((a, b) => (a.name < b.name ? -1 : 1));
  return byName.map(({ name, cidr }) => {
    const rows = blocks.filter((block) => containsPrefix(cidr, block.cidr)).map((block) => row(block, now));
    rows.sort((a, b) => compareAddresses(a.cidr.address, b.cidr.address));
    const sum = (of: (block: BlockUsage) => number) => rows.reduce((total, block) => total + of(block), 0);
    const total = prefixSize(cidr);
    const free = total - BigInt(sum((block) => block.total - block.free));
    return {
      name,
      cidr,
      total,
      inUse: BigInt(sum(({ inUse }) => inUse)),
      free,
      borrowed: sum(({ borrowed }) => borrowed),
      blocks: rows,
    };
  });
}

/** Blocks that lie in no pool any more. */
export function strayBlocks(pools: readonly Pool[], blocks: readonly Block[]): Block[] {
  return blocks.filter((block) => !pools.some((pool) => containsPrefix(pool.cidr, block.cidr)));
}

function row(block: Block, now: number): BlockUsage {
  const total = capacity(block);
  const inUse = block.allocations.size;
  const borrowed = [...block.allocations.values()].filter(({ node }) => node !== undefined).length;
  const free = total - inUse - restingCount(block, now);
  return { cidr: block.cidr, node: block.node, total, inUse, free, borrowed };
}
