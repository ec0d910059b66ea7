/**
 * Do the stored records of address management agree with one another? Pure: everything under {@link ipamRoot} goes in,
 * what is wrong comes out in words, each naming the record. Nothing comes out as long as every writer keeps to the rule
 * that an address, its owner and its block change together.
 */
import { type Block, ordinalOf } from "./block.ts";
import type { HandleRecord } from "./handle.ts";
import { type Address, compareAddresses, formatAddress } from "./net/address.ts";
import { containsPrefix, formatPrefix, samePrefix } from "./net/prefix.ts";
import { type Reading, readableBlocks, readRecords } from "./reading.ts";
import type { Entry } from "./store.ts";

interface Records {
  readonly blocks: Map<string, Block>;
  readonly handles: Map<string, HandleRecord>;
  /** The nodes that say they own a block, by its CIDR's text. */
  readonly affinities: Map<string, string[]>;
}

/** @param entries all that lies under the root of address management */
export function audit(entries: readonly Entry[]): string[] {
  const reading = readRecords(entries);
  const faults = reading.unreadable.map((key) => `${key}: the record cannot be read`);
  const records = readable(reading);
  faults.push(...overlaps([...records.blocks.values()]));
  for (const block of records.blocks.values()) faults.push(...faultsOfBlock(block, records));
  for (const [text, nodes] of records.affinities) {
    if (!records.blocks.has(text)) faults.push(`affinity of node ${nodes.join(" and ")} for ${text}: no such block`);
  }
  for (const [handle, record] of records.handles) faults.push(...faultsOfHandle(handle, record, records));
  faults.push(...sharedAddresses(records.handles));
  return faults;
}

function readable(reading: Reading): Records {
  const affinities = new Map<string, string[]>();
  for (const { node, cidr, pool } of reading.affinities) {
    if (pool === undefined) continue;
    const text = formatPrefix(cidr);
    affinities.set(text, [...(affinities.get(text) ?? []), node]);
  }
  const handles = [...reading.handles].flatMap(([handle, { value }]): [string, HandleRecord][] =>
    value === undefined ? [] : [[handle, value]],
  );
  const blocks = readableBlocks(reading).map((block) => [formatPrefix(block.cidr), block] as const);
  return { blocks: new Map(blocks), handles: new Map(handles), affinities };
}

/** Sorted by address, a block overlaps another only if it overlaps the widest-reaching one before it. */
function overlaps(blocks: readonly Block[]): string[] {
  const sorted = [...blocks].sort(
    (a, b) => compareAddresses(a.cidr.address, b.cidr.address) || a.cidr.length - b.cidr.length,
  );
  const faults: string[] = [];
  let before: Block | undefined;
  for (const block of sorted) {
    if (before !== undefined && containsPrefix(before.cidr, block.cidr)) {
      faults.push(`blocks ${formatPrefix(before.cidr)} and ${formatPrefix(block.cidr)} overlap`);
    } else before = block;
  }
  return faults;
}

function faultsOfBlock(block: Block, records: Records): string[] {
  const faults: string[] = [];
  const text = formatPrefix(block.cidr);
  const owners = records.affinities.get(text) ?? [];
  if (!owners.includes(block.node)) faults.push(`block ${text} of node ${block.node}: affinity missing`);
  for (const node of owners) {
    if (node !== block.node) faults.push(`affinity of node ${node} for ${text}: the block is node ${block.node}'s`);
  }
  for (const [ordinal, { handle }] of block.allocations) {
    const record = records.handles.get(handle);
    const held = record?.addresses.some((address, i) => {
      return samePrefix(record.blocks[i] as Block["cidr"], block.cidr) && ordinalOf(block, address) === ordinal;
    });
    if (record === undefined) faults.push(`block ${text}, ordinal ${ordinal}: handle ${handle} does not exist`);
    else if (held !== true) faults.push(`block ${text}, ordinal ${ordinal}: handle ${handle} does not have it`);
    if (block.released.has(ordinal)) faults.push(`block ${text}, ordinal ${ordinal}: both in use and released`);
  }
  return faults;
}

function faultsOfHandle(handle: string, record: HandleRecord, records: Records): string[] {
  const faults: string[] = [];
  if (record.addresses.length === 0) faults.push(`handle ${handle}: holds no address`);
  for (const [i, address] of record.addresses.entries()) {
    const text = formatPrefix(record.blocks[i] as Block["cidr"]);
    const owner = ownerIn(records.blocks.get(text), address);
    if (owner === handle) continue;
    const who = owner === undefined ? "nobody's" : `handle ${owner}'s`;
    const found = records.blocks.has(text) ? `it is ${who} in block ${text}` : `there is no block ${text}`;
    faults.push(`handle ${handle}: holds ${formatAddress(address)}, but ${found}`);
  }
  return faults;
}

function ownerIn(block: Block | undefined, address: Address): string | undefined {
  const ordinal = block && ordinalOf(block, address);
  return ordinal === undefined ? undefined : block?.allocations.get(ordinal)?.handle;
}

function sharedAddresses(handles: ReadonlyMap<string, HandleRecord>): string[] {
  const owners = new Map<string, string>();
  const faults: string[] = [];
  for (const [handle, record] of handles) {
    for (const address of record.addresses) {
      const text = formatAddress(address);
      const other = owners.get(text);
      if (other !== undefined) faults.push(`address ${text}: held by handle ${other} and by handle ${handle}`);
      owners.set(text, handle);
    }
  }
  return faults;
}
