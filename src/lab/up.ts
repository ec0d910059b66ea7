/** Brings a lab up, part by part, telling each step as it happens. */
import { mkdirSync } from "node:fs";
import { POD_POOLS } from "./addressing.ts";
import { startAgent } from "./agents.ts";
import { labTraces, removeLab } from "./down.ts";
import { startEtcd } from "./etcd.ts";
import { applyWithKubectl, kubeconfig, startKubernetes } from "./kubernetes.ts";
import { type Lab, labName } from "./lab.ts";
import { buildNamespaces } from "./namespaces.ts";
import { labPaths } from "./paths.ts";
import { addPod, pluginDirectory, type WiredPod, writeCniConfiguration } from "./pods.ts";
import { isRunning } from "./proc.ts";
import { count } from "./progress.ts";
import { applyResources } from "./resources.ts";
import { startRouter } from "./router.ts";
import { awaitBlocksAtRouters, awaitFabric, awaitSessions } from "./settle.ts";
import { changeState, readState, writeState } from "./state.ts";
import { type NodePlan, podName } from "./topology.ts";
import { say } from "./usage.ts";
import { throwIfInterrupted } from "./wait.ts";
import { allNamespaces, cableLines } from "./wiring.ts";

export class LabExists extends Error {
  readonly code = "LAB_EXISTS";
}

/** Up to this many pods each one has a line of its own. */
const PODS_TOLD_ONE_BY_ONE = 16;

export async function bringUp(lab: Lab): Promise<void> {
  const { plan, progress, signal } = lab;
  pluginDirectory();
  await clearFormer(lab);
  progress.act(
    `Lab ${labName(lab)}: ${count(plan.size.racks, "rack")}, ${count(plan.size.nodesPerRack, "node")} each, ` +
      `${count(plan.size.podsPerNode, "pod")} per node; IPv4 and IPv6`,
  );
  mkdirSync(labPaths(labName(lab)).log, { recursive: true });
  writeState({ size: plan.size, startedAt: new Date().toISOString(), complete: false, processes: [], pods: [] });
  await buildNamespaces(plan);
  progress.say("network", `${allNamespaces(plan).length} namespaces, ${cableLines(plan).length} cables`);
  throwIfInterrupted(signal);
  const told = new Set<string>();
  await startFabric(lab);
  await awaitFabric(lab, told);
  await startAgents(lab);
  await awaitSessions(lab, told);
  await wirePods(lab);
  await awaitBlocksAtRouters(lab);
  changeState(labName(lab), (state) => ({ ...state, complete: true }));
}

/** A crashed, half-built or kept lab of this name makes way; one whose process is still there does not. */
async function clearFormer(lab: Lab): Promise<void> {
  const name = labName(lab);
  const former = readState(name);
  if (former?.owner !== undefined && isRunning(former.owner)) {
    const ways = `end that process, run \`${say(`down --name ${name}`)}\`, or choose another --name`;
    throw new LabExists(`lab ${name} is up, kept by process ${former.owner.pid}: ${ways}`);
  }
  if (!labTraces(name)) return;
  const removed = await removeLab(name);
  const what = former?.complete === true ? "was still up" : "was left half-built or crashed";
  lab.progress.say(
    "cleaned",
    `a lab ${name} ${what}: removed ${count(removed.processes, "process")}, ${count(removed.namespaces, "namespace")}`,
  );
}

async function startFabric(lab: Lab): Promise<void> {
  const { plan, progress, program, signal } = lab;
  for (const router of plan.routers) await startRouter(plan, router, signal);
  const kinds = plan.routers.map(
    (router) => `${router.name} ${router.daemon === "bird" ? "BIRD" : "FRR"} AS ${router.asNumber}`,
  );
  progress.say("routers", kinds.join(", "));
  await startEtcd(plan, signal);
  progress.say("etcd", `serves ${plan.etcd.endpoint} on the management network`);
  throwIfInterrupted(signal);
  if (plan.size.kubernetes === true) {
    await startKubernetes(plan, program, signal);
    progress.say("kubernetes", `kubectl --kubeconfig ${kubeconfig(labName(lab))} answers inside ${plan.etcd.netns}`);
    throwIfInterrupted(signal);
  }
  const applied = await (plan.size.kubernetes === true ? applyWithKubectl(plan) : applyResources(plan, program));
  for (const line of applied) progress.detail("apply", line);
  progress.say(
    "apply",
    `pools ${POD_POOLS.ipv4.cidr} and ${POD_POOLS.ipv6.cidr}, AS ${plan.nodes[0]?.asNumber}, a BGPPeer per rack`,
  );
}

async function startAgents(lab: Lab): Promise<void> {
  const { plan, program, progress, signal } = lab;
  for (const node of plan.nodes) {
    throwIfInterrupted(signal);
    startAgent(plan, node, program);
    writeCniConfiguration(plan, node);
  }
  progress.say("agents", `${plan.nodes.length} started: ${plan.nodes.map((node) => node.name).join(" ")}`);
}

/** Nodes side by side, as their kubelets would; pods of a node one after the other. */
async function wirePods(lab: Lab): Promise<void> {
  const { plan, progress } = lab;
  const total = plan.nodes.length * plan.size.podsPerNode;
  if (total === 0) return;
  const wired = (
    await Promise.all(plan.nodes.map((node) => wirePodsOf(lab, node, total <= PODS_TOLD_ONE_BY_ONE)))
  ).flat();
  const times = wired.map((one) => one.milliseconds).sort((a, b) => a - b);
  const at = (share: number) => (times[Math.floor((times.length - 1) * share)] ?? 0).toFixed(1);
  progress.say(
    "pods",
    `${wired.length} wired; CNI ADD, process start to exit: median ${at(0.5)} ms, slowest ${at(1)} ms`,
  );
}

async function wirePodsOf(lab: Lab, node: NodePlan, tell: boolean): Promise<WiredPod[]> {
  const { plan, progress, signal } = lab;
  const wired: WiredPod[] = [];
  for (let index = 1; index <= plan.size.podsPerNode; index++) {
    throwIfInterrupted(signal);
    const one = await addPod(plan, node, podName(node.name, index));
    wired.push(one);
    const line = [one.pod.name, ...one.pod.addresses, one.pod.hostInterface, `${one.milliseconds.toFixed(1)} ms`].join(
      "  ",
    );
    if (tell) progress.say("pod", line);
    else progress.detail("pod", line);
  }
  return wired;
}
