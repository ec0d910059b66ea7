/** How many addresses each node has in each block, kept up to date by a watch: what a scrape costs does not grow. */
import { type Block, capacity, decodeBlock } from "../../ipam/block.ts";
import { blocksRoot } from "../../ipam/keys.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";

export interface BlockCount {
  readonly cidr: Prefix;
  readonly node: string;
  readonly size: number;
  /** Addresses in use by the node of whoever uses them. */
  readonly inUse: ReadonlyMap<string, number>;
}

export class BlockCounts {
  readonly #blocks = new Map<string, BlockCount>();
  readonly #unwatch: () => void;
  #synced = false;

  constructor(store: Store) {
    const take = (key: string, value: string) => {
      const block = decodeBlock(value);
      if (block === undefined) this.#blocks.delete(key);
      else this.#blocks.set(key, countOf(block));
    };
    this.#unwatch = store.watch(blocksRoot, {
      snapshot: (entries) => {
        this.#blocks.clear();
        for (const { key, value } of entries) take(key, value);
        this.#synced = true;
      },
      change: (key, entry) => {
        if (entry === undefined) this.#blocks.delete(key);
        else take(key, entry.value);
      },
      trouble: () => {
        this.#synced = false;
      },
    });
  }

  /** Undefined: not known just now, which is not the same as none. */
  get all(): readonly BlockCount[] | undefined {
    return this.#synced ? [...this.#blocks.values()] : undefined;
  }

  stop(): void {
    this.#unwatch();
  }
}

function countOf(block: Block): BlockCount {
  const inUse = new Map<string, number>();
  for (const { node = block.node } of block.allocations.values()) inUse.set(node, (inUse.get(node) ?? 0) + 1);
  return { cidr: block.cidr, node: block.node, size: capacity(block), inUse };
}
