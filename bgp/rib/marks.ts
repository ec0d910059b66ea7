/** A queue of prefix ids in which each stands once: however often something changes, it is looked at once. */
import { grown } from "./prefix-table.ts";

const FIRST_CAPACITY = 64;

export class Marks {
  #bits = new Uint8Array(0);
  /** A ring; its length is a power of two. */
  #ring = new Int32Array(FIRST_CAPACITY);
  #head = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(id: number): boolean {
    return this.#bits[id] === 1;
  }

  /** Returns whether it is new in the queue. */
  add(id: number): boolean {
    if (id >= this.#bits.length) {
      this.#bits = grown(this.#bits, Math.max(1024, this.#bits.length * 2, id + 1));
    }
    if (this.#bits[id] === 1) return false;
    this.#bits[id] = 1;
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = id;
    this.#size++;
    return true;
  }

  /** The longest-waiting id, unmarked; -1 when there is none. */
  take(): number {
    if (this.#size === 0) return -1;
    const id = this.#ring[this.#head] as number;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size--;
    this.#bits[id] = 0;
    // A queue that was long once does not keep its memory.
    if (this.#size === 0 && this.#ring.length > 65_536) {
      this.#ring = new Int32Array(FIRST_CAPACITY);
      this.#head = 0;
    }
    return id;
  }

  #grow(): void {
    const ring = new Int32Array(this.#ring.length * 2);
    ring.set(this.#ring.subarray(this.#head));
    ring.set(this.#ring.subarray(0, this.#head), this.#ring.length - this.#head);
    this.#ring = ring;
    this.#head = 0;
  }
}
