/**
 * Deleting a pool: refused while an address of it is in use. Blocks that nodes cut from it and do not use go with it,
 * in the same transaction: no node can give out an address of a block that is gone.
 */
import { addressAt, type Block, decodeBlock } from "../../ipam/block.ts";
import { affinityKey, blockKey, blockOfKey, ipamRoot } from "../../ipam/keys.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { containsPrefix, formatPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { maxTransactionOperations, type Revision, type Store } from "../../ipam/store.ts";
import type { IPPoolResource, Resource } from "./resource.ts";
import { kindRoot } from "./resource-keys.ts";

interface Expected {
  readonly key: string;
  readonly modRevision: Revision;
}

export interface Emptied {
  readonly refusals: readonly string[];
  /** Records of empty blocks, to be deleted as they were read. */
  readonly blocks: readonly Expected[];
}

const mostNodesNamed = 5;
const mostHoldersNamed = 3;
/** A block and its owner's claim are two records. */
const atOnce = maxTransactionOperations - (maxTransactionOperations % 2);

/** @param room how many records the transaction that deletes the pools can delete beside them */
export async function emptyPools(store: Store, resources: readonly Resource[], room: number): Promise<Emptied> {
  const pools = resources.filter((resource) => resource.kind === "IPPool");
  if (pools.length === 0) return { refusals: [], blocks: [] };
  const { entries } = await store.list(ipamRoot);
  const revisions = new Map(entries.map(({ key, modRevision }) => [key, modRevision]));
  const nodes = await nodeNames(store);
  const refusals: string[] = [];
  const blocks: Expected[] = [];
  for (const pool of pools) {
    const range = prefixOf(pool.spec.cidr);
    const inside = entries.flatMap(({ key, value }) => {
      const cidr = blockOfKey(key);
      return cidr !== undefined && containsPrefix(range, cidr) ? [{ cidr, block: decodeBlock(value) }] : [];
    });
    const refusal = refusalOf(pool, inside, nodes);
    if (refusal !== undefined) refusals.push(refusal);
    for (const { cidr, block } of inside) {
      if (block === undefined) continue;
      for (const key of [blockKey(cidr), affinityKey(block.node, cidr)]) {
        const modRevision = revisions.get(key);
        if (modRevision !== undefined) blocks.push({ key, modRevision });
      }
    }
  }
  if (refusals.length > 0 || blocks.length <= room) return { refusals, blocks };
  const enabled = pools.find(({ spec }) => !spec.disabled);
  if (enabled === undefined) return { refusals, blocks };
  const cause = `its ${Math.ceil(blocks.length / 2)} empty blocks are more than one transaction takes`;
  const cure = "set spec.disabled: true so that no new ones are cut, then delete it";
  return { refusals: [`${poolText(enabled)}: ${cause}; ${cure}`], blocks: [] };
}

/** Of a disabled pool: what does not fit beside its deletion is deleted before, in steps that each do no harm. */
export async function deleteInSteps(store: Store, blocks: readonly Expected[]): Promise<void> {
  for (let i = 0; i < blocks.length; i += atOnce) {
    const expect = blocks.slice(i, i + atOnce);
    await store.commit({ expect, put: [], delete: expect.map(({ key }) => key) });
  }
}

interface Inside {
  readonly cidr: Prefix;
  /** Undefined: the record cannot be read. */
  readonly block: Block | undefined;
}

function refusalOf(pool: IPPoolResource, inside: readonly Inside[], nodes: ReadonlySet<string>): string | undefined {
  const spoilt = inside.find(({ block }) => block === undefined);
  if (spoilt !== undefined) {
    const cause = `the record of its block ${formatPrefix(spoilt.cidr)} cannot be read (key ${blockKey(spoilt.cidr)})`;
    return `${poolText(pool)}: ${cause}, so nobody knows whether addresses of it are in use; put it right first`;
  }
  const users = new Map<string, number>();
  for (const { block } of inside) {
    for (const { node = block?.node ?? "" } of block?.allocations.values() ?? []) {
      users.set(node, (users.get(node) ?? 0) + 1);
    }
  }
  const used = [...users.values()].reduce((sum, count) => sum + count, 0);
  if (used === 0) return undefined;
  const addresses = used === 1 ? "1 address is" : `${used} addresses are`;
  const first = pool.spec.disabled ? "" : "set spec.disabled: true so that no new ones are given out, ";
  const leaked = [...users.keys()].some((node) => !nodes.has(node));
  const cure = leaked ? "; `overland ipam release` frees what nodes left that are gone" : "";
  const text = `${addresses} in use (${usersText(users, nodes)})`;
  const who = `, such as ${holdersText(inside)}`;
  return `${poolText(pool)}: ${text}; ${first}delete the pods that have them${who}, then the pool${cure}`;
}

/** The first few: `10.244.0.5 (default/web on n1)`. */
function holdersText(inside: readonly Inside[]): string {
  const held = inside.flatMap(({ block }) =>
    block === undefined ? [] : [...block.allocations].map(([ordinal, holder]) => ({ block, ordinal, holder })),
  );
  return held
    .slice(0, mostHoldersNamed)
    .map(({ block, ordinal, holder: { handle, namespace, pod, node = block.node } }) => {
      const owner = pod === undefined ? `handle ${handle}` : `${namespace ?? "default"}/${pod}`;
      return `${formatAddress(addressAt(block, ordinal))} (${owner} on ${node})`;
    })
    .join(", ");
}

/** Those with most first: `n1: 12, n2: 3, which does not exist, and 4 more nodes`. */
function usersText(users: ReadonlyMap<string, number>, nodes: ReadonlySet<string>): string {
  const sorted = [...users].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const named = sorted.slice(0, mostNodesNamed).map(([node, count]) => {
    return `${node}: ${count}${nodes.has(node) ? "" : ", and this node does not exist"}`;
  });
  const more = sorted.length - named.length;
  return [...named, ...(more > 0 ? [`and on ${more} more nodes`] : [])].join("; ");
}

async function nodeNames(store: Store): Promise<ReadonlySet<string>> {
  const root = kindRoot("Node");
  return new Set((await store.listKeys(root)).map((key) => key.slice(root.length)));
}

function poolText({ metadata: { name }, spec }: IPPoolResource): string {
  return `IPPool ${name} (${spec.cidr})`;
}
