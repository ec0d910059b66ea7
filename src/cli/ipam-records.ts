/** What address management has in the store, read for a person to look at. */
import { type Block, decodeBlock } from "../../ipam/block.ts";
import { decodeHandle, type HandleRecord } from "../../ipam/handle.ts";
import { blockOfKey, handleOfKey, ipamRoot } from "../../ipam/keys.ts";
import type { Pool } from "../../ipam/pool.ts";
import { type Rules } from "../../ipam/rules.ts";
import type { Entry, Store } from "../../ipam/store.ts";
import { rulesOf } from "../config/ipam-rules.ts";
import { poolOf } from "../config/pools.ts";
import { getResources, listResources } from "../config/resource-store.ts";
import { IPAM_CONFIGURATION } from "../config/schema/ipamconfiguration.ts";

export interface IpamRecords {
  readonly pools: readonly Pool[];
  readonly rules: Rules;
  readonly blocks: readonly Block[];
  readonly handles: ReadonlyMap<string, HandleRecord>;
  /** Everything under the root of address management, as it is stored. */
  readonly entries: readonly Entry[];
  /** Resources that cannot be read, in words. */
  readonly damaged: readonly string[];
}

export async function readIpam(store: Store): Promise<IpamRecords> {
  const { resources, damaged } = await listResources(store, "IPPool");
  const { rules, damaged: damagedRules } = await readRules(store);
  const { entries } = await store.list(ipamRoot);
  const handles = new Map<string, HandleRecord>();
  const blocks: Block[] = [];
  for (const { key, value } of entries) {
    const block = blockOfKey(key) === undefined ? undefined : decodeBlock(value);
    if (block !== undefined) blocks.push(block);
    const handle = handleOfKey(key);
    const record = handle === undefined ? undefined : decodeHandle(value);
    if (handle !== undefined && record !== undefined) handles.set(handle, record);
  }
  const pools = resources.flatMap((resource) => (resource.kind === "IPPool" ? poolOf(resource) : []));
  return { pools, rules, blocks, handles, entries, damaged: [...damaged, ...damagedRules] };
}

async function readRules(store: Store): Promise<{ rules: Rules; damaged: string[] }> {
  const configuration = await getResources(store, "IPAMConfiguration", [IPAM_CONFIGURATION]);
  const reservations = await listResources(store, "IPReservation");
  const rules = rulesOf(
    configuration.resources.find((resource) => resource.kind === "IPAMConfiguration"),
    reservations.resources.filter((resource) => resource.kind === "IPReservation"),
  );
  return { rules, damaged: [...configuration.damaged, ...reservations.damaged] };
}
