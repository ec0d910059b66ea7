/**
 * What one node knows of the stored records: its own blocks always, of others what it met. Knowledge may be old; every
 * transaction states the revisions it was planned on, so old knowledge costs a repetition and never an address.
 */
import { type Block, decodeBlock, freeOrdinal } from "./block.ts";
import { decodeHandle, type HandleRecord } from "./handle.ts";
import { blockKey, blockOfKey, handleKey, handleOfKey } from "./keys.ts";
import { Lenders } from "./lenders.ts";
import { containsPrefix, formatPrefix, type Prefix, prefixKey } from "./net/prefix.ts";
import { PrefixMap } from "./net/prefix-map.ts";
import type { Pool } from "./pool.ts";
import { type Rules, usualRules } from "./rules.ts";
import type { Labels } from "./selector.ts";
import type { Entry, Revision } from "./store.ts";
import { Unreadable } from "./unreadable.ts";

/** A record as it was last seen. No value and the revision 0n: it does not exist; and another one: it is unreadable. */
export interface Known<T> {
  readonly modRevision: Revision;
  readonly value: T | undefined;
}

/** How long what was seen of other nodes' blocks is believed, in milliseconds: it only steers where to look. */
const beliefMs = 2000;
/** The same for which blocks there are: in a large cluster the list is long. */
const listingBeliefMs = 10_000;

export class View {
  readonly node: string;
  /** A name of this process alone. */
  readonly writer: string;
  readonly unreadable = new Unreadable();
  labels: Labels = {};
  #pools: readonly Pool[] = [];
  #rules: Rules = usualRules;
  readonly lenders = new Lenders();
  /** Pools without a block that nobody has, as far as the list of blocks tells: by their CIDRs. */
  readonly #exhausted = new Set<string>();
  readonly #blocks = new Map<string, Known<Block>>();
  /** Those that are this node's; undefined: to be gathered anew. */
  #own: readonly Block[] | undefined;
  readonly #handles = new Map<string, Known<HandleRecord>>();
  /** Every block known to have existed when last looked; true for one of another node. */
  #existing = new PrefixMap<boolean>();
  #listed = false;
  #listedAt = 0;
  #believedSince = 0;
  #now = 0;

  constructor(node: string, writer: string) {
    this.node = node;
    this.writer = writer;
  }

  get pools(): readonly Pool[] {
    return this.#pools;
  }

  set pools(pools: readonly Pool[]) {
    this.#pools = pools;
    this.#exhausted.clear();
  }

  get rules(): Rules {
    return this.#rules;
  }

  set rules(rules: Rules) {
    this.#rules = rules;
    this.#exhausted.clear();
  }

  block(cidr: Prefix): Known<Block> | undefined {
    return this.#blocks.get(prefixKey(cidr));
  }

  /** Undefined: never looked at. */
  handle(handle: string): Known<HandleRecord> | undefined {
    return this.#handles.get(handle);
  }

  /** How many records are remembered. */
  get size(): number {
    return this.#blocks.size + this.#handles.size;
  }

  /** This node's blocks, the first claimed first. */
  ownBlocks(): readonly Block[] {
    this.#own ??= [...this.#blocks.values()]
      .flatMap(({ value }) => (value?.node === this.node ? value : []))
      .sort((a, b) => a.claimedAt - b.claimedAt);
    return this.#own;
  }

  /** What was seen lately of other nodes' blocks. */
  foreignBlocks(): Block[] {
    return [...this.#blocks.values()].flatMap(({ value }) =>
      value === undefined || value.node === this.node ? [] : value,
    );
  }

  /** How many blocks there are within the prefix, as far as known. */
  countWithin(prefix: Prefix): number {
    let count = 0;
    for (const { prefix: cidr } of this.#existing.entries()) if (containsPrefix(prefix, cidr)) count++;
    return count;
  }

  /** A block known to overlap this one: equal to it, around it, or at its beginning. */
  overlapping(cidr: Prefix): { readonly cidr: Prefix; readonly foreign: boolean } | undefined {
    const found = this.#existing.longest(cidr.address);
    return found && { cidr: found.prefix, foreign: found.value };
  }

  get listed(): boolean {
    return this.#listed;
  }

  isExhausted(pool: Pool): boolean {
    return this.#exhausted.has(formatPrefix(pool.cidr));
  }

  /** Every block of the pool is somebody's: not to be worked out again for each request. */
  exhausted(pool: Pool): void {
    this.#exhausted.add(formatPrefix(pool.cidr));
  }

  /** Takes what was read; an undefined entry does not exist. */
  learn(key: string, entry: Entry | undefined): void {
    const modRevision = entry?.modRevision ?? 0n;
    const handle = handleOfKey(key);
    if (handle !== undefined) {
      const value = entry && decodeHandle(entry.value);
      this.learnHandle(handle, { modRevision, value });
      this.unreadable.note(key, entry !== undefined && value === undefined);
      return;
    }
    const cidr = blockOfKey(key);
    if (cidr === undefined) return;
    const value = entry && decodeBlock(entry.value);
    this.learnBlock(cidr, { modRevision, value });
    this.unreadable.note(key, entry !== undefined && value === undefined);
  }

  learnHandle(handle: string, known: Known<HandleRecord>): void {
    this.#handles.set(handle, known);
  }

  learnBlock(cidr: Prefix, known: Known<Block>): void {
    this.#blocks.set(prefixKey(cidr), known);
    this.#own = undefined;
    const { value } = known;
    const foreign = known.modRevision !== 0n && value?.node !== this.node;
    if (known.modRevision === 0n) this.#existing.delete(cidr);
    else this.#existing.set(cidr, foreign);
    if (known.modRevision === 0n) this.#exhausted.clear();
    if (!foreign) this.lenders.forget(cidr);
    else this.lenders.lookedAt(cidr, value !== undefined && freeOrdinal(value, this.#now, this.rules) !== undefined);
  }

  /** Takes the CIDRs of all blocks that exist. */
  learnListing(cidrs: Iterable<Prefix>): void {
    this.#existing = new PrefixMap();
    const foreign = new Map<string, Prefix>();
    const own = this.ownBlocks();
    const ownTexts = new Set(own.map(({ cidr }) => formatPrefix(cidr)));
    for (const { cidr } of own) this.#existing.set(cidr, false);
    for (const cidr of cidrs) {
      const text = formatPrefix(cidr);
      if (ownTexts.has(text)) continue;
      this.#existing.set(cidr, true);
      foreign.set(text, cidr);
      if (this.#blocks.get(text)?.modRevision === 0n) this.#blocks.delete(text);
    }
    this.lenders.listed(foreign, this.node);
    this.#exhausted.clear();
    this.#listed = true;
    this.#listedAt = this.#now;
  }

  /** Drops what is known of other nodes' blocks when it is too old to be believed. */
  expire(now: number): void {
    this.#now = now;
    if (Math.abs(now - this.#listedAt) >= listingBeliefMs) {
      this.#listed = false;
      this.#exhausted.clear();
    }
    if (Math.abs(now - this.#believedSince) < beliefMs) return;
    this.#believedSince = now;
    for (const [text, { value, modRevision }] of this.#blocks) {
      // That a block did not exist is worth a try also later.
      if (value?.node !== this.node && modRevision !== 0n) this.#blocks.delete(text);
    }
    for (const [handle, { modRevision }] of this.#handles) if (modRevision === 0n) this.#handles.delete(handle);
  }
}

/** The keys of everything a handle record speaks of. */
export function keysOfHandle(handle: string, record: HandleRecord | undefined): string[] {
  return [handleKey(handle), ...(record?.blocks ?? []).map(blockKey)];
}
