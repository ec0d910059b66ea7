/** The port on a real API server. */
import { type Answer, call } from "./calls.ts";
import { listPages } from "./list.ts";
import { objectPath, typePath } from "./paths.ts";
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
import { type Pace, Reflector, usualPace, type Warn } from "./reflector.ts";
import type { Asked } from "./refusal.ts";
import type { Request, Transport } from "./transport.ts";

const PATCH_TYPES = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
} as const;

export interface ApiServerOptions {
  readonly warn?: Warn;
  readonly pace?: Pace;
}

export class ApiServer implements Cluster {
  readonly namespace: string;
  readonly #transport: Transport;
  readonly #warn: Warn;
  readonly #pace: Pace;
  readonly #watches = new Set<{ stop(): void }>();
  readonly #closing = new AbortController();

  constructor(transport: Transport, namespace: string, { warn = () => {}, pace = usualPace }: ApiServerOptions = {}) {
    this.#transport = transport;
    this.namespace = namespace;
    this.#warn = warn;
    this.#pace = pace;
  }

  async get<T extends KubeObject>(ref: ObjectRef): Promise<T | undefined> {
    const asked: Asked = { verb: "get", type: ref.type, what: nameOf(ref) };
    try {
      return (await this.#call(asked, { method: "GET", path: objectPath(ref) })).value as T;
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw error;
    }
  }

  async list<T extends KubeObject>(selection: Selection): Promise<readonly T[]> {
    const all: T[] = [];
    await listPages(this.#transport, selection, this.#closing.signal, {
      begin: () => void (all.length = 0),
      item: (object) => void all.push(object as T),
    });
    return all;
  }

  async create<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    const asked: Asked = { verb: "create", type, what: nameOf(refOf(type, object)) };
    const path = typePath(type, type.namespaced ? object.metadata.namespace : undefined);
    return (await this.#call(asked, { method: "POST", path, body: object })).value as T;
  }

  async replace<T extends KubeObject>(type: ResourceType, object: T, subresource?: "status"): Promise<T> {
    const ref = refOf(type, object);
    const asked: Asked = { verb: "update", type, what: nameOf(ref), subresource };
    return (await this.#call(asked, { method: "PUT", path: objectPath(ref, subresource), body: object })).value as T;
  }

  async patch<T extends KubeObject>(ref: ObjectRef, { how, body, subresource }: Patch): Promise<T> {
    const asked: Asked = { verb: "patch", type: ref.type, what: nameOf(ref), subresource };
    const request = {
      method: "PATCH",
      path: objectPath(ref, subresource),
      body,
      contentType: PATCH_TYPES[how],
    } as const;
    return (await this.#call(asked, request)).value as T;
  }

  async delete(ref: ObjectRef, precondition: Precondition = {}): Promise<boolean> {
    const asked: Asked = { verb: "delete", type: ref.type, what: nameOf(ref) };
    const { uid, resourceVersion } = precondition;
    const bound = uid !== undefined || resourceVersion !== undefined;
    const body = { kind: "DeleteOptions", apiVersion: "v1", preconditions: { uid, resourceVersion } };
    try {
      await this.#call(asked, { method: "DELETE", path: objectPath(ref), ...(bound && { body }) });
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }

  watch<T extends KubeObject, Kept>(selection: Selection, keep: (object: T) => Kept, to: WatchListener<Kept>): Watch {
    const reflector = new Reflector<T, Kept>(this.#transport, selection, keep, to, this.#pace, this.#warn);
    this.#watches.add(reflector);
    reflector.start();
    return {
      get synced() {
        return reflector.synced;
      },
      stop: () => {
        this.#watches.delete(reflector);
        reflector.stop();
      },
    };
  }

  close(): void {
    for (const watch of this.#watches) watch.stop();
    this.#watches.clear();
    this.#closing.abort();
    this.#transport.close();
  }

  #call(asked: Asked, request: Omit<Request, "signal">): Promise<Answer> {
    return call(this.#transport, asked, request, { signal: this.#closing.signal });
  }
}

function refOf(type: ResourceType, { metadata: { namespace, name } }: KubeObject): ObjectRef {
  return { type, name, ...(namespace !== undefined && { namespace }) };
}

function nameOf({ type, ...metadata }: ObjectRef): string {
  return `${type.kind} ${keyOf({ metadata })}`;
}

/** The object is not there; a type that is not served is another matter. */
function isAbsent(error: unknown): boolean {
  return error instanceof ClusterError && error.status === 404 && error.reason === "NotFound";
}
