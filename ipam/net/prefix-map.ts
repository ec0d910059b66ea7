/** A map from prefixes to values that also answers "which is the longest prefix around this address?". */
import { type Address, familyOf } from "./address.ts";
import { formatPrefix, type Prefix, prefixAround } from "./prefix.ts";

/**
 * One hash table per prefix length in use: a lookup asks each length once, longest first. Right for the tens of
 * different lengths a node's own tables have; the BGP table has its own store.
 */
export class PrefixMap<T> {
  readonly #byLength = {
    4: new Map<number, Map<string, { prefix: Prefix; value: T }>>(),
    6: new Map<number, Map<string, { prefix: Prefix; value: T }>>(),
  };
  readonly #lengths: { 4: number[]; 6: number[] } = { 4: [], 6: [] };
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get(prefix: Prefix): T | undefined {
    return this.#byLength[familyOf(prefix.address)].get(prefix.length)?.get(formatPrefix(prefix))?.value;
  }

  set(prefix: Prefix, value: T): void {
    const family = familyOf(prefix.address);
    let table = this.#byLength[family].get(prefix.length);
    if (table === undefined) {
      table = new Map();
      this.#byLength[family].set(prefix.length, table);
      this.#lengths[family] = [...this.#byLength[family].keys()].sort((a, b) => b - a);
    }
    const key = formatPrefix(prefix);
    if (!table.has(key)) this.#size++;
    table.set(key, { prefix, value });
  }

  delete(prefix: Prefix): boolean {
    const family = familyOf(prefix.address);
    const table = this.#byLength[family].get(prefix.length);
    if (table?.delete(formatPrefix(prefix)) !== true) return false;
    this.#size--;
    if (table.size === 0) {
      this.#byLength[family].delete(prefix.length);
      this.#lengths[family] = this.#lengths[family].filter((length) => length !== prefix.length);
    }
    return true;
  }

  /** The entry with the longest prefix around the address. */
  longest(address: Address): { readonly prefix: Prefix; readonly value: T } | undefined {
    const family = familyOf(address);
    for (const length of this.#lengths[family]) {
      const found = this.#byLength[family].get(length)?.get(formatPrefix(prefixAround(address, length)));
      if (found !== undefined) return found;
    }
    return undefined;
  }

  *entries(): IterableIterator<{ readonly prefix: Prefix; readonly value: T }> {
    for (const family of [4, 6] as const) for (const table of this.#byLength[family].values()) yield* table.values();
  }
}
