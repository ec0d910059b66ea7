/** Services' addresses and pods' must not mix: nodes leave packets to the first to kube-proxy, and route the second. */
import { prefixesOverlap, prefixOf } from "../../ipam/net/prefix.ts";
import type { Fault } from "./fault.ts";
import type { SourcedResource } from "./manifest.ts";
import type { Resource } from "./resource.ts";
import { ADDRESS_KINDS, RANGE_FIELDS } from "./services.ts";

const WHY = "packets to services' addresses are never routed to pods; use separate ranges";

/** Whether the resource lists ranges of services, which must not meet a pool's. */
export function hasServiceRanges(resource: Resource): boolean {
  return rangesOf(resource).length > 0;
}

/** What is wrong with one item, beside everything there will be. */
export function serviceRangeFaults(item: SourcedResource, all: readonly Resource[]): Fault[] {
  const { resource } = item;
  if (resource.kind === "IPPool") {
    const { cidr, allowedUses } = resource.spec;
    if (allowedUses.includes("LoadBalancer")) return [];
    const overlapped = all.flatMap(rangesOf).find((range) => overlap(range.cidr, cidr));
    if (overlapped === undefined) return [];
    const whose = `${overlapped.cidr} in ${overlapped.field} of BGPConfiguration ${overlapped.of}`;
    return [item.fault(["spec", "cidr"], `${cidr} overlaps ${whose}; ${WHY}`)];
  }
  return rangesOf(resource).flatMap(({ cidr, field, index }) => {
    const pool = all.find((other) => {
      return (
        other.kind === "IPPool" && !other.spec.allowedUses.includes("LoadBalancer") && overlap(cidr, other.spec.cidr)
      );
    });
    if (pool?.kind !== "IPPool") return [];
    const message = `${cidr} overlaps pool ${pool.metadata.name} (${pool.spec.cidr}); ${WHY}`;
    return [item.fault(["spec", field, index, "cidr"], message)];
  });
}

function rangesOf(resource: Resource) {
  if (resource.kind !== "BGPConfiguration") return [];
  const { spec, metadata } = resource;
  return ADDRESS_KINDS.flatMap((kind) => {
    const field = RANGE_FIELDS[kind];
    return (spec[field] ?? []).map(({ cidr }, index) => ({ cidr, field, index, of: metadata.name }));
  });
}

function overlap(a: string, b: string): boolean {
  return prefixesOverlap(prefixOf(a), prefixOf(b));
}
