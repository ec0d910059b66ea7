/**
 * What a request does to the records, worked out without a store: on what is known, to changes or a refusal, or to the
 * keys that must be read first. All families of a request are planned together: it is met whole or not at all.
 */
import { type Allocation, addressAt, allocate, type Block, ordinalOf, releaseHandle } from "./block.ts";
import { choosePools, thereAre } from "./choose-pools.ts";
import type { Draft } from "./draft.ts";
import { findAddress, type Need } from "./find-address.ts";
import type { HandleRecord, Workload } from "./handle.ts";
import { blockKey, handleKey } from "./keys.ts";
import { type Address, type Family, familyOf, formatAddress, sameAddress } from "./net/address.ts";
import { containsAddress, formatPrefix, hostPrefix, type Prefix, prefixAround, samePrefix } from "./net/prefix.ts";
import { type Pool, poolText, whyNotForPods } from "./pool.ts";
import { Refusal } from "./refusal.ts";
import type { Labels } from "./selector.ts";
import { claimIn } from "./unclaimed.ts";
import { keysOfHandle } from "./view.ts";

export interface AssignRequest {
  readonly workload: Workload;
  /** One address of each. */
  readonly families: readonly Family[];
  /** Names or CIDRs of the pools to take from, whatever their nodeSelector; for a family without one, as if unsaid. */
  readonly pools?: readonly string[];
  /** Of the pod's namespace, for pools with a namespaceSelector; undefined: there is no namespace. */
  readonly namespaceLabels?: Labels;
  /** Exactly these, instead of any of their families: also reserved ones, and whatever the pool's selectors. */
  readonly addresses?: readonly Address[];
}

export interface Assigned {
  readonly address: Address;
  readonly block: Prefix;
  readonly pool: string;
}

/** `done`: what to answer once the draft, now with this request's changes, is committed; nothing to commit if empty. */
export type Step<T> = { readonly done: T } | { readonly need: Need } | { readonly refusal: Refusal };

/** Keys that were read since the request came in: an answer without a write must rest on these alone. */
export type Fresh = ReadonlySet<string>;

export function planAssign(draft: Draft, request: AssignRequest, now: number, fresh: Fresh): Step<readonly Assigned[]> {
  const held = heldBy(draft, request.workload.handle, fresh);
  if ("need" in held || "refusal" in held) return held;
  const explicit = request.addresses ?? [];
  const assigned = [...held.done];
  for (const address of explicit) {
    if (assigned.some((one) => sameAddress(one.address, address))) continue;
    const other = assigned.find((one) => familyOf(one.address) === familyOf(address));
    if (other !== undefined) return { refusal: handleInUse(request.workload.handle, other.address, address) };
    const step = assignExactly(draft, request.workload, address, now, fresh);
    if (!("done" in step)) return step;
    assigned.push(step.done);
  }
  for (const family of request.families) {
    if (assigned.some((one) => familyOf(one.address) === family)) continue;
    const step = assignAny(draft, request, family, now, fresh);
    if (!("done" in step)) return step;
    assigned.push(step.done);
  }
  // Also an answer that changes nothing is written: a release of what it names may be on its way from another process,
  // and cannot happen any more once the record has a new revision.
  if (assigned.length > held.done.length || !draft.drafted(request.workload.handle)) {
    draft.putHandle(request.workload.handle, {
      addresses: assigned.map(({ address }) => address),
      blocks: assigned.map(({ block }) => block),
      node: draft.view.node,
      writer: draft.view.writer,
      workload: request.workload,
    });
  }
  return { done: assigned };
}

/** Frees everything the handle holds, in whosever block. */
export function planRelease(draft: Draft, handle: string, now: number, fresh: Fresh): Step<readonly Address[]> {
  // A record remembered will do, since the transaction expects it unchanged; that there is none must be read.
  const remembered = draft.handle(handle)?.value;
  const known = remembered === undefined ? knownHandle(draft, handle, fresh) : { done: remembered };
  if ("need" in known || "refusal" in known) return known;
  if (known.done === undefined) return { done: [] };
  const released: Address[] = [];
  for (const cidr of distinct(known.done.blocks)) {
    const block = draft.block(cidr);
    if (block === undefined) return { need: { read: known.done.blocks.map(blockKey) } };
    if (block.value === undefined) {
      // A handle that outlived its block: nothing to free there, but the record must go.
      if (!fresh.has(blockKey(cidr))) return { need: { read: [blockKey(cidr)] } };
      continue;
    }
    const result = releaseHandle(block.value, handle, now);
    if (result.ordinals.length === 0 && !fresh.has(blockKey(cidr))) return { need: { read: [blockKey(cidr)] } };
    if (result.ordinals.length === 0) continue;
    draft.putBlock(result.block);
    released.push(...result.ordinals.map((ordinal) => addressAt(result.block, ordinal)));
  }
  draft.putHandle(handle, undefined);
  return { done: released };
}

/** What the handle holds, read anew. */
export function planLookup(draft: Draft, handle: string, fresh: Fresh): Step<readonly Assigned[]> {
  const known = knownHandle(draft, handle, fresh);
  return "done" in known ? heldBy(draft, handle, fresh) : known;
}

/** What the handle holds already, checked against the blocks. */
function heldBy(draft: Draft, handle: string, fresh: Fresh): Step<readonly Assigned[]> {
  // What is remembered will do here as well: whoever relies on it either writes the record or has read it.
  const remembered = draft.handle(handle);
  const readable = remembered?.value !== undefined || (remembered?.modRevision ?? 0n) === 0n;
  const known = readable ? { done: remembered?.value } : knownHandle(draft, handle, fresh);
  if ("need" in known || "refusal" in known) return known;
  const held: Assigned[] = [];
  for (const [i, address] of (known.done?.addresses ?? []).entries()) {
    const cidr = known.done?.blocks[i] as Prefix;
    const block = draft.block(cidr);
    if (block === undefined) return { need: { read: [blockKey(cidr)] } };
    const ordinal = block.value && ordinalOf(block.value, address);
    const holds = ordinal !== undefined && block.value?.allocations.get(ordinal)?.handle === handle;
    if (block.value !== undefined && holds) held.push({ address, block: cidr, pool: block.value.pool });
    else if (!draft.drafted(handle) && !fresh.has(blockKey(cidr))) return { need: { read: [blockKey(cidr)] } };
  }
  return { done: held };
}

/** The handle's record, from this draft or read since the request came in; undefined: it has none. */
function knownHandle(draft: Draft, handle: string, fresh: Fresh): Step<HandleRecord | undefined> {
  const known = draft.handle(handle);
  const settled = draft.drafted(handle) || fresh.has(handleKey(handle));
  if (known === undefined || !settled) return { need: { read: keysOfHandle(handle, known?.value) } };
  if (known.value === undefined && known.modRevision !== 0n) {
    const message = `the record of handle ${handle} in the store cannot be read (key ${handleKey(handle)})`;
    return { refusal: new Refusal("corrupt", message, false) };
  }
  return { done: known.value };
}

function assignAny(draft: Draft, request: AssignRequest, family: Family, now: number, fresh: Fresh): Step<Assigned> {
  const choice = choosePools(draft.view, request, family);
  if (choice instanceof Refusal) return { refusal: choice };
  const found = findAddress(draft, choice, now, fresh);
  return "block" in found ? { done: take(draft, request.workload, found.block, found.ordinal, now) } : found;
}

function assignExactly(draft: Draft, workload: Workload, address: Address, now: number, fresh: Fresh): Step<Assigned> {
  const pool = poolWith(draft, address);
  if (pool instanceof Refusal) return { refusal: pool };
  const cidr = blockAround(draft, pool, address);
  const known = draft.block(cidr);
  if (known === undefined) return { need: { read: [blockKey(cidr)] } };
  if (known.value === undefined && known.modRevision !== 0n) return { refusal: unreadable(cidr) };
  // As in Calico, whoever asks for one address is not held back by maxBlocksPerHost.
  const block = known.value ?? claimIn(draft, pool, cidr, now);
  const ordinal = ordinalOf(block, address) as number;
  const owner = block.allocations.get(ordinal);
  const foreign = block.node !== draft.view.node && draft.view.rules.strictAffinity;
  if (owner === undefined && !foreign) return { done: take(draft, workload, block, ordinal, now) };
  if (!fresh.has(blockKey(cidr))) return { need: { read: [blockKey(cidr)] } };
  if (owner === undefined) return { refusal: notBorrowed(address, block) };
  // Given to this handle by an earlier process: its record, not looked at yet, says so.
  const record = handleKey(workload.handle);
  if (owner.handle === workload.handle && !fresh.has(record)) return { need: { read: [record] } };
  return { refusal: addressInUse(address, owner, block) };
}

function poolWith(draft: Draft, address: Address): Pool | Refusal {
  const { pools } = draft.view;
  const pool = pools.find(({ cidr }) => containsAddress(cidr, address));
  const text = formatAddress(address);
  if (pool === undefined) {
    return new Refusal("address-outside-pools", `address ${text} is in no IPPool; ${thereAre(pools)}`, false);
  }
  const reason = whyNotForPods(pool);
  if (reason === undefined) return pool;
  return new Refusal("no-pool", `address ${text} is not given out: IPPool ${poolText(pool)} ${reason}`, false);
}

/** The block an address is or would be in: one of another size may be left from before. */
function blockAround(draft: Draft, pool: Pool, address: Address): Prefix {
  const claimed = draft.ownBlocks().find(({ cidr }) => containsAddress(cidr, address));
  return claimed?.cidr ?? draft.view.overlapping(hostPrefix(address))?.cidr ?? prefixAround(address, pool.blockSize);
}

function take(draft: Draft, workload: Workload, block: Block, ordinal: number, now: number): Assigned {
  const { handle, namespace, pod, containerID, ifName } = workload;
  const { node } = draft.view;
  const allocation: Allocation = {
    handle,
    ...(namespace === undefined ? {} : { namespace }),
    ...(pod === undefined ? {} : { pod }),
    containerID,
    ifName,
    ...(node === block.node ? {} : { node }),
    at: now,
  };
  draft.putBlock(allocate(block, ordinal, allocation));
  return { address: addressAt(block, ordinal), block: block.cidr, pool: block.pool };
}

function addressInUse(address: Address, owner: Allocation, block: Block): Refusal {
  const who = owner.pod === undefined ? `handle ${owner.handle}` : `pod ${owner.namespace ?? ""}/${owner.pod}`;
  const text = `address ${formatAddress(address)} is used by ${who} on node ${owner.node ?? block.node}`;
  return new Refusal("address-in-use", text, true);
}

function notBorrowed(address: Address, { cidr, node }: Block): Refusal {
  const text = `address ${formatAddress(address)} is in block ${formatPrefix(cidr)} of node ${node}`;
  const message = `${text}, and strictAffinity of IPAMConfiguration default forbids borrowing it: run the pod there`;
  return new Refusal("strict-affinity", message, false);
}

function handleInUse(handle: string, held: Address, wanted: Address): Refusal {
  const [has, asks] = [formatAddress(held), formatAddress(wanted)];
  return new Refusal("handle-in-use", `handle ${handle} already holds ${has} and cannot have ${asks} as well`, false);
}

function unreadable(cidr: Prefix): Refusal {
  const message = `the record of block ${formatPrefix(cidr)} in the store cannot be read (key ${blockKey(cidr)})`;
  return new Refusal("corrupt", message, false);
}

function distinct(cidrs: readonly Prefix[]): Prefix[] {
  return cidrs.filter((cidr, i) => cidrs.findIndex((other) => samePrefix(cidr, other)) === i);
}
