/** Pods: a namespace of their own, wired by executing the real CNI plugin on the node as a container runtime does. */
import { randomBytes } from "node:crypto";
import { existsSync, writeFileSync } from "node:fs";
import { cniEnvironment, networkConfiguration, readCniError, readCniResult } from "./cni.ts";
import { inside, run } from "./command.ts";
import { putPod, removePod } from "./kubernetes.ts";
import { addPodNamespace, removeNamespaces } from "./namespaces.ts";
import { labPaths, netnsPath, nodePaths } from "./paths.ts";
import { changeState, type PodRecord } from "./state.ts";
import { type LabPlan, type NodePlan, podNamespace } from "./topology.ts";

export interface WiredPod {
  readonly pod: PodRecord;
  /** From the plugin's start to its exit, the start itself included. */
  readonly milliseconds: number;
}

/** Where the built plugin may lie, seen from the sources (src/lab) and from the build (dist/src/lab). */
const PLUGIN_DIRECTORIES = ["../../dist/cni", "../../cni"].map((path) => new URL(path, import.meta.url).pathname);

export function pluginDirectory(): string {
  const directory = PLUGIN_DIRECTORIES.find((candidate) => existsSync(`${candidate}/overland`));
  if (directory !== undefined) return directory;
  throw new Error(`the CNI plugin ${PLUGIN_DIRECTORIES[0]}/overland is not there: run \`npm run build\` first`);
}

export function writeCniConfiguration(plan: LabPlan, node: NodePlan): void {
  const paths = nodePaths(labPaths(plan.size.name), node.name);
  writeFileSync(paths.cniConfig, networkConfiguration(paths.socket, paths.stateDir));
}

export async function addPod(plan: LabPlan, node: NodePlan, name: string): Promise<WiredPod> {
  const lab = plan.size.name;
  const netns = podNamespace(lab, name);
  const containerID = randomBytes(32).toString("hex");
  await addPodNamespace(netns);
  // Recorded before it is wired: whatever happens now, the pod can be deleted.
  const wanted: PodRecord = { name, node: node.name, netns, containerID, addresses: [], hostInterface: "" };
  changeState(lab, (state) => ({ ...state, pods: [...state.pods, wanted] }));
  await putPod(plan, wanted);
  const answer = await plugin(lab, node, wanted, "ADD");
  if (answer.code !== 0) {
    await deletePod(plan, node, wanted);
    throw new Error(`pod ${name} on ${node.name}: ${readCniError(answer.stdout || answer.stderr)}`);
  }
  const pod = { ...wanted, ...readCniResult(answer.stdout) };
  changeState(lab, (state) => ({ ...state, pods: state.pods.map((other) => (other.name === name ? pod : other)) }));
  return { pod, milliseconds: answer.milliseconds };
}

/**
 * DEL, then the namespace: the order of a container runtime. A refused DEL keeps the record, so that it can be
 * repeated.
 */
export async function deletePod(plan: LabPlan, node: NodePlan, pod: PodRecord): Promise<number> {
  const lab = plan.size.name;
  const answer = await plugin(lab, node, pod, "DEL");
  if (answer.code !== 0) throw new Error(`pod ${pod.name}: ${readCniError(answer.stdout || answer.stderr)}`);
  await removeNamespaces([pod.netns]);
  await removePod(plan, pod);
  changeState(lab, (state) => ({ ...state, pods: state.pods.filter((other) => other.name !== pod.name) }));
  return answer.milliseconds;
}

function plugin(lab: string, node: NodePlan, pod: PodRecord, command: "ADD" | "DEL") {
  const paths = nodePaths(labPaths(lab), node.name);
  const directory = pluginDirectory();
  return run(inside(node.netns, [`${directory}/overland`]), {
    input: networkConfiguration(paths.socket, paths.stateDir),
    environment: cniEnvironment({
      command,
      containerID: pod.containerID,
      netns: netnsPath(pod.netns),
      pod: pod.name,
      pluginDirectory: directory,
    }),
  });
}
