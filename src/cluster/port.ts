/**
 * The Kubernetes API server as the rest of the program sees it: objects, calls and watches. open.ts has the real one,
 * memory-cluster-for-tests.ts one in memory.
 */

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
}

export interface KubeObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: ObjectMeta;
}

/** A kind of object, as paths of the API server name it. */
export interface ResourceType {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

const type = (group: string, version: string, plural: string, kind: string, namespaced: boolean): ResourceType => ({
  group,
  version,
  plural,
  kind,
  namespaced,
});

export const NODES = type("", "v1", "nodes", "Node", false);
export const PODS = type("", "v1", "pods", "Pod", true);
export const NAMESPACES = type("", "v1", "namespaces", "Namespace", false);
export const SERVICES = type("", "v1", "services", "Service", true);
export const ENDPOINT_SLICES = type("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice", true);
export const SECRETS = type("", "v1", "secrets", "Secret", true);
export const EVENTS = type("", "v1", "events", "Event", true);
export const LEASES = type("coordination.k8s.io", "v1", "leases", "Lease", true);

export interface ObjectRef {
  readonly type: ResourceType;
  /** Of a namespaced type only. */
  readonly namespace?: string;
  readonly name: string;
}

export interface Selection {
  readonly type: ResourceType;
  /** Absent: all namespaces. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface Patch {
  /** RFC 7396, Kubernetes' own (not for custom resources), RFC 6902. */
  readonly how: "merge" | "strategic" | "json";
  readonly body: unknown;
  readonly subresource?: "status";
}

/** Only the object that is meant: another of its name, or a changed one, is 409. */
export interface Precondition {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** Why a call failed. */
export class ClusterError extends Error {
  /** HTTP status; 0: no answer came. */
  readonly status: number;
  /** Kubernetes' word: AlreadyExists, Conflict, Forbidden, Expired, …; "" without one. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  /** `message` says what could not be done and what to do, such as which verb on which resource to allow. */
  constructor(message: string, status: number, reason = "", retryAfterMs?: number) {
    super(message);
    this.name = "ClusterError";
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

/** What a watch tells. Keys are `name`, or `namespace/name` of a namespaced type. */
export interface WatchListener<Kept> {
  /** Everything there is: at first, and again whenever what was missed cannot be told as changes. */
  snapshot(objects: ReadonlyMap<string, Kept>): void;
  /** Undefined: it is gone, or no longer selected. Never before the first snapshot. */
  change(key: string, object: Kept | undefined): void;
  /** Words while the watch is lost and being repaired; undefined once what was told is up to date again. */
  health(problem: string | undefined): void;
}

export interface Watch {
  /** A snapshot was told, and changes arrive. */
  readonly synced: boolean;
  /** Final: nothing is told afterwards. */
  stop(): void;
}

/** Every call rejects with a ClusterError, in bounded time. */
export interface Cluster {
  /** Where Overland's own objects are: its Leases, the Secrets that peers name. */
  readonly namespace: string;
  /** Undefined: there is none. */
  get<T extends KubeObject>(ref: ObjectRef): Promise<T | undefined>;
  list<T extends KubeObject>(selection: Selection): Promise<readonly T[]>;
  create<T extends KubeObject>(kind: ResourceType, object: T): Promise<T>;
  /** PUT: with a resourceVersion in it, only over that one. */
  replace<T extends KubeObject>(kind: ResourceType, object: T, subresource?: "status"): Promise<T>;
  patch<T extends KubeObject>(ref: ObjectRef, patch: Patch): Promise<T>;
  /** False: there was none. */
  delete(ref: ObjectRef, precondition?: Precondition): Promise<boolean>;
  /**
   * Follows a selection until stopped, whatever fails. `keep` takes out of each object what is to be remembered: what
   * it leaves out takes no memory.
   */
  watch<T extends KubeObject, Kept>(selection: Selection, keep: (object: T) => Kept, to: WatchListener<Kept>): Watch;
  /** Ends all watches and connections. */
  close(): void;
}

export function keyOf({ metadata: { namespace, name } }: KubeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
