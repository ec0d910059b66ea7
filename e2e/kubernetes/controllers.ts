/**
 * What controllers of a real cluster do of what clients of the server see: definitions are established and their
 * instances cleaned up, namespaces emptied, and, when that is wished, pods ended as kubelets would.
 */
import { DEFINITIONS, NAMESPACES, PODS } from "./built-in.ts";
import { type Catalog, definedCollection } from "./catalog.ts";
import { deleted, withCondition } from "./deletion.ts";
import { type KubeObject, listAt, mapAt, same, textAt } from "./json.ts";
import { collectionOf, keyOf, type Resource } from "./resource.ts";
import type { Change, Store } from "./store.ts";

const [OF_DEFINITIONS, OF_NAMESPACES, OF_PODS] = [DEFINITIONS, NAMESPACES, PODS].map(collectionOf) as [
  string,
  string,
  string,
];
const NOW = { graceSeconds: 0, uid: undefined, resourceVersion: undefined, dryRun: false };

export class Controllers {
  readonly #store: Store;
  readonly #catalog: Catalog;
  readonly #reapPods: boolean;
  /** Told when a definition is gone: the watches of its kind end. */
  readonly #undefined: (collection: string) => void;

  constructor(store: Store, catalog: Catalog, reapPods: boolean, undefinedKind: (collection: string) => void) {
    this.#store = store;
    this.#catalog = catalog;
    this.#reapPods = reapPods;
    this.#undefined = undefinedKind;
  }

  start(): void {
    for (const definition of this.#store.all(OF_DEFINITIONS)) this.#defined(definition);
    for (const namespace of this.#store.all(OF_NAMESPACES)) this.#namespaceChanged(namespace);
    this.#store.follow(OF_DEFINITIONS, ({ before, after }) => {
      if (after !== undefined) this.#defined(after);
      else if (before !== undefined) this.#catalog.forget(before.metadata.name);
    });
    this.#store.follow(OF_NAMESPACES, ({ after }) => this.#namespaceChanged(after));
    if (!this.#reapPods) return;
    this.#store.follow(OF_PODS, (change) => this.#podChanged(change));
    for (const pod of this.#store.all(OF_PODS)) this.#reapLater(pod);
  }

  #defined(definition: KubeObject): void {
    const { name, deletionTimestamp } = definition.metadata;
    if (deletionTimestamp !== undefined) setImmediate(() => this.#cleanUp(name));
    else if (established(definition)) this.#catalog.define(definition);
    // As the real server: a moment after the definition was made.
    if (deletionTimestamp === undefined && !current(definition)) setTimeout(() => this.#establish(name), 20);
  }

  #establish(name: string): void {
    const found = this.#store.get(OF_DEFINITIONS, name);
    if (found === undefined || found.metadata.deletionTimestamp !== undefined || current(found)) return;
    const named = withCondition(found, {
      type: "NamesAccepted",
      status: "True",
      reason: "NoConflicts",
      message: "no conflicts found",
    });
    const made = withCondition(named, {
      type: "Established",
      status: "True",
      reason: "InitialNamesAccepted",
      message: "the initial names have been accepted",
    });
    const status = {
      ...mapAt(made, "status"),
      acceptedNames: mapAt(found, "spec", "names"),
      storedVersions: stored(found),
    };
    this.#store.put(OF_DEFINITIONS, name, { ...made, status });
  }

  /** Instances first; those that finalizers hold keep the definition. */
  #cleanUp(name: string): void {
    const definition = this.#store.get(OF_DEFINITIONS, name);
    if (definition?.metadata.deletionTimestamp === undefined) return;
    const collection = definedCollection(definition);
    const [group = "", plural = ""] = collection.split("/");
    const resource = { group, plural } as Resource;
    for (const object of [...this.#store.all(collection)]) deleted(this.#store, resource, object, NOW);
    if (this.#store.count(collection) > 0) {
      setTimeout(() => this.#cleanUp(name), 100);
      return;
    }
    this.#store.remove(OF_DEFINITIONS, name);
    this.#undefined(collection);
  }

  #namespaceChanged(namespace: KubeObject | undefined): void {
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    const { name } = namespace.metadata;
    setImmediate(() => this.#empty(name));
  }

  #empty(name: string): void {
    const namespace = this.#store.get(OF_NAMESPACES, name);
    if (namespace?.metadata.deletionTimestamp === undefined) return;
    let left = 0;
    const collections = new Map(
      this.#catalog
        .all()
        .filter(({ namespaced }) => namespaced)
        .map((one) => [collectionOf(one), one]),
    );
    for (const [collection, resource] of collections) {
      const inside = [...this.#store.all(collection)].filter(({ metadata }) => metadata.namespace === name);
      const wish = this.#reapPods ? { ...NOW, graceSeconds: undefined } : NOW;
      left += inside.filter((object) => !deleted(this.#store, resource, object, wish).gone).length;
    }
    if (left > 0 || (namespace.metadata.finalizers ?? []).length > 0) setTimeout(() => this.#empty(name), 100);
    else this.#store.remove(OF_NAMESPACES, name);
  }

  #podChanged({ after }: Change): void {
    if (after !== undefined) this.#reapLater(after);
  }

  #reapLater({ metadata }: KubeObject): void {
    if (metadata.deletionTimestamp === undefined) return;
    const { uid, namespace, name } = metadata;
    const end = Date.parse(metadata.deletionTimestamp);
    const reap = () => {
      const pod = this.#store.get(OF_PODS, keyOf(namespace, name));
      if (pod?.metadata.uid === uid) deleted(this.#store, PODS, pod, NOW);
    };
    setTimeout(reap, Math.max(0, end - Date.now())).unref();
  }
}

const established = (definition: KubeObject): boolean =>
  listAt(definition, "status", "conditions").some(
    (condition) => textAt(condition, "type") === "Established" && textAt(condition, "status") === "True",
  );

/** Its status says what its spec does. */
const current = (definition: KubeObject): boolean =>
  established(definition) &&
  same(mapAt(definition, "status", "acceptedNames"), mapAt(definition, "spec", "names")) &&
  stored(definition).every((version) => listAt(definition, "status", "storedVersions").includes(version));

function stored(definition: KubeObject): string[] {
  const before = listAt(definition, "status", "storedVersions").map(String);
  const storage = listAt(definition, "spec", "versions").filter((version) => mapAt(version)["storage"] === true);
  return [...new Set([...before, ...storage.map((version) => textAt(version, "name"))])];
}
