/**
 * Changes planned on top of what is known, not yet written: several requests are drafted one on the other and become
 * one transaction, which expects of every record the revision it had in the view.
 */
import { encodeAffinity } from "./affinity.ts";
import { type Block, encodeBlock } from "./block.ts";
import { encodeHandle, type HandleRecord } from "./handle.ts";
import { affinityKey, blockKey, handleKey } from "./keys.ts";
import { type Prefix, prefixesOverlap, prefixKey } from "./net/prefix.ts";
import { maxTransactionOperations, type Revision, type Transaction } from "./store.ts";
import type { Known, View } from "./view.ts";

export class Draft {
  readonly view: View;
  #blocks = new Map<string, Block>();
  #handles = new Map<string, HandleRecord | undefined>();
  #claimed = new Map<string, Block>();
  #returned = new Map<string, Prefix>();
  #expected = new Map<string, Revision>();

  constructor(view: View) {
    this.view = view;
  }

  /** A copy to try one more request on. */
  fork(): Draft {
    const copy = new Draft(this.view);
    copy.#blocks = new Map(this.#blocks);
    copy.#handles = new Map(this.#handles);
    copy.#claimed = new Map(this.#claimed);
    copy.#returned = new Map(this.#returned);
    copy.#expected = new Map(this.#expected);
    return copy;
  }

  block(cidr: Prefix): Known<Block> | undefined {
    const known = this.view.block(cidr);
    const drafted = this.#blocks.get(prefixKey(cidr));
    return drafted === undefined ? known : { modRevision: known?.modRevision ?? 0n, value: drafted };
  }

  handle(handle: string): Known<HandleRecord> | undefined {
    if (!this.#handles.has(handle)) return this.view.handle(handle);
    const value = this.#handles.get(handle);
    const modRevision = this.view.handle(handle)?.modRevision ?? 0n;
    // Deleted in this draft: as good as absent, but the transaction still expects the record that is there.
    return value === undefined ? { modRevision: 0n, value } : { modRevision, value };
  }

  /** True when this draft decides what the handle holds. */
  drafted(handle: string): boolean {
    return this.#handles.has(handle);
  }

  /** This node's blocks, those claimed in this draft last. */
  ownBlocks(): Block[] {
    const known = this.view.ownBlocks().map((block) => this.#blocks.get(prefixKey(block.cidr)) ?? block);
    const claimed = [...this.#claimed.keys()].map((text) => this.#blocks.get(text) as Block);
    return [...known, ...claimed];
  }

  /** A block that overlaps this one, known or claimed in this draft. */
  overlapping(cidr: Prefix): { readonly foreign: boolean } | undefined {
    for (const block of this.#claimed.values()) if (prefixesOverlap(block.cidr, cidr)) return { foreign: false };
    return this.view.overlapping(cidr);
  }

  putBlock(block: Block): void {
    this.#expect(blockKey(block.cidr), this.view.block(block.cidr)?.modRevision);
    this.#blocks.set(prefixKey(block.cidr), block);
    this.#returned.delete(prefixKey(block.cidr));
  }

  /**
   * An empty block of this node goes, with its affinity: that one changes only together with the block, so the block's
   * revision stands for both. Until it is written the block is here like any other, and {@link putBlock} keeps it.
   */
  returnBlock(cidr: Prefix): void {
    this.#expect(blockKey(cidr), this.view.block(cidr)?.modRevision);
    this.#returned.set(prefixKey(cidr), cidr);
  }

  /** A block that must not exist yet, nor any of the larger ones around it. */
  claimBlock(block: Block, around: readonly Prefix[]): void {
    for (const cidr of around) this.#expect(blockKey(cidr), 0n);
    this.#expect(blockKey(block.cidr), 0n);
    this.#blocks.set(prefixKey(block.cidr), block);
    this.#claimed.set(prefixKey(block.cidr), block);
  }

  /** Undefined: the handle holds nothing any more. */
  putHandle(handle: string, record: HandleRecord | undefined): void {
    this.#expect(handleKey(handle), this.view.handle(handle)?.modRevision);
    this.#handles.set(handle, record);
  }

  get isEmpty(): boolean {
    return this.#expected.size === 0;
  }

  fits(): boolean {
    const operations = this.#blocks.size + this.#handles.size + this.#claimed.size + 2 * this.#returned.size;
    return Math.max(this.#expected.size, operations) <= maxTransactionOperations;
  }

  transaction(): Transaction {
    const put: { key: string; value: string }[] = [];
    const gone: string[] = [];
    for (const block of this.#blocks.values()) put.push({ key: blockKey(block.cidr), value: encodeBlock(block) });
    for (const { cidr, pool, claimedAt } of this.#claimed.values()) {
      put.push({ key: affinityKey(this.view.node, cidr), value: encodeAffinity({ cidr, pool, claimedAt }) });
    }
    for (const [handle, record] of this.#handles) {
      if (record !== undefined) put.push({ key: handleKey(handle), value: encodeHandle(record) });
      else if (this.view.handle(handle)?.value !== undefined) gone.push(handleKey(handle));
    }
    for (const cidr of this.#returned.values()) gone.push(blockKey(cidr), affinityKey(this.view.node, cidr));
    const expect = [...this.#expected].map(([key, modRevision]) => ({ key, modRevision }));
    return { expect, put, delete: gone };
  }

  /** The transaction was committed: what it wrote is what is known now. */
  committed(revision: Revision): void {
    for (const value of this.#blocks.values()) this.view.learnBlock(value.cidr, { modRevision: revision, value });
    for (const cidr of this.#returned.values()) {
      this.view.learnBlock(cidr, { modRevision: 0n, value: undefined });
    }
    for (const [handle, value] of this.#handles) {
      this.view.learnHandle(handle, { modRevision: value === undefined ? 0n : revision, value });
    }
  }

  /** What was never looked at is taken to be absent: right nearly always, and a conflict otherwise. */
  #expect(key: string, modRevision: Revision | undefined): void {
    this.#expected.set(key, modRevision ?? 0n);
  }
}
