/**
 * Resources in the store: written in one transaction or not at all, and only if nobody changed them meanwhile.
 *
 * What one document alone can show was checked when it was read (manifest.ts); rules between resources are in
 * cross-rules.ts and are checked here, on what the store will hold afterwards.
 */
import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type Entry, maxTransactionOperations, type Revision, type Store } from "../../ipam/store.ts";
import { applyFaults } from "./cross-rules.ts";
import { deleteInSteps, emptyPools } from "./empty-pools.ts";
import type { Fault } from "./fault.ts";
import { filtersInUse, namesFilters } from "./filter-rules.ts";
import type { Kind } from "./kinds.ts";
import { ownershipFault, ownershipRefusal, sameContent, type Writer, withoutOrigin } from "./managed.ts";
import type { SourcedResource } from "./manifest.ts";
import type { Resource } from "./resource.ts";
import { FILTERS_GUARD, kindRoot, POOLS_GUARD, resourceKey } from "./resource-keys.ts";
import { pathText } from "./schema/problem.ts";
import { hasServiceRanges } from "./service-range-rules.ts";
import { readStored } from "./stored-resources.ts";

export interface Outcome {
  readonly kind: Kind;
  readonly name: string;
  readonly outcome: "created" | "configured" | "unchanged" | "deleted";
}

/** Either everything was done, or nothing and here is why. */
export type Applied = { readonly outcomes: readonly Outcome[] } | { readonly faults: readonly Fault[] };
export type Deleted = { readonly outcomes: readonly Outcome[] } | { readonly refusals: readonly string[] };

export interface ResourceRef {
  readonly kind: Kind;
  readonly name: string;
}

/** What the store holds under a key: no resource when the value cannot be read, which writing it anew repairs. */
interface Held {
  readonly resource: Resource | undefined;
  readonly modRevision: Revision;
}

const ATTEMPTS = 10;

/**
 * Creates or replaces. Rejects with StoreUnavailable when the store does not answer.
 *
 * @param madeOf records that the items were made of: where one is another by now, nothing is written
 */
export async function applyResources(
  store: Store,
  items: readonly SourcedResource[],
  writer: Writer = "operator",
  madeOf: readonly Pick<Entry, "key" | "modRevision">[] = [],
): Promise<Applied> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const kinds = new Set(items.map(({ resource }) => resource.kind));
    const filtered = items.some(({ resource }) => namesFilters(resource));
    if (items.some(({ resource }) => hasServiceRanges(resource))) kinds.add("IPPool");
    const guards = await readGuards(store, kinds.has("IPPool"), filtered);
    if (filtered) kinds.add("BGPFilter");
    if (kinds.has("IPPool")) kinds.add("BGPConfiguration");
    const held = await readKinds(store, kinds);
    if (madeOf.some(({ key, modRevision }) => (held.get(key)?.modRevision ?? 0n) !== modRevision)) break;
    const plan = items.map((item) => planOne(item, held, writer));
    const changes = plan.filter(({ outcome }) => outcome !== "unchanged");
    const before = [...held.values()].flatMap(({ resource }) => resource ?? []);
    const owned = (item: SourcedResource) => ownershipFault(item, held.get(keyOf(item.resource))?.resource, writer);
    const faults = [...items.flatMap((item) => owned(item) ?? []), ...(await applyFaults(store, items, before))];
    if (faults.length > 0) return { faults };
    if (changes.length === 0) return { outcomes: plan };
    const most = roomBeside(guards);
    if (changes.length > most) return { faults: [tooMany(items, changes.length, most)] };
    const written = changes.map(({ resource }) => ({ key: keyOf(resource), value: JSON.stringify(resource) }));
    const expect = written.map(({ key }) => ({ key, modRevision: held.get(key)?.modRevision ?? 0n }));
    const committed = await store.commit(guarded({ expect, put: written, delete: [] }, guards));
    if (committed.committed) return { outcomes: plan };
  }
  const [first] = items;
  return first === undefined ? { outcomes: [] } : { faults: [first.fault([], CHANGED_MEANWHILE)] };
}

/**
 * Deletes all or nothing: a name that is not there, or a pool with addresses in use, refuses the whole. With a pool go
 * the blocks cut from it.
 */
export async function deleteResources(
  store: Store,
  refs: readonly ResourceRef[],
  writer: Writer = "operator",
): Promise<Deleted> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const has = (wanted: Kind) => refs.some(({ kind }) => kind === wanted);
    const guards = await readGuards(store, has("IPPool"), has("BGPFilter"));
    const keys = refs.map(({ kind, name }) => resourceKey(kind, name));
    const entries = await store.get(keys);
    const refusals = refs.flatMap(({ kind, name }, i) =>
      entries[i] === undefined ? [`${kind} ${name} does not exist`] : [],
    );
    const present = entries.filter((entry) => entry !== undefined);
    const most = roomBeside(guards);
    const found = present.flatMap((entry) => resourceIn(entry) ?? []);
    refusals.push(...found.flatMap((resource) => ownershipRefusal(resource, writer) ?? []));
    const emptied = await emptyPools(store, found, most - keys.length);
    refusals.push(...emptied.refusals, ...(await filtersInUse(store, found)));
    if (refusals.length > 0) return { refusals };
    if (keys.length > most) {
      return { refusals: [`${keys.length} resources are too many for one transaction; at most ${most} at a time`] };
    }
    if (emptied.blocks.length > most - keys.length) {
      await deleteInSteps(store, emptied.blocks);
      continue;
    }
    const expect = [...present, ...emptied.blocks].map(({ key, modRevision }) => ({ key, modRevision }));
    const gone = [...keys, ...emptied.blocks.map(({ key }) => key)];
    const committed = await store.commit(guarded({ expect, put: [], delete: gone }, guards));
    if (committed.committed) return { outcomes: refs.map((ref) => ({ ...ref, outcome: "deleted" })) };
  }
  return { refusals: [CHANGED_MEANWHILE] };
}

/** All resources of a kind in the order of their names, and what is in the store but cannot be read, in words. */
export async function listResources(store: Store, kind: Kind) {
  const { entries } = await store.list(kindRoot(kind));
  return readEntries(entries);
}

/** Those of the names that exist, in the order asked. */
export async function getResources(store: Store, kind: Kind, names: readonly string[]) {
  const entries = await store.get(names.map((name) => resourceKey(kind, name)));
  return readEntries(entries.filter((entry) => entry !== undefined));
}

export function readEntries(entries: readonly Entry[]): { resources: Resource[]; damaged: string[] } {
  const resources: Resource[] = [];
  const damaged: string[] = [];
  for (const entry of entries) {
    const checked = readStored(entry);
    if ("resource" in checked) resources.push(checked.resource);
    else {
      const [problem] = checked.problems;
      const field = problem === undefined || problem.path.length === 0 ? "" : `${pathText(problem.path)}: `;
      damaged.push(`${entry.key} in the store is not a resource: ${field}${problem?.message ?? "unreadable"}`);
    }
  }
  return { resources, damaged };
}

const CHANGED_MEANWHILE = "was changed by somebody else again and again while this was written; try again";

interface Planned extends Outcome {
  /** What the store shall hold. */
  readonly resource: Resource;
}

function planOne(item: SourcedResource, held: ReadonlyMap<string, Held>, writer: Writer): Planned {
  // Of what was read from a backup, say: the mark is the controller's to give.
  const resource = writer === "kubernetes" ? item.resource : withoutOrigin(item.resource);
  const { kind, metadata } = resource;
  const before = held.get(keyOf(resource))?.resource;
  const uid = before?.metadata.uid ?? randomUUID();
  const creationTimestamp = before?.metadata.creationTimestamp ?? `${new Date().toISOString().slice(0, 19)}Z`;
  const after = { ...resource, metadata: { ...metadata, uid, creationTimestamp } } as Resource;
  // Through JSON, as the store does: a key that is undefined is no difference.
  const same =
    before !== undefined &&
    (writer === "operator"
      ? sameContent(before, after)
      : isDeepStrictEqual(JSON.parse(JSON.stringify(before)), JSON.parse(JSON.stringify(after))));
  const outcome = before === undefined ? "created" : same ? "unchanged" : "configured";
  return { kind, name: metadata.name, outcome, resource: after };
}

async function readKinds(store: Store, kinds: Iterable<Kind>): Promise<Map<string, Held>> {
  const held = new Map<string, Held>();
  for (const kind of kinds) {
    const { entries } = await store.list(kindRoot(kind));
    for (const entry of entries) held.set(entry.key, { resource: resourceIn(entry), modRevision: entry.modRevision });
  }
  return held;
}

function resourceIn(entry: Entry): Resource | undefined {
  const checked = readStored(entry);
  return "resource" in checked ? checked.resource : undefined;
}

interface Guard {
  readonly key: string;
  readonly modRevision: Revision;
}

async function readGuards(store: Store, pools: boolean, filters: boolean): Promise<Guard[]> {
  const keys = [...(pools ? [POOLS_GUARD] : []), ...(filters ? [FILTERS_GUARD] : [])];
  if (keys.length === 0) return [];
  const entries = await store.get(keys);
  return keys.map((key, i) => ({ key, modRevision: entries[i]?.modRevision ?? 0n }));
}

function guarded(transaction: Parameters<Store["commit"]>[0], guards: readonly Guard[]) {
  return {
    expect: [...transaction.expect, ...guards],
    put: [...transaction.put, ...guards.map(({ key }) => ({ key, value: "" }))],
    delete: transaction.delete,
  };
}

function keyOf(resource: Resource): string {
  return resourceKey(resource.kind, resource.metadata.name);
}

/** How many resources one transaction can change; one comparison is left for the lock of a controller that writes. */
function roomBeside(guards: readonly Guard[]): number {
  return maxTransactionOperations - 1 - guards.length;
}

function tooMany(items: readonly SourcedResource[], count: number, most: number): Fault {
  const message = `${count} resources would change, and one transaction takes at most ${most}; split the file`;
  return (items[0] as SourcedResource).fault([], message);
}
