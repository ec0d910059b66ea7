/**
 * Prefixes as dense integers: an open-addressing hash table over typed arrays.
 *
 * An id stands for a prefix for as long as it is in use, so that everything else about a prefix can live in plain
 * arrays indexed by it. A lookup reads the NLRI's octets in place and makes no object.
 */
import { type Family } from "../../ipam/net/address.ts";
import { type Prefix } from "../../ipam/net/prefix.ts";

const FIRST_CAPACITY = 1024;
const EMPTY = -1;
/** Stands in the place of a length where an id is not in use. */
const UNUSED = 255;

export class PrefixTable {
  readonly family: Family;
  readonly #words: 1 | 4;
  #address: Uint32Array;
  #length: Uint8Array;
  /** Hash slots: an id, or EMPTY. Twice the capacity, so that chains stay short. */
  #slots: Int32Array;
  #free: number[] = [];
  #used = 0;
  readonly #key = new Uint32Array(4);

  constructor(family: Family) {
    this.family = family;
    this.#words = family === 4 ? 1 : 4;
    this.#address = new Uint32Array(FIRST_CAPACITY * this.#words);
    this.#length = new Uint8Array(FIRST_CAPACITY);
    this.#slots = new Int32Array(FIRST_CAPACITY * 2).fill(EMPTY);
  }

  /** Ids are below this: the length an array indexed by id needs. */
  get capacity(): number {
    return this.#length.length;
  }

  get size(): number {
    return this.#used - this.#free.length;
  }

  /** The id of the prefix whose NLRI (length octet, then address octets) starts at `at`; made if new. */
  intern(octets: Uint8Array, at: number): number {
    const length = octets[at] as number;
    this.#readKey(octets, at + 1, length);
    const found = this.#find(length);
    if (found !== EMPTY) return found;
    return this.#insert(length);
  }

  /** As {@link intern}, without making: -1 when the prefix is not known. */
  lookup(octets: Uint8Array, at: number): number {
    const length = octets[at] as number;
    this.#readKey(octets, at + 1, length);
    return this.#find(length);
  }

  isInUse(id: number): boolean {
    return this.#length[id] !== UNUSED;
  }

  prefix(id: number): Prefix {
    const address = new Uint8Array(this.#words * 4);
    for (let w = 0; w < this.#words; w++) {
      const word = this.#address[id * this.#words + w] as number;
      address[4 * w] = word >>> 24;
      address[4 * w + 1] = word >>> 16;
      address[4 * w + 2] = word >>> 8;
      address[4 * w + 3] = word;
    }
    return { address, length: this.#length[id] as number };
  }

  /** Gives the id back. The caller sees to it that nothing refers to it any more. */
  release(id: number): void {
    const mask = this.#slots.length - 1;
    for (let w = 0; w < this.#words; w++) this.#key[w] = this.#address[id * this.#words + w] as number;
    let slot = this.#hash(this.#length[id] as number) & mask;
    while (this.#slots[slot] !== id) slot = (slot + 1) & mask;
    // Backward-shift deletion: entries behind the hole move up unless they already sit at their own place.
    let hole = slot;
    let next = (slot + 1) & mask;
    while (this.#slots[next] !== EMPTY) {
      const home = this.#homeOf(this.#slots[next] as number) & mask;
      const distance = (next - home) & mask;
      if (distance >= ((next - hole) & mask)) {
        this.#slots[hole] = this.#slots[next] as number;
        hole = next;
      }
      next = (next + 1) & mask;
    }
    this.#slots[hole] = EMPTY;
    this.#length[id] = UNUSED;
    this.#free.push(id);
  }

  /** In the order they came, by and large: neighbours in it tend to share their attributes. */
  *ids(): IterableIterator<number> {
    for (let id = 0; id < this.#used; id++) if (this.#length[id] !== UNUSED) yield id;
  }

  #readKey(octets: Uint8Array, at: number, length: number): void {
    const width = (length + 7) >> 3;
    for (let w = 0; w < this.#words; w++) {
      let word = 0;
      for (let i = 0; i < 4; i++) {
        const index = 4 * w + i;
        word = (word << 8) | (index < width ? (octets[at + index] as number) : 0);
      }
      const bits = length - 32 * w;
      // Bits behind the length are of no meaning (RFC 4271 4.3).
      if (bits <= 0) word = 0;
      else if (bits < 32) word &= -1 << (32 - bits);
      this.#key[w] = word;
    }
  }

  #hash(length: number): number {
    let hash = Math.imul(length + 1, 0x9e3779b1);
    for (let w = 0; w < this.#words; w++) {
      hash = Math.imul(hash ^ (this.#key[w] as number), 0x85ebca6b);
      hash ^= hash >>> 15;
    }
    return Math.imul(hash, 0xc2b2ae35) >>> 1;
  }

  #homeOf(id: number): number {
    for (let w = 0; w < this.#words; w++) this.#key[w] = this.#address[id * this.#words + w] as number;
    return this.#hash(this.#length[id] as number);
  }

  #find(length: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(length) & mask;
    for (;;) {
      const id = this.#slots[slot] as number;
      if (id === EMPTY || this.#matches(id, length)) return id;
      slot = (slot + 1) & mask;
    }
  }

  #matches(id: number, length: number): boolean {
    if (this.#length[id] !== length) return false;
    for (let w = 0; w < this.#words; w++) if (this.#address[id * this.#words + w] !== this.#key[w]) return false;
    return true;
  }

  #insert(length: number): number {
    const id = this.#free.pop() ?? this.#used++;
    if (id >= this.#length.length) this.#grow();
    for (let w = 0; w < this.#words; w++) this.#address[id * this.#words + w] = this.#key[w] as number;
    this.#length[id] = length;
    this.#place(id, this.#hash(length));
    return id;
  }

  #place(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== EMPTY) slot = (slot + 1) & mask;
    this.#slots[slot] = id;
  }

  #grow(): void {
    const key = this.#key.slice();
    const inUse = [...this.ids()].filter((id) => id < this.#length.length);
    const capacity = this.#length.length * 2;
    this.#address = grown(this.#address, new Uint32Array(capacity * this.#words));
    this.#length = grown(this.#length, new Uint8Array(capacity));
    this.#slots = new Int32Array(capacity * 2).fill(EMPTY);
    for (const id of inUse) this.#place(id, this.#homeOf(id));
    this.#key.set(key);
  }
}

/** The larger array with the smaller one's values in front. */
export function grown<T extends Uint32Array | Uint8Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
