/** Who must have a route to what once all is quiet: said from the topology alone, without a RIB. */
import { neighborsOf, type Topology } from "./topology.ts";

/** How a host knows of a prefix, the better first: its own, from an external peer, from a client, from inside. */
const KINDS = ["own", "external", "client", "internal"] as const;
type Kind = (typeof KINDS)[number];

export interface Situation {
  readonly topology: Topology;
  /** Sessions that are up. */
  isUp(a: number, b: number): boolean;
  /** Whether the filters of both ends let the prefix pass. */
  lets(from: number, to: number, prefix: string): boolean;
}

/**
 * Whether {@link reached} can tell: with external sessions and internal ones side by side it takes the lengths of paths
 * to know what a host passes on.
 */
export function isSimple({ kind }: Topology): boolean {
  return kind !== "providers";
}

/** Hosts that must have a route to the prefix, those that own it not among them. */
export function reached(situation: Situation, prefix: string, owners: ReadonlySet<number>): Set<number> {
  const known = new Map<number, Kind>([...owners].map((owner) => [owner, "own"]));
  const queue = [...owners];
  for (let from = queue.shift(); from !== undefined; from = queue.shift()) {
    for (const to of neighborsOf(situation.topology, from)) {
      if (!situation.isUp(from, to) || !situation.lets(from, to, prefix)) continue;
      const kind = learned(situation.topology, from, to, known.get(from) as Kind);
      const before = known.get(to);
      if (kind === undefined || (before !== undefined && KINDS.indexOf(before) <= KINDS.indexOf(kind))) continue;
      known.set(to, kind);
      queue.push(to);
    }
  }
  for (const owner of owners) known.delete(owner);
  return new Set(known.keys());
}

function learned(topology: Topology, from: number, to: number, kind: Kind): Kind | undefined {
  if (topology.asOf(from) !== topology.asOf(to)) return "external";
  if (kind === "internal" && !topology.reflectsTo(from, to)) return undefined;
  const reflected = kind === "internal" || kind === "client";
  // RFC 4456 8: a cluster does not take back what it reflected.
  if (reflected && topology.clusterOf(from) === topology.clusterOf(to)) return undefined;
  return topology.reflectsTo(to, from) ? "client" : "internal";
}
