/**
 * Which of a node's blocks go back to their pool. Pure: the records and the time go in.
 *
 * A block goes back when it is empty and nothing rests in it, and the node has not needed it for a while; one block of
 * each pool the node keeps, so that the next pod finds one announced. Where the pool is gone, is disabled or no longer
 * selects the node there is no next pod: such a block does not wait.
 */
import { type Block, restingCount } from "./block.ts";
import type { Draft } from "./draft.ts";
import { containsPrefix, type Prefix } from "./net/prefix.ts";
import type { Step } from "./plan.ts";
import type { Pool } from "./pool.ts";
import { type Rules, usualRules } from "./rules.ts";
import { type Labels, matches, parseSelector } from "./selector.ts";

/** Two deletions each: many fit beside other requests of the same transaction. */
const mostAtOnce = 24;

export interface Surroundings {
  readonly pools: readonly Pool[];
  /** Of the node. */
  readonly labels: Labels;
  readonly rules?: Rules;
}

/** @param idleMs how long a block must not have been needed */
export function blocksToReturn(
  own: readonly Block[],
  { pools, labels, rules = usualRules }: Surroundings,
  now: number,
  idleMs: number,
): Block[] {
  const kept = new Set<string>();
  const poolOf = (block: Block) => pools.find(({ cidr }) => containsPrefix(cidr, block.cidr));
  // A block in use is the one that is kept.
  for (const block of own) {
    const pool = poolOf(block);
    if (pool !== undefined && block.allocations.size > 0) kept.add(pool.name);
  }
  return own.filter((block) => {
    if (block.allocations.size > 0 || restingCount(block, now, rules) > 0) return false;
    const pool = poolOf(block);
    if (pool === undefined || !mayBeUsed(pool, labels)) return true;
    // The first claimed: where a node's pods are sought first.
    const spare = kept.has(pool.name);
    kept.add(pool.name);
    return spare && elapsed(lastNeeded(block), now) >= idleMs;
  });
}

/** Drafts the deletion of the blocks with their affinities; a later request of the draft that needs one keeps it. */
export function planReturn(draft: Draft, now: number, idleMs: number): Step<readonly Prefix[]> {
  const { pools, labels, rules } = draft.view;
  const blocks = blocksToReturn(draft.ownBlocks(), { pools, labels, rules }, now, idleMs).slice(0, mostAtOnce);
  for (const { cidr } of blocks) draft.returnBlock(cidr);
  return { done: blocks.map(({ cidr }) => cidr) };
}

/** Milliseconds since the epoch: when it was claimed, or when its last address came free. */
export function lastNeeded({ claimedAt, released }: Block): number {
  return Math.max(claimedAt, ...released.values());
}

/** Manual pools are for whoever names them, and a faulty selector decides nothing: their blocks wait like others. */
function mayBeUsed({ disabled, nodeSelector }: Pool, labels: Labels): boolean {
  if (disabled) return false;
  const parsed = parseSelector(nodeSelector);
  return "error" in parsed || matches(parsed.selector, labels);
}

// Either way round: a clock that was set back must not keep a block for hours.
function elapsed(since: number, now: number): number {
  return Math.abs(now - since);
}
