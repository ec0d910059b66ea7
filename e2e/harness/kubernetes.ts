/** The API server of e2e/kubernetes beside a lab: objects put, read and removed, and the server taken away. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import type { NodeStatus } from "../../src/lab/status.ts";
import { must } from "./command.ts";
import type { ScenarioLab } from "./lab.ts";
import { end, type Process, processIn, startIn } from "./processes.ts";
import { NODE } from "./program.ts";
import { eventually } from "./wait.ts";

const PROGRAM = new URL("../kubernetes/api-server.ts", import.meta.url).pathname;

/** The part of an object that scenarios look at. */
export interface KubeNode {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>>; readonly uid: string };
  readonly spec: { readonly taints?: readonly { readonly key: string }[]; readonly unschedulable?: boolean };
  readonly status: {
    readonly conditions?: readonly { type: string; status: string; reason: string; message: string }[];
  };
}

export class ApiServer {
  readonly #lab: ScenarioLab;
  readonly #directory: string;

  private constructor(lab: ScenarioLab) {
    this.#lab = lab;
    this.#directory = `${lab.plan.directory}/kubernetes`;
  }

  /** Where every machine of the lab reaches it, beside etcd. */
  static async start(lab: ScenarioLab): Promise<ApiServer> {
    const server = new ApiServer(lab);
    mkdirSync(server.#directory, { recursive: true });
    await server.comeBack();
    return server;
  }

  get kubeconfig(): string {
    return `${this.#directory}/kubeconfig`;
  }

  /** Path of a kubeconfig of somebody who may do no more than these rules say. */
  async account(name: string, rules: readonly object[]): Promise<string> {
    const api = { apiVersion: "rbac.authorization.k8s.io/v1" };
    const [namespace, metadata] = ["overland-system", { name }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name };
    await this.put({ ...api, kind: "ClusterRole", metadata, rules });
    const subjects = [{ kind: "ServiceAccount", name, namespace }];
    await this.put({ ...api, kind: "ClusterRoleBinding", metadata, roleRef, subjects });
    const answer = await this.#control("/users", JSON.stringify({ serviceAccount: `${namespace}/${name}` }));
    const { token } = JSON.parse(answer) as { token: string };
    const file = `${this.#directory}/${name}.kubeconfig`;
    writeFileSync(file, readFileSync(this.kubeconfig, "utf8").replace(this.#token, token));
    return file;
  }

  /** The node's agent, started again with access to this server. */
  async give(node: NodeStatus, kubeconfig: string = this.kubeconfig): Promise<void> {
    const former = processIn(node.netns, "agent", "--config");
    await end(former, "SIGTERM");
    startIn(node.netns, former.command, `${this.#lab.plan.log}/${node.name}-kubernetes.log`, {
      ...former.environment,
      OVERLAND_KUBECONFIG: kubeconfig,
    });
  }

  /** As it was. */
  startAgain(agent: Process): void {
    startIn(agent.netns, agent.command, `${this.#lab.plan.log}/agent-again.log`, agent.environment);
  }

  agentOf(node: NodeStatus): Process {
    return processIn(node.netns, "agent", "--config");
  }

  /** Made or replaced, as it is. */
  async put(object: object): Promise<void> {
    await this.#control("/load", `${JSON.stringify(object)}\n`);
  }

  /** Undefined: 404. */
  async get<T>(path: string): Promise<T | undefined> {
    const text = await this.#curl(["-w", "\n%{http_code}"], path);
    const at = text.lastIndexOf("\n");
    const code = text.slice(at + 1);
    if (code === "404") return undefined;
    if (code !== "200") throw new Error(`${path}: ${code}: ${text.slice(0, at)}`);
    return JSON.parse(text.slice(0, at)) as T;
  }

  async patch(path: string, body: object): Promise<void> {
    const type = "content-type: application/merge-patch+json";
    await this.#curl(["-f", "-X", "PATCH", "-H", type, "-d", JSON.stringify(body)], path);
  }

  /** At once, without grace. */
  async delete(path: string): Promise<void> {
    await this.#curl(["-f", "-X", "DELETE"], `${path}?gracePeriodSeconds=0`);
  }

  /** Killed: connections are reset, and nobody answers. */
  async goAway(): Promise<void> {
    await end(processIn(this.#lab.plan.etcd.netns, PROGRAM));
  }

  /** With everything it had. */
  async comeBack(): Promise<void> {
    const { plan } = this.#lab;
    const command = [NODE, "--no-warnings", PROGRAM, "--dir", this.#directory, "--port", "6443", "--keep"];
    startIn(plan.etcd.netns, [...command, "--address", this.#address], `${plan.log}/api-server.log`);
    await eventually("the API server answers", 30, async () => (await this.get("/version")) !== undefined);
  }

  get #token(): string {
    return /"?token"?: "?([^"\s]+)"?/.exec(readFileSync(this.kubeconfig, "utf8"))?.[1] ?? "";
  }

  get #address(): string {
    return new URL(this.#lab.plan.etcd.endpoints[0] as string).hostname;
  }

  #curl(options: readonly string[], path: string): Promise<string> {
    const trust = ["--cacert", `${this.#directory}/ca.crt`, "-H", `authorization: Bearer ${this.#token}`];
    const url = `https://${this.#address}:6443${path}`;
    return must(["curl", "-s", "-S", "--noproxy", "*", ...trust, ...options, url], {
      netns: this.#lab.plan.etcd.netns,
    });
  }

  #control(path: string, body: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socketPath = `${this.#directory}/control.sock`;
      const asked = request({ socketPath, path, method: "POST" }, (answer) => {
        let text = "";
        answer.setEncoding("utf8").on("data", (part: string) => (text += part));
        answer.on("error", reject);
        answer.on("end", () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(`${path}: ${text}`))));
      });
      asked.on("error", reject);
      asked.end(body);
    });
  }
}
