/**
 * Freeing what a handle holds, or a part of it, from outside its node: block and handle in one transaction, guarded by
 * revisions, and only if it still is what somebody looked at. Pure.
 */
import { type Block, encodeBlock, ordinalOf, releaseOrdinals } from "./block.ts";
import { encodeHandle, type HandleRecord } from "./handle.ts";
import { blockKey, handleKey } from "./keys.ts";
import { allocationAt, type Leak } from "./leaks.ts";
import { type Address, formatAddress, sameAddress } from "./net/address.ts";
import { formatPrefix, type Prefix } from "./net/prefix.ts";
import type { Transaction } from "./store.ts";
import type { Known } from "./view.ts";

/** What must be read to plan the release of a leak. */
export function keysOfLeak(leak: Leak): string[] {
  return [handleKey(leak.handle), ...blocksOfLeak(leak).map(blockKey)];
}

export interface Seen {
  readonly handle: Known<HandleRecord>;
  /** By the CIDR's text. */
  readonly blocks: ReadonlyMap<string, Known<Block>>;
}

export type Plan =
  | { readonly transaction: Transaction; readonly released: readonly Address[] }
  /** It is not what was seen then, in words. */
  | { readonly changed: string }
  /** A record in the way cannot be read. */
  | { readonly unreadable: string };

/** @param seen what the keys of the leak hold now */
export function planLeakRelease(leak: Leak, seen: Seen, now: number): Plan {
  if (seen.handle.modRevision !== leak.handleRevision) {
    return { changed: `handle ${leak.handle} was ${seen.handle.modRevision === 0n ? "released" : "written"} since` };
  }
  const blocks = new Map<string, Block>();
  const expect = [{ key: handleKey(leak.handle), modRevision: leak.handleRevision }];
  for (const cidr of blocksOfLeak(leak)) {
    const known = seen.blocks.get(formatPrefix(cidr));
    const modRevision = known?.modRevision ?? 0n;
    if (known?.value === undefined && modRevision !== 0n) return { unreadable: blockKey(cidr) };
    if (known?.value !== undefined) blocks.set(formatPrefix(cidr), known.value);
    expect.push({ key: blockKey(cidr), modRevision });
  }
  const touched = new Map<string, Block>();
  const released: Address[] = [];
  for (const { address, block: cidr, at } of leak.addresses) {
    const text = formatPrefix(cidr);
    const block = touched.get(text) ?? blocks.get(text);
    const owner = allocationAt(block, address);
    const same = owner?.handle === leak.handle && owner.at === at;
    if (at !== undefined && !same) return { changed: changeText(address, owner) };
    if (at === undefined && owner?.handle === leak.handle) return { changed: changeText(address, owner) };
    if (at === undefined || block === undefined) continue;
    touched.set(text, releaseOrdinals(block, [ordinalOf(block, address) as number], now));
    released.push(address);
  }
  const record = recordWithout(leak, seen.handle.value);
  const put = [...touched.values()].map((block) => ({ key: blockKey(block.cidr), value: encodeBlock(block) }));
  if (record !== undefined) put.push({ key: handleKey(leak.handle), value: encodeHandle(record) });
  const gone = record === undefined && leak.handleRevision !== 0n ? [handleKey(leak.handle)] : [];
  return { transaction: { expect, put, delete: gone }, released };
}

function changeText(address: Address, owner: { readonly handle: string } | undefined): string {
  const text = formatAddress(address);
  return owner === undefined ? `${text} was released since` : `${text} was given to handle ${owner.handle} since`;
}

/** Undefined: nothing is left for the handle to hold. */
function recordWithout(leak: Leak, record: HandleRecord | undefined): HandleRecord | undefined {
  if (record === undefined) return undefined;
  const kept = record.addresses.flatMap((address, i) =>
    leak.addresses.some((one) => sameAddress(one.address, address)) ? [] : [i],
  );
  if (kept.length === 0) return undefined;
  const pick = <T>(list: readonly T[]) => kept.map((i) => list[i] as T);
  return { ...record, addresses: pick(record.addresses), blocks: pick(record.blocks) };
}

function blocksOfLeak({ addresses }: Leak): Prefix[] {
  return [...new Map(addresses.map(({ block }) => [formatPrefix(block), block])).values()];
}
