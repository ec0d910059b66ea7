/** Which communities routes get on their way out of a node (BGPConfiguration's prefixAdvertisements). */
import { type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { configurationOf } from "./cluster.ts";
import type { ResourceSnapshot } from "./resource.ts";

export interface Advertisement {
  /** Of this prefix and of those within it. */
  readonly prefix: Prefix;
  /** Standard and large ones as values, `65000:100`, `65000:100:7`; each once. */
  readonly communities: readonly string[];
}

/** A node's own list takes the place of the cluster's; so do its names. */
export function advertisementsOf(snapshot: ResourceSnapshot, nodeName: string): Advertisement[] {
  const own = configurationOf(snapshot, `node.${nodeName}`);
  const global = configurationOf(snapshot, "default");
  const named = new Map((own.communities ?? global.communities ?? []).map(({ name, value }) => [name, value]));
  return (own.prefixAdvertisements ?? global.prefixAdvertisements ?? []).map(({ cidr, communities = [] }) => ({
    prefix: prefixOf(cidr),
    communities: [...new Set(communities.map((one) => named.get(one) ?? one))],
  }));
}
