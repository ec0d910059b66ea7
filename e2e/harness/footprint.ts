/** Everything that pods leave on a node and in etcd: what must be the same after a request that failed. */
import type { LabStatus, NodeStatus } from "../../src/lab/status.ts";
import { agentView } from "./agent.ts";
import { must } from "./command.ts";
import { handles } from "./etcd.ts";

export interface Footprint {
  readonly interfaces: readonly string[];
  readonly routes: readonly string[];
  /** Handle and addresses, a line each, of all nodes. */
  readonly addresses: readonly string[];
  /** What the agent counts. */
  readonly pods: number;
}

export async function footprint(lab: LabStatus, node: NodeStatus): Promise<Footprint> {
  const [interfaces, routes, held, { pods }] = await Promise.all([
    podInterfaces(node),
    podRoutes(node),
    handles(lab),
    agentView(node),
  ]);
  return { interfaces, routes, addresses: [...held].map((entry) => entry.flat().join(" ")).sort(), pods };
}

export async function podInterfaces(node: NodeStatus): Promise<string[]> {
  const text = await must(["ip", "-n", node.netns, "-o", "link"]);
  return [...text.matchAll(/^\d+: (ovl[^@:]*)/gm)].map(([, name]) => name as string).sort();
}

/** The host's routes to pods: of protocol 201, through an interface of a pod. */
export async function podRoutes(node: NodeStatus): Promise<string[]> {
  const families = ["-4", "-6"].map((family) =>
    must(["ip", "-n", node.netns, family, "route", "show", "proto", "201"]),
  );
  return (await Promise.all(families))
    .flatMap((text) => text.split("\n"))
    .filter((line) => line.includes("dev ovl"))
    .map((line) => line.trim())
    .sort();
}
