/** A set of prefixes of both families, over typed arrays: half a million take some 10 MB, and a look 50 ns. */
import { PrefixTable } from "../../bgp/rib/prefix-table.ts";
import type { Address } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";

const LONGEST_NLRI = 17;
const FIRST_CAPACITY = 1024;

export class PrefixSet {
  #tables = { 4: new PrefixTable(4, FIRST_CAPACITY), 16: new PrefixTable(6, FIRST_CAPACITY) };
  /** The ids {@link take} came past last. */
  readonly #next = { 4: 0, 16: 0 };
  readonly #nlri = new Uint8Array(LONGEST_NLRI);

  get size(): number {
    return this.#tables[4].size + this.#tables[16].size;
  }

  has(address: Address, length: number): boolean {
    return this.size > 0 && this.#lookUp(address, length) >= 0;
  }

  add(address: Address, length: number): void {
    this.#tableOf(address).intern(this.#encode(address, length), 0);
  }

  /** True when it was in the set. */
  delete(address: Address, length: number): boolean {
    if (this.size === 0) return false;
    const id = this.#lookUp(address, length);
    if (id < 0) return false;
    this.#tableOf(address).release(id);
    return true;
  }

  clear(): void {
    this.#tables = { 4: new PrefixTable(4, FIRST_CAPACITY), 16: new PrefixTable(6, FIRST_CAPACITY) };
  }

  /** Takes one out; undefined: there is none. As many calls as there are prefixes take linear time together. */
  take(): Prefix | undefined {
    const octets = this.#tables[4].size > 0 ? 4 : 16;
    const table = this.#tables[octets];
    if (table.size === 0) return undefined;
    let id = this.#next[octets];
    do id = id + 1 < table.bound ? id + 1 : 0;
    while (!table.isInUse(id));
    this.#next[octets] = id;
    const prefix = table.prefix(id);
    table.release(id);
    return prefix;
  }

  /** What is put in or taken out meanwhile may come or not. */
  *[Symbol.iterator](): IterableIterator<Prefix> {
    for (const table of [this.#tables[4], this.#tables[16]]) for (const id of table.ids()) yield table.prefix(id);
  }

  #lookUp(address: Address, length: number): number {
    return this.#tableOf(address).lookup(this.#encode(address, length), 0);
  }

  #tableOf(address: Address): PrefixTable {
    return address.length === 4 ? this.#tables[4] : this.#tables[16];
  }

  #encode(address: Address, length: number): Uint8Array {
    this.#nlri[0] = length;
    for (let i = 0; i < address.length; i++) this.#nlri[1 + i] = address[i] as number;
    return this.#nlri;
  }
}
