/**
 * A block: the part of a pool that one node gives addresses out of, with who has which. A value: each change makes
 * another one. An address is known by its ordinal, its place in the block from 0; network and broadcast address are
 * addresses like any other, since nothing here is a subnet on a wire.
 */
import { type Address, addressPlus, addressToBigInt } from "./net/address.ts";
import { containsAddress, formatPrefix, type Prefix, parsePrefix, prefixSize } from "./net/prefix.ts";
import { type Rules, usualRules } from "./rules.ts";

export interface Allocation {
  readonly handle: string;
  readonly namespace?: string;
  readonly pod?: string;
  readonly containerID: string;
  readonly ifName: string;
  /** The node that borrowed it; absent: the block's own. */
  readonly node?: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

export interface Block {
  readonly cidr: Prefix;
  /** Name of the pool it was cut from. */
  readonly pool: string;
  /** The node that owns it; others may borrow single addresses. */
  readonly node: string;
  readonly claimedAt: number;
  readonly allocations: ReadonlyMap<number, Allocation>;
  /** When an address that is free now was last given back, oldest first; an address never used is not here. */
  readonly released: ReadonlyMap<number, number>;
}

export function emptyBlock(cidr: Prefix, pool: string, node: string, claimedAt: number): Block {
  return { cidr, pool, node, claimedAt, allocations: new Map(), released: new Map() };
}

export function capacity(block: Block): number {
  return Number(prefixSize(block.cidr));
}

export function addressAt(block: Block, ordinal: number): Address {
  return addressPlus(block.cidr.address, ordinal);
}

/** The place of an address in the block; undefined when it lies outside. */
export function ordinalOf(block: Block, address: Address): number | undefined {
  if (!containsAddress(block.cidr, address)) return undefined;
  return Number(addressToBigInt(address) - addressToBigInt(block.cidr.address));
}

/**
 * The next ordinal to give out: the lowest never used, else the one that rested longest, if it rested long enough.
 * Never one that is reserved.
 */
export function freeOrdinal(block: Block, now: number, rules: Rules = usualRules): number | undefined {
  const size = capacity(block);
  const reserved = reservedIn(block, rules);
  if (block.allocations.size + block.released.size < size) {
    for (let ordinal = 0; ordinal < size; ordinal++) {
      if (!block.allocations.has(ordinal) && !block.released.has(ordinal) && !reserved(ordinal)) return ordinal;
    }
  }
  let oldest: [ordinal: number, at: number] | undefined;
  for (const [ordinal, at] of block.released) {
    if ((oldest === undefined || at < oldest[1]) && !reserved(ordinal)) oldest = [ordinal, at];
  }
  return oldest !== undefined && !rests(oldest[1], now, rules) ? oldest[0] : undefined;
}

/** Addresses that are free but still rest; not those that are reserved. */
export function restingCount(block: Block, now: number, rules: Rules = usualRules): number {
  const reserved = reservedIn(block, rules);
  let count = 0;
  for (const [ordinal, at] of block.released) if (rests(at, now, rules) && !reserved(ordinal)) count++;
  return count;
}

/** Addresses that are reserved and not in use. */
export function reservedCount(block: Block, rules: Rules): number {
  const ranges = rules.reserved.within(block.cidr);
  let count = Number(ranges.reduce((sum, { first, last }) => sum + last - first + 1n, 0n));
  if (count > 0) for (const ordinal of block.allocations.keys()) if (isWithin(ranges, ordinal)) count--;
  return count;
}

function reservedIn(block: Block, { reserved }: Rules): (ordinal: number) => boolean {
  const ranges = reserved.within(block.cidr);
  return ranges.length === 0 ? () => false : (ordinal) => isWithin(ranges, ordinal);
}

function isWithin(ranges: readonly { readonly first: bigint; readonly last: bigint }[], ordinal: number): boolean {
  return ranges.some(({ first, last }) => first <= ordinal && ordinal <= last);
}

// Either way round: a clock that was set back must not make an address rest for hours.
function rests(releasedAt: number, now: number, { restMs }: Rules): boolean {
  return Math.abs(now - releasedAt) < restMs;
}

/** Throws when the ordinal is taken: a fault of the caller. */
export function allocate(block: Block, ordinal: number, allocation: Allocation): Block {
  if (block.allocations.has(ordinal)) throw new Error(`${formatPrefix(block.cidr)}: ordinal ${ordinal} is taken`);
  const allocations = new Map(block.allocations).set(ordinal, allocation);
  const released = new Map(block.released);
  released.delete(ordinal);
  return { ...block, allocations, released };
}

/** The block without what the handle holds in it, and which ordinals these were. */
export function releaseHandle(block: Block, handle: string, now: number): { block: Block; ordinals: number[] } {
  const ordinals = ordinalsOf(block, handle);
  return { block: releaseOrdinals(block, ordinals, now), ordinals };
}

export function releaseOrdinals(block: Block, ordinals: Iterable<number>, now: number): Block {
  const allocations = new Map(block.allocations);
  const released = new Map(block.released);
  for (const ordinal of ordinals) {
    allocations.delete(ordinal);
    released.set(ordinal, now);
  }
  return { ...block, allocations, released };
}

export function ordinalsOf(block: Block, handle: string): number[] {
  const ordinals: number[] = [];
  for (const [ordinal, allocation] of block.allocations) if (allocation.handle === handle) ordinals.push(ordinal);
  return ordinals;
}

/** The text that is stored: JSON, equal for equal blocks. */
export function encodeBlock({ cidr, pool, node, claimedAt, allocations, released }: Block): string {
  const start = JSON.stringify({ cidr: formatPrefix(cidr), pool, node, claimedAt }).slice(0, -1);
  const rests = JSON.stringify(Object.fromEntries(released));
  return `${start},"allocations":${encodeAllocations(allocations)},"released":${rests}}`;
}

/** Allocations do not change, and of a full block's all but one were in its last text. */
const allocationTexts = new WeakMap<Allocation, string>();

function encodeAllocations(allocations: ReadonlyMap<number, Allocation>): string {
  const ordinals = [...allocations.keys()].sort((a, b) => a - b);
  const texts = ordinals.map((ordinal) => `"${ordinal}":${encodeAllocation(allocations.get(ordinal) as Allocation)}`);
  return `{${texts.join(",")}}`;
}

function encodeAllocation(allocation: Allocation): string {
  const known = allocationTexts.get(allocation);
  if (known !== undefined) return known;
  const text = JSON.stringify(allocation);
  allocationTexts.set(allocation, text);
  return text;
}

/** Reads {@link encodeBlock}'s text; undefined for anything that is not a block. */
export function decodeBlock(text: string): Block | undefined {
  const value = parseObject(text);
  const cidr = typeof value?.cidr === "string" ? parsePrefix(value.cidr) : undefined;
  if (value === undefined || cidr === undefined) return undefined;
  const { pool, node, claimedAt, allocations, released } = value;
  if (typeof pool !== "string" || typeof node !== "string" || typeof claimedAt !== "number") return undefined;
  const taken = ordinalMap(allocations, cidr, isAllocation);
  const free = ordinalMap(released, cidr, (at): at is number => typeof at === "number");
  if (taken === undefined || free === undefined) return undefined;
  return { cidr, pool, node, claimedAt, allocations: taken, released: free };
}

export function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isAllocation(value: unknown): value is Allocation {
  if (!isObject(value)) return false;
  const texts = [
    value.handle,
    value.containerID,
    value.ifName,
    value.namespace ?? "",
    value.pod ?? "",
    value.node ?? "",
  ];
  return texts.every((text) => typeof text === "string") && typeof value.at === "number";
}

function ordinalMap<T>(value: unknown, cidr: Prefix, is: (part: unknown) => part is T): Map<number, T> | undefined {
  if (!isObject(value)) return undefined;
  const map = new Map<number, T>();
  for (const [key, part] of Object.entries(value)) {
    if (!/^(0|[1-9]\d{0,4})$/.test(key) || BigInt(key) >= prefixSize(cidr) || !is(part)) return undefined;
    map.set(Number(key), part);
  }
  return map;
}
