/** What address management has in the store, with the pools and nodes it belongs to: read at one revision. */
import type { Block } from "../../ipam/block.ts";
import { ipamRoot } from "../../ipam/keys.ts";
import type { Pool } from "../../ipam/pool.ts";
import { type Reading, readableBlocks, readRecords } from "../../ipam/reading.ts";
import type { Rules } from "../../ipam/rules.ts";
import type { Entry, Revision, Store } from "../../ipam/store.ts";
import { LOAD_BALANCER } from "../../ipam/virtual-node.ts";
import { rulesOf } from "../config/ipam-rules.ts";
import { poolOf } from "../config/pools.ts";
import { kindOfKey, RESOURCES_ROOT } from "../config/resource-keys.ts";
import { readEntries } from "../config/resource-store.ts";

export interface IpamRecords {
  readonly revision: Revision;
  readonly pools: readonly Pool[];
  readonly rules: Rules;
  /** Names of those that exist; of one whose record cannot be read, too: it is there. */
  readonly nodes: ReadonlySet<string>;
  readonly reading: Reading;
  /** The blocks that can be read. */
  readonly blocks: readonly Block[];
  /** Everything under the root of address management, as it is stored. */
  readonly entries: readonly Entry[];
  /** Resources that cannot be read, in words that begin with the key. */
  readonly damaged: readonly string[];
}

/** Both roots at once: what is read at two moments can disagree without anybody's fault. */
const ROOT = "/overland/v1/";
const NODES_ROOT = `${RESOURCES_ROOT}nodes/`;

export async function readIpam(store: Store): Promise<IpamRecords> {
  const { revision, entries } = await store.list(ROOT);
  // A kind that a newer version made is none of this one's business.
  const { resources, damaged } = readEntries(entries.filter(({ key }) => isResource(key)));
  const ipam = entries.filter(({ key }) => key.startsWith(ipamRoot));
  const reading = readRecords(ipam);
  return {
    revision,
    rules: rulesOf(
      resources.find((resource) => resource.kind === "IPAMConfiguration"),
      resources.filter((resource) => resource.kind === "IPReservation"),
    ),
    pools: resources.flatMap((resource) => (resource.kind === "IPPool" ? poolOf(resource) : [])),
    nodes: new Set([
      LOAD_BALANCER,
      ...entries.flatMap(({ key }) => (key.startsWith(NODES_ROOT) ? key.slice(NODES_ROOT.length) : [])),
    ]),
    reading,
    blocks: readableBlocks(reading),
    entries: ipam,
    damaged,
  };
}

function isResource(key: string): boolean {
  return key.startsWith(RESOURCES_ROOT) && kindOfKey(key) !== undefined;
}
