/** Records that a node met and could not read: it goes on without them, and says which they are. */
import { decodeAffinity } from "./affinity.ts";
import { affinityOfKey } from "./keys.ts";
import type { Prefix } from "./net/prefix.ts";
import type { Entry } from "./store.ts";

export class Unreadable {
  readonly #keys = new Set<string>();

  /** In order. */
  keys(): string[] {
    return [...this.#keys].sort();
  }

  note(key: string, isUnreadable: boolean): void {
    if (isUnreadable) this.#keys.add(key);
    else this.#keys.delete(key);
  }

  /** Takes all of a node's claims, and tells which blocks they are for: the key says it, whatever the value. */
  learnAffinities(entries: readonly Entry[]): Prefix[] {
    for (const key of this.#keys) if (affinityOfKey(key) !== undefined) this.#keys.delete(key);
    return entries.flatMap(({ key, value }) => {
      this.note(key, decodeAffinity(value) === undefined);
      return affinityOfKey(key)?.cidr ?? [];
    });
  }

  /** What may have been put right and is not read with the claims. */
  toReadAgain(): string[] {
    return this.keys().filter((key) => affinityOfKey(key) === undefined);
  }
}
