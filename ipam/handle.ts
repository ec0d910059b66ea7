/**
 * What one owner holds: the way back from a handle (one interface of one container) to its addresses and their blocks.
 * Written in the transaction that changes the blocks, so there is no handle without addresses and none missing.
 */
import { parseObject } from "./block.ts";
import { type Address, formatAddress, parseAddress } from "./net/address.ts";
import { formatPrefix, type Prefix, parsePrefix } from "./net/prefix.ts";

/** Who asks for addresses. The handle is theirs to choose, such as `overland.<container ID>.eth0`. */
export interface Workload {
  readonly handle: string;
  readonly namespace?: string;
  readonly pod?: string;
  /** Of the pod, in Kubernetes. */
  readonly uid?: string;
  readonly containerID: string;
  readonly ifName: string;
}

export interface HandleRecord {
  readonly addresses: readonly Address[];
  /** The block of each address, in the same order. */
  readonly blocks: readonly Prefix[];
  /** The node that asked. */
  readonly node: string;
  /** The process that wrote it or answered with it last, by a random name: see doubt.ts. */
  readonly writer: string;
  readonly workload: Workload;
}

export function encodeHandle(record: HandleRecord): string {
  return JSON.stringify({
    addresses: record.addresses.map(formatAddress),
    blocks: record.blocks.map(formatPrefix),
    node: record.node,
    writer: record.writer,
    workload: record.workload,
  });
}

export function decodeHandle(text: string): HandleRecord | undefined {
  const value = parseObject(text);
  if (value === undefined || typeof value.node !== "string" || typeof value.writer !== "string") return undefined;
  const addresses = listOf(value.addresses, parseAddress);
  const blocks = listOf(value.blocks, parsePrefix);
  const workload = value.workload as Workload | undefined;
  if (addresses === undefined || blocks?.length !== addresses.length) return undefined;
  if (typeof workload?.handle !== "string" || typeof workload.containerID !== "string") return undefined;
  return { addresses, blocks, node: value.node, writer: value.writer, workload };
}

function listOf<T>(value: unknown, read: (text: string) => T | undefined): T[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const list: T[] = [];
  for (const text of value) {
    const item = typeof text === "string" ? read(text) : undefined;
    if (item === undefined) return undefined;
    list.push(item);
  }
  return list;
}
