/**
 * Other nodes' blocks in the order in which they are asked for an address to borrow: first those that had room when
 * last seen, then those never looked at, then those looked at longest ago. So a search may stop after some of many
 * thousands, and the next one goes on where it stopped.
 */
import { inOwnOrder } from "./candidates.ts";
import { formatPrefix, type Prefix } from "./net/prefix.ts";

export class Lenders {
  #roomy = new Map<string, Prefix>();
  /** In the order of looking. */
  #others = new Map<string, Prefix>();

  get size(): number {
    return this.#roomy.size + this.#others.size;
  }

  *[Symbol.iterator](): IterableIterator<Prefix> {
    yield* this.#roomy.values();
    yield* this.#others.values();
  }

  /** These are all there are, by their texts. Each node begins elsewhere among those it does not know. */
  listed(cidrs: ReadonlyMap<string, Prefix>, node: string): void {
    const fresh = new Map(inOwnOrder([...cidrs], node));
    this.#roomy = new Map([...this.#roomy].filter(([text]) => fresh.has(text)));
    const others = [...this.#others].filter(([text]) => fresh.has(text));
    for (const text of this.#roomy.keys()) fresh.delete(text);
    for (const [text] of others) fresh.delete(text);
    this.#others = new Map([...fresh, ...others]);
  }

  lookedAt(cidr: Prefix, hasRoom: boolean): void {
    this.forget(cidr);
    (hasRoom ? this.#roomy : this.#others).set(formatPrefix(cidr), cidr);
  }

  forget(cidr: Prefix): void {
    const text = formatPrefix(cidr);
    this.#roomy.delete(text);
    this.#others.delete(text);
  }
}
