/** What every part of a running lab command needs at hand. */
import type { Program } from "./agents.ts";
import type { Progress } from "./progress.ts";
import { type PodRecord, readState } from "./state.ts";
import type { LabPlan, NodePlan } from "./topology.ts";
import type { Station } from "./web.ts";

export interface Lab {
  readonly plan: LabPlan;
  readonly program: Program;
  readonly progress: Progress;
  /** Aborted when a person or the system wants the lab to stop. */
  readonly signal: AbortSignal;
}

export const labName = (lab: Lab): string => lab.plan.size.name;

export const labPods = (lab: Lab): readonly PodRecord[] => readState(labName(lab))?.pods ?? [];

export function nodeNamed(plan: LabPlan, name: string): NodePlan {
  const node = plan.nodes.find((one) => one.name === name);
  if (node === undefined) {
    const known = plan.nodes.map((one) => one.name).join(", ");
    throw new Error(`no node ${JSON.stringify(name)} in lab ${plan.size.name}; there are ${known}`);
  }
  return node;
}

/** VMs as ends of a conversation; pods are ones already. */
export const vmStations = (plan: LabPlan): Station[] =>
  plan.vms.map((vm) => ({ name: vm.name, netns: vm.netns, addresses: [vm.address.ipv4, vm.address.ipv6] }));

/** The first pod of every node, racks taking turns, at most `limit`: who speaks for all pods in the proofs. */
export function speakers(plan: LabPlan, pods: readonly PodRecord[], limit: number): PodRecord[] {
  const first = plan.nodes.flatMap((node) => pods.find((pod) => pod.node === node.name) ?? []);
  const byRack = plan.routers.map((router) => first.filter((pod) => nodeNamed(plan, pod.node).rack === router.rack));
  const turns = Array.from({ length: plan.size.nodesPerRack }, (_, turn) => byRack.flatMap((rack) => rack[turn] ?? []));
  return turns.flat().slice(0, limit);
}
