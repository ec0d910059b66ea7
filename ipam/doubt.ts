/**
 * Settling writes whose outcome is unknown: they may have been applied, or may still be on their way.
 *
 * Reading again is not enough, since a delayed write can arrive after the read. Every transaction expects revisions, so
 * raising one of them bars it for ever: a block it expects is written again unchanged, or, where it expected the block
 * not to exist, claimed empty. In the same transaction addresses are freed again whose asker was told of a failure.
 */
import { decodeBlock, emptyBlock } from "./block.ts";
import { Draft } from "./draft.ts";
import { around } from "./find-address.ts";
import { blockOfKey, handleOfKey } from "./keys.ts";
import { type Fresh, planRelease } from "./plan.ts";
import type { Transaction } from "./store.ts";
import type { View } from "./view.ts";

/** Everything that must be read before {@link planSettlement}. */
export function keysInDoubt(doubts: readonly Transaction[]): string[] {
  return [...new Set(doubts.flatMap(({ expect }) => expect.map(({ key }) => key)))];
}

/**
 * @param doubts transactions that may still be applied
 * @param orphans handles whose request was answered with a failure after a write in doubt
 */
export function planSettlement(
  view: View,
  doubts: readonly Transaction[],
  orphans: Iterable<string>,
  now: number,
  fresh: Fresh,
): { readonly draft: Draft } | { readonly read: readonly string[] } {
  const draft = new Draft(view);
  for (const transaction of doubts) if (mayStillHappen(view, transaction)) bar(draft, transaction, now);
  for (const handle of orphans) {
    const step = planRelease(draft, handle, now, fresh);
    // A record that cannot be read is left to the audit: it must not stop the others.
    if ("need" in step && "read" in step.need) return { read: step.need.read };
  }
  return { draft };
}

function mayStillHappen(view: View, transaction: Transaction): boolean {
  return transaction.expect.every(({ key, modRevision }) => {
    const cidr = blockOfKey(key);
    const handle = handleOfKey(key);
    const known = cidr !== undefined ? view.block(cidr) : handle !== undefined ? view.handle(handle) : undefined;
    return known?.modRevision === modRevision;
  });
}

function bar(draft: Draft, transaction: Transaction, now: number): void {
  for (const { key, value } of transaction.put) {
    const block = blockOfKey(key) === undefined ? undefined : decodeBlock(value);
    if (block === undefined) continue;
    const there = draft.block(block.cidr)?.value;
    if (there !== undefined) draft.putBlock(there);
    else draft.claimBlock(emptyBlock(block.cidr, block.pool, block.node, now), around(block.cidr));
    return;
  }
}
