/**
 * Attribute sets, each kept once: a route holds a number.
 *
 * Thousands of routes of a peer share a few sets, so the octets are looked up first and decoded only when new. What
 * the octets mean depends on the session (two- or four-octet AS numbers, external or internal): that is part of the
 * key.
 */
import type { DecodedAttributes } from "../wire/attributes.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { type Fault, isFault } from "../wire/fault.ts";
import { sameOctets } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";

interface Row {
  readonly key: Uint8Array;
  readonly hash: number;
  readonly attributes: PathAttributes;
  readonly discarded: readonly Fault[];
  references: number;
  /** The set as it is sent, by octets of an AS number; made when first needed. */
  readonly encoded: { 2?: Uint8Array; 4?: Uint8Array };
}

export class AttributeTable {
  readonly #rows: (Row | undefined)[] = [];
  readonly #free: number[] = [];
  readonly #byHash = new Map<number, number[]>();

  get size(): number {
    return this.#rows.length - this.#free.length;
  }

  attributes(id: number): PathAttributes {
    return this.#row(id).attributes;
  }

  /** Everything of the set but MP_REACH_NLRI, as it is sent. */
  encoded(id: number, asOctets: 2 | 4): Uint8Array {
    const { encoded, attributes } = this.#row(id);
    encoded[asOctets] ??= encodeAttributes(attributes, asOctets);
    return encoded[asOctets];
  }

  discarded(id: number): readonly Fault[] {
    return this.#row(id).discarded;
  }

  /**
   * The id for a key, with one reference more; `decode` runs only when the set is new. The key is copied. A fault
   * that decode finds is handed back and nothing is kept.
   */
  intern(key: Uint8Array, decode: () => DecodedAttributes | Fault): number | Fault {
    const hash = hashOctets(key);
    const bucket = this.#byHash.get(hash);
    for (const id of bucket ?? []) {
      if (sameOctets(this.#row(id).key, key)) {
        this.#row(id).references++;
        return id;
      }
    }
    const decoded = decode();
    if (isFault(decoded)) return decoded;
    const id = this.#free.pop() ?? this.#rows.length;
    this.#rows[id] = { key: key.slice(), hash, ...decoded, references: 1, encoded: {} };
    if (bucket === undefined) this.#byHash.set(hash, [id]);
    else bucket.push(id);
    return id;
  }

  retain(id: number): void {
    this.#row(id).references++;
  }

  release(id: number): void {
    const row = this.#row(id);
    row.references--;
    if (row.references > 0) return;
    const rest = (this.#byHash.get(row.hash) as number[]).filter((other) => other !== id);
    if (rest.length === 0) this.#byHash.delete(row.hash);
    else this.#byHash.set(row.hash, rest);
    this.#rows[id] = undefined;
    this.#free.push(id);
  }

  #row(id: number): Row {
    const row = this.#rows[id];
    if (row === undefined) throw new Error(`attribute set ${id} is not in the table`);
    return row;
  }
}

/** FNV-1a, 32 bits. */
function hashOctets(octets: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < octets.length; i++) hash = Math.imul(hash ^ (octets[i] as number), 0x01000193);
  return hash >>> 0;
}
