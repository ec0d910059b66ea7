/**
 * Resources whose custom resource is gone. Only what was deleted goes: a custom resource can also be missing because
 * its definition was removed, or because this API server never had it (a new one, one that was restored).
 */
import type { Store } from "../../ipam/store.ts";
import { originOf } from "../config/managed.ts";
import type { SourcedResource } from "../config/manifest.ts";
import type { IPPoolResource, Resource } from "../config/resource.ts";
import { applyResources, deleteResources, type ResourceRef } from "../config/resource-store.ts";
import type { CustomResourceWatch } from "./custom-resource-watch.ts";
import { isLeaving, type ReflectedKind } from "./custom-resources.ts";
import { departed, type KnownKinds, refText } from "./judge.ts";

/** Far fewer than a transaction takes: blocks and guards have room beside them. */
export const AT_ONCE = 100;

export interface Departures {
  /** The API server said now that there is no such object, and that its definition is the one it was written under. */
  readonly certain: readonly Resource[];
  /** Without a custom resource, though none was deleted: they stay. In words, by reference. */
  readonly orphans: ReadonlyMap<string, string>;
}

/** @param troubles takes what the API server did not answer: of that kind nothing is certain then */
export async function certainDepartures(
  watch: CustomResourceWatch,
  kinds: KnownKinds,
  held: readonly Resource[],
  troubles: unknown[],
): Promise<Departures> {
  const certain: Resource[] = [];
  const orphans = new Map<string, string>();
  const missing = departed(kinds, held);
  for (const kind of new Set(missing.map((resource) => resource.kind as ReflectedKind))) {
    const ofKind = missing.filter((resource) => resource.kind === kind);
    const asked = await ask(watch, kind).catch((error: unknown) => void troubles.push(error));
    if (asked === undefined) continue;
    for (const resource of ofKind) {
      const { name } = resource.metadata;
      const object = kinds.get(kind)?.objects.get(name);
      const leaves = object !== undefined && isLeaving(object);
      // The watch is behind: it is there, and not on its way out; or it is gone altogether, and that will be told.
      if (asked.there.has(name) !== leaves) continue;
      if ("absent" in asked.definition) orphans.set(refText(kind, name), asked.definition.absent);
      else if (asked.definition.uid === originOf(resource)?.definition) certain.push(resource);
      else orphans.set(refText(kind, name), ANOTHER);
    }
  }
  return { certain, orphans };
}

/** In this order: a definition that goes is marked before its objects are removed. */
async function ask(watch: CustomResourceWatch, kind: ReflectedKind) {
  const there = await watch.names(kind);
  return { there, definition: await watch.definition(kind) };
}

const ANOTHER =
  "it was written for another CustomResourceDefinition of this name, so this API server never had it: apply it again " +
  "with kubectl, or, if it is not wanted any more, `overland delete --force` it";

export interface Removed {
  readonly deleted: ReadonlySet<string>;
  /** Why what could not be deleted is there still. */
  readonly refused: ReadonlyMap<string, string>;
}

/** Throws StoreUnavailable. */
export async function removeDeparted(store: Store, resources: readonly Resource[]): Promise<Removed> {
  const deleted = new Set<string>();
  const refused = new Map<string, string>();
  const pools = resources.filter((resource) => resource.kind === "IPPool");
  const others = resources.filter((resource) => resource.kind !== "IPPool");
  const remove = async (some: readonly Resource[]): Promise<void> => {
    if (some.length === 0) return;
    const refs = some.map(({ kind, metadata }): ResourceRef => ({ kind, name: metadata.name }));
    const answer = await deleteResources(store, refs, "kubernetes");
    if ("outcomes" in answer) for (const { kind, name } of refs) deleted.add(refText(kind, name));
    else if (some.length > 1) for (const one of some) await remove([one]);
    else refused.set(refText(some[0]?.kind ?? "", some[0]?.metadata.name ?? ""), answer.refusals.join("; "));
  };
  for (let i = 0; i < others.length; i += AT_ONCE) await remove(others.slice(i, i + AT_ONCE));
  for (const pool of pools) {
    await remove([pool]);
    if (deleted.has(refText(pool.kind, pool.metadata.name)) || !(await disable(store, pool))) continue;
    await remove([pool]);
    if (deleted.has(refText(pool.kind, pool.metadata.name))) refused.delete(refText(pool.kind, pool.metadata.name));
  }
  return { deleted, refused };
}

/** No new address of a pool that goes is given out. True: this was written now. */
async function disable(store: Store, pool: IPPoolResource): Promise<boolean> {
  if (pool.spec.disabled) return false;
  const resource: IPPoolResource = { ...pool, spec: { ...pool.spec, disabled: true } };
  const file = refText(pool.kind, pool.metadata.name);
  const item: SourcedResource = {
    resource,
    file,
    line: 0,
    fault: (_, message) => ({ file, line: 0, field: "", message }),
  };
  const applied = await applyResources(store, [item], "kubernetes");
  return "outcomes" in applied;
}
