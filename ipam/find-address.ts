/**
 * Where one more address comes from: a block of this node, else a block that nobody has, else an address borrowed from
 * another node's block. Pure: the answer may be "read this first".
 */
import { type Block, emptyBlock, freeOrdinal, restingCount } from "./block.ts";
import { candidateBlocks, hash64 } from "./candidates.ts";
import type { Draft } from "./draft.ts";
import { blockKey } from "./keys.ts";
import { containsPrefix, type Prefix, prefixAround, prefixSize } from "./net/prefix.ts";
import { blockCount, type Pool, poolText } from "./pool.ts";
import { Refusal } from "./refusal.ts";

/** What must be known before the plan can go on. */
export type Need = { readonly read: readonly string[] } | { readonly list: true };

export type Found =
  | { readonly block: Block; readonly ordinal: number }
  | { readonly need: Need }
  | { readonly refusal: Refusal };

/** So many candidates may be taken before the node asks which blocks exist at all. */
const collisionsBeforeList = 3;
/** How many foreign blocks are read at once when looking for an address to borrow. */
const borrowBatch = 32;
/** The largest blocks there can be: a claim checks that none of these is around it. */
const largestBlock = { 4: 20, 16: 116 };

export function findAddress(draft: Draft, pools: readonly Pool[], now: number): Found {
  for (const block of draft.ownBlocks()) {
    if (!pools.some((pool) => containsPrefix(pool.cidr, block.cidr))) continue;
    const ordinal = freeOrdinal(block, now);
    if (ordinal !== undefined) return { block, ordinal };
  }
  for (const pool of pools) {
    const claim = findUnclaimed(draft, pool);
    if (claim === undefined) continue;
    if ("need" in claim) return claim;
    return { block: claimIn(draft, pool, claim.cidr, now), ordinal: 0 };
  }
  return findToBorrow(draft, pools, now);
}

/** Drafts the claim of a block that is not known to exist. */
export function claimIn(draft: Draft, pool: Pool, cidr: Prefix, now: number): Block {
  const block = emptyBlock(cidr, pool.name, draft.view.node, now);
  draft.claimBlock(block, around(cidr));
  return block;
}

/** The larger blocks that would contain this one: left from a pool that had another block size. */
export function around(cidr: Prefix): Prefix[] {
  const larger: Prefix[] = [];
  for (let length = largestBlock[cidr.address.length as 4 | 16]; length < cidr.length; length++) {
    larger.push(prefixAround(cidr.address, length));
  }
  return larger;
}

function findUnclaimed(draft: Draft, pool: Pool): { cidr: Prefix } | { need: Need } | undefined {
  let collisions = 0;
  for (const cidr of candidateBlocks(pool, draft.view.node)) {
    const overlapping = draft.overlapping(cidr);
    if (overlapping === undefined) return { cidr };
    if (overlapping.foreign && ++collisions > collisionsBeforeList && !draft.view.listed)
      return { need: { list: true } };
  }
  return draft.view.listed ? undefined : { need: { list: true } };
}

function findToBorrow(draft: Draft, pools: readonly Pool[], now: number): Found {
  const lenders = draft.view.foreignBlocks().filter((cidr) => pools.some((pool) => containsPrefix(pool.cidr, cidr)));
  // Each node begins elsewhere, so that borrowers do not all contend for one block.
  const start = lenders.length === 0 ? 0 : Number(hash64(draft.view.node) % BigInt(lenders.length));
  const unread: string[] = [];
  for (let i = 0; i < lenders.length; i++) {
    const cidr = lenders[(start + i) % lenders.length] as Prefix;
    const known = draft.block(cidr);
    if (known === undefined) {
      unread.push(blockKey(cidr));
      continue;
    }
    const ordinal = known.value && freeOrdinal(known.value, now);
    if (known.value !== undefined && ordinal !== undefined) return { block: known.value, ordinal };
  }
  if (unread.length > 0) return { need: { read: unread.slice(0, borrowBatch) } };
  return { refusal: poolsFull(draft, pools, now) };
}

function poolsFull(draft: Draft, pools: readonly Pool[], now: number): Refusal {
  const texts = pools.map((pool) => {
    const blocks = [...draft.ownBlocks(), ...foreignIn(draft, pool)].filter(({ cidr }) =>
      containsPrefix(pool.cidr, cidr),
    );
    const resting = blocks.reduce((sum, block) => sum + restingCount(block, now), 0);
    const rest = resting === 0 ? "" : `, ${resting} of them released less than 30 s ago`;
    const total = blockCount(pool) * prefixSize({ address: pool.cidr.address, length: pool.blockSize });
    return `${poolText(pool)} has no free address (${total} in all${rest})`;
  });
  return new Refusal("pool-full", `${texts.join("; ")}: delete pods, or create another IPPool`, true);
}

function foreignIn(draft: Draft, pool: Pool): Block[] {
  const blocks: Block[] = [];
  for (const cidr of draft.view.foreignBlocks()) {
    const block = containsPrefix(pool.cidr, cidr) ? draft.block(cidr)?.value : undefined;
    if (block !== undefined) blocks.push(block);
  }
  return blocks;
}
