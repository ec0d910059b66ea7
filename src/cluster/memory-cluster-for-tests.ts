/** The port of port.ts in memory, for tests of what stands behind it: one version counter, selectors, watches. */
import { isDeepStrictEqual } from "node:util";
import {
  type Cluster,
  ClusterError,
  type KubeObject,
  keyOf,
  type ObjectRef,
  type Patch,
  type Precondition,
  type ResourceType,
  type Selection,
  type Watch,
  type WatchListener,
} from "./port.ts";

interface Watcher {
  readonly selection: Selection;
  tell(before: KubeObject | undefined, after: KubeObject | undefined): void;
  health(problem: string | undefined): void;
}

export class MemoryCluster implements Cluster {
  readonly namespace = "overland-system";
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<Watcher>();
  #version = 0;
  /** Set: every call fails with it, and watches say so. */
  #down: string | undefined;

  /** The server goes away (words), or comes back (undefined). */
  setDown(problem: string | undefined): void {
    this.#down = problem;
    for (const watcher of this.#watchers) watcher.health(problem);
  }

  /** Makes or replaces an object, as somebody else would; what is watched is told in the same turn. */
  put(type: ResourceType, object: KubeObject): void {
    this.#store(type, object);
  }

  remove(ref: ObjectRef): void {
    this.#take(pathOf(ref));
  }

  async get<T extends KubeObject>(ref: ObjectRef): Promise<T | undefined> {
    this.#answer();
    return this.#objects.get(pathOf(ref)) as T | undefined;
  }

  async list<T extends KubeObject>(selection: Selection): Promise<readonly T[]> {
    this.#answer();
    return this.#selected(selection) as T[];
  }

  async create<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    this.#answer();
    if (this.#objects.has(pathOf(refOf(type, object)))) {
      throw new ClusterError(`${type.plural} ${keyOf(object)} already exists`, 409, "AlreadyExists");
    }
    return this.#store(type, object) as T;
  }

  async replace<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    this.#answer();
    const before = this.#present(refOf(type, object));
    this.#compare(before, { ...object.metadata });
    return this.#store(type, object) as T;
  }

  /** Every patch is taken as RFC 7396. With a resourceVersion in it, only that one is patched. */
  async patch<T extends KubeObject>(ref: ObjectRef, { body }: Patch): Promise<T> {
    this.#answer();
    const before = this.#present(ref);
    const { resourceVersion } = (body as Partial<KubeObject>).metadata ?? {};
    this.#compare(before, resourceVersion === undefined ? {} : { resourceVersion });
    return this.#store(ref.type, merged(before, body) as KubeObject) as T;
  }

  async delete(ref: ObjectRef, precondition: Precondition = {}): Promise<boolean> {
    this.#answer();
    const before = this.#objects.get(pathOf(ref));
    if (before === undefined) return false;
    this.#compare(before, precondition);
    if ((before.metadata.finalizers ?? []).length === 0) this.#take(pathOf(ref));
    else {
      const deletionTimestamp = before.metadata.deletionTimestamp ?? "2026-01-01T00:00:00Z";
      this.#store(ref.type, { ...before, metadata: { ...before.metadata, deletionTimestamp } });
    }
    return true;
  }

  watch<T extends KubeObject, Kept>(selection: Selection, keep: (object: T) => Kept, to: WatchListener<Kept>): Watch {
    let synced = false;
    let stopped = false;
    const chosen = (object: KubeObject | undefined) => object !== undefined && selects(selection, object);
    const watcher: Watcher = {
      selection,
      tell(before, after) {
        if (!synced) return;
        if (chosen(after)) to.change(keyOf(after as KubeObject), keep(after as T));
        else if (chosen(before)) to.change(keyOf(before as KubeObject), undefined);
      },
      health(problem) {
        if (synced) to.health(problem);
        else if (problem === undefined) begin();
      },
    };
    const cluster = this;
    const begin = () => {
      if (stopped || synced) return;
      if (this.#down !== undefined) return to.health(this.#down);
      to.snapshot(new Map(this.#selected(selection).map((object) => [keyOf(object), keep(object as T)])));
      synced = true;
    };
    queueMicrotask(begin);
    this.#watchers.add(watcher);
    return {
      get synced() {
        return synced && cluster.#down === undefined;
      },
      stop: () => {
        stopped = true;
        this.#watchers.delete(watcher);
      },
    };
  }

  close(): void {
    this.#watchers.clear();
  }

  #answer(): void {
    if (this.#down !== undefined) throw new ClusterError(this.#down, 0);
  }

  #present(ref: ObjectRef): KubeObject {
    const found = this.#objects.get(pathOf(ref));
    if (found === undefined) throw new ClusterError(`${ref.type.plural} ${ref.name} not found`, 404, "NotFound");
    return found;
  }

  #compare({ metadata }: KubeObject, { uid, resourceVersion }: Precondition): void {
    const same =
      (uid === undefined || uid === metadata.uid) &&
      (resourceVersion === undefined || resourceVersion === metadata.resourceVersion);
    if (!same) throw new ClusterError(`${metadata.name} was changed meanwhile`, 409, "Conflict");
  }

  #store(type: ResourceType, object: KubeObject): KubeObject {
    const path = pathOf(refOf(type, object));
    const before = this.#objects.get(path);
    if (before !== undefined && isDeepStrictEqual(before, object)) return before;
    this.#version++;
    const uid = before?.metadata.uid ?? object.metadata.uid ?? `uid-${this.#version}`;
    const metadata = { ...object.metadata, uid, resourceVersion: String(this.#version) };
    const after = { ...structuredClone(object), metadata };
    this.#objects.set(path, after);
    this.#tell(type, before, after);
    // What was deleted goes with its last finalizer.
    if (metadata.deletionTimestamp !== undefined && (metadata.finalizers ?? []).length === 0) this.#take(path);
    return after;
  }

  #take(path: string): void {
    const before = this.#objects.get(path);
    if (before === undefined) return;
    this.#objects.delete(path);
    this.#version++;
    for (const watcher of this.#watchers) {
      if (path.startsWith(rootOf(watcher.selection.type))) watcher.tell(before, undefined);
    }
  }

  #tell(type: ResourceType, before: KubeObject | undefined, after: KubeObject): void {
    for (const watcher of this.#watchers) {
      if (rootOf(watcher.selection.type) === rootOf(type)) watcher.tell(before, after);
    }
  }

  #selected(selection: Selection): KubeObject[] {
    const root = rootOf(selection.type);
    return [...this.#objects]
      .filter(([path, object]) => path.startsWith(root) && selects(selection, object))
      .map(([, object]) => object);
  }
}

const rootOf = ({ group, plural }: ResourceType): string => `${group}/${plural}/`;
const pathOf = ({ type, namespace, name }: ObjectRef): string => `${rootOf(type)}${namespace ?? ""}/${name}`;

function refOf(type: ResourceType, { metadata: { namespace, name } }: KubeObject): ObjectRef {
  return { type, name, ...(namespace !== undefined && { namespace }) };
}

/** Equality only: `a=b,c=d`; of fields any path. */
function selects({ namespace, labelSelector, fieldSelector }: Selection, object: KubeObject): boolean {
  if (namespace !== undefined && object.metadata.namespace !== namespace) return false;
  const { labels = {} } = object.metadata;
  return (
    pairs(labelSelector).every(([key, value]) => labels[key] === value) &&
    pairs(fieldSelector).every(([path, value]) => at(object, path) === value)
  );
}

function pairs(selector: string | undefined): [string, string][] {
  return (selector ?? "").split(",").flatMap((part): [string, string][] => {
    const [key, value] = part.split(/==?/);
    return key === undefined || key === "" ? [] : [[key, value ?? ""]];
  });
}

function at(value: unknown, path: string): string {
  const found = path
    .split(".")
    .reduce<unknown>((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
  return typeof found === "string" ? found : (JSON.stringify(found) ?? "");
}

function merged(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== "object" || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> =
    target !== null && typeof target === "object" && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}
