/**
 * Settling writes whose outcome is unknown: they may have been applied, or may still be on their way.
 *
 * Reading again is not enough, since a delayed write can arrive after the read. Every transaction expects revisions, so
 * raising one of them bars it for ever: a block it expects is written again unchanged, or, where it expected the block
 * not to exist, claimed empty. In the same transaction addresses are freed again whose asker was told of a failure,
 * unless the asker went to another process meanwhile and got them there.
 */
import { decodeBlock, emptyBlock } from "./block.ts";
import { Draft } from "./draft.ts";
import { blockOfKey, handleKey, handleOfKey } from "./keys.ts";
import { type Fresh, planRelease } from "./plan.ts";
import { isStoreUnavailable, StoreUnavailable, type Transaction } from "./store.ts";
import { around } from "./unclaimed.ts";
import { keysOfHandle, type View } from "./view.ts";

export interface SettlementPorts {
  /** Reads into the view. */
  read(keys: readonly string[]): Promise<void>;
  /** False: a conflict. */
  commit(draft: Draft): Promise<boolean>;
  pause(conflicts: number): Promise<void>;
  now(): number;
}

const mostConflicts = 20;

export class Doubts {
  #transactions: Transaction[] = [];
  /** Handles that may hold something nobody was told of. */
  readonly #orphans = new Set<string>();

  get size(): number {
    return this.#transactions.length + this.#orphans.size;
  }

  add(transaction: Transaction): void {
    this.#addOnce(transaction);
    for (const { key, modRevision } of transaction.expect) {
      const handle = handleOfKey(key);
      // Only if it makes the record does all that the record holds come from here.
      if (handle !== undefined && modRevision === 0n) this.#orphans.add(handle);
    }
  }

  /** Its owner knows what it holds. */
  answered(handle: string): void {
    this.#orphans.delete(handle);
  }

  /** @param awaited handles whose request is not answered yet: what they turn out to hold will be the answer */
  async settle(view: View, awaited: ReadonlySet<string | undefined>, ports: SettlementPorts): Promise<void> {
    const idle = [...this.#orphans].every((handle) => awaited.has(handle));
    if (this.#transactions.length === 0 && idle) return;
    const fresh = new Set<string>();
    let keys: readonly string[] = keysInDoubt(this.#transactions);
    for (let conflicts = 0; conflicts < mostConflicts; ) {
      await ports.read(keys);
      for (const key of keys) fresh.add(key);
      const step = planSettlement(view, this.#transactions, this.#orphans, awaited, ports.now(), fresh);
      if ("read" in step) {
        keys = step.read;
        continue;
      }
      const transaction = step.draft.transaction();
      if (step.draft.isEmpty || (await this.#commit(step.draft, ports))) {
        this.#transactions = [];
        for (const handle of step.settled) this.#orphans.delete(handle);
        if (step.all) return;
        keys = [];
        continue;
      }
      // Not only what was read here may be out of date, also a block remembered from before.
      keys = [...new Set([...fresh, ...transaction.expect.map(({ key }) => key)])];
      await ports.pause(++conflicts);
    }
    throw new StoreUnavailable("the outcome of an earlier write could not be settled", "not-applied");
  }

  async #commit(draft: Draft, ports: SettlementPorts): Promise<boolean> {
    try {
      return await ports.commit(draft);
    } catch (error) {
      // Late, it would free what may be given out by then: it must be barred like any other.
      if (isStoreUnavailable(error) && error.outcome === "unknown") this.#addOnce(draft.transaction());
      throw error;
    }
  }

  /** Of those that expect the same one stands for all, since what bars it bars them: a long outage leaves one. */
  #addOnce(transaction: Transaction): void {
    const expected = expectationsOf(transaction);
    if (this.#transactions.some((other) => expectationsOf(other) === expected)) return;
    this.#transactions.push(transaction);
  }
}

function expectationsOf({ expect }: Transaction): string {
  return expect
    .map(({ key, modRevision }) => `${key} ${modRevision}`)
    .sort()
    .join("\n");
}

function keysInDoubt(doubts: readonly Transaction[]): string[] {
  return [...new Set(doubts.flatMap(({ expect }) => expect.map(({ key }) => key)))];
}

interface Settlement {
  readonly draft: Draft;
  /** Orphans that are none any more once the draft is committed. */
  readonly settled: readonly string[];
  /** False: there are more than one transaction holds. */
  readonly all: boolean;
}

function planSettlement(
  view: View,
  doubts: readonly Transaction[],
  orphans: Iterable<string>,
  awaited: ReadonlySet<string | undefined>,
  now: number,
  fresh: Fresh,
): Settlement | { readonly read: readonly string[] } {
  let draft = new Draft(view);
  const settled: string[] = [];
  const read: string[] = [];
  let all = true;
  for (const transaction of doubts) if (mayStillHappen(view, transaction)) bar(draft, transaction, now);
  for (const handle of orphans) {
    const known = view.handle(handle);
    const ours = known?.value?.writer === view.writer;
    if (known === undefined || !fresh.has(handleKey(handle))) read.push(...keysOfHandle(handle, known?.value));
    if (ours && awaited.has(handle)) continue;
    // No record: it never happened. Another's: that process has answered with it, and the addresses are in use.
    const fork = draft.fork();
    const step = ours ? planRelease(fork, handle, now, fresh) : undefined;
    if (step !== undefined && "need" in step && "read" in step.need) read.push(...step.need.read);
    if (fork.fits()) {
      draft = fork;
      settled.push(handle);
    } else all = false;
  }
  return read.length > 0 ? { read } : { draft, settled, all };
}

/**
 * A block's revision does not come back; that a handle does not exist may come true again with its release. So may that
 * a block does not exist, once the one written to bar a claim is given back, minutes later: a claim still under way
 * then happens whole, and what it assigns to nobody is found and freed as a leak.
 */
function mayStillHappen(view: View, transaction: Transaction): boolean {
  return transaction.expect.every(({ key, modRevision }) => {
    const cidr = blockOfKey(key);
    if (cidr !== undefined) return view.block(cidr)?.modRevision === modRevision;
    const handle = handleOfKey(key);
    return modRevision === 0n || handle === undefined || view.handle(handle)?.modRevision === modRevision;
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
  // One that only gives blocks back: what it would delete is there still, or it could not happen any more.
  for (const key of transaction.delete) {
    const cidr = blockOfKey(key);
    const there = cidr && draft.block(cidr)?.value;
    if (there === undefined) continue;
    draft.putBlock(there);
    return;
  }
}
