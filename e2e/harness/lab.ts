/**
 * A scenario's own lab: up before its proofs, down after them whatever happens, its routers' traffic captured
 * meanwhile.
 */
import { afterAll, beforeAll } from "@jest/globals";
import type { LabStatus, NodeStatus, RouterStatus } from "../../src/lab/status.ts";
import { type Finished, must, type RunOptions } from "./command.ts";
import { startIn } from "./processes.ts";
import { overland } from "./program.ts";
import { TURN_LIMIT_MS, takeTurn } from "./turns.ts";
import { prove } from "./watch.ts";

export interface LabSize {
  readonly racks: number;
  readonly nodes: number;
  readonly pods: number;
}

const PROOF_LIMIT_S = 60;

export class ScenarioLab {
  readonly name: string;
  #status: LabStatus | undefined;
  #fault: Error | undefined;
  #giveTurn: () => Promise<void> = async () => {};

  constructor(name: string, size: LabSize) {
    this.name = name;
    // A lab that does not come up fails the first proof, with all it said, and the others in a sentence.
    beforeAll(() => this.#up(size).catch((error: Error) => (this.#fault = error)), TURN_LIMIT_MS);
    afterAll(() => this.#down(), 60_000);
  }

  /** The lab as it was when it came up: names, namespaces, addresses, sockets. */
  get plan(): LabStatus {
    if (this.#status === undefined) throw new Error(`lab ${this.name} is not up`);
    return this.#status;
  }

  /** The lab as it is now. */
  async status(): Promise<LabStatus> {
    return JSON.parse(await this.#ask(["status", "-o", "json"])) as LabStatus;
  }

  node(name: string): NodeStatus {
    return named(this.plan.nodes, name);
  }

  router(name: string): RouterStatus {
    return named(this.plan.routers, name);
  }

  /** Namespace of a VM or a pod that `lab up` made. */
  netns(name: string): string {
    return named([...this.plan.vms, ...this.plan.pods], name).netns;
  }

  /** `overland` where it reaches this lab's etcd. */
  overland(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const environment = { ETCD_ENDPOINTS: this.plan.etcd.endpoints.join(","), ...options.environment };
    return overland(args, { netns: this.plan.etcd.netns, ...options, environment });
  }

  /** Applies resources; throws with the program's words when it refuses them. */
  async apply(yaml: string): Promise<void> {
    await this.#succeed(["apply", "-f", "-"], yaml);
  }

  async delete(kind: string, name: string): Promise<void> {
    await this.#succeed(["delete", kind, name], "");
  }

  /** One proof, a sentence. */
  proof(sentence: string, work: () => Promise<void>, seconds = PROOF_LIMIT_S): void {
    const labs = () => (this.#status === undefined ? [] : [this.#status]);
    prove({ sentence, seconds, work: () => this.#proved(work), labs });
  }

  async #succeed(args: readonly string[], input: string): Promise<void> {
    const { code, stdout, stderr } = await this.overland(args, { input });
    if (code !== 0) throw new Error(`overland ${args.join(" ")}: exit code ${code}: ${stderr || stdout}`);
  }

  async #proved(work: () => Promise<void>): Promise<void> {
    const fault = this.#fault;
    if (fault === undefined) return await work();
    this.#fault = new Error("the lab did not come up: see the first proof");
    throw fault;
  }

  async #up(size: LabSize): Promise<void> {
    this.#giveTurn = await takeTurn();
    const sizes = Object.entries(size).flatMap(([flag, value]) => [`--${flag}`, String(value)]);
    await this.#ask(["up", ...sizes]);
    this.#status = await this.status();
    for (const { netns, name } of this.plan.routers) {
      const file = `${this.plan.log}/${name}.pcap`;
      startIn(netns, ["tcpdump", "-i", "any", "-n", "-U", "-s", "256", "-w", file], `${this.plan.log}/tcpdump.log`);
    }
  }

  async #down(): Promise<void> {
    try {
      await this.#ask(["down"]);
    } finally {
      await this.#giveTurn();
    }
  }

  async #ask(args: readonly string[]): Promise<string> {
    const [verb = "", ...rest] = args;
    const { code, stdout, stderr } = await overland(["lab", verb, "--name", this.name, ...rest]);
    if (code === 0) return stdout;
    throw new Error(`overland lab ${verb}: exit code ${code}:\n${stdout}\n${stderr}`);
  }
}

/** In a namespace of the lab, as root does it. */
export const ip = (netns: string, ...words: readonly string[]): Promise<string> => must(["ip", "-n", netns, ...words]);

function named<T extends { readonly name: string }>(things: readonly T[], name: string): T {
  const thing = things.find((one) => one.name === name);
  if (thing === undefined) throw new Error(`no ${name}; there are ${things.map((one) => one.name).join(", ")}`);
  return thing;
}
