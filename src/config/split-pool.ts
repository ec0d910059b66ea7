/**
 * A pool becomes several in one transaction, so that nobody sees its range without a pool. Blocks name their pool: as
 * many as fit are written in the same transaction, the others after it. Nothing goes by that name but what people read
 * (a block is in the pool that it lies in), so a split that is interrupted has left names behind and no harm; asked for
 * again, it writes them.
 */
import { randomUUID } from "node:crypto";
import { ipamRoot } from "../../ipam/keys.ts";
import { containsPrefix, formatPrefix, parsePrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { findPool, type Pool } from "../../ipam/pool.ts";
import { type Reading, readRecords } from "../../ipam/reading.ts";
import { partsOf, type Rename, renames, renaming, splitFault } from "../../ipam/split.ts";
import { maxTransactionOperations, type Store, type Transaction } from "../../ipam/store.ts";
import { isManaged } from "./managed.ts";
import { poolOf } from "./pools.ts";
import type { IPPoolResource } from "./resource.ts";
import { POOLS_GUARD, resourceKey } from "./resource-keys.ts";
import { listResources } from "./resource-store.ts";
import { checkDocument } from "./schema/document.ts";

export interface Split {
  /** False when the pools were there already, of a split that was interrupted. */
  readonly split: boolean;
  readonly from: string;
  readonly parts: readonly { readonly name: string; readonly cidr: string; readonly blocks: number }[];
  /** Blocks that were given the name of their new pool. */
  readonly renamed: number;
  /** Blocks that still have the old one: others kept changing them. */
  readonly left: number;
}

export interface SplitRequest {
  /** Name or CIDR of the pool. */
  readonly pool: string;
  readonly parts: number;
  readonly dryRun: boolean;
}

const ATTEMPTS = 10;
/** A block and its owner's claim are two of each. */
const blocksAtOnce = maxTransactionOperations / 2;

export async function splitPool(store: Store, request: SplitRequest): Promise<Split | { readonly refusal: string }> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const [guard] = await store.get([POOLS_GUARD]);
    const { resources } = await listResources(store, "IPPool");
    const pools = resources.filter((resource) => resource.kind === "IPPool");
    const reading = readRecords((await store.list(ipamRoot)).entries);
    const old = poolCalled(pools, request.pool);
    if (old === undefined) return await finish(store, request, pools.map(poolOf), reading);
    if (isManaged(old)) {
      const cure = "make the parts of it there: delete it with kubectl once it is empty, and apply smaller ones";
      return { refusal: `IPPool ${old.metadata.name} is managed by Kubernetes; ${cure}` };
    }
    const fault = splitFault(poolOf(old), request.parts);
    if (fault !== undefined) return { refusal: fault };
    const parts = partDocuments(old, request.parts);
    if ("refusal" in parts) return parts;
    const taken = parts.find((part) => pools.some(({ metadata }) => metadata.name === part.metadata.name));
    if (taken !== undefined) return { refusal: `IPPool ${taken.metadata.name} exists already; delete or rename it` };
    const list = renames(reading, old.metadata.name, parts.map(poolOf));
    const result = (renamed: number, left: number): Split => ({
      split: true,
      from: old.metadata.name,
      parts: parts.map((part) => partText(poolOf(part), reading)),
      renamed,
      left,
    });
    if (request.dryRun) return result(list.length, 0);
    // Two operations are the old pool's and the guard's.
    const room = Math.floor((maxTransactionOperations - parts.length - 2) / 2);
    const together = list.length <= room ? list : [];
    const swap = await swapOf(store, old, parts, guard?.modRevision ?? 0n);
    if (swap === undefined) continue;
    const { committed } = await store.commit(joined(swap, renaming(together, reading)));
    if (!committed) continue;
    const rest = await renameAll(store, old.metadata.name, parts.map(poolOf));
    return result(together.length + rest.renamed, rest.left);
  }
  return { refusal: "pools or blocks were changed by others again and again meanwhile; try again" };
}

function poolCalled(pools: readonly IPPoolResource[], text: string): IPPoolResource | undefined {
  const found = findPool(pools.map(poolOf), text, parsePrefix(text));
  return pools.find(({ metadata }) => metadata.name === found?.name);
}

/** The name is calicoctl's: `split-<pool>-<i>`. Everything but name, range and identity is the old pool's. */
function partDocuments(old: IPPoolResource, parts: number): IPPoolResource[] | { readonly refusal: string } {
  const { name, labels, annotations } = old.metadata;
  const creationTimestamp = `${new Date().toISOString().slice(0, 19)}Z`;
  const documents: IPPoolResource[] = [];
  for (const [i, cidr] of partsOf(prefixOf(old.spec.cidr), parts).entries()) {
    const metadata = {
      name: `split-${name}-${i}`,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      uid: randomUUID(),
      creationTimestamp,
    };
    const document = { ...old, metadata, spec: { ...old.spec, cidr: formatPrefix(cidr) } };
    const checked = checkDocument(document);
    if ("problems" in checked) return { refusal: `IPPool ${metadata.name}: ${checked.problems[0]?.message ?? ""}` };
    documents.push(document);
  }
  return documents;
}

/** The guard, which every change of a pool writes, was read first. Undefined: the old pool is gone meanwhile. */
async function swapOf(
  store: Store,
  old: IPPoolResource,
  parts: readonly IPPoolResource[],
  guard: bigint,
): Promise<Transaction | undefined> {
  const oldKey = resourceKey("IPPool", old.metadata.name);
  const [stored] = await store.get([oldKey]);
  if (stored === undefined) return undefined;
  const put = parts.map((part) => ({ key: resourceKey("IPPool", part.metadata.name), value: JSON.stringify(part) }));
  const absent = put.map(({ key }) => ({ key, modRevision: 0n }));
  const expect = [
    ...absent,
    { key: oldKey, modRevision: stored.modRevision },
    { key: POOLS_GUARD, modRevision: guard },
  ];
  return { expect, put: [...put, { key: POOLS_GUARD, value: "" }], delete: [oldKey] };
}

/** The pool is not there, but blocks name it: a split of it that was interrupted is finished. */
async function finish(store: Store, request: SplitRequest, pools: readonly Pool[], reading: Reading) {
  const waiting = renames(reading, request.pool, pools);
  if (waiting.length === 0) return { refusal: `IPPool ${request.pool} does not exist` };
  const parts = pools.filter(({ name }) => waiting.some(({ to }) => to === name));
  const done = request.dryRun ? { renamed: waiting.length, left: 0 } : await renameAll(store, request.pool, pools);
  return { split: false, from: request.pool, parts: parts.map((part) => partText(part, reading)), ...done };
}

async function renameAll(store: Store, from: string, parts: readonly Pick<Pool, "name" | "cidr">[]) {
  let renamed = 0;
  let left: readonly Rename[] = [];
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const reading = readRecords((await store.list(ipamRoot)).entries);
    left = renames(reading, from, parts);
    if (left.length === 0) break;
    for (let i = 0; i < left.length; i += blocksAtOnce) {
      const some = left.slice(i, i + blocksAtOnce);
      const { committed } = await store.commit(renaming(some, reading));
      if (committed) renamed += some.length;
      else renamed += await oneByOne(store, some, reading);
    }
  }
  return { renamed, left: left.length };
}

/** One of many was changed meanwhile: the others are not held up by it. */
async function oneByOne(store: Store, some: readonly Rename[], reading: Reading): Promise<number> {
  let renamed = 0;
  for (const one of some) if ((await store.commit(renaming([one], reading))).committed) renamed++;
  return renamed;
}

function joined(a: Transaction, b: Transaction): Transaction {
  return { expect: [...a.expect, ...b.expect], put: [...a.put, ...b.put], delete: [...a.delete, ...b.delete] };
}

function partText(pool: Pool, reading: Reading): Split["parts"][number] {
  const inside = [...reading.blocks.values()].filter(({ cidr }) => containsPrefix(pool.cidr, cidr));
  return { name: pool.name, cidr: formatPrefix(pool.cidr), blocks: inside.length };
}
