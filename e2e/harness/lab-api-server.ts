/** The API server of e2e/kubernetes beside a lab's etcd, where every node reaches it; and agents that know it. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { LabStatus } from "../../src/lab/status.ts";
import { must } from "./command.ts";
import { end, type Process, processesIn, processIn, startAgain, startIn } from "./processes.ts";
import { NODE } from "./program.ts";
import { eventually } from "./wait.ts";

const PROGRAM = fileURLToPath(new URL("../kubernetes/api-server.ts", import.meta.url));
const PORT = "6443";

export class LabApiServer {
  readonly #lab: () => LabStatus;

  constructor(lab: () => LabStatus) {
    this.#lab = lab;
  }

  get kubeconfig(): string {
    return `${this.#directory}/kubeconfig`;
  }

  /** The socket of its tests' way in. */
  get control(): string {
    return `${this.#directory}/control.sock`;
  }

  get process(): Process {
    return processIn(this.#netns, "api-server.ts", this.#directory);
  }

  /** What was there before is there again. */
  async start(...words: readonly string[]): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    const [endpoint = ""] = this.#lab().etcd.endpoints;
    const address = new URL(endpoint).hostname;
    const command = [NODE, PROGRAM, "--dir", this.#directory, "--address", address, "--port", PORT, "--keep", ...words];
    startIn(this.#netns, command, `${this.#lab().log}/api-server.log`);
    await eventually("the API server answers", 20, async () => (await this.kubectl("get", "--raw", "/version")) !== "");
  }

  async stop(): Promise<void> {
    await end(this.process, "SIGKILL");
  }

  /** Makes or replaces an object, status and all, as whoever looks after it would. */
  async put(...objects: readonly object[]): Promise<void> {
    const lines = objects.map((object) => `${JSON.stringify(object)}\n`).join("");
    const socket = ["--unix-socket", this.control, "http://control/load"];
    await must(["curl", "-sS", "--fail-with-body", "--noproxy", "*", ...socket, "--data-binary", "@-"], {
      input: lines,
    });
  }

  /** As a client does, with all the API server's checks. */
  async apply(object: object): Promise<void> {
    const command = ["kubectl", "--kubeconfig", this.kubeconfig, "apply", "-f", "-"];
    await must(command, { netns: this.#netns, input: JSON.stringify(object) });
  }

  kubectl(...words: readonly string[]): Promise<string> {
    return must(["kubectl", "--kubeconfig", this.kubeconfig, ...words], { netns: this.#netns });
  }

  /** Every agent of the lab again, told of this API server. */
  async tellAgents(): Promise<void> {
    const nodes = this.#lab().nodes;
    await Promise.all(
      nodes.map(async (node) => {
        const former = processIn(node.netns, "agent", "--config");
        await end(former, "SIGTERM");
        startAgain(former, `${this.#lab().log}/${node.name}-kubernetes.log`, "--kubeconfig", this.kubeconfig);
      }),
    );
  }

  get isRunning(): boolean {
    return processesIn(this.#netns, "api-server.ts", this.#directory).length > 0;
  }

  get #netns(): string {
    return this.#lab().etcd.netns;
  }

  get #directory(): string {
    return `${this.#lab().directory}/kubernetes`;
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
