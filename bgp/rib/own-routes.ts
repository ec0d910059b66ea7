/** The routes a speaker originates: all of them at once, or what changes. */
import { type Family, familyOf } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { addCommunities } from "../policy/communities.ts";
import { compileTag } from "../policy/compile-filter.ts";
import { LOCAL_ATTRIBUTES } from "../policy/export.ts";
import { encodePrefix } from "../wire/nlri.ts";
import type { AttributeTable } from "./attribute-table.ts";
import type { FamilyRib } from "./family-rib.ts";
import type { PathChanges } from "./path-changes.ts";
import { NO_PATH } from "./paths.ts";
import { LOCAL_SOURCE } from "./sources.ts";

/** A prefix to originate. */
export interface Network extends Prefix {
  /** Standard and large ones as values: `65000:100`, `65000:100:7`. */
  readonly communities?: readonly string[];
}

export class OwnRoutes {
  readonly #families: Readonly<Record<Family, FamilyRib>>;
  readonly #attributes: AttributeTable;
  readonly #changes: PathChanges;

  constructor(families: Readonly<Record<Family, FamilyRib>>, attributes: AttributeTable, changes: PathChanges) {
    this.#families = families;
    this.#attributes = attributes;
    this.#changes = changes;
  }

  /** These, and no other. */
  set(networks: readonly Network[]): void {
    const placed = { 4: new Set<number>(), 6: new Set<number>() };
    this.#place(networks, (family, prefix) => placed[family].add(prefix));
    for (const family of [4, 6] as const) {
      const rib = this.#families[family];
      for (const path of rib.paths.ofSource(LOCAL_SOURCE)) {
        if (!placed[family].has(rib.paths.prefix(path))) this.#changes.remove(rib, path);
      }
    }
  }

  change(announced: readonly Network[], withdrawn: readonly Prefix[]): void {
    this.#place(announced, () => undefined);
    for (const prefix of withdrawn) {
      const rib = this.#families[familyOf(prefix.address)];
      const id = rib.prefixes.lookup(encodePrefix(prefix), 0);
      const path = id < 0 ? NO_PATH : rib.paths.find(id, LOCAL_SOURCE, 0);
      if (path !== NO_PATH) this.#changes.remove(rib, path);
    }
  }

  #place(networks: readonly Network[], placed: (family: Family, prefix: number) => void): void {
    const sets = new Map<string, number>();
    for (const network of networks) {
      const family = familyOf(network.address);
      const rib = this.#families[family];
      const prefix = rib.prefixes.intern(encodePrefix(network), 0);
      const set = this.#setOf(network, sets);
      this.#changes.place(rib, LOCAL_SOURCE, prefix, 0, set, set, Number.POSITIVE_INFINITY);
      placed(family, prefix);
    }
    for (const set of sets.values()) this.#attributes.release(set);
  }

  /** A reference is held for each set until all are placed. */
  #setOf(network: Network, sets: Map<string, number>): number {
    const { communities: values = [] } = network;
    const key = values.join(" ");
    const known = sets.get(key);
    if (known !== undefined) return known;
    const { communities, largeCommunities } = compileTag(network, values);
    const set = this.#attributes.intern(addCommunities(LOCAL_ATTRIBUTES, communities, largeCommunities), 0);
    sets.set(key, set);
    return set;
  }
}
