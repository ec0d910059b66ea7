/** `overland lab pod add` and `pod del`, on a lab that is up; the lock is held for the moment they take. */
import { nodeNamed } from "./lab.ts";
import { lockLabWithin } from "./lock.ts";
import { addPod, deletePod } from "./pods.ts";
import { checkMachine } from "./requirements.ts";
import type { LabState } from "./state.ts";
import { type NodePlan, planLab, podName, podNameFault } from "./topology.ts";
import { LabUsage, stateOf } from "./usage.ts";

/** Adds a pod by the real CNI path; without a name the next free one. Returns the line to print. */
export async function podAdd(labWanted: string, nodeName: string, wanted: string | undefined): Promise<string> {
  return await changingPods(labWanted, "pod add", async (state) => {
    const plan = planLab(state.size);
    const node = nodeWanted(() => nodeNamed(plan, nodeName));
    const taken = new Set(state.pods.map((pod) => pod.name));
    const name = wanted ?? nextPodName(node, taken);
    const fault = podNameFault(name);
    if (fault !== undefined) throw new LabUsage(fault);
    const others = [...plan.nodes, ...plan.routers, ...plan.vms].map((one) => one.name);
    if (taken.has(name) || [...others, "etcd"].includes(name))
      throw new LabUsage(`${name} is taken in lab ${labWanted}`);
    const { pod, milliseconds } = await addPod(plan, node, name);
    return [pod.name, ...pod.addresses, pod.hostInterface, pod.netns, `${milliseconds.toFixed(1)} ms`].join("  ");
  });
}

export async function podDelete(labWanted: string, name: string): Promise<string> {
  return await changingPods(labWanted, "pod del", async (state) => {
    const pod = state.pods.find((one) => one.name === name);
    if (pod === undefined) throw new LabUsage(`no pod ${JSON.stringify(name)} in lab ${labWanted}`);
    const plan = planLab(state.size);
    const milliseconds = await deletePod(plan, nodeNamed(plan, pod.node), pod);
    return `${name} deleted, ${milliseconds.toFixed(1)} ms`;
  });
}

async function changingPods(
  name: string,
  purpose: string,
  work: (state: LabState) => Promise<string>,
): Promise<string> {
  stateOf(name);
  checkMachine();
  const unlock = await lockLabWithin(name, purpose, 20_000);
  try {
    return await work(stateOf(name));
  } finally {
    await unlock();
  }
}

function nodeWanted(find: () => NodePlan): NodePlan {
  try {
    return find();
  } catch (error) {
    throw new LabUsage((error as Error).message);
  }
}

function nextPodName(node: NodePlan, taken: ReadonlySet<string>): string {
  let index = 1;
  while (taken.has(podName(node.name, index))) index++;
  return podName(node.name, index);
}
