/** Resources of a few words, and what holds when there are these and no others. */
import type { Resource, ResourceSnapshot } from "./resource.ts";
import { checkDocument } from "./schema/document.ts";

export type Spec = Record<string, unknown>;

/** Throws with what is wrong with it. */
export function resource(
  kind: string,
  name: string,
  spec: Spec,
  labels: Record<string, string> = {},
  apiVersion = "overland.dev/v1",
): Resource {
  const checked = checkDocument({ apiVersion, kind, metadata: { name, labels }, spec });
  if ("problems" in checked) throw new Error(JSON.stringify(checked.problems));
  return checked.resource;
}

export function snapshot(resources: readonly Resource[]): ResourceSnapshot {
  return {
    nodes: resources.filter((item) => item.kind === "Node"),
    bgpConfigurations: resources.filter((item) => item.kind === "BGPConfiguration"),
    bgpFilters: resources.filter((item) => item.kind === "BGPFilter"),
    bgpPeers: resources.filter((item) => item.kind === "BGPPeer"),
    pools: resources.filter((item) => item.kind === "IPPool"),
    ipReservations: [],
    ipamConfigurations: [],
  };
}
