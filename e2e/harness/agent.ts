/** What an agent says on its unix socket, and what `overland node status` says to an operator. */
import { request } from "node:http";
import type { NodeStatus } from "../../src/lab/status.ts";
import { overland } from "./program.ts";
import { eventually } from "./wait.ts";

export interface PeerView {
  readonly name: string;
  readonly type: string;
  readonly address: string;
  readonly asNumber: number;
  readonly state: string;
  readonly since: string;
  readonly lastError: string;
  readonly established: number;
  readonly families: readonly string[];
  readonly holdTime: number;
  readonly gracefulRestart: boolean;
  readonly received: { readonly ipv4: number; readonly ipv6: number };
  readonly advertised: { readonly ipv4: number; readonly ipv6: number };
  readonly updates: { readonly received: number; readonly treatedAsWithdraw: number };
}

export interface AgentView {
  readonly ready: boolean;
  readonly notReady: readonly string[];
  readonly problems: readonly string[];
  readonly peers: readonly PeerView[];
  readonly blocks: readonly string[];
  readonly pods: number;
  readonly routes: { readonly installed: number };
}

export interface RouteView {
  readonly prefix: string;
  readonly best: boolean;
  readonly peer: string;
  readonly asPath: readonly string[];
  readonly stale: boolean;
  readonly installed: boolean;
}

export const agentView = (node: NodeStatus): Promise<AgentView> => ask(node.socket, "/v1/status") as Promise<AgentView>;

export const agentRoutes = async (node: NodeStatus): Promise<readonly RouteView[]> =>
  ((await ask(node.socket, "/v1/routes")) as { routes: RouteView[] }).routes;

export async function peerOf(node: NodeStatus, name: string): Promise<PeerView> {
  const { peers } = await agentView(node);
  const peer = peers.find((one) => one.name === name);
  if (peer === undefined)
    throw new Error(`${node.name} has no peer ${name} but ${peers.map((one) => one.name).join(", ")}`);
  return peer;
}

export const established = (node: NodeStatus, name: string, seconds = 15): Promise<PeerView> =>
  eventually(`${node.name}: the session with ${name} is established`, seconds, async () => {
    const peer = await peerOf(node, name);
    if (peer.state !== "Established") throw new Error(`it is ${peer.state}: ${peer.lastError}`);
    return peer;
  });

/** Ready, with every session up. */
export const settled = (node: NodeStatus, seconds = 30): Promise<AgentView> =>
  eventually(`${node.name} is ready with all its sessions`, seconds, async () => {
    const view = await agentView(node);
    if (!view.ready) throw new Error(view.notReady.join("; "));
    const down = view.peers.filter((peer) => peer.state !== "Established");
    if (down.length > 0)
      throw new Error(down.map((peer) => `${peer.name}: ${peer.state} ${peer.lastError}`).join("; "));
    return view;
  });

/** The text an operator reads. */
export async function statusText(node: NodeStatus): Promise<string> {
  const { code, stdout, stderr } = await overland(["node", "status", "--socket", node.socket]);
  if (code !== 0) throw new Error(`overland node status: exit code ${code}: ${stderr}`);
  return stdout;
}

function ask(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, timeout: 2000 }, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (part: string) => (body += part));
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(JSON.parse(body));
        else reject(new Error(`${path}: HTTP ${answer.statusCode}: ${body}`));
      });
    });
    asked.on("timeout", () => asked.destroy(new Error(`${path}: no answer within 2 s`)));
    asked.on("error", reject);
    asked.end();
  });
}
