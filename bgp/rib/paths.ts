/**
 * Paths: (prefix, source, attribute set), rows in typed arrays, chained per prefix.
 *
 * All adj-RIBs-in of one family live in here: what a peer announced is the rows with its source number.
 */
import { grown } from "./prefix-table.ts";

export const NO_PATH = -1;
const FIRST_CAPACITY = 1024;
const STALE = 1;

export class Paths {
  #prefix = new Int32Array(FIRST_CAPACITY);
  #source = new Int32Array(FIRST_CAPACITY);
  #attributes = new Int32Array(FIRST_CAPACITY);
  #next = new Int32Array(FIRST_CAPACITY);
  #flags = new Uint8Array(FIRST_CAPACITY);
  /** First path of each prefix id. */
  #first = new Int32Array(0);
  readonly #free: number[] = [];
  #used = 0;
  readonly #countBySource: number[] = [];

  get size(): number {
    return this.#used - this.#free.length;
  }

  countOf(source: number): number {
    return this.#countBySource[source] ?? 0;
  }

  first(prefix: number): number {
    return prefix < this.#first.length ? (this.#first[prefix] as number) : NO_PATH;
  }

  next(path: number): number {
    return this.#next[path] as number;
  }

  prefix(path: number): number {
    return this.#prefix[path] as number;
  }

  source(path: number): number {
    return this.#source[path] as number;
  }

  attributes(path: number): number {
    return this.#attributes[path] as number;
  }

  isStale(path: number): boolean {
    return ((this.#flags[path] as number) & STALE) !== 0;
  }

  markStale(path: number): void {
    this.#flags[path] = (this.#flags[path] as number) | STALE;
  }

  find(prefix: number, source: number): number {
    let path = this.first(prefix);
    while (path !== NO_PATH && this.#source[path] !== source) path = this.#next[path] as number;
    return path;
  }

  /** Gives an existing path other attributes, and freshness. */
  replace(path: number, attributes: number): void {
    this.#attributes[path] = attributes;
    this.#flags[path] = 0;
  }

  add(prefix: number, source: number, attributes: number): number {
    const path = this.#free.pop() ?? this.#used++;
    if (path >= this.#prefix.length) this.#grow();
    this.#reach(prefix);
    this.#prefix[path] = prefix;
    this.#source[path] = source;
    this.#attributes[path] = attributes;
    this.#flags[path] = 0;
    this.#next[path] = this.#first[prefix] as number;
    this.#first[prefix] = path;
    this.#countBySource[source] = this.countOf(source) + 1;
    return path;
  }

  remove(path: number): void {
    const prefix = this.#prefix[path] as number;
    if (this.#first[prefix] === path) {
      this.#first[prefix] = this.#next[path] as number;
    } else {
      let before = this.#first[prefix] as number;
      while (this.#next[before] !== path) before = this.#next[before] as number;
      this.#next[before] = this.#next[path] as number;
    }
    const source = this.#source[path] as number;
    this.#countBySource[source] = this.countOf(source) - 1;
    this.#source[path] = -1;
    this.#free.push(path);
  }

  /** Every path of a source. The list is made first: paths may be removed while it is walked. */
  ofSource(source: number): number[] {
    const paths: number[] = [];
    if (this.countOf(source) === 0) return paths;
    for (let path = 0; path < this.#used; path++) if (this.#source[path] === source) paths.push(path);
    return paths;
  }

  #reach(prefix: number): void {
    if (prefix < this.#first.length) return;
    const length = Math.max(FIRST_CAPACITY, this.#first.length * 2, prefix + 1);
    const before = this.#first.length;
    this.#first = grown(this.#first, new Int32Array(length));
    this.#first.fill(NO_PATH, before);
  }

  #grow(): void {
    const length = this.#prefix.length * 2;
    this.#prefix = grown(this.#prefix, new Int32Array(length));
    this.#source = grown(this.#source, new Int32Array(length));
    this.#attributes = grown(this.#attributes, new Int32Array(length));
    this.#next = grown(this.#next, new Int32Array(length));
    this.#flags = grown(this.#flags, new Uint8Array(length));
  }
}
