/** The kubelet's part: what it asks of a container runtime, over gRPC on the runtime's socket. */
import { fileURLToPath } from "node:url";
import { type Client, credentials, loadPackageDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { POD_IMAGE } from "./pod-image.ts";

const PROTO = fileURLToPath(new URL("./cri.proto", import.meta.url));
/** The kubelet's own limit for most requests. */
const LIMIT_MS = 120_000;

export interface PodRequest {
  readonly name: string;
  readonly attempt?: number;
  readonly ports?: readonly { readonly containerPort: number; readonly hostPort: number }[];
}

export interface PodStatus {
  readonly ready: boolean;
  /** As the kubelet shows them: the first one is the pod's IP. */
  readonly addresses: readonly string[];
  readonly info: SandboxInfo;
}

/** What the runtime tells beside the interface, when it is asked to be verbose. */
export interface SandboxInfo {
  readonly pid: number;
  readonly runtimeSpec: { readonly linux: { readonly namespaces: readonly { type: string; path?: string }[] } };
  readonly cniResult: object;
}

export interface Condition {
  readonly type: string;
  readonly status: boolean;
  readonly reason: string;
  readonly message: string;
}

type Call = (request: object, options: object, done: (error: Error | null, answer: object) => void) => void;
type Service = new (address: string, secret: object, options: object) => Client & Record<string, Call>;

export class Cri {
  readonly #runtime: Client & Record<string, Call>;
  readonly #images: Client & Record<string, Call>;
  readonly #cgroup: string;

  constructor(socket: string, cgroup: string) {
    const definition = loadSync(PROTO, { keepCase: true, longs: Number, enums: String, defaults: true });
    const { runtime } = loadPackageDefinition(definition) as unknown as {
      runtime: { v1: Record<"RuntimeService" | "ImageService", Service> };
    };
    const open = (service: Service) =>
      new service(`unix://${socket}`, credentials.createInsecure(), { "grpc.enable_http_proxy": 0 });
    this.#runtime = open(runtime.v1.RuntimeService);
    this.#images = open(runtime.v1.ImageService);
    this.#cgroup = cgroup;
  }

  close(): void {
    this.#runtime.close();
    this.#images.close();
  }

  async version(): Promise<string> {
    const said = await this.#ask<{ runtime_name: string; runtime_version: string }>("Version", { version: "v1" });
    return `${said.runtime_name} ${said.runtime_version}`;
  }

  async conditions(): Promise<readonly Condition[]> {
    const { status } = await this.#ask<{ status: { conditions: Condition[] } }>("Status", {});
    return status.conditions;
  }

  /** The configuration lists that the runtime goes by now, as they were read. */
  async networkConfigurations(): Promise<readonly string[]> {
    const { info } = await this.#ask<{ info: { cniconfig: string } }>("Status", { verbose: true });
    const { Networks } = JSON.parse(info.cniconfig) as { Networks: readonly { Config: { Source: string } }[] };
    return Networks.map(({ Config }) => Config.Source);
  }

  async hasImage(): Promise<boolean> {
    const asked = { image: { image: POD_IMAGE } };
    return (await call<{ image: object | null }>(this.#images, "ImageStatus", asked)).image !== null;
  }

  /** Gives the sandbox's id. */
  async run(pod: PodRequest): Promise<string> {
    const { pod_sandbox_id } = await this.#ask<{ pod_sandbox_id: string }>("RunPodSandbox", {
      config: this.#config(pod),
    });
    return pod_sandbox_id;
  }

  async stop(id: string): Promise<void> {
    await this.#ask("StopPodSandbox", { pod_sandbox_id: id });
  }

  async remove(id: string): Promise<void> {
    await this.#ask("RemovePodSandbox", { pod_sandbox_id: id });
  }

  async status(id: string): Promise<PodStatus> {
    const { status, info } = await this.#ask<{
      status: { state: string; network: { ip: string; additional_ips: { ip: string }[] } | null };
      info: { info: string };
    }>("PodSandboxStatus", { pod_sandbox_id: id, verbose: true });
    const addresses = [status.network?.ip ?? "", ...(status.network?.additional_ips ?? []).map(({ ip }) => ip)];
    return {
      ready: status.state === "SANDBOX_READY",
      addresses: addresses.filter((address) => address !== ""),
      info: JSON.parse(info.info) as SandboxInfo,
    };
  }

  /** Ids of all sandboxes that there are, stopped ones too. */
  async list(): Promise<readonly string[]> {
    const { items } = await this.#ask<{ items: { id: string }[] }>("ListPodSandbox", {});
    return items.map(({ id }) => id);
  }

  /** A container in the sandbox, of the image's program with these words; gives its id. */
  async container(sandbox: string, pod: PodRequest, args: readonly string[]): Promise<string> {
    const config = { metadata: { name: "main", attempt: 0 }, image: { image: POD_IMAGE }, args };
    const request = { pod_sandbox_id: sandbox, config, sandbox_config: this.#config(pod) };
    const { container_id } = await this.#ask<{ container_id: string }>("CreateContainer", request);
    await this.#ask("StartContainer", { container_id });
    return container_id;
  }

  /** Standard output of a command in the container; throws with what it said when it fails. */
  async exec(container: string, command: readonly string[]): Promise<string> {
    const request = { container_id: container, cmd: command, timeout: 10 };
    const said = await this.#ask<{ stdout: Buffer; stderr: Buffer; exit_code: number }>("ExecSync", request);
    if (said.exit_code === 0) return said.stdout.toString();
    throw new Error(`${command.join(" ")}: exit code ${said.exit_code}: ${said.stderr.toString()}`);
  }

  #config({ name, attempt = 0, ports = [] }: PodRequest): object {
    return {
      metadata: { name, uid: `uid-of-${name}`, namespace: "e2e", attempt },
      hostname: name,
      port_mappings: ports.map(({ containerPort, hostPort }) => ({
        protocol: "TCP",
        container_port: containerPort,
        host_port: hostPort,
      })),
      linux: { cgroup_parent: `/${this.#cgroup}` },
    };
  }

  #ask<T>(method: string, request: object): Promise<T> {
    return call<T>(this.#runtime, method, request);
  }
}

function call<T>(client: Client & Record<string, Call>, method: string, request: object): Promise<T> {
  return new Promise((resolve, reject) => {
    client[method]?.(request, { deadline: Date.now() + LIMIT_MS }, (error, answer) => {
      if (error) reject(new Error(`${method}: ${error.message}`));
      else resolve(answer as T);
    });
  });
}
