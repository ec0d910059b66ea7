/**
 * Attribute sets, each kept once: a route holds a number.
 *
 * Thousands of routes of a peer share a few sets, so the octets are looked up first and checked only when new. What the
 * octets mean depends on the session (two- or four-octet AS numbers, external or internal, the interface of a
 * link-local next hop): that is the set's context and part of its key. Octets stand in an arena, what the decision asks
 * in typed arrays; a set is read into values only for a filter or an operator.
 */
import { readAttributes } from "../wire/attributes.ts";
import { encodeCanonical } from "../wire/encode-attributes.ts";
import type { Fault } from "../wire/fault.ts";
import type { AttributeContext, PathAttributes } from "../wire/path-attributes.ts";
import { Arena, hashOctets } from "./arena.ts";
import { Columns, gatherColumns } from "./attribute-columns.ts";
import { AttributeRows } from "./attribute-rows.ts";
import type { NextHops } from "./next-hops.ts";

export const NO_SET = -1;
/** Bits of a set's context; above them the interface of a link-local next hop. */
const CONTEXT = { FourOctet: 1, External: 2, Own: 4, Multiprotocol: 8 } as const;
const SCOPE_SHIFT = 4;
const NO_FAULTS: readonly Fault[] = [];
/** Octets reserved for a set: about as long as most are. */
const OCTETS_PER_SET = 80;
const READ_CACHE = 256;

export class AttributeTable {
  readonly #nextHops: NextHops;
  readonly #arena: Arena;
  readonly #columns = new Columns();
  /** What is asked of a set by its number. */
  readonly rows: AttributeRows;
  /** By hash: a set, plus one; 0: none. */
  #buckets: Int32Array;
  /** Faults that cost a set an attribute, for as long as the set lives. */
  readonly #discarded = new Map<number, readonly Fault[]>();
  readonly #read = new Map<number, PathAttributes>();
  /** The last number given back. */
  #free = NO_SET;
  #unused = 0;
  #used = 0;
  /** Of the key that was looked for last: the one that is added next, if any. */
  #lookedFor = 0;

  /** `capacity`: sets reserved at the start; memory that is not touched is not taken. */
  constructor(nextHops: NextHops, capacity: number) {
    this.#nextHops = nextHops;
    this.rows = new AttributeRows(capacity);
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(capacity)));
    this.#arena = new Arena(capacity * OCTETS_PER_SET);
  }

  get size(): number {
    return this.#used - this.#unused;
  }

  /** The set with this key, with one reference more; NO_SET when there is none. */
  find(octets: Uint8Array, start: number, end: number, context: number): number {
    const hash = hashOctets(octets, start, end, context);
    this.#lookedFor = hash;
    const { octets: kept } = this.#arena;
    const { rows } = this;
    let id = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1;
    for (; id !== NO_SET; id = rows.next(id)) {
      if (rows.hash(id) !== hash || rows.keyLength(id) !== end - start || rows.context(id) !== context) continue;
      let a = rows.keyAt(id);
      let b = start;
      while (b < end && kept[a] === octets[b]) {
        a++;
        b++;
      }
      if (b < end) continue;
      rows.refer(id, 1);
      return id;
    }
    return NO_SET;
  }

  /** Takes in the set that {@link find} did not have. One reference. `canonical` undefined: the key is canonical. */
  add(
    octets: Uint8Array,
    start: number,
    end: number,
    context: number,
    canonical: Uint8Array | undefined,
    discarded: readonly Fault[],
  ): number {
    const id = this.#take();
    const hash = this.#lookedFor;
    this.rows.setKey(id, hash, context);
    this.rows.refer(id, 1);
    const keyAt = this.#arena.add(octets, start, end);
    const own = canonical !== undefined;
    const at = own ? this.#arena.add(canonical, 0, canonical.length) : keyAt;
    this.rows.setPlaces(id, keyAt, end - start, at, own ? canonical.length : end - start);
    if (discarded.length > 0) this.#discarded.set(id, discarded);
    this.#gather(id);
    if (this.#used > this.#buckets.length) this.#rehash();
    else this.#link(id, hash);
    return id;
  }

  /** A set of our own making. One reference. `scope`: interface of a link-local next hop. */
  intern(attributes: PathAttributes, scope: number): number {
    const octets = encodeCanonical(attributes);
    const context = CONTEXT.Own | (scope << SCOPE_SHIFT);
    const known = this.find(octets, 0, octets.length, context);
    return known === NO_SET ? this.add(octets, 0, octets.length, context, undefined, []) : known;
  }

  retain(id: number): void {
    this.rows.refer(id, 1);
  }

  release(id: number): void {
    const { rows } = this;
    const left = rows.refer(id, -1);
    if (left > 0) return;
    if (left < 0) throw new Error(`attribute set ${id} is not in the table`);
    this.#unlink(id);
    if (rows.at(id) !== rows.keyAt(id)) this.#arena.free(rows.at(id), rows.length(id));
    this.#arena.free(rows.keyAt(id), rows.keyLength(id));
    const nextHop = rows.nextHop(id);
    if (nextHop !== NO_SET) this.#nextHops.release(nextHop);
    this.#discarded.delete(id);
    this.#read.delete(id);
    rows.setNext(id, this.#free);
    this.#free = id;
    this.#unused++;
  }

  #take(): number {
    const id = this.#free;
    if (id === NO_SET) {
      if (this.#used === this.rows.capacity) this.rows.grow();
      return this.#used++;
    }
    this.#free = this.rows.next(id);
    this.#unused--;
    return id;
  }

  discarded(id: number): readonly Fault[] {
    return this.#discarded.get(id) ?? NO_FAULTS;
  }

  /** The canonical octets stand in {@link octets} from {@link start} to {@link end}, until the next set is added. */
  get octets(): Uint8Array {
    return this.#arena.octets;
  }

  start(id: number): number {
    return this.rows.at(id);
  }

  end(id: number): number {
    return this.rows.at(id) + this.rows.length(id);
  }

  scope(id: number): number {
    return this.rows.context(id) >>> SCOPE_SHIFT;
  }

  has(id: number, flag: number): boolean {
    return (this.rows.flags(id) & flag) !== 0;
  }

  attributes(id: number): PathAttributes {
    const known = this.#read.get(id);
    if (known !== undefined) return known;
    const attributes = readAttributes(this.octets.slice(this.start(id), this.end(id)));
    if (this.#read.size >= READ_CACHE) this.#read.clear();
    this.#read.set(id, attributes);
    return attributes;
  }

  #gather(id: number): void {
    const row = this.#columns;
    gatherColumns(this.octets, this.start(id), this.end(id), row);
    const { nextHopAt, nextHopLength } = row;
    const isOwn = nextHopLength === 0;
    const nextHop = isOwn ? NO_SET : this.#nextHops.intern(this.octets, nextHopAt, nextHopLength, this.scope(id));
    this.rows.setColumns(id, row, nextHop);
  }

  #link(id: number, hash: number): void {
    const bucket = hash & (this.#buckets.length - 1);
    this.rows.setNext(id, (this.#buckets[bucket] as number) - 1);
    this.#buckets[bucket] = id + 1;
  }

  #unlink(id: number): void {
    const { rows } = this;
    const bucket = rows.hash(id) & (this.#buckets.length - 1);
    let before = (this.#buckets[bucket] as number) - 1;
    if (before === id) {
      this.#buckets[bucket] = rows.next(id) + 1;
      return;
    }
    while (rows.next(before) !== id) before = rows.next(before);
    rows.setNext(before, rows.next(id));
  }

  /** All below #used are in use: none was free, or this one would not be new. */
  #rehash(): void {
    this.#buckets = new Int32Array(this.#buckets.length * 2);
    for (let id = 0; id < this.#used; id++) this.#link(id, this.rows.hash(id));
  }
}

/** What a set's reading depends on besides its octets, as one number. */
export function contextOf({ asOctets, external, multiprotocol }: AttributeContext, scope: number): number {
  return (
    (asOctets === 4 ? CONTEXT.FourOctet : 0) |
    (external ? CONTEXT.External : 0) |
    (multiprotocol ? CONTEXT.Multiprotocol : 0) |
    (scope << SCOPE_SHIFT)
  );
}
