/** What the store holds of the kinds that custom resources are reflected to, read anew but not parsed anew. */
import type { Store } from "../../ipam/store.ts";
import type { Resource } from "../config/resource.ts";
import { kindRoot } from "../config/resource-keys.ts";
import { readEntries } from "../config/resource-store.ts";
import { REFLECTED } from "./custom-resources.ts";

export class HeldResources {
  readonly #store: Store;
  #parsed = new Map<string, { readonly modRevision: bigint; readonly resource: Resource | undefined }>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** What cannot be read is as if it were not there: it is written anew. Throws StoreUnavailable. */
  async read(): Promise<Resource[]> {
    const lists = await Promise.all(REFLECTED.map((kind) => this.#store.list(kindRoot(kind))));
    const before = this.#parsed;
    this.#parsed = new Map();
    for (const entry of lists.flatMap(({ entries }) => entries)) {
      const known = before.get(entry.key);
      const parsed =
        known?.modRevision === entry.modRevision
          ? known
          : { modRevision: entry.modRevision, resource: readEntries([entry]).resources[0] };
      this.#parsed.set(entry.key, parsed);
    }
    return [...this.#parsed.values()].flatMap(({ resource }) => resource ?? []);
  }
}
