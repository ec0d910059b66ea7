/**
 * Prefixes as dense integers: an open-addressing hash table over typed arrays.
 *
 * An id stands for a prefix for as long as it is in use, so that everything else about a prefix can live in plain
 * arrays indexed by it. A lookup reads the NLRI's octets in place and makes no object.
 */
import { type Family } from "../../ipam/net/address.ts";
import { type Prefix } from "../../ipam/net/prefix.ts";

const EMPTY = -1;
/** Stands in the place of a length where an id is not in use. */
const UNUSED = 255;

export class PrefixTable {
  readonly family: Family;
  readonly #words: 1 | 4;
  #address: Uint32Array;
  #length: Uint8Array;
  /** Hash slots: an id plus one, or 0. At least twice as many as ids, so that chains stay short. */
  #slots: Int32Array;
  /** The last id given back, and so on: the first address word of an unused id names the next, plus one. */
  #free = 0;
  #unused = 0;
  #used = 0;
  readonly #key = new Uint32Array(4);

  /** `capacity`: ids reserved at the start; memory that is not touched is not taken. */
  constructor(family: Family, capacity: number) {
    this.family = family;
    this.#words = family === 4 ? 1 : 4;
    this.#address = new Uint32Array(capacity * this.#words);
    this.#length = new Uint8Array(capacity);
    this.#slots = new Int32Array(2 * powerOfTwo(capacity));
  }

  /** Ids are below this: the length an array indexed by id needs. */
  get capacity(): number {
    return this.#length.length;
  }

  get size(): number {
    return this.#used - this.#unused;
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
    this.readAddress(id, address);
    return { address, length: this.#length[id] as number };
  }

  /** Gives the id back. The caller sees to it that nothing refers to it any more. */
  release(id: number): void {
    const mask = this.#slots.length - 1;
    for (let w = 0; w < this.#words; w++) this.#key[w] = this.#address[id * this.#words + w] as number;
    let slot = this.#hash(this.#length[id] as number) & mask;
    while (this.#slots[slot] !== id + 1) slot = (slot + 1) & mask;
    // Backward-shift deletion: entries behind the hole move up unless they already sit at their own place.
    let hole = slot;
    let next = (slot + 1) & mask;
    while (this.#slots[next] !== 0) {
      const home = this.#homeOf((this.#slots[next] as number) - 1) & mask;
      const distance = (next - home) & mask;
      if (distance >= ((next - hole) & mask)) {
        this.#slots[hole] = this.#slots[next] as number;
        hole = next;
      }
      next = (next + 1) & mask;
    }
    this.#slots[hole] = 0;
    this.#length[id] = UNUSED;
    this.#address[id * this.#words] = this.#free;
    this.#free = id + 1;
    this.#unused++;
  }

  /** Every id in use is below this. */
  get bound(): number {
    return this.#used;
  }

  /** In the order they came, by and large: neighbours in it tend to share their attributes. */
  *ids(): IterableIterator<number> {
    for (let id = 0; id < this.#used; id++) if (this.#length[id] !== UNUSED) yield id;
  }

  /** Octets of the prefix's NLRI. */
  nlriLength(id: number): number {
    return 1 + (((this.#length[id] as number) + 7) >> 3);
  }

  /** The NLRI of a prefix, written at `at`; returns where it ends. */
  write(id: number, octets: Uint8Array, at: number): number {
    const length = this.#length[id] as number;
    octets[at++] = length;
    let left = (length + 7) >> 3;
    for (let w = id * this.#words; left > 0; w++) {
      const word = this.#address[w] as number;
      for (let shift = 24; shift >= 0 && left > 0; shift -= 8, left--) octets[at++] = word >>> shift;
    }
    return at;
  }

  /** The address of a prefix, 4 or 16 octets, into an array that is used again. */
  readAddress(id: number, into: Uint8Array): void {
    for (let w = 0; w < this.#words; w++) {
      const word = this.#address[id * this.#words + w] as number;
      into[4 * w] = word >>> 24;
      into[4 * w + 1] = word >>> 16;
      into[4 * w + 2] = word >>> 8;
      into[4 * w + 3] = word;
    }
  }

  length(id: number): number {
    return this.#length[id] as number;
  }

  #readKey(octets: Uint8Array, at: number, length: number): void {
    const width = (length + 7) >> 3;
    if (this.#words === 1) {
      let word = width > 0 ? (octets[at] as number) << 24 : 0;
      if (width > 1) word |= (octets[at + 1] as number) << 16;
      if (width > 2) word |= (octets[at + 2] as number) << 8;
      if (width > 3) word |= octets[at + 3] as number;
      // Bits behind the length are of no meaning (RFC 4271 4.3).
      this.#key[0] = length === 0 ? 0 : word & (-1 << (32 - length));
      return;
    }
    for (let w = 0; w < this.#words; w++) {
      let word = 0;
      for (let i = 0; i < 4; i++) {
        const index = 4 * w + i;
        word = (word << 8) | (index < width ? (octets[at + index] as number) : 0);
      }
      const bits = length - 32 * w;
      if (bits <= 0) word = 0;
      else if (bits < 32) word &= -1 << (32 - bits);
      this.#key[w] = word;
    }
  }

  /** Multiply and fold, so that every bit of the key reaches the low bits of the slot. */
  #hash(length: number): number {
    let hash = length;
    for (let w = 0; w < this.#words; w++) {
      hash = Math.imul(hash ^ (this.#key[w] as number), 0x7feb352d);
      hash ^= hash >>> 15;
    }
    hash = Math.imul(hash, 0x846ca68b);
    return hash ^ (hash >>> 16);
  }

  #homeOf(id: number): number {
    for (let w = 0; w < this.#words; w++) this.#key[w] = this.#address[id * this.#words + w] as number;
    return this.#hash(this.#length[id] as number);
  }

  #find(length: number): number {
    const mask = this.#slots.length - 1;
    let slot = this.#hash(length) & mask;
    for (;;) {
      const id = (this.#slots[slot] as number) - 1;
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
    const id = this.#take();
    for (let w = 0; w < this.#words; w++) this.#address[id * this.#words + w] = this.#key[w] as number;
    this.#length[id] = length;
    if (this.#used * 2 > this.#slots.length) this.#rehash();
    else this.#place(id, this.#hash(length));
    return id;
  }

  #take(): number {
    if (this.#free === 0) {
      if (this.#used === this.#length.length) this.#grow();
      return this.#used++;
    }
    const id = this.#free - 1;
    this.#free = this.#address[id * this.#words] as number;
    this.#unused--;
    return id;
  }

  #place(id: number, hash: number): void {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = id + 1;
  }

  #grow(): void {
    const capacity = this.#length.length * 2;
    this.#address = grown(this.#address, capacity * this.#words);
    this.#length = grown(this.#length, capacity);
  }

  /** Twice the slots; all ids below #used are in use: none was free, or this one would not be new. */
  #rehash(): void {
    this.#slots = new Int32Array(this.#slots.length * 2);
    for (let id = 0; id < this.#used; id++) this.#place(id, this.#homeOf(id));
  }
}

function powerOfTwo(atLeast: number): number {
  return 2 ** Math.ceil(Math.log2(atLeast));
}

/** A copy of the array with room for more. */
export function grown<T extends Uint32Array | Uint16Array | Uint8Array | Int32Array | Float64Array>(
  from: T,
  length: number,
): T {
  const to = new (from.constructor as new (length: number) => T)(length);
  to.set(from);
  return to;
}
