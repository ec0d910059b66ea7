/** The container runtime: sandboxes in the lab's namespaces, and the real plugin executed by the CNI protocol. */
import { randomBytes } from "node:crypto";
import type { NodeStatus } from "../../src/lab/status.ts";
import { must, run } from "./command.ts";
import { PLUGIN, PLUGIN_DIRECTORY } from "./program.ts";

export interface Sandbox {
  readonly containerID: string;
  /** Name of the network namespace; it need not exist. */
  readonly netns: string;
  readonly pod: string;
}

export interface CniAnswer {
  readonly code: number;
  readonly stdout: string;
  readonly milliseconds: number;
}

export interface CniError {
  readonly cniVersion: string;
  readonly code: number;
  readonly msg: string;
  readonly details?: string;
}

export interface CniResult {
  readonly cniVersion: string;
  readonly interfaces: readonly {
    readonly name: string;
    readonly mac: string;
    readonly mtu?: number;
    sandbox?: string;
  }[];
  readonly ips: readonly { readonly version?: string; readonly address: string; readonly interface: number }[];
  readonly routes: readonly { readonly dst: string; readonly gw: string }[];
  readonly dns: object;
}

/** A sandbox with a bare namespace, named so that `overland lab down` removes it. */
export async function newSandbox(lab: string, pod: string): Promise<Sandbox> {
  const sandbox = imaginarySandbox(lab, pod);
  await must(["ip", "netns", "add", sandbox.netns]);
  await must(["ip", "-n", sandbox.netns, "link", "set", "lo", "up"]);
  return sandbox;
}

export function imaginarySandbox(lab: string, pod: string): Sandbox {
  const containerID = randomBytes(16).toString("hex");
  return { containerID, pod, netns: `ovl-${lab}-p-${pod}-${containerID.slice(0, 4)}` };
}

export const removeSandbox = ({ netns }: Sandbox): Promise<string> => must(["ip", "netns", "del", netns]);

export const netnsPath = ({ netns }: Sandbox): string => `/run/netns/${netns}`;

/** What the runtime gives on standard input; `change` adds and replaces. */
export const networkConfiguration = (node: NodeStatus, change: object = {}): string =>
  JSON.stringify({
    cniVersion: "1.1.0",
    name: "overland",
    type: "overland",
    socket: node.socket,
    stateDir: node.stateDir,
    ...change,
  });

/** The variables of the protocol; undefined in `change` leaves one out. */
export function cniEnvironment(
  command: string,
  sandbox: Sandbox,
  change: Readonly<Record<string, string | undefined>> = {},
): Record<string, string> {
  const all: Record<string, string | undefined> = {
    CNI_COMMAND: command,
    CNI_CONTAINERID: sandbox.containerID,
    CNI_NETNS: netnsPath(sandbox),
    CNI_IFNAME: "eth0",
    CNI_PATH: PLUGIN_DIRECTORY,
    CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=e2e;K8S_POD_NAME=${sandbox.pod}`,
    ...change,
  };
  return Object.fromEntries(Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** Executes the plugin on the node with exactly this environment and input. */
export async function plugin(
  node: NodeStatus,
  environment: Readonly<Record<string, string>>,
  stdin: string,
): Promise<CniAnswer> {
  // The environment is given to the plugin alone: nothing of ours may stand in for a variable that is missing.
  const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const command = ["env", "-i", ...variables, PLUGIN];
  const { code, stdout, milliseconds } = await run(command, { netns: node.netns, input: stdin, timeoutMs: 100_000 });
  return { code, stdout, milliseconds };
}

/** CHECK gets a result that says nothing, where none is given: without any it is refused. */
export function cni(command: string, node: NodeStatus, sandbox: Sandbox, config: object = {}): Promise<CniAnswer> {
  const all = command === "CHECK" ? { prevResult: {}, ...config } : config;
  return plugin(node, cniEnvironment(command, sandbox), networkConfiguration(node, all));
}

/** A successful ADD's result; throws with the plugin's words otherwise. */
export async function add(node: NodeStatus, sandbox: Sandbox, config: object = {}): Promise<CniResult> {
  return readResult(await cni("ADD", node, sandbox, config));
}

export async function del(node: NodeStatus, sandbox: Sandbox): Promise<void> {
  const { code, stdout } = await cni("DEL", node, sandbox);
  if (code !== 0) throw new Error(`DEL of ${sandbox.pod}: exit code ${code}: ${stdout}`);
}

export function readResult({ code, stdout }: CniAnswer): CniResult {
  if (code !== 0) throw new Error(`ADD: exit code ${code}: ${stdout}`);
  return JSON.parse(stdout) as CniResult;
}

/** The error object of a refused request; throws when the answer is not one, as the specification has it. */
export function readError({ code, stdout }: CniAnswer): CniError {
  if (code === 0) throw new Error(`the plugin ended with 0 and said ${stdout}`);
  const error = JSON.parse(stdout) as CniError;
  const { cniVersion, msg, details } = error;
  const fits =
    typeof cniVersion === "string" && Number.isInteger(error.code) && error.code > 0 && typeof msg === "string";
  if (!fits || msg === "" || (details !== undefined && typeof details !== "string")) {
    throw new Error(`not a CNI error object: ${stdout}`);
  }
  return error;
}

export const addressesOf = ({ ips }: CniResult): string[] => ips.map(({ address }) => address.replace(/\/.*/, ""));
