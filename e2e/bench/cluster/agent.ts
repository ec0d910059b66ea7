/** The agent of a lab's only node, started and looked at from outside. */
import { readFileSync, writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { LabStatus, NodeStatus } from "../../../src/lab/status.ts";
import { agentView } from "../../harness/agent.ts";
import { end, type Process, processIn, startAgain } from "../../harness/processes.ts";
import { eventually } from "../../harness/wait.ts";
import { costOf } from "../bgp/processes.ts";

export interface Started {
  /** From the start of the process until resources, services and slices are known and sessions begin. */
  readonly synced_seconds: number;
  /** Its own processor time until then. */
  readonly synced_cpu_seconds: number;
}

const PATIENCE_MS = 120_000;
const LOOK_MS = 20;
const NICE = -15;
/** What the agent's log says once they are known, and when the sessions may begin. */
const KNOWN = ["services read", "endpointslices read", "listening for BGP"];

export class Agent {
  readonly #node: NodeStatus;
  readonly #former: Process;
  readonly #log: string;
  readonly #words: readonly string[];
  #pid = 0;

  constructor(plan: LabStatus, kubeconfig: string) {
    this.#node = plan.nodes[0] as NodeStatus;
    this.#former = processIn(this.#node.netns, "agent", "--config");
    this.#log = `${plan.log}/bench-agent.log`;
    this.#words = ["--kubeconfig", kubeconfig];
  }

  async startAgain(): Promise<Started> {
    await end(processIn(this.#node.netns, "agent", "--config"), "SIGTERM");
    const before = lines(this.#log).length;
    const began = Date.now();
    startAgain(this.#former, this.#log, ...this.#words);
    const { pid } = await eventually("the agent runs", 10, () => processIn(this.#node.netns, "agent", "--config"));
    this.#pid = pid;
    takePrecedence(pid);
    for (;;) {
      const said = lines(this.#log).slice(before);
      const known = KNOWN.map((message) => said.find((line) => line.message === message)?.time);
      if (known.every((time) => time !== undefined)) {
        const last = Math.max(...known.map((time) => Date.parse(time)));
        return { synced_seconds: round((last - began) / 1000), synced_cpu_seconds: round(costOf([this.#pid]).cpu) };
      }
      if (Date.now() - began > PATIENCE_MS) throw new Error(`the agent says in ${this.#log} why it knows nothing yet`);
      await sleep(LOOK_MS);
    }
  }

  /** A busy one takes its time to answer. */
  async sessions(): Promise<number> {
    const { peers } = await eventually("the agent answers", PATIENCE_MS / 1000, () => agentView(this.#node));
    return peers.length;
  }

  /** Percent of one core, over the time of some work. */
  async share(work: () => Promise<unknown>): Promise<number> {
    const [began, before] = [performance.now(), costOf([this.#pid]).cpu];
    await work();
    return round(((costOf([this.#pid]).cpu - before) * 100_000) / (performance.now() - began));
  }

  get memory(): { readonly resident_mb: number; readonly peak_mb: number } {
    const { residentKb, peakKb } = costOf([this.#pid]);
    return { resident_mb: Math.round(residentKb / 1024), peak_mb: Math.round(peakKb / 1024) };
  }
}

/**
 * Others' work on the machine is to disturb a process as little as may be. Where the scheduler groups by session
 * (autogroup), niceness counts within a session only, and a session has its own.
 */
export function takePrecedence(pid: number): void {
  setPriority(pid, NICE);
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(NICE));
  } catch {
    // There are no such groups.
  }
}

function lines(file: string): { readonly message: string; readonly time: string }[] {
  try {
    const text = readFileSync(file, "utf8");
    return text
      .slice(0, text.lastIndexOf("\n") + 1)
      .split("\n")
      .flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  } catch {
    return [];
  }
}

const round = (value: number): number => Number(value.toPrecision(3));
