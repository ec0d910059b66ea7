/**
 * The agents: one per node, the real program in the node's namespace, asked over its unix socket like any operator
 * would.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { PREFIX_LENGTH } from "./addressing.ts";
import { kubernetesEnvironment } from "./kubernetes.ts";
import { labPaths, nodePaths } from "./paths.ts";
import { isRunning } from "./proc.ts";
import { logFile, start } from "./processes.ts";
import { type ProcessRecord, readState } from "./state.ts";
import type { LabPlan, NodePlan } from "./topology.ts";

/** How this very program is started again: the lab runs the same one it is part of. */
export interface Program {
  readonly command: readonly string[];
}

/** With the young generation that src/overland gives it. */
export const thisProgram = (): Program => ({
  command: [process.execPath, ...process.execArgv, "--max-semi-space-size=4", process.argv[1] ?? ""],
});

export interface PeerStatus {
  readonly name: string;
  readonly type: string;
  readonly address: string;
  readonly state: string;
  readonly lastError?: string;
}

/** What of the agent's `/v1/status` the lab looks at. */
export interface AgentStatus {
  readonly ready: boolean;
  readonly notReady: readonly string[];
  readonly peers: readonly PeerStatus[];
  readonly blocks: readonly string[];
  readonly routes: { readonly installed: number };
}

export const agentProcess = (node: string): string => `${node}/agent`;

export function startAgent(plan: LabPlan, node: NodePlan, program: Program): ProcessRecord {
  const lab = plan.size.name;
  const paths = nodePaths(labPaths(lab), node.name);
  mkdirSync(paths.directory, { recursive: true });
  mkdirSync(paths.stateDir, { recursive: true });
  writeFileSync(paths.agentConfig, agentConfig(plan, node));
  return start({
    lab,
    name: agentProcess(node.name),
    netns: node.netns,
    command: [...program.command, "agent", "--config", paths.agentConfig],
    environment: kubernetesEnvironment(plan),
  });
}

/** YAML as an operator would put it on the node. */
export function agentConfig(plan: LabPlan, node: NodePlan): string {
  const paths = nodePaths(labPaths(plan.size.name), node.name);
  // With Kubernetes they are its Node's.
  const labels = plan.size.kubernetes === true ? "" : `labels:\n  rack: rack-${node.rack}\n`;
  return `nodeName: ${node.name}
socket: ${paths.socket}
stateDir: ${paths.stateDir}
http: 127.0.0.1:9179
etcd:
  endpoints: [${plan.etcd.endpoint}]
${labels}ipv4Address: ${node.address.ipv4}/${PREFIX_LENGTH.rack.ipv4}
ipv6Address: ${node.address.ipv6}/${PREFIX_LENGTH.rack.ipv6}
log:
  level: info
`;
}

export const agentLog = (lab: string, node: string): string => logFile(lab, agentProcess(node));

export function agentRecord(lab: string, node: string): ProcessRecord | undefined {
  return readState(lab)?.processes.find((record) => record.name === agentProcess(node));
}

export function agentRuns(lab: string, node: string): boolean {
  const record = agentRecord(lab, node);
  return record !== undefined && isRunning(record);
}

export const agentStatus = (lab: string, node: string): Promise<AgentStatus> =>
  askSocket(nodePaths(labPaths(lab), node).socket, "/v1/status") as Promise<AgentStatus>;

export const isEstablished = (peer: PeerStatus): boolean => peer.state === "Established";

/** GET over a unix socket; anything but 200 and JSON is an error. */
function askSocket(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, timeout: 2000 }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode !== 200) return reject(new Error(`${path}: HTTP ${response.statusCode}: ${body}`));
        try {
          resolve(JSON.parse(body));
        } catch {
          reject(new Error(`${path}: not JSON: ${body.slice(0, 200)}`));
        }
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`${path}: no answer within 2 s`)));
    asked.on("error", reject);
    asked.end();
  });
}
