/**
 * What nodes that are gone still hold, and the transactions that take it back. Pure: all records and the names of the
 * nodes there are go in.
 *
 * Each transaction says the revision of every record it rests on, and that there is no Node of that name: a node that
 * comes back in the same moment makes it fail. A block of a departed node that others borrow from stays as it is, under
 * that node's name and with its affinity, until the last borrower has gone: the records agree all the while, and the
 * block's owner is not there to give addresses out of it.
 */
import { addressAt, type Block, encodeBlock, ordinalsOf, releaseHandle, restingCount } from "./block.ts";
import { affinityKey, blockKey, handleKey } from "./keys.ts";
import { type Address } from "./net/address.ts";
import { formatPrefix, type Prefix } from "./net/prefix.ts";
import { type Reading, readableBlocks } from "./reading.ts";
import type { Rules } from "./rules.ts";
import { maxTransactionOperations, type Revision, type Transaction } from "./store.ts";

/** One act: its transaction, and the evidence for it. */
export interface Takeback {
  readonly node: string;
  readonly transaction: Transaction;
  readonly freed: readonly FreedHandle[];
  /** Deleted with their affinities. */
  readonly blocks: readonly Prefix[];
  /** Records of the node that nothing hangs on any more, by key. */
  readonly records: readonly string[];
}

export interface FreedHandle {
  readonly handle: string;
  readonly addresses: readonly Address[];
  readonly containerID: string;
  readonly namespace?: string;
  readonly pod?: string;
  /** Milliseconds since the epoch; absent: no block has it. */
  readonly since?: number;
}

/** A block that cannot go yet. */
export interface KeptBlock {
  readonly node: string;
  readonly cidr: Prefix;
  readonly why: string;
}

/** Every name that a record gives to a node. */
export function nodesIn(reading: Reading): Set<string> {
  const names = new Set<string>();
  for (const block of readableBlocks(reading)) {
    names.add(block.node);
    for (const { node } of block.allocations.values()) if (node !== undefined) names.add(node);
  }
  for (const { value } of reading.handles.values()) if (value !== undefined) names.add(value.node);
  for (const { node } of reading.affinities) names.add(node);
  return names;
}

/** Handles in one transaction, besides the blocks they are in. */
const handlesAtOnce = 50;
const blocksAtOnce = 32;
/** A handle of more blocks than this is no pod's; it is left to a person. */
const blocksOfHandle = 8;

/**
 * The next act for a node that is gone; undefined: nothing can be done now. Planned anew from fresh records after each.
 *
 * @param nodeKey of the Node resource that must not exist
 */
export function takeback(
  reading: Reading,
  node: string,
  nodeKey: string,
  now: number,
  rules: Rules,
): Takeback | undefined {
  return freeHandles(reading, node, nodeKey, now) ?? deleteBlocks(reading, node, nodeKey, now, rules);
}

/** The node's blocks that stay for now, and why. */
export function keptBlocks(reading: Reading, node: string, now: number, rules: Rules): KeptBlock[] {
  return ownBlocks(reading, node).flatMap(({ value }) => {
    const others = new Set([...value.allocations.values()].flatMap((one) => one.node ?? []));
    const resting = restingCount(value, now, rules);
    if (value.allocations.size === 0 && resting === 0) return [];
    const borrowed = `${value.allocations.size} borrowed by ${[...others].join(", ")}: it stays until they are gone`;
    const why =
      value.allocations.size > 0 ? borrowed : `${resting} released a moment ago: it goes when they have rested`;
    return [{ node, cidr: value.cidr, why }];
  });
}

function freeHandles(reading: Reading, node: string, nodeKey: string, now: number): Takeback | undefined {
  const blocks = new Map<string, Block>();
  const expect = new Map<string, Revision>([[nodeKey, 0n]]);
  const gone: string[] = [];
  const freed: FreedHandle[] = [];
  for (const [handle, held] of heldBy(reading, node)) {
    const size = Math.max(expect.size, blocks.size + gone.length) + held.blocks.length + 1;
    if (freed.length === handlesAtOnce || size > maxTransactionOperations - 8) break;
    if (held.blocks.length > blocksOfHandle) continue;
    const addresses: Address[] = [];
    let since: number | undefined;
    for (const text of held.blocks) {
      const stored = reading.blocks.get(text) as Readable;
      const before = blocks.get(text) ?? stored.value;
      const [first] = ordinalsOf(before, handle);
      since ??= first === undefined ? undefined : before.allocations.get(first)?.at;
      const { block, ordinals } = releaseHandle(before, handle, now);
      addresses.push(...ordinals.map((ordinal) => addressAt(block, ordinal)));
      expect.set(blockKey(block.cidr), stored.modRevision);
      if (ordinals.length > 0) blocks.set(text, block);
    }
    const revision = reading.handles.get(handle)?.modRevision;
    expect.set(handleKey(handle), revision ?? 0n);
    if (revision !== undefined) gone.push(handleKey(handle));
    freed.push({ handle, addresses, ...held.workload, ...(since === undefined ? {} : { since }) });
  }
  if (freed.length === 0) return undefined;
  const put = [...blocks.values()].map((block) => ({ key: blockKey(block.cidr), value: encodeBlock(block) }));
  return { node, transaction: { expect: listOf(expect), put, delete: gone }, freed, blocks: [], records: [] };
}

interface Held {
  /** In which it has, or says it has, addresses; those that exist. */
  readonly blocks: string[];
  readonly workload: { readonly containerID: string; readonly namespace?: string; readonly pod?: string };
}

/** By handle: what the node's pods have, in whosever block. A handle in use by another node is not among them. */
function heldBy(reading: Reading, node: string): Map<string, Held> {
  const held = new Map<string, Held>();
  const foreign = new Set<string>();
  for (const [text, { value: block }] of reading.blocks) {
    if (block === undefined) continue;
    for (const { handle, containerID, namespace, pod, node: borrower } of block.allocations.values()) {
      if ((borrower ?? block.node) !== node) {
        foreign.add(handle);
        continue;
      }
      const workload = {
        containerID,
        ...(namespace !== undefined && { namespace }),
        ...(pod !== undefined && { pod }),
      };
      const one = held.get(handle) ?? { blocks: [], workload };
      if (!one.blocks.includes(text)) one.blocks.push(text);
      held.set(handle, one);
    }
  }
  for (const [handle, { value: record }] of reading.handles) {
    if (record === undefined) continue;
    if (record.node !== node) {
      // Its owner says another node has it: whose it is, a person must say.
      if (held.has(handle)) foreign.add(handle);
      continue;
    }
    const { containerID, namespace, pod } = record.workload;
    const workload = { containerID, ...(namespace !== undefined && { namespace }), ...(pod !== undefined && { pod }) };
    const one = held.get(handle) ?? { blocks: [], workload };
    for (const text of record.blocks.map(formatPrefix)) {
      if (reading.blocks.get(text)?.value !== undefined && !one.blocks.includes(text)) one.blocks.push(text);
    }
    held.set(handle, one);
  }
  for (const handle of foreign) held.delete(handle);
  return held;
}

function deleteBlocks(
  reading: Reading,
  node: string,
  nodeKey: string,
  now: number,
  rules: Rules,
): Takeback | undefined {
  const expect = new Map<string, Revision>([[nodeKey, 0n]]);
  const gone: string[] = [];
  const blocks: Prefix[] = [];
  const stray: string[] = [];
  const own = reading.affinities.filter((affinity) => affinity.node === node);
  const revisions = new Map(own.map(({ cidr, modRevision }) => [formatPrefix(cidr), modRevision]));
  for (const { value, modRevision } of ownBlocks(reading, node)) {
    if (value.allocations.size > 0 || restingCount(value, now, rules) > 0) continue;
    if (blocks.length === blocksAtOnce) break;
    const affinity = affinityKey(node, value.cidr);
    const revision = revisions.get(formatPrefix(value.cidr));
    expect.set(blockKey(value.cidr), modRevision);
    expect.set(affinity, revision ?? 0n);
    gone.push(blockKey(value.cidr), ...(revision === undefined ? [] : [affinity]));
    blocks.push(value.cidr);
  }
  for (const { cidr, modRevision } of own) {
    if (stray.length === blocksAtOnce / 2) break;
    const found = reading.blocks.get(formatPrefix(cidr));
    // One that cannot be read may be this node's. Else it is not there, or another's: nothing hangs on this.
    if (found?.value?.node === node || (found !== undefined && found.value === undefined)) continue;
    const key = affinityKey(node, cidr);
    expect.set(key, modRevision);
    expect.set(blockKey(cidr), found?.modRevision ?? 0n);
    gone.push(key);
    stray.push(key);
  }
  if (gone.length === 0) return undefined;
  return { node, transaction: { expect: listOf(expect), put: [], delete: gone }, freed: [], blocks, records: stray };
}

interface Readable {
  readonly value: Block;
  readonly modRevision: Revision;
}

function ownBlocks(reading: Reading, node: string): Readable[] {
  return [...reading.blocks.values()].filter((known): known is typeof known & Readable => known.value?.node === node);
}

function listOf(expect: ReadonlyMap<string, Revision>): Transaction["expect"] {
  return [...expect].map(([key, modRevision]) => ({ key, modRevision }));
}
