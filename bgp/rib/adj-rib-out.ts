/**
 * What one peer was told, per family, and what it has still to be told.
 *
 * Nothing is queued per change: a changed prefix is marked, and the message is made from the state at the time the
 * peer has room for it. A slow peer costs one bit per prefix.
 */
import { Marks } from "./marks.ts";
import { grown } from "./prefix-table.ts";

/** Attribute set of a prefix that was not announced. */
export const NOT_ANNOUNCED = -1;

export class AdjRibOut {
  readonly pending = new Marks();
  /** Attribute set per prefix id, plus one; 0: not announced. */
  #announced = new Int32Array(0);
  #count = 0;
  /** End-of-RIB is due once nothing is pending (RFC 4724 2). */
  endOfRibDue = true;

  /** How many prefixes the peer has from us. */
  get count(): number {
    return this.#count;
  }

  announced(prefix: number): number {
    return prefix < this.#announced.length ? (this.#announced[prefix] as number) - 1 : NOT_ANNOUNCED;
  }

  setAnnounced(prefix: number, attributes: number): void {
    if (prefix >= this.#announced.length) {
      const length = Math.max(1024, this.#announced.length * 2, prefix + 1);
      this.#announced = grown(this.#announced, new Int32Array(length));
    }
    const before = this.announced(prefix);
    this.#count += (attributes === NOT_ANNOUNCED ? 0 : 1) - (before === NOT_ANNOUNCED ? 0 : 1);
    this.#announced[prefix] = attributes + 1;
  }

  /** Every prefix the peer has from us, with its attribute set. */
  *entries(): IterableIterator<{ readonly prefix: number; readonly attributes: number }> {
    for (let prefix = 0; prefix < this.#announced.length; prefix++) {
      const attributes = (this.#announced[prefix] as number) - 1;
      if (attributes !== NOT_ANNOUNCED) yield { prefix, attributes };
    }
  }
}
