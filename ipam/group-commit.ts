/**
 * Requests become transactions: those that come while a commit is under way wait, are planned together and are written
 * in one. A conflict costs a read of what differed and a new plan; so does an unknown outcome, once it is settled.
 */
import { type Batch, type Job, planBatch } from "./batch.ts";
import { Doubts } from "./doubt.ts";
import { affinitiesOf, blockKey, blockOfKey, blocksRoot } from "./keys.ts";
import { prefixKey } from "./net/prefix.ts";
import { Refusal } from "./refusal.ts";
import { isStoreUnavailable, type Store } from "./store.ts";
import { likelyBlocks } from "./unclaimed.ts";
import type { View } from "./view.ts";

export interface AllocatorPorts {
  readonly store: Store;
  /** Milliseconds since the epoch. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  wait(ms: number): Promise<void>;
}

const requestsPerTransaction = 32;
/** Several were answered together a moment ago: as many are likely to come again, and are waited for so long. */
const recentMs = 100;
const gatherMs = 4;
const mostConflicts = 20;
const mostFailures = 3;
/** After a request has met a failure and is older than this, it fails. */
const patienceMs = 2000;
const mostReads = 1000;

export class GroupCommit {
  readonly #ports: AllocatorPorts;
  readonly #view: View;
  readonly #blocksChanged: () => void;
  readonly #waiting: Job[] = [];
  #active: Job[] = [];
  #working = false;
  #loaded = false;
  /** How many were answered by the last transaction, and when. */
  #last = { answered: 0, at: 0 };
  #gathered: (() => void) | undefined;
  readonly #doubts = new Doubts();
  #announced = "";

  /** @param blocksChanged called when the node's blocks are others than before, ahead of the answer that tells so */
  constructor(view: View, ports: AllocatorPorts, blocksChanged: () => void) {
    this.#view = view;
    this.#ports = ports;
    this.#blocksChanged = blocksChanged;
  }

  submit(job: Job): void {
    this.#waiting.push(job);
    if (this.#waiting.length >= this.#last.answered) this.#gathered?.();
    if (!this.#working) void this.#work();
  }

  /** The node's blocks are read again before anything else is done. */
  reload(): void {
    this.#loaded = false;
  }

  /** Writes and handles in doubt. */
  get unsettled(): number {
    return this.#doubts.size;
  }

  async #work(): Promise<void> {
    this.#working = true;
    // Requests made in the same turn go into the same transaction.
    await Promise.resolve();
    while (this.#waiting.length + this.#active.length > 0) {
      if (this.#active.length === 0) await this.#gather();
      const joining = this.#waiting.splice(0, requestsPerTransaction - this.#active.length);
      if (joining.length > 0) this.#view.expire(this.#ports.now());
      this.#active.push(...joining);
      try {
        await this.#round();
      } catch (error) {
        await this.#afterFailure(error);
      }
    }
    this.#working = false;
  }

  /**
   * Under load each transaction would carry the few that came during the one before, and each costs as much as it does
   * for many. Whoever comes alone waits for nobody.
   */
  async #gather(): Promise<void> {
    const { answered, at } = this.#last;
    if (answered < 2 || this.#waiting.length >= answered || this.#ports.now() - at > recentMs) return;
    const full = new Promise<void>((resolve) => {
      this.#gathered = resolve;
    });
    await Promise.race([full, this.#ports.wait(gatherMs)]);
    this.#gathered = undefined;
  }

  async #round(): Promise<void> {
    if (!this.#loaded) await this.#load();
    await this.#settle();
    const batch = planBatch(this.#view, this.#active, this.#ports.now());
    for (const { job, refusal } of batch.refused) this.#fail(job, refusal);
    if (batch.draft.isEmpty) this.#answer(batch);
    else await this.#commit(batch);
    if (batch.list) await this.#list();
    if (batch.keys.size > 0) await this.#read([...batch.keys]);
    for (const job of this.#active) if (job.reads > mostReads) this.#fail(job, busy());
  }

  async #commit(batch: Batch): Promise<void> {
    const transaction = batch.draft.transaction();
    const committing = this.#ports.store.commit(transaction).catch((error: unknown) => {
      if (!isStoreUnavailable(error) || error.outcome === "not-applied") throw error;
      this.#doubts.add(transaction);
      // What was read before the lost write says nothing about what is there after it.
      for (const { job } of batch.planned) job.fresh.clear();
      throw error;
    });
    for (const { job, answer } of batch.planned) job.planned?.(answer);
    const committed = await committing;
    if (committed.committed) {
      batch.draft.committed(committed.revision);
      this.#answer(batch);
      return;
    }
    let conflicts = 0;
    for (const { job } of batch.planned) {
      conflicts = Math.max(conflicts, ++job.conflicts);
      if (job.conflicts > mostConflicts) this.#fail(job, busy());
    }
    await this.#pause(conflicts);
    await this.#read(transaction.expect.map(({ key }) => key));
  }

  /** A random while, longer with each conflict: so that those who contend do not meet again. */
  async #pause(conflicts: number): Promise<void> {
    await this.#ports.wait(this.#ports.random() * 4 * 2 ** Math.min(conflicts, 6));
  }

  async #settle(): Promise<void> {
    const awaited = new Set([...this.#active, ...this.#waiting].map(({ handle }) => handle));
    await this.#doubts.settle(this.#view, awaited, {
      read: (keys) => this.#read(keys),
      commit: async (draft) => {
        const committed = await this.#ports.store.commit(draft.transaction());
        if (committed.committed) draft.committed(committed.revision);
        return committed.committed;
      },
      pause: (conflicts) => this.#pause(conflicts),
      now: () => this.#ports.now(),
    });
  }

  #answer(batch: Batch): void {
    this.#announce();
    this.#last = { answered: batch.planned.length, at: this.#ports.now() };
    for (const { job, answer } of batch.planned) {
      this.#leave(job);
      if (job.handle !== undefined) this.#doubts.answered(job.handle);
      job.resolve(answer);
    }
  }

  #fail(job: Job, error: unknown): void {
    this.#leave(job);
    job.reject(error);
  }

  #leave(job: Job): void {
    this.#active = this.#active.filter((other) => other !== job);
  }

  async #afterFailure(error: unknown): Promise<void> {
    let failures = 0;
    for (const job of this.#active) {
      failures = Math.max(failures, ++job.failures);
      const late = job.failures > mostFailures || this.#ports.now() - job.since > patienceMs;
      if (late || !isStoreUnavailable(error)) this.#fail(job, error);
    }
    if (this.#active.length > 0) await this.#ports.wait((0.5 + this.#ports.random() / 2) * 25 * 2 ** failures);
  }

  async #load(): Promise<void> {
    const { entries } = await this.#ports.store.list(affinitiesOf(this.#view.node));
    const cidrs = this.#view.unreadable.learnAffinities(entries);
    const known = this.#view.ownBlocks().map(({ cidr }) => cidr);
    // In the same read: which of the blocks that the node would claim first are free.
    const likely = likelyBlocks(this.#view);
    const blocks = [...cidrs, ...known, ...likely].map(blockKey);
    await this.#read([...new Set([...blocks, ...this.#view.unreadable.toReadAgain()])]);
    this.#loaded = true;
  }

  async #list(): Promise<void> {
    const keys = await this.#ports.store.listKeys(blocksRoot);
    this.#view.learnListing(keys.flatMap((key) => blockOfKey(key) ?? []));
  }

  async #read(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const entries = await this.#ports.store.get(keys);
    for (const [i, key] of keys.entries()) {
      this.#view.learn(key, entries[i]);
      for (const job of this.#active) job.fresh.add(key);
    }
    this.#announce();
  }

  #announce(): void {
    const now = this.#view.ownBlocks().map(({ cidr }) => prefixKey(cidr));
    const text = now.join(" ");
    if (text === this.#announced) return;
    this.#announced = text;
    this.#blocksChanged();
  }
}

function busy(): Refusal {
  return new Refusal("busy", "others kept changing the same addresses: try again", true);
}
