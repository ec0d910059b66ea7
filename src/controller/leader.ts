/**
 * One controller acts at a time: the one whose name is in the lock record, and whose heartbeat moves its revision.
 *
 * Who waits compares revisions and its own clock, never clocks of two machines: a record that did not change for the
 * expiry time is taken over. Each act expects the revision of the leader's last heartbeat, so that one who has lost the
 * record without knowing it can do nothing. See docs/decisions/controller-lock.md.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Committed, Revision, Store, Transaction } from "../../ipam/store.ts";

const KEY = "/overland/v1/controller/leader";

export interface LeaderTerms {
  readonly beatMs: number;
  /** Without a heartbeat of the leader for this long another one takes over. */
  readonly expiryMs: number;
}

export const usualTerms: LeaderTerms = { beatMs: 5_000, expiryMs: 15_000 };

/** One who may act, and the store as it writes it. */
export interface Fence {
  readonly leads: boolean;
  /** Commits as the leader, or not at all. */
  commit(transaction: Transaction): Promise<boolean>;
  /** Who does not lead finds that nothing can be committed. */
  readonly store: Store;
}

export class Leadership implements Fence {
  readonly #store: Store;
  readonly #terms: LeaderTerms;
  readonly #run = randomUUID();
  readonly #own: string;
  #held: Revision | undefined;
  #seen:
    | { readonly revision: Revision; readonly at: number; readonly who: string; readonly alive: boolean }
    | undefined;

  constructor(store: Store, terms: LeaderTerms = usualTerms) {
    this.#store = store;
    this.#terms = terms;
    this.#own = JSON.stringify({ run: this.#run, host: hostname(), pid: process.pid });
  }

  get leads(): boolean {
    return this.#held !== undefined;
  }

  /** Another controller that is active, as far as known. */
  get other(): string | undefined {
    return this.leads ? undefined : this.#seen?.who;
  }

  /** True: a heartbeat of the other one was seen. */
  get otherLives(): boolean {
    return !this.leads && this.#seen?.alive === true;
  }

  /**
   * Renews the lock, takes it if it is free or its holder silent, or waits. Throws StoreUnavailable.
   *
   * @param elected somebody else's election says that this one acts: the lock is taken without waiting
   */
  async beat(now: number, elected = false): Promise<void> {
    const [entry] = await this.#store.get([KEY]);
    const ours = entry !== undefined && holderOf(entry.value).run === this.#run;
    if (entry !== undefined && !ours && !elected) {
      this.#held = undefined;
      const { revision, at } = this.#seen ?? {};
      if (revision !== entry.modRevision || at === undefined) {
        const alive = this.#seen !== undefined;
        this.#seen = { revision: entry.modRevision, at: now, who: holderOf(entry.value).text, alive };
        return;
      }
      if (now - at < this.#terms.expiryMs) return;
    }
    const expect = [{ key: KEY, modRevision: entry?.modRevision ?? 0n }];
    const committed = await this.#store.commit({ expect, put: [{ key: KEY, value: this.#own }], delete: [] });
    this.#held = committed.committed ? committed.revision : undefined;
    if (committed.committed) this.#seen = undefined;
  }

  async commit(transaction: Transaction): Promise<boolean> {
    return (await this.#fenced(transaction)).committed;
  }

  get store(): Store {
    const store = this.#store;
    return {
      get: (keys) => store.get(keys),
      list: (prefix) => store.list(prefix),
      listKeys: (prefix) => store.listKeys(prefix),
      commit: (transaction) => this.#fenced(transaction),
      watch: (prefix, listener) => store.watch(prefix, listener),
      close: () => store.close(),
    };
  }

  async #fenced(transaction: Transaction): Promise<Committed> {
    if (this.#held === undefined) return { committed: false };
    const expect = [...transaction.expect, { key: KEY, modRevision: this.#held }];
    return await this.#store.commit({ ...transaction, expect });
  }

  /** So that a successor need not wait. */
  async resign(): Promise<void> {
    if (this.#held === undefined) return;
    const expect = [{ key: KEY, modRevision: this.#held }];
    this.#held = undefined;
    await this.#store.commit({ expect, put: [], delete: [KEY] });
  }
}

function holderOf(value: string): { readonly run: string; readonly text: string } {
  try {
    const { run, host, pid } = JSON.parse(value) as { run: string; host: string; pid: number };
    return { run, text: `host ${host}, pid ${pid}` };
  } catch {
    return { run: "", text: "unknown" };
  }
}
