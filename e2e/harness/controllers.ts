/** An API server beside a lab's etcd, kubectl against it, and controllers that bring its resources to etcd. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { ApiServer } from "./api-server.ts";
import { type Finished, run } from "./command.ts";
import type { ScenarioLab } from "./lab.ts";
import { end, type Process, processesIn, processIn, startIn } from "./processes.ts";
import { OVERLAND } from "./program.ts";
import { eventually } from "./wait.ts";

const MANIFESTS = fileURLToPath(new URL("../../manifests", import.meta.url));
const NAMESPACE = "overland-system";
const FIRST_PORT = 9180;

export class Controllers {
  readonly #lab: ScenarioLab;
  #server: ApiServer | undefined;
  #kubeconfig = "";

  constructor(lab: ScenarioLab) {
    this.#lab = lab;
  }

  /** With the CustomResourceDefinitions as an operator applies them, and controllers with the rights of manifests/. */
  async start(): Promise<void> {
    const address = new URL(this.#lab.plan.etcd.endpoints[0] ?? "").hostname;
    this.#server = await ApiServer.start({ netns: this.#netns, addresses: [address], words: ["--keep"] });
    await this.server.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } });
    await this.install();
    this.#kubeconfig = await this.accountOf("controller");
    for (let i = 0; i < 2; i++) this.#startController(i);
    await eventually("one controller is active, the other waits", 30, async () => {
      const said = await Promise.all([this.ready(0), this.ready(1)]);
      return said.includes("ok: active\n") && said.includes("ok: standby\n");
    });
  }

  /** A kubeconfig with the rights of manifests/, and no others. */
  async accountOf(program: "agent" | "controller"): Promise<string> {
    // As the kustomization does it, whose language old kubectls do not know.
    const access = readFileSync(`${MANIFESTS}/base/${program}-access.yaml`, "utf8");
    const input = access.replace(/- kind: ServiceAccount\n( +)/g, `$&namespace: ${NAMESPACE}\n$1`);
    await this.server.mustKubectl(["apply", "-n", NAMESPACE, "-f", "-"], { input });
    return this.server.kubeconfigOf(program, await this.server.serviceAccount(`${NAMESPACE}/overland-${program}`));
  }

  get server(): ApiServer {
    if (this.#server === undefined) throw new Error("the API server is not running");
    return this.#server;
  }

  async install(): Promise<void> {
    await this.kubectl("apply", "-k", `${MANIFESTS}/crds`);
  }

  async kubectl(...words: readonly string[]): Promise<string> {
    return await this.server.mustKubectl(words);
  }

  async apply(kind: string, name: string, spec: object): Promise<void> {
    await this.server.apply({ apiVersion: "overland.dev/v1", kind, metadata: { name }, spec });
  }

  /** `True: generation 1 is in force` */
  async accepted(kind: string, name: string): Promise<string> {
    const path =
      '{.status.conditions[?(@.type=="Accepted")].status}: {.status.conditions[?(@.type=="Accepted")].message}';
    return await this.kubectl("get", `${kind}.overland.dev`, name, "-o", `jsonpath=${path}`);
  }

  /** What its /readyz says; undefined: nothing. */
  async ready(i: number): Promise<string | undefined> {
    const { code, stdout } = await this.#curl(i, "/readyz");
    return code === 0 ? stdout : undefined;
  }

  async metrics(i: number): Promise<string> {
    return (await this.#curl(i, "/metrics")).stdout;
  }

  /** Which of the two acts. */
  async active(): Promise<number> {
    const said = await Promise.all([this.ready(0), this.ready(1)]);
    const found = said.indexOf("ok: active\n");
    if (found < 0) throw new Error(`none is active: ${said.join(", ")}`);
    return found;
  }

  process(i: number): Process {
    return processIn(this.#netns, "controller", "--http", `127.0.0.1:${FIRST_PORT + i}`);
  }

  #startController(i: number): void {
    const etcd = ["--etcd-endpoints", this.#lab.plan.etcd.endpoints.join(",")];
    const terms = ["--kubeconfig", this.#kubeconfig, "--http", `127.0.0.1:${FIRST_PORT + i}`, "--grace", "3s"];
    const command = [...OVERLAND, "controller", ...etcd, ...terms, "--interval", "1s"];
    startIn(this.#netns, command, `${this.#lab.plan.log}/controller-${i}.log`);
  }

  /** Before the lab is taken down, so that nothing of ours is left in its namespaces. */
  async stop(): Promise<void> {
    for (const one of processesIn(this.#netns, "controller", "--kubeconfig")) await end(one);
    await this.#server?.remove();
  }

  async #curl(i: number, path: string): Promise<Finished> {
    const url = `http://127.0.0.1:${FIRST_PORT + i}${path}`;
    return await run(["curl", "-sS", "--noproxy", "*", "--max-time", "3", url], { netns: this.#netns });
  }

  get #netns(): string {
    return this.#lab.plan.etcd.netns;
  }
}
