/**
 * The store in memory, for tests and simulations: same promises as etcd, and every fault a network can add on request.
 */
import {
  type Committed,
  checkTransaction,
  type Entry,
  type Revision,
  type Store,
  StoreUnavailable,
  type Transaction,
  type WatchListener,
} from "./store.ts";

export interface StoreCall {
  readonly kind: "get" | "list" | "listKeys" | "commit";
  /** Counts the calls made through this store from 1. */
  readonly number: number;
}

/**
 * - lose-request: the call fails and was not applied, but the caller cannot know
 * - lose-reply: the call fails and was applied, but the caller cannot know
 * - delay-request: the call fails, and is applied at {@link MemoryStore.deliverDelayed}
 * - refuse: the call fails, was not applied, and the caller is told so
 * - conflict: a commit answers that a revision differs, whatever the truth
 */
export type Interference = "lose-request" | "lose-reply" | "delay-request" | "refuse" | "conflict";

/** Asked before each call; a promise holds the call back, so that others overtake it. */
export type Interfere = (call: StoreCall) => Interference | undefined | Promise<Interference | undefined>;

interface Content {
  readonly entries: Map<string, Entry>;
  readonly watches: Set<{ readonly prefix: string; readonly listener: WatchListener }>;
  readonly delayed: (() => void)[];
  revision: Revision;
}

export class MemoryStore implements Store {
  interfere: Interfere = () => undefined;
  #content: Content = { entries: new Map(), watches: new Set(), delayed: [], revision: 1n };
  #calls = 0;
  #closed = false;

  /** Another client of the same content, with faults and a count of its own. */
  anotherClient(): MemoryStore {
    const client = new MemoryStore();
    client.#content = this.#content;
    return client;
  }

  get calls(): number {
    return this.#calls;
  }

  get(keys: readonly string[]): Promise<readonly (Entry | undefined)[]> {
    return this.#call("get", () => keys.map((key) => this.#content.entries.get(key)));
  }

  list(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly Entry[] }> {
    return this.#call("list", () => ({ revision: this.#content.revision, entries: this.#under(prefix) }));
  }

  listKeys(prefix: string): Promise<readonly string[]> {
    return this.#call("listKeys", () => this.#under(prefix).map(({ key }) => key));
  }

  async commit(transaction: Transaction): Promise<Committed> {
    checkTransaction(transaction);
    return this.#call("commit", () => this.#apply(transaction), { committed: false });
  }

  watch(prefix: string, listener: WatchListener): () => void {
    const watch = { prefix, listener };
    let stopped = false;
    void Promise.resolve().then(() => {
      if (stopped || this.#closed) return;
      this.#content.watches.add(watch);
      listener.snapshot(this.#under(prefix), this.#content.revision);
    });
    return () => {
      stopped = true;
      this.#content.watches.delete(watch);
    };
  }

  /** As after a lost connection: every watch hears of trouble, then gets a snapshot. */
  disturbWatches(reason: string): void {
    for (const { prefix, listener } of this.#content.watches) {
      listener.trouble(reason);
      listener.snapshot(this.#under(prefix), this.#content.revision);
    }
  }

  /** Applies what was held back on its way: long after its caller gave up. */
  deliverDelayed(): void {
    for (const work of this.#content.delayed.splice(0)) work();
  }

  async close(): Promise<void> {
    this.#closed = true;
  }

  async #call<T>(kind: StoreCall["kind"], work: () => T, conflict?: T): Promise<T> {
    if (this.#closed) throw new StoreUnavailable(`${kind}: the store is closed`, "not-applied");
    const interference = await this.interfere({ kind, number: ++this.#calls });
    if (interference === "conflict" && conflict !== undefined) return conflict;
    if (interference === "refuse") throw new StoreUnavailable(`${kind}: refused`, "not-applied");
    if (interference === "lose-request") throw new StoreUnavailable(`${kind}: no answer`, "unknown");
    if (interference === "delay-request") {
      if (kind === "commit") this.#content.delayed.push(work);
      throw new StoreUnavailable(`${kind}: no answer`, "unknown");
    }
    const answer = work();
    if (interference === "lose-reply") throw new StoreUnavailable(`${kind}: no answer`, "unknown");
    return answer;
  }

  #under(prefix: string): Entry[] {
    const found = [...this.#content.entries.values()].filter(({ key }) => key.startsWith(prefix));
    return found.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #apply(transaction: Transaction): Committed {
    const { entries } = this.#content;
    const holds = transaction.expect.every(
      ({ key, modRevision }) => (entries.get(key)?.modRevision ?? 0n) === modRevision,
    );
    if (!holds) return { committed: false };
    const changes = new Map<string, Entry | undefined>();
    const modRevision = this.#content.revision + 1n;
    for (const { key, value } of transaction.put) changes.set(key, { key, value, modRevision });
    for (const key of transaction.delete) if (entries.has(key)) changes.set(key, undefined);
    // As in etcd, a transaction that changes nothing takes no revision.
    if (changes.size > 0) this.#content.revision = modRevision;
    for (const [key, entry] of changes) {
      if (entry === undefined) entries.delete(key);
      else entries.set(key, entry);
    }
    for (const [key, entry] of changes) this.#tell(key, entry);
    return { committed: true, revision: this.#content.revision };
  }

  #tell(key: string, entry: Entry | undefined): void {
    for (const { prefix, listener } of this.#content.watches) {
      if (key.startsWith(prefix)) listener.change(key, entry);
    }
  }
}
