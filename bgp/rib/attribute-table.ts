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
import type { NextHops } from "./next-hops.ts";
import { grown } from "./prefix-table.ts";

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
  #capacity: number;
  /** By hash: a set, plus one; 0: none. */
  #buckets: Int32Array;
  #next: Int32Array;
  #hash: Int32Array;
  #references: Int32Array;
  #context: Int32Array;
  /** The octets by which a set is found: as they came. */
  #keyAt: Int32Array;
  #keyLength: Uint16Array;
  /** The canonical octets; the key's own place where they are the same. */
  #at: Int32Array;
  #length: Uint16Array;
  flags: Uint16Array;
  rank: Float64Array;
  origin: Uint8Array;
  localPref: Uint32Array;
  med: Uint32Array;
  pathLength: Uint16Array;
  neighborAs: Uint32Array;
  originatorId: Uint32Array;
  clusterListLength: Uint8Array;
  /** Number in {@link NextHops}; NO_SET for routes of our own. */
  nextHop: Int32Array;
  /** Faults that cost a set an attribute, for as long as the set lives. */
  readonly #discarded = new Map<number, readonly Fault[]>();
  readonly #read = new Map<number, PathAttributes>();
  /** The last number given back; {@link #next} of a free one is the one before. */
  #free = NO_SET;
  #unused = 0;
  #used = 0;
  /** Of the key that was looked for last: the one that is added next, if any. */
  #lookedFor = 0;

  /** `capacity`: sets reserved at the start; memory that is not touched is not taken. */
  constructor(nextHops: NextHops, capacity: number) {
    this.#nextHops = nextHops;
    this.#capacity = capacity;
    this.#buckets = new Int32Array(2 ** Math.ceil(Math.log2(capacity)));
    this.#arena = new Arena(capacity * OCTETS_PER_SET);
    this.#next = new Int32Array(capacity);
    this.#hash = new Int32Array(capacity);
    this.#references = new Int32Array(capacity);
    this.#context = new Int32Array(capacity);
    this.#keyAt = new Int32Array(capacity);
    this.#keyLength = new Uint16Array(capacity);
    this.#at = new Int32Array(capacity);
    this.#length = new Uint16Array(capacity);
    this.flags = new Uint16Array(capacity);
    this.rank = new Float64Array(capacity);
    this.origin = new Uint8Array(capacity);
    this.localPref = new Uint32Array(capacity);
    this.med = new Uint32Array(capacity);
    this.pathLength = new Uint16Array(capacity);
    this.neighborAs = new Uint32Array(capacity);
    this.originatorId = new Uint32Array(capacity);
    this.clusterListLength = new Uint8Array(capacity);
    this.nextHop = new Int32Array(capacity);
  }

  get size(): number {
    return this.#used - this.#unused;
  }

  /** The set with this key, with one reference more; NO_SET when there is none. */
  find(octets: Uint8Array, start: number, end: number, context: number): number {
    const hash = hashOctets(octets, start, end, context);
    this.#lookedFor = hash;
    const { octets: kept } = this.#arena;
    let id = (this.#buckets[hash & (this.#buckets.length - 1)] as number) - 1;
    for (; id !== NO_SET; id = this.#next[id] as number) {
      if (this.#hash[id] !== hash || this.#keyLength[id] !== end - start || this.#context[id] !== context) continue;
      let a = this.#keyAt[id] as number;
      let b = start;
      while (b < end && kept[a] === octets[b]) {
        a++;
        b++;
      }
      if (b < end) continue;
      this.#references[id] = (this.#references[id] as number) + 1;
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
    this.#hash[id] = hash;
    this.#context[id] = context;
    this.#references[id] = 1;
    const keyAt = this.#arena.add(octets, start, end);
    this.#keyAt[id] = keyAt;
    this.#keyLength[id] = end - start;
    this.#at[id] = canonical === undefined ? keyAt : this.#arena.add(canonical, 0, canonical.length);
    this.#length[id] = canonical === undefined ? end - start : canonical.length;
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
    this.#references[id] = (this.#references[id] as number) + 1;
  }

  release(id: number): void {
    const left = (this.#references[id] as number) - 1;
    this.#references[id] = left;
    if (left > 0) return;
    if (left < 0) throw new Error(`attribute set ${id} is not in the table`);
    this.#unlink(id);
    if (this.#at[id] !== this.#keyAt[id]) this.#arena.free(this.#at[id] as number, this.#length[id] as number);
    this.#arena.free(this.#keyAt[id] as number, this.#keyLength[id] as number);
    if ((this.nextHop[id] as number) !== NO_SET) this.#nextHops.release(this.nextHop[id] as number);
    this.#discarded.delete(id);
    this.#read.delete(id);
    this.#next[id] = this.#free;
    this.#free = id;
    this.#unused++;
  }

  #take(): number {
    const id = this.#free;
    if (id === NO_SET) {
      if (this.#used === this.#capacity) this.#grow();
      return this.#used++;
    }
    this.#free = this.#next[id] as number;
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
    return this.#at[id] as number;
  }

  end(id: number): number {
    return (this.#at[id] as number) + (this.#length[id] as number);
  }

  scope(id: number): number {
    return (this.#context[id] as number) >>> SCOPE_SHIFT;
  }

  has(id: number, flag: number): boolean {
    return ((this.flags[id] as number) & flag) !== 0;
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
    this.flags[id] = row.flags;
    this.rank[id] = row.rank;
    this.origin[id] = row.origin;
    this.localPref[id] = row.localPref;
    this.med[id] = row.med;
    this.pathLength[id] = row.pathLength;
    this.neighborAs[id] = row.neighborAs;
    this.originatorId[id] = row.originatorId;
    this.clusterListLength[id] = row.clusterListLength;
    this.nextHop[id] =
      row.nextHopLength === 0
        ? NO_SET
        : this.#nextHops.intern(this.octets, row.nextHopAt, row.nextHopLength, this.scope(id));
  }

  #link(id: number, hash: number): void {
    const bucket = hash & (this.#buckets.length - 1);
    this.#next[id] = (this.#buckets[bucket] as number) - 1;
    this.#buckets[bucket] = id + 1;
  }

  #unlink(id: number): void {
    const bucket = (this.#hash[id] as number) & (this.#buckets.length - 1);
    let before = (this.#buckets[bucket] as number) - 1;
    if (before === id) {
      this.#buckets[bucket] = (this.#next[id] as number) + 1;
      return;
    }
    while (this.#next[before] !== id) before = this.#next[before] as number;
    this.#next[before] = this.#next[id] as number;
  }

  #grow(): void {
    const length = this.#capacity * 2;
    this.#capacity = length;
    this.#next = grown(this.#next, length);
    this.#hash = grown(this.#hash, length);
    this.#references = grown(this.#references, length);
    this.#context = grown(this.#context, length);
    this.#keyAt = grown(this.#keyAt, length);
    this.#keyLength = grown(this.#keyLength, length);
    this.#at = grown(this.#at, length);
    this.#length = grown(this.#length, length);
    this.flags = grown(this.flags, length);
    this.rank = grown(this.rank, length);
    this.origin = grown(this.origin, length);
    this.localPref = grown(this.localPref, length);
    this.med = grown(this.med, length);
    this.pathLength = grown(this.pathLength, length);
    this.neighborAs = grown(this.neighborAs, length);
    this.originatorId = grown(this.originatorId, length);
    this.clusterListLength = grown(this.clusterListLength, length);
    this.nextHop = grown(this.nextHop, length);
  }

  /** All below #used are in use: none was free, or this one would not be new. */
  #rehash(): void {
    this.#buckets = new Int32Array(this.#buckets.length * 2);
    for (let id = 0; id < this.#used; id++) this.#link(id, this.#hash[id] as number);
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
