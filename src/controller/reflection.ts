/**
 * One pass over all custom resources: the store is brought to what they say, and their statuses say what became of
 * them. A pass rests only on what it reads: one that was cut off anywhere is put right by the next, whoever makes it.
 *
 * In this order: a pool's finalizer, the store, the event, the status, and a pool's finalizer away: each effect is
 * there before the one that speaks of it.
 */
import { blocksRoot } from "../../ipam/keys.ts";
import type { Store } from "../../ipam/store.ts";
import { type Cluster, ClusterError } from "../cluster/port.ts";
import { originOf } from "../config/managed.ts";
import type { SourcedResource } from "../config/manifest.ts";
import type { Resource } from "../config/resource.ts";
import { applyResources } from "../config/resource-store.ts";
import { conditionFor, writeCondition, writeFinalizers } from "./condition.ts";
import type { CustomResourceWatch } from "./custom-resource-watch.ts";
import {
  type CustomResource,
  hasFinalizer,
  isLeaving,
  POOL_FINALIZER,
  type Read,
  type ReflectedKind,
  readCustomResource,
} from "./custom-resources.ts";
import { AT_ONCE, certainDepartures, removeDeparted } from "./departures.ts";
import { HeldResources } from "./held-resources.ts";
import { judge, type KnownKind, type KnownKinds, refText, type Verdict } from "./judge.ts";
import { tellRefusal } from "./refusal-event.ts";

/** Calls to the API server that are under way at a time. */
const CALLS_AT_ONCE = 8;

/** What a pass did, and what is left to do. */
export interface Passed {
  readonly verdicts: readonly Verdict[];
  /** Resources that go once nobody needs them, and why they are there still. */
  readonly waiting: ReadonlyMap<string, string>;
  /** Managed resources without a custom resource, though none was deleted: they stay. */
  readonly orphans: ReadonlyMap<string, string>;
  readonly written: readonly string[];
  readonly deleted: readonly string[];
  /** What could not be done now and is to be tried again. */
  readonly troubles: readonly unknown[];
}

export class Reflection {
  readonly #cluster: Cluster;
  readonly #watch: CustomResourceWatch;
  readonly #store: Store;
  readonly #held: HeldResources;
  readonly #wall: () => number;
  readonly #documents = new WeakMap<CustomResource, { readonly definition: string; readonly read: Read }>();

  /** @param store as the leader writes it */
  constructor(cluster: Cluster, watch: CustomResourceWatch, store: Store, wall: () => number = Date.now) {
    this.#cluster = cluster;
    this.#watch = watch;
    this.#store = store;
    this.#held = new HeldResources(store);
    this.#wall = wall;
  }

  /** Throws StoreUnavailable and ClusterError. */
  async pass(): Promise<Passed> {
    const held = await this.#held.read();
    const kinds = await this.#caughtUp(await this.#watch.known(), held);
    const troubles: unknown[] = this.#watch.undefinedKinds().map((why) => new Error(why));
    const { certain, orphans } = await certainDepartures(this.#watch, kinds, held, troubles);
    const isFilter = ({ kind }: Resource) => kind === "BGPFilter";
    const first = await removeDeparted(
      this.#store,
      certain.filter((resource) => !isFilter(resource)),
    );
    const stay = held.filter(({ kind, metadata }) => !first.deleted.has(refText(kind, metadata.name)));
    const blocks = await this.#store.listKeys(blocksRoot);
    const read = (kind: ReflectedKind, object: CustomResource) => this.#document(kinds, kind, object);
    const { verdicts, changes, outdated } = judge(kinds, read, stay, certain.filter(isFilter), blocks);
    for (const ref of outdated)
      troubles.push(new Error(`${ref} belonged to a definition that was removed; asked again`));
    const current = await this.#finalize(verdicts, troubles);
    const written = await this.#write(
      changes.filter(({ file }) => current.has(file)),
      troubles,
    );
    // Last: whoever named one of them does not any more.
    const last = await removeDeparted(this.#store, certain.filter(isFilter));
    const waiting = new Map([...first.refused, ...last.refused]);
    const pending = new Set(changes.map(({ file }) => file).filter((file) => !written.has(file)));
    const settled = verdicts.flatMap((verdict): Verdict[] => {
      const file = refText(verdict.kind, verdict.object.metadata.name);
      const object = current.get(file);
      return object === undefined || pending.has(file) ? [] : [{ ...verdict, object }];
    });
    const inUse = leavingPools(kinds).flatMap((object): Verdict[] => {
      const why = waiting.get(refText("IPPool", object.metadata.name));
      if (why === undefined) return [];
      const message = `is being deleted, no new address of it is given out; ${why}`;
      return [{ kind: "IPPool", object, refusal: { reason: "InUse", message, inForce: undefined } }];
    });
    await inParallel([...settled, ...inUse], (verdict) => this.#tell(verdict), troubles);
    const over = leavingPools(kinds).filter(({ metadata }) =>
      this.#isOver(metadata.name, held, first.deleted, orphans),
    );
    over.push(...this.#watch.goingPools().filter((object) => isLeaving(object) && hasFinalizer(object)));
    await inParallel(over, (object) => this.#release(object), troubles);
    return {
      verdicts: [...verdicts, ...inUse],
      waiting,
      orphans,
      written: [...written],
      deleted: [...first.deleted, ...last.deleted],
      troubles,
    };
  }

  /**
   * The store may be ahead of this watch: another controller wrote what it has not been told yet. What the store has of
   * a later generation is asked for, so that nothing goes back to an earlier one, unless the API server itself did.
   */
  async #caughtUp(kinds: KnownKinds, held: readonly Resource[]): Promise<KnownKinds> {
    const result = new Map<ReflectedKind, KnownKind>(kinds);
    for (const resource of held) {
      const origin = originOf(resource);
      const { kind } = resource;
      const known = kind === "Node" ? undefined : result.get(kind);
      const { name } = resource.metadata;
      const object = known?.objects.get(name);
      if (kind === "Node" || known === undefined || origin === undefined || object === undefined) continue;
      const { uid, generation = 0 } = object.metadata;
      if (uid !== origin.uid || generation >= origin.generation) continue;
      const now = await this.#watch.ask(kind, name);
      const objects = new Map(known.objects);
      if (now === undefined) objects.delete(name);
      else objects.set(name, now);
      result.set(kind, { ...known, objects });
    }
    return result;
  }

  #document(kinds: KnownKinds, kind: ReflectedKind, object: CustomResource): Read {
    const { definition = "" } = kinds.get(kind) ?? {};
    const known = this.#documents.get(object);
    if (known?.definition === definition) return known.read;
    const read = readCustomResource(kind, object, definition);
    this.#documents.set(object, { definition, read });
    return read;
  }

  /** Every object that was judged, by reference, as it is then; but pools that could not be given their finalizer. */
  async #finalize(verdicts: readonly Verdict[], troubles: unknown[]): Promise<Map<string, CustomResource>> {
    const current = new Map(verdicts.map(({ kind, object }) => [refText(kind, object.metadata.name), object] as const));
    const without = verdicts.filter(
      ({ kind, object, refusal }) => kind === "IPPool" && refusal === undefined && !hasFinalizer(object),
    );
    const give = async ({ kind, object }: Verdict): Promise<void> => {
      const ref = refText(kind, object.metadata.name);
      current.delete(ref);
      const finalizers = [...(object.metadata.finalizers ?? []), POOL_FINALIZER];
      const given = await writeFinalizers(this.#cluster, kind, object, finalizers);
      if (given !== undefined) current.set(ref, given);
    };
    await inParallel(without, give, troubles);
    return current;
  }

  /** References of those that are in the store now. */
  async #write(changes: readonly SourcedResource[], troubles: unknown[]): Promise<ReadonlySet<string>> {
    const written = new Set<string>();
    for (let i = 0; i < changes.length; i += AT_ONCE) {
      const some = changes.slice(i, i + AT_ONCE);
      const applied = await applyResources(this.#store, some, "kubernetes");
      if ("outcomes" in applied) for (const { file } of some) written.add(file);
      // What the store held when this was judged is not what it holds now.
      else troubles.push(new Error(applied.faults.map(({ file, message }) => `${file}: ${message}`).join("; ")));
    }
    return written;
  }

  async #tell(verdict: Verdict): Promise<void> {
    const condition = conditionFor(verdict, this.#wall());
    if (condition === undefined) return;
    const { kind, object, refusal } = verdict;
    let untold: unknown;
    if (refusal !== undefined) {
      await tellRefusal(this.#cluster, kind, object, condition, this.#wall()).catch((error: unknown) => {
        // What may succeed later is tried again, event and all; what is not allowed must not keep the status away.
        if (!isRefusal(error)) throw error;
        untold = error;
      });
    }
    await writeCondition(this.#cluster, kind, object, condition);
    if (untold !== undefined) throw untold;
  }

  /** Nothing in the store hangs on it any more, or what does stays in spite of it. */
  #isOver(
    name: string,
    held: readonly Resource[],
    deleted: ReadonlySet<string>,
    orphans: ReadonlyMap<string, string>,
  ): boolean {
    const ref = refText("IPPool", name);
    if (deleted.has(ref) || orphans.has(ref)) return true;
    const resource = held.find(({ kind, metadata }) => kind === "IPPool" && metadata.name === name);
    return resource === undefined || originOf(resource) === undefined;
  }

  async #release(object: CustomResource): Promise<void> {
    const others = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== POOL_FINALIZER);
    await writeFinalizers(this.#cluster, "IPPool", object, others);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ClusterError && error.status >= 400 && error.status < 500 && error.status !== 429;
}

function leavingPools(kinds: KnownKinds): CustomResource[] {
  const objects = [...(kinds.get("IPPool")?.objects.values() ?? [])];
  return objects.filter((object) => isLeaving(object) && hasFinalizer(object));
}

/** All of them, some at a time; one that fails keeps no other from being done. */
async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  troubles: unknown[],
): Promise<void> {
  const left = [...items].reverse();
  const workers = Array.from({ length: Math.min(CALLS_AT_ONCE, items.length) }, async () => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) {
      await work(item).catch((error: unknown) => troubles.push(error));
    }
  });
  await Promise.all(workers);
}
