/** All records of address management at one revision, by what they are about, for those who look at the whole. Pure. */
import { decodeAffinity } from "./affinity.ts";
import { type Block, decodeBlock } from "./block.ts";
import { decodeHandle, type HandleRecord } from "./handle.ts";
import { affinityOfKey, blockOfKey, handleOfKey } from "./keys.ts";
import { formatPrefix, type Prefix, samePrefix } from "./net/prefix.ts";
import type { Entry, Revision } from "./store.ts";
import type { Known } from "./view.ts";

export interface AffinityRecord {
  readonly node: string;
  readonly cidr: Prefix;
  readonly modRevision: Revision;
  /** Name of the pool; undefined when the record cannot be read. */
  readonly pool: string | undefined;
}

export interface Reading {
  /** By the CIDR's text. No value: the record is there and cannot be read. */
  readonly blocks: ReadonlyMap<string, Known<Block> & { readonly cidr: Prefix }>;
  readonly handles: ReadonlyMap<string, Known<HandleRecord>>;
  readonly affinities: readonly AffinityRecord[];
  /** Keys of what is there and cannot be read. */
  readonly unreadable: readonly string[];
}

/** @param entries all that lies under the root of address management */
export function readRecords(entries: readonly Entry[]): Reading {
  const blocks = new Map<string, Known<Block> & { cidr: Prefix }>();
  const handles = new Map<string, Known<HandleRecord>>();
  const affinities: AffinityRecord[] = [];
  const unreadable: string[] = [];
  for (const { key, value, modRevision } of entries) {
    const cidr = blockOfKey(key);
    const handle = handleOfKey(key);
    const affinity = affinityOfKey(key);
    let isReadable = false;
    if (cidr !== undefined) {
      const block = decodeBlock(value);
      isReadable = block !== undefined && samePrefix(block.cidr, cidr);
      blocks.set(formatPrefix(cidr), { cidr, modRevision, value: isReadable ? block : undefined });
    } else if (handle !== undefined) {
      const record = decodeHandle(value);
      isReadable = record?.workload.handle === handle;
      handles.set(handle, { modRevision, value: isReadable ? record : undefined });
    } else if (affinity !== undefined) {
      const content = decodeAffinity(value);
      isReadable = content !== undefined && samePrefix(content.cidr, affinity.cidr);
      affinities.push({ ...affinity, modRevision, pool: isReadable ? content?.pool : undefined });
    }
    if (!isReadable) unreadable.push(key);
  }
  return { blocks, handles, affinities, unreadable };
}

/** The blocks that can be read. */
export function readableBlocks(reading: Reading): Block[] {
  return [...reading.blocks.values()].flatMap(({ value }) => value ?? []);
}
