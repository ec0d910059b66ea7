/** Resources as they change: every listener is given the whole of what holds now, never a difference. */
import type { Store } from "../../ipam/store.ts";
import type { Kind } from "./kinds.ts";
import type { Resource, ResourceSnapshot } from "./resource.ts";
import { kindOfKey, RESOURCES_ROOT } from "./resource-keys.ts";
import { readEntries } from "./resource-store.ts";

export interface ResourceView {
  readonly snapshot: ResourceSnapshot;
  /** False: the store cannot be reached just now, and this is what it held before. */
  readonly synced: boolean;
  /** What is in the store but cannot be read, in words: what could be read under its key last stays in force. */
  readonly problems: readonly string[];
}

export interface ResourceListener {
  /**
   * At first when everything has been read once, then after each change, and when the store is lost or back. Changes
   * that come in one turn are told together: of a transaction that puts several pools in the place of one, nobody sees
   * the half. Who takes long to hear it is told seldom, and then of all that came meanwhile: in a cluster of thousands
   * of nodes somebody's label always changes.
   */
  changed(view: ResourceView): void;
  /** The watch is lost for now and is being repaired. */
  trouble(reason: string): void;
}

/** Resting so many times as long as it took, telling takes a twentieth of the time at most, in the long run. */
const REST = 20;
/** So much rest may be owed before a change has to wait: one that comes alone never does. */
const OWED_MS = 1_000;
const LONGEST_WAIT_MS = 1_000;

/** Returns stop(). Nothing is called before the first complete snapshot, but trouble. */
export function watchResources(store: Store, listener: ResourceListener): () => void {
  const resources = new Resources();
  const problems = new Map<string, string>();
  let everSynced = false;
  let synced = false;
  let telling = false;
  let stopped = false;
  let restUntil = 0;
  let resting: NodeJS.Timeout | undefined;
  const tellNow = () => {
    telling = false;
    if (stopped) return;
    const began = performance.now();
    listener.changed({ snapshot: resources.snapshot(), synced, problems: [...problems.values()] });
    const ended = performance.now();
    const rested = Math.max(restUntil, began) + (ended - began) * REST;
    restUntil = Math.min(rested, ended + OWED_MS + LONGEST_WAIT_MS);
  };
  const tell = () => {
    if (telling) return;
    telling = true;
    const wait = restUntil - OWED_MS - performance.now();
    if (wait > 0) resting = setTimeout(tellNow, wait);
    else queueMicrotask(tellNow);
  };
  const take = (key: string, value: string, former = resources.get(key)) => {
    const { resources: read, damaged } = readEntries([{ key, value, modRevision: 0n }]);
    resources.set(key, read[0] ?? former);
    problems.delete(key);
    // A kind that a newer version made is none of this one's business.
    if (damaged[0] === undefined || kindOfKey(key) === undefined) return;
    problems.set(key, damaged[0] + (former === undefined ? "" : "; what it was before stays in force"));
  };
  const stop = store.watch(RESOURCES_ROOT, {
    snapshot(entries) {
      const former = resources.clear();
      problems.clear();
      for (const { key, value } of entries) take(key, value, former.get(key));
      everSynced = true;
      synced = true;
      tell();
    },
    change(key, entry) {
      if (entry !== undefined) take(key, entry.value);
      else {
        resources.set(key, undefined);
        problems.delete(key);
      }
      tell();
    },
    trouble(reason) {
      listener.trouble(reason);
      if (!synced) return;
      synced = false;
      if (everSynced) tell();
    },
  });
  return () => {
    stopped = true;
    clearTimeout(resting);
    stop();
  };
}

/** A list stays the very same while nothing of its kind changes: who works something out of it can tell by that. */
class Resources {
  readonly #byKey = new Map<string, Resource>();
  readonly #lists = new Map<Kind, Resource[]>();

  get(key: string): Resource | undefined {
    return this.#byKey.get(key);
  }

  set(key: string, resource: Resource | undefined): void {
    for (const one of [this.#byKey.get(key), resource]) if (one !== undefined) this.#lists.delete(one.kind);
    if (resource === undefined) this.#byKey.delete(key);
    else this.#byKey.set(key, resource);
  }

  /** Gives what there was. */
  clear(): ReadonlyMap<string, Resource> {
    const former = new Map(this.#byKey);
    this.#byKey.clear();
    this.#lists.clear();
    return former;
  }

  snapshot(): ResourceSnapshot {
    return {
      nodes: this.#list("Node"),
      bgpConfigurations: this.#list("BGPConfiguration"),
      bgpFilters: this.#list("BGPFilter"),
      bgpPeers: this.#list("BGPPeer"),
      pools: this.#list("IPPool"),
      ipReservations: this.#list("IPReservation"),
      ipamConfigurations: this.#list("IPAMConfiguration"),
    } as unknown as ResourceSnapshot;
  }

  #list(kind: Kind): Resource[] {
    const known = this.#lists.get(kind);
    if (known !== undefined) return known;
    const list = [...this.#byKey.values()].filter((resource) => resource.kind === kind);
    list.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
    this.#lists.set(kind, list);
    return list;
  }
}
