/**
 * What one node knows of the stored records: its own blocks always, of others what it met. Knowledge may be old; every
 * transaction states the revisions it was planned on, so old knowledge costs a repetition and never an address.
 */
import { type Block, decodeBlock } from "./block.ts";
import { decodeHandle, type HandleRecord } from "./handle.ts";
import { blockKey, blockOfKey, handleKey, handleOfKey } from "./keys.ts";
import { formatPrefix, type Prefix } from "./net/prefix.ts";
import { PrefixMap } from "./net/prefix-map.ts";
import type { Pool } from "./pool.ts";
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

export class View {
  readonly node: string;
  /** A name of this process alone. */
  readonly writer: string;
  readonly unreadable = new Unreadable();
  pools: readonly Pool[] = [];
  labels: Labels = {};
  readonly #blocks = new Map<string, Known<Block>>();
  readonly #handles = new Map<string, Known<HandleRecord>>();
  /** Every block known to have existed when last looked; true for one of another node. */
  #existing = new PrefixMap<boolean>();
  #listed = false;
  #believedSince = 0;

  constructor(node: string, writer: string) {
    this.node = node;
    this.writer = writer;
  }

  block(cidr: Prefix): Known<Block> | undefined {
    return this.#blocks.get(formatPrefix(cidr));
  }

  /** Undefined: never looked at. */
  handle(handle: string): Known<HandleRecord> | undefined {
    return this.#handles.get(handle);
  }

  /** This node's blocks, the first claimed first. */
  ownBlocks(): Block[] {
    const own: Block[] = [];
    for (const { value } of this.#blocks.values()) if (value?.node === this.node) own.push(value);
    return own.sort((a, b) => a.claimedAt - b.claimedAt);
  }

  /** Other nodes' blocks, as far as known; all of them when {@link listed}. */
  foreignBlocks(): Prefix[] {
    const foreign: Prefix[] = [];
    for (const { prefix, value } of this.#existing.entries()) if (value) foreign.push(prefix);
    return foreign;
  }

  /** A block known to overlap this one: equal to it, around it, or at its beginning. */
  overlapping(cidr: Prefix): { readonly cidr: Prefix; readonly foreign: boolean } | undefined {
    const found = this.#existing.longest(cidr.address);
    return found && { cidr: found.prefix, foreign: found.value };
  }

  get listed(): boolean {
    return this.#listed;
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
    this.#blocks.set(formatPrefix(cidr), known);
    if (known.modRevision === 0n) this.#existing.delete(cidr);
    else this.#existing.set(cidr, known.value?.node !== this.node);
  }

  /** Takes the CIDRs of all blocks that exist. */
  learnListing(cidrs: Iterable<Prefix>): void {
    this.#existing = new PrefixMap();
    for (const { cidr } of this.ownBlocks()) this.#existing.set(cidr, false);
    for (const cidr of cidrs) if (this.#existing.get(cidr) === undefined) this.#existing.set(cidr, true);
    this.#listed = true;
  }

  /** Drops what is known of other nodes' blocks when it is too old to be believed. */
  expire(now: number): void {
    if (Math.abs(now - this.#believedSince) < beliefMs) return;
    this.#believedSince = now;
    this.#listed = false;
    for (const [text, { value }] of this.#blocks) if (value?.node !== this.node) this.#blocks.delete(text);
    for (const [handle, { modRevision }] of this.#handles) if (modRevision === 0n) this.#handles.delete(handle);
  }
}

/** The keys of everything a handle record speaks of. */
export function keysOfHandle(handle: string, record: HandleRecord | undefined): string[] {
  return [handleKey(handle), ...(record?.blocks ?? []).map(blockKey)];
}
