/** What a lab consists of and how it is doing, as plain data: the answer of `overland lab status -o json`. */
import { addresses } from "./addressing.ts";
import { type AgentStatus, agentRecord, agentRuns, agentStatus } from "./agents.ts";
import { labPaths, nodePaths } from "./paths.ts";
import { isRunning } from "./proc.ts";
import { controlSocket, routerRoutes, routerSessions } from "./router.ts";
import type { RouterRoute, RouterSession } from "./router-view.ts";
import { type LabState, readState } from "./state.ts";
import { type LabPlan, type NodePlan, planLab, type RouterPlan } from "./topology.ts";

export interface RouterStatus {
  readonly name: string;
  readonly netns: string;
  readonly daemon: string;
  readonly asNumber: number;
  readonly addresses: readonly string[];
  /** BIRD's control socket; for FRR the directory of its vty sockets. */
  readonly control: string;
  readonly running: boolean;
  readonly sessions: readonly RouterSession[];
  readonly routes: readonly RouterRoute[];
}

export interface NodeStatus {
  readonly name: string;
  readonly rack: number;
  readonly netns: string;
  readonly asNumber: number;
  readonly addresses: readonly string[];
  readonly socket: string;
  readonly stateDir: string;
  readonly agentConfig: string;
  readonly cniConfig: string;
  readonly router: string;
  /** The bridge port in the router's namespace: what to take down to cut this node off. */
  readonly cable: string;
  readonly agent: { readonly pid: number; readonly running: boolean };
  readonly status?: AgentStatus;
}

export interface LabStatus {
  readonly name: string;
  readonly complete: boolean;
  readonly startedAt: string;
  readonly directory: string;
  readonly log: string;
  readonly etcd: { readonly netns: string; readonly endpoints: readonly string[]; readonly running: boolean };
  readonly routers: readonly RouterStatus[];
  readonly nodes: readonly NodeStatus[];
  readonly vms: readonly { readonly name: string; readonly netns: string; readonly addresses: readonly string[] }[];
  readonly pods: readonly {
    readonly name: string;
    readonly node: string;
    readonly netns: string;
    readonly addresses: readonly string[];
    readonly hostInterface: string;
    readonly containerID: string;
  }[];
}

/** Undefined when there is no lab of this name. Parts that do not answer are shown as not running, without failing. */
export async function labStatus(name: string): Promise<LabStatus | undefined> {
  const state = readState(name);
  if (state === undefined) return undefined;
  const plan = planLab(state.size);
  const [routers, nodes] = await Promise.all([
    Promise.all(plan.routers.map((router) => routerStatus(state, router))),
    Promise.all(plan.nodes.map((node) => nodeStatus(plan, node))),
  ]);
  return {
    name,
    complete: state.complete,
    startedAt: state.startedAt,
    directory: labPaths(name).run,
    log: labPaths(name).log,
    etcd: { netns: plan.etcd.netns, endpoints: [plan.etcd.endpoint], running: runs(state, "etcd") },
    routers,
    nodes,
    vms: plan.vms.map((vm) => ({ name: vm.name, netns: vm.netns, addresses: addresses(vm.address) })),
    pods: state.pods,
  };
}

async function routerStatus(state: LabState, router: RouterPlan): Promise<RouterStatus> {
  const lab = state.size.name;
  const [sessions, routes] = await Promise.all([
    routerSessions(lab, router).catch(() => []),
    routerRoutes(lab, router).catch(() => []),
  ]);
  return {
    name: router.name,
    netns: router.netns,
    daemon: router.daemon,
    asNumber: router.asNumber,
    addresses: [router.rackAddress, router.vmAddress, ...router.fabric.map((port) => port.address)].flatMap(addresses),
    control: controlSocket(lab, router),
    running: runs(state, `${router.name}/${router.daemon === "bird" ? "bird" : "bgpd"}`),
    sessions,
    routes,
  };
}

async function nodeStatus(plan: LabPlan, node: NodePlan): Promise<NodeStatus> {
  const lab = plan.size.name;
  const { socket, stateDir, agentConfig, cniConfig } = nodePaths(labPaths(lab), node.name);
  const status = await agentStatus(lab, node.name).catch(() => undefined);
  return {
    name: node.name,
    rack: node.rack,
    netns: node.netns,
    asNumber: node.asNumber,
    addresses: addresses(node.address),
    socket,
    stateDir,
    agentConfig,
    cniConfig,
    router: node.router,
    cable: node.cable,
    agent: { pid: agentRecord(lab, node.name)?.pid ?? 0, running: agentRuns(lab, node.name) },
    ...(status === undefined ? {} : { status }),
  };
}

function runs(state: LabState, process: string): boolean {
  const record = state.processes.find((one) => one.name === process);
  return record !== undefined && isRunning(record);
}
