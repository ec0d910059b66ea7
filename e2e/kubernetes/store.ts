/**
 * The objects, one version counter over all of them, and what changed since: watches resume from it, and a list of a
 * former version is worked out by going back through it.
 */
import type { KubeObject } from "./json.ts";

/** Objects in it are never changed, so they can be held on to. */
export interface Change {
  readonly revision: number;
  readonly key: string;
  readonly before: KubeObject | undefined;
  readonly after: KubeObject | undefined;
}

type Listener = (change: Change) => void;

class Collection {
  readonly objects = new Map<string, KubeObject>();
  readonly listeners = new Set<Listener>();
  history: Change[] = [];
  /** Changes up to this one are forgotten. */
  forgotten = 0;
  #sorted: string[] | undefined;

  /** In the order of etcd: of the keys' bytes. */
  keys(): readonly string[] {
    this.#sorted ??= [...this.objects.keys()].sort();
    return this.#sorted;
  }

  set(key: string, object: KubeObject | undefined): void {
    if (object === undefined) this.objects.delete(key);
    else if (this.objects.has(key)) {
      this.objects.set(key, object);
      return;
    } else this.objects.set(key, object);
    this.#sorted = undefined;
  }
}

export type Journal = (revision: number, collection: string, key: string, object: KubeObject | undefined) => void;

export class Store {
  /** Set: told of every change before anybody else is. */
  journal: Journal | undefined;
  readonly #collections = new Map<string, Collection>();
  readonly #historyLength: number;
  /** Of before this process: everything up to it is forgotten in every collection. */
  #forgotten = 0;
  #revision = 1;

  constructor(historyLength: number) {
    this.#historyLength = historyLength;
  }

  get revision(): number {
    return this.#revision;
  }

  /** Changes after this one can be told; what happened before it is forgotten. */
  oldest(collection: string): number {
    return Math.max(this.#forgotten, this.#of(collection).forgotten);
  }

  get(collection: string, key: string): KubeObject | undefined {
    return this.#of(collection).objects.get(key);
  }

  all(collection: string): Iterable<KubeObject> {
    return this.#of(collection).objects.values();
  }

  count(collection: string): number {
    return this.#of(collection).objects.size;
  }

  names(): string[] {
    return [...this.#collections].filter(([, { objects }]) => objects.size > 0).map(([name]) => name);
  }

  /** Writes an object as the next version, which is put into its metadata. */
  put(collection: string, key: string, object: KubeObject): KubeObject {
    const revision = this.#revision + 1;
    const after = { ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } };
    this.record(revision, collection, key, after);
    return after;
  }

  /** Gives the last content, with the version of the deletion as watches tell it. */
  remove(collection: string, key: string): KubeObject | undefined {
    const before = this.get(collection, key);
    if (before === undefined) return undefined;
    const revision = this.#revision + 1;
    this.record(revision, collection, key, undefined);
    return { ...before, metadata: { ...before.metadata, resourceVersion: String(revision) } };
  }

  record(revision: number, name: string, key: string, after: KubeObject | undefined): void {
    const collection = this.#of(name);
    const before = collection.objects.get(key);
    this.journal?.(revision, name, key, after);
    collection.set(key, after);
    this.#revision = revision;
    const change = { revision, key, before, after };
    collection.history.push(change);
    if (collection.history.length > 2 * this.#historyLength) this.#shorten(collection, this.#historyLength);
    for (const listener of collection.listeners) listener(change);
  }

  /** Keys and objects of a version that is not forgotten, in order. */
  snapshot(name: string, revision: number): { keys: readonly string[]; get(key: string): KubeObject | undefined } {
    const collection = this.#of(name);
    const former = new Map<string, KubeObject | undefined>();
    for (let i = collection.history.length - 1; i >= 0; i--) {
      const change = collection.history[i] as Change;
      if (change.revision <= revision) break;
      former.set(change.key, change.before);
    }
    if (former.size === 0) return { keys: collection.keys(), get: (key) => collection.objects.get(key) };
    const keys = [...new Set([...collection.keys(), ...former.keys()])].sort();
    return { keys, get: (key) => (former.has(key) ? former.get(key) : collection.objects.get(key)) };
  }

  changesAfter(name: string, revision: number): Change[] {
    const { history } = this.#of(name);
    let start = history.length;
    while (start > 0 && (history[start - 1] as Change).revision > revision) start--;
    return history.slice(start);
  }

  follow(name: string, listener: Listener): () => void {
    const { listeners } = this.#of(name);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** As etcd's compaction: watches and pages of a version before now have expired. Open watches go on. */
  forgetHistory(): void {
    this.#forgotten = this.#revision;
    for (const collection of this.#collections.values()) this.#shorten(collection, 0);
  }

  #shorten(collection: Collection, length: number): void {
    const gone = collection.history.length - length;
    if (gone <= 0) return;
    collection.forgotten = (collection.history[gone - 1] as Change).revision;
    collection.history = collection.history.slice(gone);
  }

  #of(name: string): Collection {
    let found = this.#collections.get(name);
    if (found === undefined) {
      found = new Collection();
      this.#collections.set(name, found);
    }
    return found;
  }
}
