/** A queue of prefix ids in which each stands once: however often something changes, it is looked at once. */
import { grown } from "./prefix-table.ts";

export class Marks {
  #bits = new Uint8Array(0);
  #queue: number[] = [];
  #head = 0;

  get size(): number {
    return this.#queue.length - this.#head;
  }

  has(id: number): boolean {
    return this.#bits[id] === 1;
  }

  add(id: number): void {
    if (id >= this.#bits.length) {
      this.#bits = grown(this.#bits, new Uint8Array(Math.max(1024, this.#bits.length * 2, id + 1)));
    }
    if (this.#bits[id] === 1) return;
    this.#bits[id] = 1;
    this.#queue.push(id);
  }

  /** The longest-waiting id, unmarked; undefined when there is none. */
  take(): number | undefined {
    const id = this.#queue[this.#head];
    if (id === undefined) return undefined;
    this.#head++;
    this.#bits[id] = 0;
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
    }
    return id;
  }
}
