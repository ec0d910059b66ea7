/** Gives back in the store what is leaked, each handle and each block in a transaction of its own. */
import { type Block, decodeBlock } from "../../ipam/block.ts";
import { decodeHandle } from "../../ipam/handle.ts";
import { affinityKey, blockKey } from "../../ipam/keys.ts";
import type { Leak } from "../../ipam/leaks.ts";
import { containsPrefix, formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import { keysOfLeak, planLeakRelease, type Seen } from "../../ipam/release-address.ts";
import { type Entry, isStoreUnavailable, type Store } from "../../ipam/store.ts";
import { poolOf } from "../config/pools.ts";
import { POOLS_GUARD, resourceKey } from "../config/resource-keys.ts";
import { listResources } from "../config/resource-store.ts";
import type { StrayBlock } from "../config/schema/ipam-report.ts";

/** `would-release`: a dry run. `changed`: no longer what was seen, so nothing is to be done. `unknown`: etcd failed. */
export type Outcome = "released" | "would-release" | "changed" | "kept" | "refused" | "unknown";

export interface Done {
  readonly outcome: Outcome;
  readonly why: string;
}

export interface Terms {
  readonly dryRun: boolean;
  /** Also when the owner may be alive. */
  readonly force: boolean;
}

const ATTEMPTS = 10;

/** What has conflicts again and again is used by somebody. */
const BUSY: Done = { outcome: "refused", why: "others kept changing the same records: try again" };

export async function releaseLeak(store: Store, leak: Leak, terms: Terms): Promise<Done> {
  return await settled(async () => {
    const nodeKeys = leak.nodes.map((node) => resourceKey("Node", node));
    const keys = keysOfLeak(leak);
    const entries = await store.get([...keys, ...nodeKeys]);
    const present = leak.nodes.filter((_, i) => entries[keys.length + i] !== undefined);
    if (!terms.force && (present.length > 0 || leak.nodes.length === 0)) {
      return { outcome: "refused", why: mayBeAlive(present) };
    }
    const plan = planLeakRelease(leak, seenIn(entries.slice(0, keys.length)), Date.now());
    if ("changed" in plan) return { outcome: "changed", why: plan.changed };
    if ("unreadable" in plan) return { outcome: "refused", why: `${plan.unreadable}: the record cannot be read` };
    if (terms.dryRun) return { outcome: "would-release", why: leak.why };
    // With these a node that comes back at this moment keeps what it has.
    const absent = terms.force ? [] : nodeKeys.map((key) => ({ key, modRevision: 0n }));
    const { expect, ...changes } = plan.transaction;
    const { committed } = await store.commit({ expect: [...expect, ...absent], ...changes });
    return committed ? { outcome: "released", why: leak.why } : undefined;
  });
}

/**
 * Deletes a block without addresses in use, and its owner's claim to it.
 *
 * @param freed handles that a dry run would have released: what they hold counts as free
 */
export async function giveBackBlock(
  store: Store,
  { cidr, node, why }: StrayBlock,
  dryRun: boolean,
  freed: ReadonlySet<string>,
): Promise<Done> {
  return await settled(async () => {
    const prefix = prefixOf(cidr);
    const keys = [blockKey(prefix), affinityKey(node, prefix), resourceKey("Node", node), POOLS_GUARD];
    const [stored, claim, owner, guard] = await store.get(keys);
    const block = stored && decodeBlock(stored.value);
    if (stored === undefined) return { outcome: "changed", why: "it is given back already" };
    if (block === undefined) return { outcome: "refused", why: `${stored.key}: the record cannot be read` };
    if (block.node !== node) return { outcome: "changed", why: `it is node ${block.node}'s since` };
    if (owner !== undefined && (await hasPool(store, block))) {
      return { outcome: "changed", why: "its node exists, and it is in a pool" };
    }
    const used = [...block.allocations.values()].filter(({ handle }) => !dryRun || !freed.has(handle));
    if (used.length > 0) return { outcome: "kept", why: `${used.length} in use` };
    if (dryRun) return { outcome: "would-release", why };
    const expect = keys.map((key, i) => ({ key, modRevision: [stored, claim, owner, guard][i]?.modRevision ?? 0n }));
    const { committed } = await store.commit({ expect, put: [], delete: keys.slice(0, 2) });
    return committed ? { outcome: "released", why } : undefined;
  });
}

/** Tries again after a conflict, which is undefined; what etcd failed at is an outcome, so that the others are told. */
async function settled(attempt: () => Promise<Done | undefined>): Promise<Done> {
  try {
    for (let i = 0; i < ATTEMPTS; i++) {
      const done = await attempt();
      if (done !== undefined) return done;
    }
    return BUSY;
  } catch (error) {
    if (!isStoreUnavailable(error)) throw error;
    return { outcome: "unknown", why: `etcd cannot be used: ${error.message}; run this again` };
  }
}

async function hasPool(store: Store, block: Block): Promise<boolean> {
  const { resources } = await listResources(store, "IPPool");
  return resources.some((one) => one.kind === "IPPool" && containsPrefix(poolOf(one).cidr, block.cidr));
}

function seenIn(entries: readonly (Entry | undefined)[]): Seen {
  const [handle, ...rest] = entries;
  const blocks = new Map(
    rest.flatMap((entry) => {
      if (entry === undefined) return [];
      const value = decodeBlock(entry.value);
      return value === undefined
        ? []
        : [[formatPrefix(value.cidr), { modRevision: entry.modRevision, value }] as const];
    }),
  );
  const record = handle && decodeHandle(handle.value);
  return { handle: { modRevision: handle?.modRevision ?? 0n, value: record }, blocks };
}

function mayBeAlive(present: readonly string[]): string {
  const [name] = present;
  if (name === undefined) return "no record says which node it is on: look, then say --force";
  return `node ${name} exists, so the pod may be alive: look there first, then say --force`;
}
