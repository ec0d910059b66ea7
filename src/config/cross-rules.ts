/** Rules between resources, and between resources and addresses in use. */

import { blockOfKey, blocksRoot } from "../../ipam/keys.ts";
import { parseAddress } from "../../ipam/net/address.ts";
import {
  containsPrefix,
  formatPrefix,
  parseAddressWithLength,
  prefixesOverlap,
  prefixOf,
} from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import type { Fault } from "./fault.ts";
import { absentFilters } from "./filter-rules.ts";
import type { SourcedResource } from "./manifest.ts";
import type { IPPoolResource, NodeResource, Resource } from "./resource.ts";
import { serviceRangeFaults } from "./service-range-rules.ts";

/** What keeps the items from being written over what the store holds now. */
export async function applyFaults(store: Store, items: readonly SourcedResource[], held: readonly Resource[]) {
  const known = new Set(held.map(refOf));
  const newPool = items.some(({ resource }) => resource.kind === "IPPool" && !known.has(refOf(resource)));
  return crossFaults(items, held, newPool ? await store.listKeys(blocksRoot) : []);
}

/** All of it, told what the store holds. */
export function crossFaults(items: readonly SourcedResource[], held: readonly Resource[], blocks: readonly string[]) {
  return [...faultsBetween(items, held, blocks), ...absentFilters(items, held)];
}

/**
 * What is wrong between resources: those to be written, with one another and with those there are already.
 *
 * @param blocks store keys of the blocks there are
 */
export function faultsBetween(
  items: readonly SourcedResource[],
  held: readonly Resource[],
  blocks: readonly string[],
): Fault[] {
  const before = new Map(held.map((resource) => [refOf(resource), resource]));
  const after = new Map([...before, ...items.map(({ resource }) => [refOf(resource), resource] as const)]);
  const all = [...after.values()];
  return items.flatMap((item) => {
    const { resource } = item;
    const mixed = serviceRangeFaults(item, all);
    if (resource.kind === "IPPool") {
      return [...poolFaults(item, resource, before.get(refOf(resource)), all, blocks), ...mixed];
    }
    return resource.kind === "Node" ? nodeFaults(item, resource, all) : mixed;
  });
}

function poolFaults(
  item: SourcedResource,
  pool: IPPoolResource,
  before: Resource | undefined,
  all: readonly Resource[],
  blocks: readonly string[],
): Fault[] {
  const faults: Fault[] = [];
  const { cidr, blockSize } = pool.spec;
  const { name } = pool.metadata;
  if (before?.kind === "IPPool") {
    for (const field of ["cidr", "blockSize"] as const) {
      if (before.spec[field] === pool.spec[field]) continue;
      const cure = `delete pool ${name} first, or make another`;
      const message = `${pool.spec[field]}: cannot change, it is ${before.spec[field]}; ${cure}`;
      faults.push(item.fault(["spec", field], message));
    }
    const uses = [before, pool].map(({ spec }) => spec.allowedUses.includes("LoadBalancer"));
    if (uses[0] !== uses[1]) {
      const written = JSON.stringify(pool.spec.allowedUses);
      const message = `${written}: a pool cannot change from or to LoadBalancer; make another`;
      faults.push(item.fault(["spec", "allowedUses"], message));
    }
    return faults;
  }
  const prefix = prefixOf(cidr);
  for (const other of all) {
    if (other.kind !== "IPPool" || other.metadata.name === name) continue;
    if (!prefixesOverlap(prefix, prefixOf(other.spec.cidr))) continue;
    const message = `${cidr} overlaps pool ${other.metadata.name} (${other.spec.cidr}); pools must not share addresses`;
    faults.push(item.fault(["spec", "cidr"], message));
  }
  const misfit = blocks
    .map((key) => blockOfKey(key))
    .find((block) => block !== undefined && block.length !== blockSize && containsPrefix(prefix, block));
  if (misfit !== undefined) {
    const cause = `the block ${formatPrefix(misfit)} of a former pool is still in use`;
    const message = `${blockSize}: ${cause}; use blockSize ${misfit.length}`;
    faults.push(item.fault(["spec", "blockSize"], message));
  }
  return faults;
}

function nodeFaults(item: SourcedResource, node: NodeResource, all: readonly Resource[]): Fault[] {
  const faults: Fault[] = [];
  for (const field of ["ipv4Address", "ipv6Address"] as const) {
    const address = canonical(node.spec.bgp?.[field]);
    if (address === undefined) continue;
    const owner = all.find(
      (other) =>
        other.kind === "Node" &&
        other.metadata.name !== node.metadata.name &&
        canonical(other.spec.bgp?.[field]) === address,
    );
    if (owner === undefined) continue;
    const message = `${node.spec.bgp?.[field]} is the address of node ${owner.metadata.name} already`;
    faults.push(item.fault(["spec", "bgp", field], message));
  }
  return faults;
}

function refOf(resource: Resource): string {
  return `${resource.kind}/${resource.metadata.name}`;
}

function canonical(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  return (parseAddressWithLength(text)?.address ?? parseAddress(text))?.join(".");
}
