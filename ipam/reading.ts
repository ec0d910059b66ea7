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
}

/** @param entries all that lies under the root of address management; others are passed over */
export function readRecords(entries: readonly Entry[]): Reading {
  const blocks = new Map<string, Known<Block> & { cidr: Prefix }>();
  const handles = new Map<string, Known<HandleRecord>>();
  const affinities: AffinityRecord[] = [];
  for (const { key, value, modRevision } of entries) {
    const cidr = blockOfKey(key);
    const handle = handleOfKey(key);
    const affinity = affinityOfKey(key);
    if (cidr !== undefined) {
      const block = decodeBlock(value);
      const fits = block !== undefined && samePrefix(block.cidr, cidr);
      blocks.set(formatPrefix(cidr), { cidr, modRevision, value: fits ? block : undefined });
    } else if (handle !== undefined) {
      const record = decodeHandle(value);
      handles.set(handle, { modRevision, value: record?.workload.handle === handle ? record : undefined });
    } else if (affinity !== undefined) {
      affinities.push({ ...affinity, modRevision, pool: decodeAffinity(value)?.pool });
    }
  }
  return { blocks, handles, affinities };
}

/** The blocks that can be read. */
export function readableBlocks(reading: Reading): Block[] {
  return [...reading.blocks.values()].flatMap(({ value }) => value ?? []);
}
