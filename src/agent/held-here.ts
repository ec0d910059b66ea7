/**
 * What etcd says this node holds, read anew: in its own blocks, and borrowed in those of others. Which blocks it
 * borrows from is found by a walk through all handles, at the start and every hour; in between those are read by name.
 */

import type { Allocator } from "../../ipam/allocator.ts";
import { addressAt, type Block, decodeBlock } from "../../ipam/block.ts";
import { decodeHandle } from "../../ipam/handle.ts";
import { blockKey, handleKey, handlesRoot } from "../../ipam/keys.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import type { Store } from "../../ipam/store.ts";
import type { Attachment } from "../cni/attachments.ts";
import { type Holding, unrecorded } from "./leftovers.ts";

const WALK_EVERY_MS = 3_600_000;
/** One read of etcd names no more keys than this. */
const KEYS_AT_ONCE = 128;

export class HeldHere {
  readonly #node: string;
  readonly #store: Store;
  readonly #allocator: Allocator;
  #lenders = new Set<string>();
  #walkedAt: number | undefined;

  constructor(node: string, store: Store, allocator: Allocator) {
    this.#node = node;
    this.#store = store;
    this.#allocator = allocator;
  }

  /** @param now monotonic milliseconds. Throws StoreUnavailable */
  async read(now: number): Promise<Holding[]> {
    await this.#allocator.load();
    if (this.#walkedAt === undefined || now - this.#walkedAt > WALK_EVERY_MS) {
      await this.#walk();
      this.#walkedAt = now;
    }
    const own = this.#allocator.blocks();
    const lent = (await this.#entries([...this.#lenders])).flatMap((entry) => decodeBlock(entry.value) ?? []);
    return holdingsIn([...own, ...lent.filter(({ node }) => node !== this.#node)], this.#node);
  }

  /** Of the attachments those that etcd has no record of, whichever block it would be in. Throws StoreUnavailable. */
  async unrecorded(holdings: readonly Holding[], attachments: readonly Attachment[]): Promise<Attachment[]> {
    const missing = unrecorded(holdings, attachments);
    const found = new Set((await this.#entries(missing.map(({ handle }) => handleKey(handle)))).map(({ key }) => key));
    return missing.filter(({ handle }) => !found.has(handleKey(handle)));
  }

  async #walk(): Promise<void> {
    const { entries } = await this.#store.list(handlesRoot);
    const own = new Set(this.#allocator.blocks().map(({ cidr }) => blockKey(cidr)));
    this.#lenders = new Set();
    for (const { value } of entries) {
      const record = decodeHandle(value);
      if (record?.node !== this.#node) continue;
      for (const key of record.blocks.map(blockKey)) if (!own.has(key)) this.#lenders.add(key);
    }
  }

  async #entries(keys: readonly string[]) {
    const entries = [];
    for (let i = 0; i < keys.length; i += KEYS_AT_ONCE) {
      entries.push(...(await this.#store.get(keys.slice(i, i + KEYS_AT_ONCE))));
    }
    return entries.filter((entry) => entry !== undefined);
  }
}

export function holdingsIn(blocks: readonly Block[], node: string): Holding[] {
  const byHandle = new Map<string, Holding>();
  for (const block of blocks) {
    for (const [ordinal, allocation] of block.allocations) {
      if ((allocation.node ?? block.node) !== node) continue;
      const { handle, containerID, ifName, namespace = "", pod = "", at } = allocation;
      const before = byHandle.get(handle);
      const addresses = [...(before?.addresses ?? []), formatAddress(addressAt(block, ordinal))];
      const since = Math.min(before?.since ?? at, at);
      byHandle.set(handle, { handle, addresses, containerID, ifName, namespace, pod, since });
    }
  }
  return [...byHandle.values()];
}
