/**
 * A node's addresses: gives them out, takes them back, and keeps the store and what this node knows of it in step.
 *
 * Requests that come while a commit is under way wait, are planned together and become one transaction (group commit).
 * A conflict costs a read of what differed and a new plan; so does an unknown outcome, after it is settled. Nothing is
 * answered that is not in the store.
 */
import { type Batch, type Job, planBatch } from "./batch.ts";
import type { Block } from "./block.ts";
import { keysInDoubt, planSettlement } from "./doubt.ts";
import type { Draft } from "./draft.ts";
import { affinitiesOf, affinityOfKey, blockKey, blockOfKey, blocksRoot, handleKey } from "./keys.ts";
import type { Address } from "./net/address.ts";
import { formatPrefix } from "./net/prefix.ts";
import {
  type Assigned,
  type AssignRequest,
  type Fresh,
  planAssign,
  planLookup,
  planRelease,
  type Step,
} from "./plan.ts";
import type { Pool } from "./pool.ts";
import { Refusal } from "./refusal.ts";
import type { Labels } from "./selector.ts";
import { isStoreUnavailable, type Store, StoreUnavailable, type Transaction } from "./store.ts";
import { View } from "./view.ts";

export interface AllocatorPorts {
  readonly store: Store;
  /** Milliseconds since the epoch. */
  now(): number;
  /** From 0 to below 1. */
  random(): number;
  wait(ms: number): Promise<void>;
}

const requestsPerTransaction = 32;
const mostConflicts = 20;
const mostFailures = 3;
/** After a request has met a failure and is older than this, it fails. */
const patienceMs = 2000;
const mostReads = 1000;

export class Allocator {
  readonly #ports: AllocatorPorts;
  readonly #view: View;
  readonly #waiting: Job[] = [];
  #active: Job[] = [];
  #working = false;
  #loaded = false;
  /** Writes whose outcome is unknown: settled before anything else is written. */
  #doubts: Transaction[] = [];
  /** Handles that may hold something though their request was answered with a failure. */
  readonly #orphans = new Set<string>();
  readonly #listeners: (() => void)[] = [];
  #announced = "";

  constructor(node: string, ports: AllocatorPorts) {
    this.#ports = ports;
    this.#view = new View(node);
  }

  setPools(pools: readonly Pool[]): void {
    this.#view.pools = pools;
  }

  setNodeLabels(labels: Labels): void {
    this.#view.labels = labels;
  }

  /** Reads this node's blocks; the first request does so, too. Throws StoreUnavailable. */
  async load(): Promise<void> {
    this.#loaded = false;
    await this.#request(() => ({ done: undefined }));
  }

  /**
   * One address for each family, all or none, durable when this resolves. The same handle gets the same addresses again.
   * Throws {@link Refusal} when the request cannot be met, StoreUnavailable when the store does not answer: what may have
   * been assigned then is freed by release(), or by this allocator as soon as the store is back.
   */
  async assign(request: AssignRequest): Promise<readonly Assigned[]> {
    const { handle } = request.workload;
    return await this.#request((draft, now, fresh) => planAssign(draft, request, now, fresh), handle);
  }

  /** Frees all the handle holds and tells what that was: nothing, if it held nothing. Throws StoreUnavailable. */
  async release(handle: string): Promise<readonly Address[]> {
    let planned: readonly Address[] = [];
    return await this.#request((draft, now, fresh) => {
      const step = planRelease(draft, handle, now, fresh);
      if (!("done" in step)) return step;
      // After a lost reply nothing is left to free; what the lost transaction freed is the answer all the same.
      if (step.done.length > 0) planned = step.done;
      return { done: planned };
    });
  }

  /** What the handle holds, from the store. */
  async assignmentsOf(handle: string): Promise<readonly Assigned[]> {
    return await this.#request((draft, _now, fresh) => planLookup(draft, handle, fresh));
  }

  /** This node's blocks as last known, the first claimed first. */
  blocks(): readonly Block[] {
    return this.#view.ownBlocks();
  }

  /** Called when a block was claimed, found or lost, before the request that caused it is answered. */
  onBlocksChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #request<T>(plan: (draft: Draft, now: number, fresh: Fresh) => Step<T>, handle?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({
        plan,
        resolve: resolve as (answer: unknown) => void,
        reject,
        handle,
        since: this.#ports.now(),
        fresh: new Set(),
        doubtful: false,
        conflicts: 0,
        failures: 0,
        reads: 0,
      });
      if (!this.#working) void this.#work();
    });
  }

  async #work(): Promise<void> {
    this.#working = true;
    // Requests made in the same turn go into the same transaction.
    await Promise.resolve();
    while (this.#waiting.length + this.#active.length > 0) {
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

  async #round(): Promise<void> {
    if (!this.#loaded) await this.#load();
    await this.#settle();
    const batch = planBatch(this.#view, this.#active, this.#ports.now());
    for (const { job, refusal } of batch.refused) this.#fail(job, refusal);
    if (batch.draft.isEmpty) this.#answer(batch);
    else await this.#commit(batch);
    if (batch.list) await this.#list();
    if (batch.keys.size > 0) await this.#read([...batch.keys]);
    for (const job of [...this.#active]) if (job.reads > mostReads) this.#fail(job, busy());
  }

  async #commit(batch: Batch): Promise<void> {
    const transaction = batch.draft.transaction();
    const committed = await this.#ports.store.commit(transaction).catch((error: unknown) => {
      if (!isStoreUnavailable(error) || error.outcome === "not-applied") throw error;
      this.#doubts.push(transaction);
      for (const { job } of batch.planned) {
        // What was read before the lost write says nothing about what is there after it.
        job.fresh.clear();
        if (job.handle !== undefined) job.doubtful ||= creates(transaction, job.handle);
      }
      throw error;
    });
    if (committed.committed) {
      this.#view.applied(transaction, committed.revision);
      this.#answer(batch);
      return;
    }
    let conflicts = 0;
    for (const { job } of batch.planned) {
      conflicts = Math.max(conflicts, ++job.conflicts);
      if (job.conflicts > mostConflicts) this.#fail(job, busy());
    }
    await this.#ports.wait(this.#ports.random() * 4 * 2 ** Math.min(conflicts, 6));
    await this.#read(transaction.expect.map(({ key }) => key));
  }

  #answer(batch: Batch): void {
    this.#announce();
    for (const { job, answer } of batch.planned) {
      this.#leave(job);
      if (job.handle !== undefined) this.#orphans.delete(job.handle);
      job.resolve(answer);
    }
  }

  #fail(job: Job, error: unknown): void {
    this.#leave(job);
    if (job.doubtful && job.handle !== undefined) this.#orphans.add(job.handle);
    job.reject(error);
  }

  #leave(job: Job): void {
    this.#active = this.#active.filter((other) => other !== job);
  }

  async #afterFailure(error: unknown): Promise<void> {
    let failures = 0;
    for (const job of [...this.#active]) {
      failures = Math.max(failures, ++job.failures);
      const late = job.failures > mostFailures || this.#ports.now() - job.since > patienceMs;
      if (late || !isStoreUnavailable(error)) this.#fail(job, error);
    }
    if (this.#active.length > 0) await this.#ports.wait((0.5 + this.#ports.random() / 2) * 25 * 2 ** failures);
  }

  async #load(): Promise<void> {
    const { entries } = await this.#ports.store.list(affinitiesOf(this.#view.node));
    const cidrs = entries.flatMap(({ key }) => affinityOfKey(key)?.cidr ?? []);
    const known = this.#view.ownBlocks().map(({ cidr }) => cidr);
    await this.#read([...new Set([...cidrs, ...known].map(blockKey))]);
    this.#loaded = true;
    this.#announce();
  }

  async #settle(): Promise<void> {
    const awaited = new Set([...this.#active, ...this.#waiting].map(({ handle }) => handle));
    const orphans = [...this.#orphans].filter((handle) => !awaited.has(handle));
    if (this.#doubts.length + orphans.length === 0) return;
    const fresh = new Set<string>();
    let keys: readonly string[] = keysInDoubt(this.#doubts);
    for (let tries = 0; tries < mostConflicts; tries++) {
      await this.#read(keys);
      for (const key of keys) fresh.add(key);
      const step = planSettlement(this.#view, this.#doubts, orphans, this.#ports.now(), fresh);
      if ("read" in step) keys = step.read;
      else if (await this.#commitAlone(step.draft)) {
        this.#doubts = [];
        for (const handle of orphans) this.#orphans.delete(handle);
        return;
      } else keys = [...fresh];
    }
    throw new StoreUnavailable("the outcome of an earlier write could not be settled", "not-applied");
  }

  async #commitAlone(draft: Draft): Promise<boolean> {
    if (draft.isEmpty) return true;
    const transaction = draft.transaction();
    const committed = await this.#ports.store.commit(transaction);
    if (committed.committed) this.#view.applied(transaction, committed.revision);
    return committed.committed;
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
  }

  #announce(): void {
    const now = this.#view.ownBlocks().map(({ cidr }) => formatPrefix(cidr));
    const text = now.join(" ");
    if (text === this.#announced) return;
    this.#announced = text;
    for (const listener of this.#listeners) listener();
  }
}

/** True when the transaction makes the handle's record, so that all it holds afterwards comes from there. */
function creates(transaction: Transaction, handle: string): boolean {
  return transaction.expect.some(({ key, modRevision }) => key === handleKey(handle) && modRevision === 0n);
}

function busy(): Refusal {
  return new Refusal("busy", "others kept changing the same addresses: try again", true);
}
