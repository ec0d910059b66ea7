/** Resources as they change: every listener is given the whole of what holds now, never a difference. */
import type { Store } from "../../ipam/store.ts";
import { KINDS, type Kind } from "./kinds.ts";
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
   * the half.
   */
  changed(view: ResourceView): void;
  /** The watch is lost for now and is being repaired. */
  trouble(reason: string): void;
}

/** Returns stop(). Nothing is called before the first complete snapshot, but trouble. */
export function watchResources(store: Store, listener: ResourceListener): () => void {
  const resources = new Map<string, Resource>();
  const problems = new Map<string, string>();
  let everSynced = false;
  let synced = false;
  let telling = false;
  let stopped = false;
  const tell = () => {
    if (telling) return;
    telling = true;
    queueMicrotask(() => {
      telling = false;
      if (stopped) return;
      listener.changed({ snapshot: snapshotOf(resources), synced, problems: [...problems.values()] });
    });
  };
  const take = (key: string, value: string, former = resources.get(key)) => {
    const { resources: read, damaged } = readEntries([{ key, value, modRevision: 0n }]);
    resources.delete(key);
    problems.delete(key);
    const inForce = read[0] ?? former;
    if (inForce !== undefined) resources.set(key, inForce);
    // A kind that a newer version made is none of this one's business.
    if (damaged[0] === undefined || kindOfKey(key) === undefined) return;
    problems.set(key, damaged[0] + (former === undefined ? "" : "; what it was before stays in force"));
  };
  const stop = store.watch(RESOURCES_ROOT, {
    snapshot(entries) {
      const former = new Map(resources);
      resources.clear();
      problems.clear();
      for (const { key, value } of entries) take(key, value, former.get(key));
      everSynced = true;
      synced = true;
      tell();
    },
    change(key, entry) {
      if (entry !== undefined) take(key, entry.value);
      else {
        resources.delete(key);
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
    stop();
  };
}

function snapshotOf(resources: ReadonlyMap<string, Resource>): ResourceSnapshot {
  const byKind = Object.fromEntries(KINDS.map((kind) => [kind, [] as Resource[]])) as Record<Kind, Resource[]>;
  for (const key of [...resources.keys()].sort()) {
    const resource = resources.get(key) as Resource;
    byKind[resource.kind].push(resource);
  }
  return {
    nodes: byKind.Node,
    bgpConfigurations: byKind.BGPConfiguration,
    bgpFilters: byKind.BGPFilter,
    bgpPeers: byKind.BGPPeer,
    pools: byKind.IPPool,
    ipReservations: byKind.IPReservation,
    ipamConfigurations: byKind.IPAMConfiguration,
  } as unknown as ResourceSnapshot;
}
