/**
 * Where one more address comes from: a block of this node, else a block that nobody has, else an address borrowed from
 * another node's block. Pure: the answer may be "read this first".
 */
import { type Block, freeOrdinal } from "./block.ts";
import type { Draft } from "./draft.ts";
import { blockKey, blocksRoot } from "./keys.ts";
import { type Family } from "./net/address.ts";
import { containsPrefix, familyOfPrefix } from "./net/prefix.ts";
import { noRoom } from "./no-room.ts";
import type { Pool } from "./pool.ts";
import type { Refusal } from "./refusal.ts";
import { claimIn, findUnclaimed } from "./unclaimed.ts";

/** What must be known before the plan can go on. */
export type Need = { readonly read: readonly string[] } | { readonly list: true };

export type Found =
  | { readonly block: Block; readonly ordinal: number }
  | { readonly need: Need }
  | { readonly refusal: Refusal };

/** How many foreign blocks are read at once when looking for an address to borrow. */
const borrowBatch = 16;
/** How many are read for one request before it is refused; the next request goes on with others. */
const mostRead = 256;

/** @param fresh keys read since the request came in */
export function findAddress(draft: Draft, pools: readonly Pool[], now: number, fresh: ReadonlySet<string>): Found {
  const { rules } = draft.view;
  for (const block of draft.ownBlocks()) {
    if (!pools.some((pool) => containsPrefix(pool.cidr, block.cidr))) continue;
    const ordinal = freeOrdinal(block, now, rules);
    if (ordinal !== undefined) return { block, ordinal };
  }
  const atLimit = isAtLimit(draft, familyOfPrefix((pools[0] as Pool).cidr));
  for (const pool of atLimit ? [] : pools) {
    const unclaimed = findUnclaimed(draft, pool, fresh);
    if (unclaimed === undefined) continue;
    if ("need" in unclaimed) return unclaimed;
    const block = claimIn(draft, pool, unclaimed.cidr, now);
    const ordinal = freeOrdinal(block, now, rules);
    if (ordinal !== undefined) return { block, ordinal };
  }
  if (rules.strictAffinity) return { refusal: noRoom(draft, pools, now, { atLimit, partial: false }) };
  return findToBorrow(draft, pools, now, fresh, atLimit);
}

/** Whether the node has as many blocks of the family as it may claim by itself. */
function isAtLimit(draft: Draft, family: Family): boolean {
  const { maxBlocksPerHost } = draft.view.rules;
  if (maxBlocksPerHost === 0) return false;
  return draft.ownBlocks().filter(({ cidr }) => familyOfPrefix(cidr) === family).length >= maxBlocksPerHost;
}

function findToBorrow(
  draft: Draft,
  pools: readonly Pool[],
  now: number,
  fresh: ReadonlySet<string>,
  atLimit: boolean,
): Found {
  const { lenders, rules, listed } = draft.view;
  const unread: string[] = [];
  for (const cidr of lenders) {
    if (!pools.some((pool) => containsPrefix(pool.cidr, cidr))) continue;
    const known = draft.block(cidr);
    if (known === undefined && unread.push(blockKey(cidr)) === borrowBatch) break;
    if (known?.value === undefined) continue;
    const ordinal = freeOrdinal(known.value, now, rules);
    if (ordinal !== undefined) return { block: known.value, ordinal };
  }
  if (unread.length > 0 && foreignRead(draft, fresh) < mostRead) return { need: { read: unread } };
  if (!listed) return { need: { list: true } };
  return { refusal: noRoom(draft, pools, now, { atLimit, partial: unread.length > 0 }) };
}

/** How many blocks that are not the node's were read since the request came in. */
function foreignRead(draft: Draft, fresh: ReadonlySet<string>): number {
  const own = new Set(draft.ownBlocks().map(({ cidr }) => blockKey(cidr)));
  let count = 0;
  for (const key of fresh) if (key.startsWith(blocksRoot) && !own.has(key)) count++;
  return count;
}
