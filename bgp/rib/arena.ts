/**
 * Many short runs of octets in one array: no object for each, and what is freed is used again.
 *
 * Sizes are rounded up to a step, so that a freed run fits the next of about its length.
 */
import { u32 } from "../wire/octets.ts";
import { grown } from "./prefix-table.ts";

const STEP = 16;

export class Arena {
  octets: Uint8Array<ArrayBuffer>;
  #used = 0;
  /** Places of freed runs, by size in steps. */
  readonly #free: (number[] | undefined)[] = [];

  /** `capacity`: octets reserved at the start. */
  constructor(capacity: number) {
    this.octets = new Uint8Array(capacity);
  }

  /** Copies the run; returns where it stands. */
  add(from: Uint8Array, start: number, end: number): number {
    const steps = (end - start + STEP - 1) >> 4;
    const at = this.#free[steps]?.pop() ?? this.#append(steps * STEP);
    const { octets } = this;
    for (let i = start, to = at; i < end; i++, to++) octets[to] = from[i] as number;
    return at;
  }

  free(at: number, length: number): void {
    const steps = (length + STEP - 1) >> 4;
    const free = this.#free[steps];
    if (free === undefined) this.#free[steps] = [at];
    else free.push(at);
  }

  #append(size: number): number {
    const at = this.#used;
    this.#used += size;
    if (this.#used > this.octets.length) {
      this.octets = grown(this.octets, Math.max(this.octets.length * 2, this.#used));
    }
    return at;
  }
}

/** Of octets and a number: four octets at a step, multiplied and folded, so that every bit reaches the low ones. */
export function hashOctets(octets: Uint8Array, start: number, end: number, seed: number): number {
  let hash = 0x811c9dc5 ^ seed ^ (end - start);
  let at = start;
  for (; at + 4 <= end; at += 4) {
    hash = Math.imul(hash ^ u32(octets, at), 0x7feb352d);
    hash ^= hash >>> 15;
  }
  for (; at < end; at++) hash = Math.imul(hash ^ (octets[at] as number), 0x01000193);
  hash = Math.imul(hash, 0x846ca68b);
  return hash ^ (hash >>> 16);
}
