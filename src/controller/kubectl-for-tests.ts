/** An API server in memory with Overland's definitions, changed as kubectl and other people change it. */
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { EVENTS, type KubeObject } from "../cluster/port.ts";
import { API_VERSION } from "../config/kinds.ts";
import {
  type Condition,
  type CustomResource,
  definitionOf,
  REFLECTED,
  type ReflectedKind,
  typeOf,
} from "./custom-resources.ts";

/** No two servers give the same. */
let uids = 0;

export class KubectlForTests {
  readonly cluster: MemoryCluster;
  #made = 0;

  constructor(cluster: MemoryCluster = new MemoryCluster()) {
    this.cluster = cluster;
  }

  /** One that is being removed is there again once it has gone. */
  async install(kinds: readonly ReflectedKind[] = REFLECTED): Promise<void> {
    for (const kind of kinds) {
      const { type, name } = definitionOf(kind);
      const present = await this.cluster.get({ type, name });
      if (present !== undefined && present.metadata.deletionTimestamp === undefined) continue;
      await this.finishUninstall(kind);
      this.cluster.put(type, { metadata: { name, uid: `definition-${++uids}` } });
    }
  }

  /** As `kubectl delete crd`: what was defined goes first, as far as finalizers let it. */
  async uninstall(kind: ReflectedKind): Promise<void> {
    const ref = definitionOf(kind);
    const present = await this.cluster.get(ref);
    if (present === undefined) return;
    const deletionTimestamp = "2026-01-02T00:00:00Z";
    // Its own finalizer, which the API server takes off when nothing is left.
    const metadata = { ...present.metadata, deletionTimestamp, finalizers: ["customresourcecleanup"] };
    this.cluster.put(ref.type, { ...present, metadata });
    for (const {
      metadata: { name },
    } of await this.all(kind))
      await this.delete(kind, name);
  }

  async finishUninstall(kind: ReflectedKind): Promise<void> {
    for (const { metadata } of await this.all(kind)) this.cluster.remove({ type: typeOf(kind), name: metadata.name });
    this.cluster.remove(definitionOf(kind));
  }

  async apply(kind: ReflectedKind, name: string, spec: unknown, labels?: Record<string, string>): Promise<void> {
    const before = await this.get(kind, name);
    const changed = JSON.stringify(before?.spec) !== JSON.stringify(spec);
    const generation = (before?.metadata.generation ?? 0) + (changed ? 1 : 0);
    const creationTimestamp =
      before?.metadata.creationTimestamp ?? `2026-01-01T00:00:${String(this.#made++ % 60).padStart(2, "0")}Z`;
    const uid = before?.metadata.uid ?? `object-${++uids}`;
    const metadata = { ...before?.metadata, name, uid, generation, creationTimestamp, ...(labels && { labels }) };
    const object = { apiVersion: API_VERSION, kind, metadata, spec, ...(before?.status && { status: before.status }) };
    this.cluster.put(typeOf(kind), object);
  }

  async delete(kind: ReflectedKind, name: string): Promise<void> {
    await this.cluster.delete({ type: typeOf(kind), name });
  }

  async get(kind: ReflectedKind, name: string): Promise<CustomResource | undefined> {
    return await this.cluster.get<CustomResource>({ type: typeOf(kind), name });
  }

  async all(kind: ReflectedKind): Promise<readonly CustomResource[]> {
    return await this.cluster.list<CustomResource>({ type: typeOf(kind) });
  }

  async accepted(kind: ReflectedKind, name: string): Promise<Condition | undefined> {
    return (await this.get(kind, name))?.status?.conditions?.find(({ type }) => type === "Accepted");
  }

  /** `True Accepted: generation 1 is in force` */
  async condition(kind: ReflectedKind, name: string): Promise<string | undefined> {
    const found = await this.accepted(kind, name);
    return found && `${found.status} ${found.reason}: ${found.message}`;
  }

  async events(): Promise<string[]> {
    const events = await this.cluster.list<KubeObject & { reason: string; message: string }>({ type: EVENTS });
    return events.map(({ reason, message }) => `${reason}: ${message}`);
  }
}
