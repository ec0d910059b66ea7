/**
 * Kubernetes' part of a lab that has one (`--kubernetes`): an API server beside etcd on the management network, the
 * real `overland controller`, a Node for every node, a Pod for every pod. The API server is the one that the scenarios
 * of e2e/ use: it answers kubectl, and has no kubelets or schedulers behind it.
 */
import { existsSync, mkdirSync } from "node:fs";
import type { Program } from "./agents.ts";
import { inside, must } from "./command.ts";
import { labPaths } from "./paths.ts";
import { start } from "./processes.ts";
import { etcdEnvironment, resourceFile, writeResources } from "./resources.ts";
import type { PodRecord } from "./state.ts";
import type { LabPlan } from "./topology.ts";
import { until } from "./wait.ts";

const PORT = "6443";
const NAMESPACE = "default";
/** Seen from the sources (src/lab) and from the build (dist/src/lab). */
const ROOTS = ["../..", "../../.."].map((path) => new URL(path, import.meta.url).pathname.replace(/\/$/, ""));
const SERVER = "e2e/kubernetes/api-server.ts";

const directory = (lab: string): string => `${labPaths(lab).run}/kubernetes`;

export const kubeconfig = (lab: string): string => `${directory(lab)}/kubeconfig`;

/** What the agents need besides their files. */
export const kubernetesEnvironment = ({ size }: LabPlan): Record<string, string> =>
  size.kubernetes === true ? { OVERLAND_KUBECONFIG: kubeconfig(size.name) } : {};

/** The API server with its definitions and nodes, then the controller. */
export async function startKubernetes(plan: LabPlan, program: Program, signal: AbortSignal): Promise<void> {
  const lab = plan.size.name;
  const root = ROOTS.find((candidate) => existsSync(`${candidate}/${SERVER}`));
  if (root === undefined) throw new Error(`${SERVER} is not there: a lab with --kubernetes needs the whole repository`);
  const { netns, address } = plan.etcd;
  mkdirSync(directory(lab), { recursive: true });
  const where = ["--dir", directory(lab), "--address", address.ipv4, "--port", PORT];
  const command = [process.execPath, "--no-warnings", `${root}/${SERVER}`, ...where, "--keep", "--reap-pods"];
  start({ lab, name: "kubernetes", netns, command });
  const answers = async () => ((await kubectl(plan, "get", "--raw", "/version")) === "" ? undefined : true);
  await until(answers, { what: "the API server answers", timeoutMs: 20_000, signal });
  await kubectl(plan, "apply", "-k", `${root}/manifests/crds`);
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "overland-system" } };
  await put(plan, [namespace, ...plan.nodes.map(nodeObject)]);
  const environment = { ...etcdEnvironment(plan), ...kubernetesEnvironment(plan) };
  start({ lab, name: "controller", netns, command: [...program.command, "controller"], environment });
}

/** As an operator does it; returns what kubectl said, a line per resource. */
export async function applyWithKubectl(plan: LabPlan): Promise<string[]> {
  writeResources(plan);
  const applied = await kubectl(plan, "apply", "-f", resourceFile(plan.size.name));
  await kubectl(plan, "wait", "--for=condition=Accepted", "--timeout=30s", "-f", resourceFile(plan.size.name));
  return applied.trim().split("\n");
}

/** As scheduler and kubelet would, before the pod's network is asked for. */
export async function putPod(plan: LabPlan, { name, node }: PodRecord): Promise<void> {
  if (plan.size.kubernetes !== true) return;
  const spec = { nodeName: node, containers: [{ name: "greeter", image: "none" }] };
  const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  await put(plan, [{ apiVersion: "v1", kind: "Pod", metadata: { namespace: NAMESPACE, name }, spec, status }]);
}

export async function removePod(plan: LabPlan, { name }: PodRecord): Promise<void> {
  if (plan.size.kubernetes !== true) return;
  const words = ["delete", "pod", name, "-n", NAMESPACE, "--ignore-not-found", "--grace-period=0", "--force"];
  await kubectl(plan, ...words);
}

export async function kubectl(plan: LabPlan, ...words: readonly string[]): Promise<string> {
  const command = ["kubectl", "--kubeconfig", kubeconfig(plan.size.name), ...words];
  return (await must(inside(plan.etcd.netns, command))).stdout;
}

/** Made or replaced, status and all, as whoever looks after such an object would. */
export async function put(plan: LabPlan, objects: readonly object[]): Promise<void> {
  const way = ["--unix-socket", `${directory(plan.size.name)}/control.sock`, "http://control/load"];
  const input = objects.map((object) => `${JSON.stringify(object)}\n`).join("");
  await must(["curl", "-sS", "--fail-with-body", "--noproxy", "*", ...way, "--data-binary", "@-"], { input });
}

function nodeObject({ name, rack, address }: LabPlan["nodes"][number]): object {
  const addresses = [address.ipv4, address.ipv6].map((own) => ({ type: "InternalIP", address: own }));
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { rack: `rack-${rack}`, "kubernetes.io/hostname": name } },
    spec: {},
    status: { addresses, conditions: [{ type: "Ready", status: "True", reason: "KubeletReady" }] },
  };
}
