/** The API server beside a lab's etcd, where every node reaches it; and agents that know it. */
import { mkdirSync } from "node:fs";
import type { LabStatus } from "../../src/lab/status.ts";
import { ApiServer } from "./api-server.ts";
import { end, processIn, startAgain } from "./processes.ts";

const PORT = 6443;

export class LabApiServer {
  readonly #lab: () => LabStatus;
  #server: ApiServer | undefined;

  constructor(lab: () => LabStatus) {
    this.#lab = lab;
  }

  get server(): ApiServer {
    if (this.#server === undefined) throw new Error("the lab's API server was not started");
    return this.#server;
  }

  get kubeconfig(): string {
    return this.server.kubeconfig;
  }

  /** What was there before is there again. The words are those of the first start. */
  async start(...words: readonly string[]): Promise<void> {
    if (this.#server !== undefined) return await this.#server.startAgain();
    const { etcd, directory: lab } = this.#lab();
    const directory = `${lab}/kubernetes`;
    mkdirSync(directory, { recursive: true });
    const addresses = [new URL(etcd.endpoints[0] ?? "").hostname];
    this.#server = await ApiServer.start({
      netns: etcd.netns,
      addresses,
      port: PORT,
      directory,
      words: ["--keep", ...words],
    });
  }

  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  /** Makes or replaces objects, status and all, as whoever looks after them would. */
  put(...objects: readonly object[]): Promise<void> {
    return this.server.put(...objects);
  }

  /** As a client does, with all the API server's checks. */
  apply(...objects: readonly object[]): Promise<string> {
    return this.server.apply(...objects);
  }

  kubectl(...words: readonly string[]): Promise<string> {
    return this.server.mustKubectl(words);
  }

  /** Every agent of the lab again, told of this API server. */
  async tellAgents(kubeconfig = this.kubeconfig): Promise<void> {
    const nodes = this.#lab().nodes;
    await Promise.all(
      nodes.map(async (node) => {
        const former = processIn(node.netns, "agent", "--config");
        await end(former, "SIGTERM");
        startAgain(former, `${this.#lab().log}/${node.name}-kubernetes.log`, "--kubeconfig", kubeconfig);
      }),
    );
  }
}

const NAMESPACE = "shop";

export interface ServiceWritten {
  readonly clusterIPs: readonly string[];
  readonly externalIPs?: readonly string[];
  readonly loadBalancer?: readonly string[];
  readonly local?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
}

export function service(name: string, written: ServiceWritten): object {
  const { clusterIPs, externalIPs = [], loadBalancer = [], annotations = {} } = written;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: NAMESPACE, name, annotations },
    spec: {
      type: loadBalancer.length > 0 ? "LoadBalancer" : "ClusterIP",
      clusterIP: clusterIPs[0],
      clusterIPs,
      externalIPs,
      ports: [{ port: 80 }],
      externalTrafficPolicy: written.local === true ? "Local" : "Cluster",
    },
    status: { loadBalancer: { ingress: loadBalancer.map((ip) => ({ ip })) } },
  };
}

/** `endpoints`: names of nodes, `!` before one whose pod terminates and still serves. */
export function slice(name: string, of: string, endpoints: readonly string[], addressType = "IPv4"): object {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace: NAMESPACE, name, labels: { "kubernetes.io/service-name": of } },
    addressType,
    ports: [{ port: 80 }],
    endpoints: endpoints.map((node, n) => {
      const leaving = node.startsWith("!");
      return {
        addresses: [addressType === "IPv4" ? `10.244.0.${n + 1}` : `fd00:244::${n + 1}`],
        nodeName: node.replace("!", ""),
        conditions: { ready: !leaving, serving: true, terminating: leaving },
      };
    }),
  };
}
