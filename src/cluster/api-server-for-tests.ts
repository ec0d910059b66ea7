/** The API server of e2e/kubernetes as a process of its own, with its ways to do wrong. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiServer } from "./api-server.ts";
import { ServiceAccount } from "./credentials.ts";
import { openCluster } from "./open.ts";
import type { Cluster, KubeObject, ResourceType } from "./port.ts";
import { type Pace, usualPace } from "./reflector.ts";
import { KeptConnections } from "./transport.ts";

const PROGRAM = new URL("../../e2e/kubernetes/api-server.ts", import.meta.url).pathname;

export const QUICK: Pace = {
  ...usualPace,
  ...{ firstPauseMs: 10, longestPauseMs: 200, longestPauseWithProgressMs: 100, quietMs: 2_000, answerMs: 1_500 },
};

export const CLUSTER_ROLES = rbac("clusterroles", "ClusterRole");
export const CLUSTER_ROLE_BINDINGS = rbac("clusterrolebindings", "ClusterRoleBinding");

export interface RequestCount {
  readonly user: string;
  readonly verb: string;
  readonly path: string;
  readonly count: number;
}

export class ApiServerForTests {
  readonly folder = mkdtempSync(join(tmpdir(), "overland-api-server-"));
  #child: ChildProcess | undefined;
  #port = 0;
  #admin: Cluster | undefined;

  static async start(): Promise<ApiServerForTests> {
    const made = new ApiServerForTests();
    await made.run();
    return made;
  }

  /** By the kubeconfig, allowed everything. */
  get admin(): Cluster {
    this.#admin ??= openCluster({ kubeconfig: join(this.folder, "kubeconfig") });
    return this.#admin;
  }

  /** Starts, or starts again on the same port and with what was stored. */
  async run(): Promise<void> {
    const args = [
      "--no-warnings",
      PROGRAM,
      "--dir",
      this.folder,
      "--port",
      String(this.#port),
      "--keep",
      "--reap-pods",
    ];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
    this.#child = child;
    const said = await new Promise<string>((resolve, reject) => {
      child.stdout.on("data", (chunk: Buffer) => resolve(chunk.toString()));
      child.once("close", (code) => reject(new Error(`the API server ended with ${code}`)));
    });
    this.#port = (JSON.parse(said) as { port: number }).port;
  }

  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const closed = new Promise((resolve) => child.once("close", resolve));
    child.kill(signal);
    await closed;
    this.#child = undefined;
  }

  async remove(): Promise<void> {
    this.#admin?.close();
    await this.kill("SIGKILL");
    rmSync(this.folder, { recursive: true });
  }

  async control<T = unknown>(path: string, body: object | string = {}): Promise<T> {
    return await new Promise<T>((resolve, reject) => {
      const options = { socketPath: join(this.folder, "control.sock"), path, method: "POST", agent: false as const };
      const sent = request(options, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          const text = Buffer.concat(parts).toString();
          if (response.statusCode === 200) resolve(JSON.parse(text) as T);
          else reject(new Error(`${path}: ${text}`));
        });
      });
      sent.on("error", reject);
      sent.end(typeof body === "string" ? body : JSON.stringify(body));
    });
  }

  requests(match: object): Promise<RequestCount[]> {
    return this.control("/requests", { match });
  }

  /** A pod's service account: the cluster as it sees it, its files, and its name as the server knows it. */
  async account(name: string, pace = QUICK): Promise<Account> {
    const folder = mkdtempSync(join(this.folder, "account-"));
    const user = `system:serviceaccount:overland-system:${name}`;
    writeFileSync(join(folder, "ca.crt"), readFileSync(join(this.folder, "ca.crt")));
    const renew = async () => {
      const body = { serviceAccount: `overland-system/${name}` };
      const { token } = await this.control<{ token: string }>("/users", body);
      writeFileSync(join(folder, "token"), token);
      return token;
    };
    const token = await renew();
    const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(this.#port) };
    const cluster = new ApiServer(new KeptConnections(new ServiceAccount(env, folder)), "overland-system", { pace });
    return { cluster, user, token, renew };
  }

  /** What an account may do, from now on. */
  async allow(user: string, rules: readonly object[]): Promise<void> {
    const name = user.replaceAll(":", "-");
    const [, , namespace, account] = user.split(":");
    await this.admin.create(CLUSTER_ROLES, { metadata: { name }, rules } as KubeObject);
    await this.admin.create(CLUSTER_ROLE_BINDINGS, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
      subjects: [{ kind: "ServiceAccount", namespace, name: account }],
    } as KubeObject);
  }
}

export interface Account {
  readonly cluster: Cluster;
  readonly user: string;
  readonly token: string;
  /** A new token in the file; gives it. */
  renew(): Promise<string>;
}

function rbac(plural: string, kind: string): ResourceType {
  return { group: "rbac.authorization.k8s.io", version: "v1", plural, kind, namespaced: false };
}
