/** An API server beside a lab's etcd, kubectl against it, and controllers that bring its resources to etcd. */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Finished, must, run } from "./command.ts";
import type { ScenarioLab } from "./lab.ts";
import { end, type Process, processesIn, processIn, startAgain, startIn } from "./processes.ts";
import { NODE, OVERLAND } from "./program.ts";
import { eventually } from "./wait.ts";

const PROGRAM = fileURLToPath(new URL("../kubernetes/api-server.ts", import.meta.url));
const MANIFESTS = fileURLToPath(new URL("../../manifests", import.meta.url));
const FIRST_PORT = 9180;

export class Controllers {
  readonly #lab: ScenarioLab;

  constructor(lab: ScenarioLab) {
    this.#lab = lab;
  }

  /** With the CustomResourceDefinitions, as an operator applies them. */
  async start(): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    const command = [NODE, "--no-warnings", PROGRAM, "--dir", this.#directory, "--port", "6443", "--keep"];
    startIn(this.#netns, command, `${this.#lab.plan.log}/api-server.log`);
    await eventually("the API server answers", 30, () => this.kubectl("get", "--raw", "/version"));
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "overland-system" } };
    await must(this.#kubectl(["apply", "-f", "-"]), { netns: this.#netns, input: JSON.stringify(namespace) });
    await this.install();
    for (let i = 0; i < 2; i++) this.#startController(i);
    await eventually("one controller is active, the other waits", 30, async () => {
      const said = await Promise.all([this.ready(0), this.ready(1)]);
      return said.includes("ok: active\n") && said.includes("ok: standby\n");
    });
  }

  async install(): Promise<void> {
    await this.kubectl("apply", "-k", `${MANIFESTS}/crds`);
  }

  async kubectl(...words: readonly string[]): Promise<string> {
    return await must(this.#kubectl(words), { netns: this.#netns });
  }

  /** A kubectl that may fail. */
  async tryKubectl(words: readonly string[], timeoutMs?: number): Promise<Finished> {
    return await run(this.#kubectl(words), { netns: this.#netns, ...(timeoutMs !== undefined && { timeoutMs }) });
  }

  async apply(kind: string, name: string, spec: object): Promise<void> {
    const object = { apiVersion: "overland.dev/v1", kind, metadata: { name }, spec };
    await must(this.#kubectl(["apply", "-f", "-"]), { netns: this.#netns, input: JSON.stringify(object) });
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

  get apiServer(): Process {
    return processIn(this.#netns, "api-server.ts", this.#directory);
  }

  startApiServerAgain(former: Process): void {
    startAgain(former, `${this.#lab.plan.log}/api-server.log`);
  }

  #startController(i: number): void {
    const etcd = ["--etcd-endpoints", this.#lab.plan.etcd.endpoints.join(",")];
    const terms = ["--kubeconfig", this.#kubeconfig, "--http", `127.0.0.1:${FIRST_PORT + i}`, "--grace", "3s"];
    const command = [...OVERLAND, "controller", ...etcd, ...terms, "--interval", "1s"];
    startIn(this.#netns, command, `${this.#lab.plan.log}/controller-${i}.log`);
  }

  /** Before the lab is taken down, so that nothing of ours is left in its namespaces. */
  async stop(): Promise<void> {
    for (const words of [
      ["controller", "--kubeconfig"],
      ["api-server.ts", this.#directory],
    ]) {
      for (const one of processesIn(this.#netns, ...words)) await end(one);
    }
  }

  async #curl(i: number, path: string): Promise<Finished> {
    const url = `http://127.0.0.1:${FIRST_PORT + i}${path}`;
    return await run(["curl", "-sS", "--noproxy", "*", "--max-time", "3", url], { netns: this.#netns });
  }

  #kubectl(words: readonly string[]): string[] {
    return ["kubectl", "--kubeconfig", this.#kubeconfig, "--request-timeout", "10s", ...words];
  }

  get #kubeconfig(): string {
    return `${this.#directory}/kubeconfig`;
  }

  get #netns(): string {
    return this.#lab.plan.etcd.netns;
  }

  get #directory(): string {
    return `${this.#lab.plan.directory}/kubernetes`;
  }
}
