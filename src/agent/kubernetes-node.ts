/**
 * The agent's own Kubernetes Node: followed, and told whether its network can be used. Without the API server nothing
 * waits: what was last read holds, and what is to be written is written later.
 */
import { isDeepStrictEqual } from "node:util";
import { type Cluster, ClusterError, NODES, type ObjectRef, type Watch } from "../cluster/port.ts";
import type { Log } from "../telemetry/log.ts";
import { NetworkCondition, type NetworkFacts } from "./network-condition.ts";
import { AGENT_TAINT, type KubernetesNodeView, type NodeCondition, type NodeObject, readNode } from "./node-object.ts";

export interface KubernetesNodeOptions {
  readonly cluster: Cluster;
  readonly nodeName: string;
  readonly log: Log;
  /** Told when something other than a heartbeat changed. */
  readonly changed: (node: KubernetesNodeView | "absent") => void;
  /** What the condition NetworkUnavailable comes from. */
  readonly facts: () => NetworkFacts;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

const TICK_MS = 1_000;
const FIRST_RETRY_MS = 1_000;
const LONGEST_RETRY_MS = 60_000;
/** Somebody else who writes the same condition is not fought. */
const BETWEEN_WRITES_MS = 10_000;

export class KubernetesNode {
  readonly #options: KubernetesNodeOptions;
  readonly #ref: ObjectRef;
  readonly #watch: Watch;
  readonly #now: () => number;
  readonly #condition = new NetworkCondition();
  /** Undefined: not known. */
  #view: KubernetesNodeView | "absent" | undefined;
  readonly #seen = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #away: string | undefined;
  #unwritten: string | undefined;
  #writing: Promise<void> | undefined;
  #writeAt = Number.NEGATIVE_INFINITY;
  #retryMs = FIRST_RETRY_MS;

  constructor(options: KubernetesNodeOptions) {
    this.#options = options;
    const { cluster, nodeName, now } = options;
    this.#now = now ?? (() => performance.now());
    this.#ref = { type: NODES, name: nodeName };
    this.#watch = cluster.watch<NodeObject, KubernetesNodeView>(
      { type: NODES, fieldSelector: `metadata.name=${nodeName}` },
      readNode,
      {
        snapshot: (nodes) => this.#take(nodes.get(nodeName)),
        change: (_, node) => this.#take(node),
        health: (problem) => this.#lost(problem),
      },
    );
  }

  /** Resolves when the Node was read for the first time. */
  get firstLook(): Promise<void> {
    return this.#seen.promise;
  }

  /** What is known is what the API server has. */
  get synced(): boolean {
    return this.#watch.synced;
  }

  get view(): KubernetesNodeView | undefined {
    return this.#view === "absent" ? undefined : this.#view;
  }

  get problems(): readonly string[] {
    const away = this.#away === undefined ? [] : [`the Kubernetes Node cannot be followed: ${this.#away}`];
    const unwritten =
      this.#unwritten === undefined ? [] : [`the Kubernetes Node cannot be written: ${this.#unwritten}`];
    return [...away, ...unwritten];
  }

  /** Begins to tell Kubernetes. */
  start(): void {
    this.#timer ??= setInterval(() => void this.tend(), TICK_MS);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#watch.stop();
    await this.#writing;
  }

  /** One look at what should be written. */
  async tend(): Promise<void> {
    const now = this.#now();
    const wanted = this.#condition.wanted(this.#options.facts(), now);
    const node = this.view;
    if (wanted === undefined || node === undefined || this.#writing !== undefined || now < this.#writeAt) return;
    const taint = node.agentTaint && wanted.status === "False";
    const condition = !isDeepStrictEqual(wanted, node.network);
    if (!condition && !taint) return;
    this.#writing = this.#write(condition ? wanted : undefined, taint);
    await this.#writing;
    this.#writing = undefined;
  }

  async #write(condition: Required<NodeCondition> | undefined, taint: boolean): Promise<void> {
    const { log } = this.#options;
    try {
      if (condition !== undefined) {
        await this.#writeCondition(condition);
        log.info(`NetworkUnavailable is ${condition.status}`, { reason: condition.reason, message: condition.message });
      }
      // What the condition says first: without it Kubernetes' own taint would stay away for a moment as well.
      if (taint) {
        await this.#removeTaint();
        log.info("the node is untainted", { taint: AGENT_TAINT });
      }
      this.#unwritten = undefined;
      this.#retryMs = FIRST_RETRY_MS;
      this.#writeAt = this.#now() + BETWEEN_WRITES_MS;
    } catch (error) {
      const { message, status } = error as ClusterError;
      // Changed in between: the next look has the new one.
      if (error instanceof ClusterError && status === 409) return;
      if (message !== this.#unwritten) log.warn("the Kubernetes Node cannot be written; tried again", { error });
      this.#unwritten = message;
      this.#writeAt = this.#now() + this.#retryMs;
      this.#retryMs = Math.min(this.#retryMs * 2, LONGEST_RETRY_MS);
    }
  }

  async #writeCondition(condition: Required<NodeCondition>): Promise<void> {
    const time = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const changes = this.view?.network?.status !== condition.status;
    const times = { lastHeartbeatTime: time, ...(changes && { lastTransitionTime: time }) };
    const body = { status: { conditions: [{ ...condition, ...times }] } };
    await this.#options.cluster.patch(this.#ref, { how: "strategic", subresource: "status", body });
  }

  /** The list is replaced as a whole, so only the one that was read. */
  async #removeTaint(): Promise<void> {
    const node = await this.#options.cluster.get<NodeObject>(this.#ref);
    if (node === undefined) return;
    const taints = (node.spec?.taints ?? []).filter(({ key }) => key !== AGENT_TAINT);
    const { resourceVersion } = node.metadata;
    await this.#options.cluster.patch(this.#ref, {
      how: "merge",
      body: { metadata: { resourceVersion }, spec: { taints } },
    });
  }

  #take(node: KubernetesNodeView | undefined): void {
    const before = this.#view;
    this.#view = node ?? "absent";
    this.#seen.resolve();
    const { log, nodeName, changed } = this.#options;
    if (node === undefined && before !== "absent") log.warn("Kubernetes has no Node of this name", { node: nodeName });
    // A node that came anew has a condition to be written, whenever the last was.
    if (node !== undefined && (before === "absent" || before?.uid !== node.uid)) this.#writeAt = this.#now();
    if (!isDeepStrictEqual(before, this.#view)) changed(this.#view);
  }

  #lost(problem: string | undefined): void {
    if (problem !== undefined && this.#away === undefined) {
      this.#options.log.warn("the Kubernetes Node cannot be followed for now", { problem });
    }
    this.#away = problem;
  }
}
