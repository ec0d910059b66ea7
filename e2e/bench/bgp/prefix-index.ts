/** Prefix to number: open addressing over two typed arrays, made once with room for all. IPv4 only. */
export class PrefixIndex {
  readonly #addresses: Uint32Array;
  /** (number + 1) × 64 + length; 0 is free. */
  readonly #tags: Uint32Array;
  readonly #mask: number;

  constructor(most: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, most * 2)));
    this.#addresses = new Uint32Array(slots);
    this.#tags = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  /** -1: not there. */
  get(address: number, length: number): number {
    for (let slot = this.#hash(address, length); ; slot = (slot + 1) & this.#mask) {
      const tag = this.#tags[slot] as number;
      if (tag === 0) return -1;
      if (this.#addresses[slot] === address && (tag & 63) === length) return (tag >>> 6) - 1;
    }
  }

  /** False: it is there already. */
  add(address: number, length: number, number: number): boolean {
    let slot = this.#hash(address, length);
    for (; this.#tags[slot] !== 0; slot = (slot + 1) & this.#mask) {
      if (this.#addresses[slot] === address && ((this.#tags[slot] as number) & 63) === length) return false;
    }
    this.#addresses[slot] = address;
    this.#tags[slot] = ((number + 1) << 6) | length;
    return true;
  }

  #hash(address: number, length: number): number {
    const mixed = Math.imul(address ^ (length << 2), 0x9e3779b1);
    return (mixed ^ (mixed >>> 15)) & this.#mask;
  }
}
