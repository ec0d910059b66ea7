/**
 * Records that agree with one another and yet make no sense beside pools and nodes: blocks outside every pool or
 * of nodes that do not exist. In words. Pure.
 */
import { addressAt, type Block } from "./block.ts";
import { formatAddress } from "./net/address.ts";
import { containsPrefix, formatPrefix } from "./net/prefix.ts";
import type { Pool } from "./pool.ts";
import { type Reading, readableBlocks } from "./reading.ts";

/** @param nodes the nodes that exist */
export function misplaced(reading: Reading, pools: readonly Pool[], nodes: ReadonlySet<string>): string[] {
  const findings: string[] = [];
  for (const block of readableBlocks(reading)) {
    findings.push(...besidePools(block, pools), ...besideNodes(block, reading, nodes));
  }
  return findings;
}

function besidePools(block: Block, pools: readonly Pool[]): string[] {
  const text = `block ${formatPrefix(block.cidr)}`;
  const pool = pools.find(({ cidr }) => containsPrefix(cidr, block.cidr));
  if (pool === undefined) {
    const { size } = block.allocations;
    return [`${text} of node ${block.node}: it is in no pool${size === 0 ? "" : `; ${size} in use`}`];
  }
  const findings: string[] = [];
  if (block.cidr.length !== pool.blockSize)
    findings.push(`${text}: pool ${pool.name} has blocks of /${pool.blockSize}`);
  if (block.pool !== pool.name) findings.push(`${text}: says it is of pool ${block.pool}, and lies in ${pool.name}`);
  return findings;
}

/** Addresses whose owner's node does not exist at all are leaks, and said there; here, what the handle denies. */
function besideNodes(block: Block, { handles }: Reading, nodes: ReadonlySet<string>): string[] {
  const text = `block ${formatPrefix(block.cidr)}`;
  const findings: string[] = [];
  if (!nodes.has(block.node)) {
    findings.push(`${text}: owned by node ${block.node}, which does not exist; ${block.allocations.size} in use`);
  }
  for (const [ordinal, { node, handle }] of block.allocations) {
    const asker = handles.get(handle)?.value?.node;
    if (node === undefined || nodes.has(node) || asker === undefined || !nodes.has(asker)) continue;
    const address = formatAddress(addressAt(block, ordinal));
    findings.push(
      `${text}: ${address} is borrowed by node ${node}, which does not exist (handle ${handle} says ${asker})`,
    );
  }
  return findings;
}
