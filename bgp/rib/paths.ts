/**
 * Paths: (prefix, source, path identifier, attribute set), rows in typed arrays, chained per prefix.
 *
 * All adj-RIBs-in of one family live in here: what a peer announced is the rows with its source number. A row has the
 * set as it was received, and the set in force after the import rules; NO_SET there: the rules refuse the path.
 */
import { NO_SET } from "./attribute-table.ts";
import { grown } from "./prefix-table.ts";

export const NO_PATH = -1;
const STALE = 1;
const CHANGED = 2;
/** Columns of a row. NEXT: of the same prefix; of a free row the free one before. SOURCE: -1 in a free row. */
const PREFIX = 0;
const SOURCE = 1;
const RECEIVED = 2;
const NEXT = 3;
const COLUMNS_SHIFT = 2;
/** Paths of a source, and one of so many prefixes, from which on it has bits for them. */
const FEW = 256;
const DENSE = 32;

export class Paths {
  /** A row after the other, so that what is asked of a path stands together: see the columns. */
  #rows: Int32Array;
  #flags: Uint8Array;
  /** Made when the first path is refused or changed by the import rules; until then what is received is in force. */
  #inForce: Int32Array | undefined;
  /** Made with the first path identifier (RFC 7911). */
  #pathId: Uint32Array | undefined;
  /** First path of each prefix id, plus one; 0: none. */
  #first: Int32Array;
  /** Prefixes that ever had a path are below this. */
  #prefixes = 0;
  /** The last row given back. */
  #free = NO_PATH;
  #unused = 0;
  #used = 0;
  readonly #countBySource: number[] = [];
  readonly #usableBySource: number[] = [];
  /**
   * For sources with many paths: a bit per prefix, set where there is one (or was, with path identifiers). A full table
   * from the tenth peer need not go through nine paths of each prefix to see that its own is new.
   */
  readonly #present: (Uint8Array | undefined)[] = [];

  /** `capacity`: rows reserved at the start; memory that is not touched is not taken. */
  constructor(capacity: number) {
    this.#rows = new Int32Array(capacity << COLUMNS_SHIFT);
    this.#flags = new Uint8Array(capacity);
    this.#first = new Int32Array(capacity);
  }

  get size(): number {
    return this.#used - this.#unused;
  }

  /** Every row in use is below this. */
  get bound(): number {
    return this.#used;
  }

  countOf(source: number): number {
    return this.#countBySource[source] ?? 0;
  }

  /** Those that the import rules let pass. */
  usableOf(source: number): number {
    return this.#usableBySource[source] ?? 0;
  }

  first(prefix: number): number {
    return prefix < this.#first.length ? (this.#first[prefix] as number) - 1 : NO_PATH;
  }

  next(path: number): number {
    return this.#rows[(path << COLUMNS_SHIFT) | NEXT] as number;
  }

  prefix(path: number): number {
    return this.#rows[(path << COLUMNS_SHIFT) | PREFIX] as number;
  }

  /** -1: the row is free. */
  source(path: number): number {
    return this.#rows[(path << COLUMNS_SHIFT) | SOURCE] as number;
  }

  received(path: number): number {
    return this.#rows[(path << COLUMNS_SHIFT) | RECEIVED] as number;
  }

  inForce(path: number): number {
    return this.#inForce === undefined ? this.received(path) : (this.#inForce[path] as number);
  }

  pathId(path: number): number {
    return this.#pathId === undefined ? 0 : (this.#pathId[path] as number);
  }

  isStale(path: number): boolean {
    return ((this.#flags[path] as number) & STALE) !== 0;
  }

  setStale(path: number, stale: boolean): void {
    const flags = this.#flags[path] as number;
    this.#flags[path] = stale ? flags | STALE : flags & ~STALE;
  }

  /** Whether the path is other than at the last decision about its prefix. */
  isChanged(path: number): boolean {
    return ((this.#flags[path] as number) & CHANGED) !== 0;
  }

  /** Something that the decision asks about it is other, though its sets are not. */
  setChanged(path: number): void {
    this.#flags[path] = (this.#flags[path] as number) | CHANGED;
  }

  clearChanged(path: number): void {
    this.#flags[path] = (this.#flags[path] as number) & ~CHANGED;
  }

  find(prefix: number, source: number, pathId: number): number {
    const present = this.#present[source];
    if (present !== undefined && ((present[prefix >> 3] ?? 0) & (1 << (prefix & 7))) === 0) return NO_PATH;
    let path = this.first(prefix);
    while (path !== NO_PATH && (this.source(path) !== source || this.pathId(path) !== pathId)) path = this.next(path);
    return path;
  }

  /** Gives an existing path other sets, and freshness. */
  replace(path: number, received: number, inForce: number): void {
    const source = this.source(path);
    const usable = (inForce === NO_SET ? 0 : 1) - (this.inForce(path) === NO_SET ? 0 : 1);
    this.#usableBySource[source] = this.usableOf(source) + usable;
    this.#rows[(path << COLUMNS_SHIFT) | RECEIVED] = received;
    this.#setInForce(path, received, inForce);
    this.#flags[path] = CHANGED;
  }

  add(prefix: number, source: number, pathId: number, received: number, inForce: number): number {
    const path = this.#take();
    this.#reach(prefix);
    const row = path << COLUMNS_SHIFT;
    this.#rows[row | PREFIX] = prefix;
    this.#rows[row | SOURCE] = source;
    this.#rows[row | RECEIVED] = received;
    this.#rows[row | NEXT] = (this.#first[prefix] as number) - 1;
    this.#setInForce(path, received, inForce);
    if (pathId !== 0 || this.#pathId !== undefined) {
      this.#pathId ??= new Uint32Array(this.#flags.length);
      this.#pathId[path] = pathId;
    }
    this.#flags[path] = CHANGED;
    this.#first[prefix] = path + 1;
    const count = this.countOf(source) + 1;
    this.#countBySource[source] = count;
    if (this.#present[source] !== undefined) this.#setPresent(source, prefix);
    else if (count >= FEW && (count & (count - 1)) === 0) this.#notePresent(source, count);
    this.#usableBySource[source] = this.usableOf(source) + (inForce === NO_SET ? 0 : 1);
    return path;
  }

  remove(path: number): void {
    const prefix = this.prefix(path);
    const next = this.next(path);
    if (this.#first[prefix] === path + 1) {
      this.#first[prefix] = next + 1;
    } else {
      let before = this.first(prefix);
      while (this.next(before) !== path) before = this.next(before);
      this.#rows[(before << COLUMNS_SHIFT) | NEXT] = next;
    }
    const source = this.source(path);
    this.#countBySource[source] = this.countOf(source) - 1;
    const present = this.#present[source];
    if (present !== undefined && this.#pathId === undefined) {
      present[prefix >> 3] = (present[prefix >> 3] as number) & ~(1 << (prefix & 7));
    }
    if (this.#countBySource[source] === 0) this.#present[source] = undefined;
    if (this.inForce(path) !== NO_SET) this.#usableBySource[source] = this.usableOf(source) - 1;
    this.#rows[(path << COLUMNS_SHIFT) | SOURCE] = -1;
    this.#rows[(path << COLUMNS_SHIFT) | NEXT] = this.#free;
    this.#free = path;
    this.#unused++;
  }

  #take(): number {
    const path = this.#free;
    if (path === NO_PATH) {
      if (this.#used === this.#flags.length) this.#grow();
      return this.#used++;
    }
    this.#free = this.next(path);
    this.#unused--;
    return path;
  }

  /** Every path of a source. The list is made first: paths may be removed while it is walked. */
  ofSource(source: number): Int32Array {
    const paths = new Int32Array(this.countOf(source));
    for (let path = 0, n = 0; n < paths.length; path++) if (this.source(path) === source) paths[n++] = path;
    return paths;
  }

  /** Where it is worth its memory: no more than four octets for a path. */
  #notePresent(source: number, count: number): void {
    if (count < this.#prefixes / DENSE) return;
    this.#present[source] = new Uint8Array((this.#prefixes >> 3) + 1);
    for (const path of this.ofSource(source)) this.#setPresent(source, this.prefix(path));
  }

  #setPresent(source: number, prefix: number): void {
    let present = this.#present[source] as Uint8Array;
    if (prefix >> 3 >= present.length) {
      present = grown(present, Math.max(present.length * 2, (prefix >> 3) + 1));
      this.#present[source] = present;
    }
    present[prefix >> 3] = (present[prefix >> 3] as number) | (1 << (prefix & 7));
  }

  #setInForce(path: number, received: number, inForce: number): void {
    if (this.#inForce === undefined) {
      if (received === inForce) return;
      this.#inForce = Int32Array.from(this.#flags, (_flags, row) => this.received(row));
    }
    this.#inForce[path] = inForce;
  }

  #reach(prefix: number): void {
    if (prefix >= this.#prefixes) this.#prefixes = prefix + 1;
    if (prefix < this.#first.length) return;
    this.#first = grown(this.#first, Math.max(this.#first.length * 2, prefix + 1));
  }

  #grow(): void {
    const length = this.#flags.length * 2;
    this.#rows = grown(this.#rows, length << COLUMNS_SHIFT);
    this.#flags = grown(this.#flags, length);
    if (this.#inForce !== undefined) this.#inForce = grown(this.#inForce, length);
    if (this.#pathId !== undefined) this.#pathId = grown(this.#pathId, length);
  }
}
