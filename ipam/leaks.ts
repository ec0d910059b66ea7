/**
 * Addresses that their records say are in use, though what speaks for an owner is missing: its node, or the record of
 * its handle. Pure. What only the node itself can know (does the pod run?) is not known here, so a leak says whether
 * its owner is gone for certain as far as the store goes.
 */
import { type Allocation, addressAt, type Block, ordinalOf } from "./block.ts";
import type { HandleRecord } from "./handle.ts";
import { type Address, formatAddress } from "./net/address.ts";
import { formatPrefix, type Prefix, samePrefix } from "./net/prefix.ts";
import { type Reading, readableBlocks } from "./reading.ts";
import type { Revision } from "./store.ts";

export interface HeldAddress {
  readonly address: Address;
  readonly block: Prefix;
  /** When it was given, in milliseconds since the epoch; absent: the handle names it, and the block does not agree. */
  readonly at?: number;
}

/** What one handle holds and should not. */
export interface Leak {
  readonly handle: string;
  /** Of the handle's record: 0n when there is none. */
  readonly handleRevision: Revision;
  readonly addresses: readonly HeldAddress[];
  /** Every node that the records name as the owner's: one, if they agree. */
  readonly nodes: readonly string[];
  readonly namespace?: string;
  readonly pod?: string;
  readonly why: string;
  /** No node is left that the owner could run on. */
  readonly ownerGone: boolean;
}

/** More are found by the next look: what one leak has must fit into one transaction. */
const mostAddresses = 50;

/** @param nodes the nodes that exist */
export function findLeaks(reading: Reading, nodes: ReadonlySet<string>): Leak[] {
  const held = heldInBlocks(reading);
  const handles = [...new Set([...reading.handles.keys(), ...held.keys()])].sort();
  return handles.flatMap((handle) => leakOf(handle, reading, held.get(handle) ?? [], nodes) ?? []);
}

/** All that the handle holds, as a leak whose reason the caller knows. */
export function holdingsOf(handle: string, reading: Reading, nodes: ReadonlySet<string>, why: string): Leak {
  const inBlocks = heldInBlocks(reading).get(handle) ?? [];
  return describe(handle, reading, inBlocks, nodes, inBlocks, why);
}

interface Held extends HeldAddress {
  readonly allocation: Allocation;
  readonly node: string;
}

function heldInBlocks(reading: Reading): Map<string, Held[]> {
  const held = new Map<string, Held[]>();
  for (const block of readableBlocks(reading)) {
    for (const [ordinal, allocation] of block.allocations) {
      const { handle, at, node = block.node } = allocation;
      const list = held.get(handle) ?? [];
      list.push({ address: addressAt(block, ordinal), block: block.cidr, at, allocation, node });
      held.set(handle, list);
    }
  }
  return held;
}

function leakOf(
  handle: string,
  reading: Reading,
  inBlocks: readonly Held[],
  nodes: ReadonlySet<string>,
): Leak | undefined {
  const known = reading.handles.get(handle);
  const record = known?.value;
  const all = describe(handle, reading, inBlocks, nodes, [...inBlocks, ...unmatched(record, reading)], "");
  // Nothing can be freed where the block cannot be read: that record has to be put right first.
  const stuck = all.addresses.length === 0 && (record?.addresses.length ?? 0) > 0;
  if (all.ownerGone && !stuck) {
    const [name, ...more] = all.nodes;
    const which = more.length === 0 ? `node ${name} does not exist` : `nodes ${all.nodes.join(", ")} do not exist`;
    return { ...all, why: which };
  }
  if (record === undefined) {
    const why = known === undefined ? "its handle has no record" : "the record of its handle cannot be read";
    return describe(handle, reading, inBlocks, nodes, inBlocks, why);
  }
  const unlisted = inBlocks.filter((one) => !lists(record, one));
  const missing = unmatched(record, reading);
  if (record.addresses.length === 0 && inBlocks.length === 0) {
    return describe(handle, reading, inBlocks, nodes, [], "the handle holds no address");
  }
  if (unlisted.length > 0) {
    return describe(handle, reading, inBlocks, nodes, unlisted, "the record of its handle does not name it");
  }
  if (missing.length === 0) return undefined;
  return describe(handle, reading, inBlocks, nodes, missing, "the handle names it, and its block does not agree");
}

function describe(
  handle: string,
  reading: Reading,
  inBlocks: readonly Held[],
  nodes: ReadonlySet<string>,
  addresses: readonly HeldAddress[],
  why: string,
): Leak {
  const known = reading.handles.get(handle);
  const workload = known?.value?.workload ?? inBlocks[0]?.allocation;
  const named = new Set([...inBlocks.map(({ node }) => node), ...(known?.value ? [known.value.node] : [])]);
  return {
    handle,
    handleRevision: known?.modRevision ?? 0n,
    addresses: addresses
      .slice(0, mostAddresses)
      .map(({ address, block, at }) => ({ address, block, ...(at === undefined ? {} : { at }) })),
    nodes: [...named].sort(),
    ...(workload?.namespace === undefined ? {} : { namespace: workload.namespace }),
    ...(workload?.pod === undefined ? {} : { pod: workload.pod }),
    why,
    ownerGone: named.size > 0 && ![...named].some((node) => nodes.has(node)),
  };
}

function lists(record: HandleRecord, { address, block }: HeldAddress): boolean {
  const text = formatAddress(address);
  return record.addresses.some(
    (one, i) => formatAddress(one) === text && samePrefix(record.blocks[i] as Prefix, block),
  );
}

/** What a handle names without its block agreeing. A block that cannot be read may well agree, so it counts as if. */
function unmatched(record: HandleRecord | undefined, reading: Reading): HeldAddress[] {
  return (record?.addresses ?? []).flatMap((address, i) => {
    const cidr = record?.blocks[i] as Prefix;
    const block = reading.blocks.get(formatPrefix(cidr));
    if (block !== undefined && block.value === undefined) return [];
    return allocationAt(block?.value, address)?.handle === record?.workload.handle ? [] : [{ address, block: cidr }];
  });
}

/** Who has the address, as the block says. */
export function allocationAt(block: Block | undefined, address: Address): Allocation | undefined {
  const ordinal = block && ordinalOf(block, address);
  return ordinal === undefined ? undefined : block?.allocations.get(ordinal);
}
