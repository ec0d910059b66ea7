/** A block that nobody has, for a node to claim. */
import { type Block, emptyBlock } from "./block.ts";
import { candidateBlocks } from "./candidates.ts";
import type { Draft } from "./draft.ts";
import type { Need } from "./find-address.ts";
import { blockKey } from "./keys.ts";
import { type Prefix, prefixAround } from "./net/prefix.ts";
import { automaticPools, blockCount, type Pool } from "./pool.ts";
import type { View } from "./view.ts";

/** So many candidates are looked up at once: one read tells which of them are free. */
const probeSize = 8;
/** So many candidates may turn out to be others' for one request before it asks which blocks exist at all. */
const mostTaken = 24;
/** So many reserved candidates are passed over, in a pool of which nearly everything is reserved. */
const mostReserved = 20_000;
/** The largest blocks there can be: a claim checks that none of these is around it. */
const largestBlock = { 4: 20, 16: 116 };

/**
 * Undefined: every block of the pool has an owner, or is reserved.
 *
 * @param fresh keys read since the request came in
 */
export function findUnclaimed(
  draft: Draft,
  pool: Pool,
  fresh: ReadonlySet<string>,
): { readonly cidr: Prefix } | { readonly need: Need } | undefined {
  const { view } = draft;
  const { reserved } = view.rules;
  if (view.isExhausted(pool) || reserved.cover(pool.cidr)) return undefined;
  if (view.listed && view.countWithin(pool.cidr) >= blockCount(pool)) {
    view.exhausted(pool);
    return undefined;
  }
  const unknown: Prefix[] = [];
  let [taken, passed] = [0, 0];
  for (const cidr of candidateBlocks(pool, view.node)) {
    if (reserved.cover(cidr)) {
      if (++passed > mostReserved) break;
      continue;
    }
    const overlapping = draft.overlapping(cidr);
    if (overlapping !== undefined) {
      const lookedUp = overlapping.foreign && !view.listed && fresh.has(blockKey(cidr));
      if (lookedUp && ++taken >= mostTaken) return { need: { list: true } };
      continue;
    }
    if (view.listed || draft.block(cidr)?.modRevision === 0n) return { cidr };
    unknown.push(cidr);
    if (unknown.length === probeSize) break;
  }
  if (unknown.length > 0) return { need: { read: unknown.map(blockKey) } };
  if (!view.listed) return { need: { list: true } };
  view.exhausted(pool);
  return undefined;
}

/** Those that the node would look up first for its next claim, in the pools it may use without being told to. */
export function likelyBlocks(view: View): Prefix[] {
  return ([4, 6] as const).flatMap((family) => {
    const [pool] = automaticPools(view.pools, family, view.labels).pools;
    const likely: Prefix[] = [];
    for (const cidr of pool === undefined ? [] : candidateBlocks(pool, view.node)) {
      if (likely.push(cidr) === probeSize) break;
    }
    return likely;
  });
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
