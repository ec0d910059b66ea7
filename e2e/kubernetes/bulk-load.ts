/** Many objects at once, past checks and watches' pace: one JSON document a line, each saying what it is. */
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { NAMESPACES } from "./built-in.ts";
import type { Catalog } from "./catalog.ts";
import { decode } from "./draft.ts";
import { isMap, listAt, textAt, timestamp } from "./json.ts";
import { filled } from "./kind-rules.ts";
import { badRequest } from "./refusal.ts";
import { collectionOf, keyOf } from "./resource.ts";
import type { ServiceRanges } from "./service-rules.ts";
import type { Store } from "./store.ts";

export class BulkLoad {
  readonly #store: Store;
  readonly #catalog: Catalog;
  readonly #ranges: ServiceRanges;

  constructor(store: Store, catalog: Catalog, ranges: ServiceRanges) {
    this.#store = store;
    this.#catalog = catalog;
    this.#ranges = ranges;
  }

  file(path: string): Promise<number> {
    return this.lines(createReadStream(path));
  }

  /** Gives how many objects there were; a List counts as what is in it. */
  async lines(input: Readable): Promise<number> {
    let count = 0;
    for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === "") continue;
      const document: unknown = JSON.parse(line);
      const isList = isMap(document) && Array.isArray(document["items"]);
      for (const each of isList ? listAt(document, "items") : [document]) this.put(each);
      count += isList ? listAt(document, "items").length : 1;
    }
    return count;
  }

  /** Makes or replaces an object, with whatever status and metadata it brings. */
  put(document: unknown): void {
    if (!isMap(document)) throw badRequest("each line is to be one object");
    const [apiVersion, kind] = [textAt(document, "apiVersion"), textAt(document, "kind")];
    const resource = this.#catalog.ofKind(apiVersion, kind);
    if (resource === undefined) throw badRequest(`no kind ${kind} of ${apiVersion} is served`);
    const draft = decode(resource, document);
    const { name, namespace = "default" } = draft.metadata;
    if (name === "") throw badRequest(`a ${kind} without metadata.name`);
    const where = resource.namespaced ? namespace : undefined;
    if (where !== undefined) this.#makeNamespace(where);
    const key = keyOf(where, name);
    const old = this.#store.get(collectionOf(resource), key);
    const metadata = {
      ...draft.metadata,
      ...(where !== undefined && { namespace: where }),
      uid: draft.metadata.uid || (old?.metadata.uid ?? randomUUID()),
      creationTimestamp: draft.metadata.creationTimestamp || (old?.metadata.creationTimestamp ?? timestamp()),
      ...(resource.generation && { generation: (old?.metadata.generation ?? 0) + 1 }),
    };
    const object = filled(resource, { ...draft, metadata }, old, this.#ranges);
    this.#store.put(collectionOf(resource), key, object);
  }

  #makeNamespace(name: string): void {
    if (this.#store.get(collectionOf(NAMESPACES), name) !== undefined) return;
    this.put({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
}
