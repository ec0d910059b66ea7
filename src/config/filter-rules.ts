/** Rules between BGPPeers and the BGPFilters they name: none is named that does not exist, none in use is deleted. */
import type { Store } from "../../ipam/store.ts";
import type { Fault } from "./fault.ts";
import type { SourcedResource } from "./manifest.ts";
import type { BGPPeerResource, Resource } from "./resource.ts";
import { kindRoot } from "./resource-keys.ts";
import { readStored } from "./stored-resources.ts";
import { nearestName } from "./suggest.ts";

export function namesFilters(resource: Resource): resource is BGPPeerResource {
  return resource.kind === "BGPPeer" && (resource.spec.filters ?? []).length > 0;
}

/** The items' filters that are neither among the items nor in the store. */
export function absentFilters(items: readonly SourcedResource[], held: readonly Resource[]): Fault[] {
  const resources = [...held, ...items.map(({ resource }) => resource)];
  const known = new Set(resources.flatMap(({ kind, metadata }) => (kind === "BGPFilter" ? metadata.name : [])));
  return items.flatMap((item) => {
    if (!namesFilters(item.resource)) return [];
    return (item.resource.spec.filters ?? []).flatMap((filter, i) => {
      if (known.has(filter)) return [];
      const near = nearestName(filter, known);
      const cure = near === undefined ? "apply it before, or in the same file" : `did you mean ${near}?`;
      const message = `there is no BGPFilter ${JSON.stringify(filter)}; ${cure}`;
      return [item.fault(["spec", "filters", i], message)];
    });
  });
}

/** What keeps the filters among the resources from being deleted, in words. */
export async function filtersInUse(store: Store, resources: readonly Resource[]): Promise<string[]> {
  const filters = resources.filter(({ kind }) => kind === "BGPFilter");
  if (filters.length === 0) return [];
  const going = new Set(resources.flatMap(({ kind, metadata }) => (kind === "BGPPeer" ? metadata.name : [])));
  const { entries } = await store.list(kindRoot("BGPPeer"));
  const peers = entries
    .map(readStored)
    .flatMap((checked) => ("resource" in checked && namesFilters(checked.resource) ? checked.resource : []))
    .filter(({ metadata }) => !going.has(metadata.name));
  return filters.flatMap(({ metadata: { name } }) => {
    const users = peers.filter(({ spec }) => spec.filters?.includes(name)).map(({ metadata }) => metadata.name);
    if (users.length === 0) return [];
    const who = `BGPPeer ${users.join(", ")} ${users.length === 1 ? "uses" : "use"} it`;
    return [`BGPFilter ${name}: ${who}; remove it from spec.filters first`];
  });
}
