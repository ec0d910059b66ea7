/** The API server of e2e/kubernetes, a process of its own, with clients of ours: the admin's and those of pods. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ApiServer as Process } from "../../e2e/harness/api-server.ts";
import { ApiServer } from "./api-server.ts";
import { ServiceAccount } from "./credentials.ts";
import { openCluster } from "./open.ts";
import type { Cluster, KubeObject, ResourceType } from "./port.ts";
import { type Pace, usualPace } from "./reflector.ts";
import { KeptConnections } from "./transport.ts";

export const QUICK: Pace = {
  ...usualPace,
  ...{ firstPauseMs: 10, longestPauseMs: 200, longestPauseWithProgressMs: 100, quietMs: 2_000, answerMs: 1_500 },
};

export const CLUSTER_ROLES = rbac("clusterroles", "ClusterRole");
export const CLUSTER_ROLE_BINDINGS = rbac("clusterrolebindings", "ClusterRoleBinding");

export interface Account {
  readonly cluster: Cluster;
  /** As the server knows it. */
  readonly user: string;
  readonly token: string;
  /** A new token in the file; gives it. */
  renew(): Promise<string>;
}

export class ApiServerForTests {
  readonly process: Process;
  /** By the kubeconfig, allowed everything. */
  readonly admin: Cluster;

  private constructor(process: Process) {
    this.process = process;
    this.admin = openCluster({ kubeconfig: process.kubeconfig });
  }

  static async start(): Promise<ApiServerForTests> {
    return new ApiServerForTests(await Process.start({ words: ["--keep", "--reap-pods", "--shutdown-seconds", "1"] }));
  }

  async remove(): Promise<void> {
    this.admin.close();
    await this.process.remove();
  }

  /** A service account as a pod has it, with nothing allowed. */
  async account(name: string, pace = QUICK): Promise<Account> {
    const folder = mkdtempSync(join(this.process.directory, "account-"));
    writeFileSync(join(folder, "ca.crt"), this.process.ca);
    const renew = async () => {
      const token = await this.process.serviceAccount(`overland-system/${name}`);
      writeFileSync(join(folder, "token"), token);
      return token;
    };
    const token = await renew();
    const { hostname, port } = new URL(this.process.url);
    const env = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port };
    const cluster = new ApiServer(new KeptConnections(new ServiceAccount(env, folder)), "overland-system", { pace });
    return { cluster, user: `system:serviceaccount:overland-system:${name}`, token, renew };
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

function rbac(plural: string, kind: string): ResourceType {
  return { group: "rbac.authorization.k8s.io", version: "v1", plural, kind, namespaced: false };
}
