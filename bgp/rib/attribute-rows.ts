/**
 * What the table keeps of an attribute set besides its octets: a row of 64 octets in a typed array.
 *
 * Looking a set up, counting its routes and holding two of them against each other each ask several things of one set.
 * Side by side these come with one read of memory; in an array each, with one read for every question.
 */
import type { Columns } from "./attribute-columns.ts";
import { grown } from "./prefix-table.ts";

const ROW_SHIFT = 4;
/** Words of a row. RANK takes two, LENGTHS are two of 16 bits, SHAPE is path length, cluster list length and origin. */
const HASH = 0;
const NEXT = 1;
const REFERENCES = 2;
const CONTEXT = 3;
const KEY_AT = 4;
const LENGTHS = 5;
const AT = 6;
const FLAGS = 7;
const RANK = 8;
const NEIGHBOR_AS = 10;
const MED = 11;
const NEXT_HOP = 12;
const ORIGINATOR_ID = 13;
const LOCAL_PREF = 14;
const SHAPE = 15;

export class AttributeRows {
  #words: Int32Array;
  /** The same memory, for RANK. */
  #doubles: Float64Array;

  /** `capacity`: rows reserved at the start; memory that is not touched is not taken. */
  constructor(capacity: number) {
    this.#words = new Int32Array(capacity << ROW_SHIFT);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  get capacity(): number {
    return this.#words.length >> ROW_SHIFT;
  }

  grow(): void {
    this.#words = grown(this.#words, this.#words.length * 2);
    this.#doubles = new Float64Array(this.#words.buffer);
  }

  hash(set: number): number {
    return this.#words[(set << ROW_SHIFT) | HASH] as number;
  }

  context(set: number): number {
    return this.#words[(set << ROW_SHIFT) | CONTEXT] as number;
  }

  /** The octets by which a set is found, as they came, and the canonical ones. */
  setPlaces(set: number, keyAt: number, keyLength: number, at: number, length: number): void {
    const row = set << ROW_SHIFT;
    this.#words[row | KEY_AT] = keyAt;
    this.#words[row | LENGTHS] = (keyLength << 16) | length;
    this.#words[row | AT] = at;
  }

  setKey(set: number, hash: number, context: number): void {
    this.#words[(set << ROW_SHIFT) | HASH] = hash;
    this.#words[(set << ROW_SHIFT) | CONTEXT] = context;
  }

  keyAt(set: number): number {
    return this.#words[(set << ROW_SHIFT) | KEY_AT] as number;
  }

  keyLength(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | LENGTHS] as number) >>> 16;
  }

  at(set: number): number {
    return this.#words[(set << ROW_SHIFT) | AT] as number;
  }

  length(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | LENGTHS] as number) & 0xffff;
  }

  /** Of the same bucket; of a free row the free one before. */
  next(set: number): number {
    return this.#words[(set << ROW_SHIFT) | NEXT] as number;
  }

  setNext(set: number, next: number): void {
    this.#words[(set << ROW_SHIFT) | NEXT] = next;
  }

  /** Returns the references there are now. */
  refer(set: number, change: number): number {
    const word = (set << ROW_SHIFT) | REFERENCES;
    const references = (this.#words[word] as number) + change;
    this.#words[word] = references;
    return references;
  }

  setColumns(set: number, columns: Columns, nextHop: number): void {
    const row = set << ROW_SHIFT;
    this.#words[row | FLAGS] = columns.flags;
    this.#doubles[(row | RANK) >> 1] = columns.rank;
    this.#words[row | NEIGHBOR_AS] = columns.neighborAs;
    this.#words[row | MED] = columns.med;
    this.#words[row | NEXT_HOP] = nextHop;
    this.#words[row | ORIGINATOR_ID] = columns.originatorId;
    this.#words[row | LOCAL_PREF] = columns.localPref;
    this.#words[row | SHAPE] = (columns.pathLength << 16) | (columns.clusterListLength << 2) | columns.origin;
  }

  /** Bits of SetFlag. */
  flags(set: number): number {
    return this.#words[(set << ROW_SHIFT) | FLAGS] as number;
  }

  /** How it does in the steps before MED, as one number: less is better. */
  rank(set: number): number {
    return this.#doubles[((set << ROW_SHIFT) | RANK) >> 1] as number;
  }

  /** The AS the route was received from: leftmost of the path; 0 for a path from inside our AS. */
  neighborAs(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | NEIGHBOR_AS] as number) >>> 0;
  }

  med(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | MED] as number) >>> 0;
  }

  /** Number in NextHops; -1 for routes of our own. */
  nextHop(set: number): number {
    return this.#words[(set << ROW_SHIFT) | NEXT_HOP] as number;
  }

  originatorId(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | ORIGINATOR_ID] as number) >>> 0;
  }

  localPref(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | LOCAL_PREF] as number) >>> 0;
  }

  /** RFC 4271 9.1.2.2 a. */
  pathLength(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | SHAPE] as number) >>> 16;
  }

  /** Number of cluster ids. */
  clusterListLength(set: number): number {
    return ((this.#words[(set << ROW_SHIFT) | SHAPE] as number) & 0xffff) >> 2;
  }

  origin(set: number): number {
    return (this.#words[(set << ROW_SHIFT) | SHAPE] as number) & 3;
  }
}
