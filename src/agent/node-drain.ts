/**
 * Who wants this node drained, and what follows for peers and routes. An operator's wish ends with the agent; those of
 * the Kubernetes Node hold as long as it says so.
 */

import type { Fact } from "../../bgp/facts.ts";
import type { Neighbor } from "../../bgp/neighbor.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import type { Log } from "../telemetry/log.ts";
import { Drain, type DrainPhase, type DrainRequest } from "./drain.ts";
import type { KubernetesNodeView } from "./node-object.ts";
import type { Origination } from "./originate.ts";

export interface NodeDrainOptions {
  readonly log: Log;
  readonly neighbors: () => readonly Neighbor[];
  readonly tell: (fact: Fact) => void;
  /** Pods of this node that somebody may still move, by name. */
  readonly pods: () => readonly string[];
  /** What is announced, and how, is another. */
  readonly changed: () => void;
  /** Monotonic milliseconds. */
  readonly now?: () => number;
}

export interface DrainStatus {
  readonly phase: DrainPhase;
  readonly by?: DrainRequest["by"];
  readonly message?: string;
  /** Seconds in this phase. */
  readonly seconds: number;
  /** Pods that are waited for. */
  readonly pods: readonly string[];
  /** Pods that are there, also those that are not waited for. */
  readonly podsLeft: number;
}

const TICK_MS = 500;
/** RFC 9003. */
export const LONGEST_MESSAGE = 255;
/** Peers that honour RFC 8326 choose again within seconds; kubelet's shutdown leaves no more. */
export const PREFER_OTHERS_MS = 10_000;
const PREFER_OTHERS_AT_SHUTDOWN_MS = 3_000;
/** Between the last withdrawal and the goodbye of an agent that is itself being ended. */
const LAST_MS = 1_500;

export class NodeDrain {
  readonly #options: NodeDrainOptions;
  readonly #now: () => number;
  readonly #drain: Drain;
  #node: KubernetesNodeView | undefined;
  #operator: DrainRequest | undefined;
  #started = false;
  #timer: NodeJS.Timeout | undefined;
  /** Peers that are down on our account. */
  readonly #heldDown = new Set<string>();

  constructor(options: NodeDrainOptions) {
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#drain = new Drain((phase, request) => this.#entered(phase, request));
  }

  /** Undefined: nobody wants the node away. In words for the Node's condition. */
  get leaving(): string | undefined {
    const { request } = this.#drain;
    return request === undefined || request.servicesOnly ? undefined : `${request.message} (by ${request.by})`;
  }

  /** Addresses of services, which other nodes announce as well, are not announced from here. */
  get servicesWithdrawn(): boolean {
    return this.#drain.servicesWithdrawn;
  }

  /** To be asked once what the Kubernetes Node says is known, or will not be: a drained node stays down. */
  start(): void {
    const request = this.#wanted();
    this.#started = true;
    if (request !== undefined && !request.servicesOnly && this.#options.pods().length === 0) {
      this.#drain.isDown(request, this.#now());
    } else this.#ask();
    this.#timer = setInterval(() => this.tick(), TICK_MS);
  }

  /**
   * The agent is ended, which on a machine that goes down is no restart: its peers must not keep its routes, so they
   * hear of it.
   */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    const { request } = this.#drain;
    if (request?.by !== "shutdown" && request?.by !== "out-of-service") return;
    const { message } = request;
    this.#options.log.info("the machine goes down: taking back all routes, then saying goodbye", { message });
    if (!this.#drain.allWithdrawn) {
      this.#drain.hurry(this.#now());
      await new Promise((resolve) => setTimeout(resolve, LAST_MS));
    }
    this.#options.tell({ kind: "shutdown", message });
  }

  setNode(node: KubernetesNodeView | undefined): void {
    this.#node = node;
    this.#ask();
  }

  /** An operator's. */
  drain(terms: Pick<DrainRequest, "message" | "preferOthersMs" | "podsMs">): void {
    this.#operator = { by: "operator", servicesOnly: false, ...terms };
    this.#ask();
  }

  /** Why the node stays drained all the same, in words; undefined: it comes back. */
  undrain(): string | undefined {
    this.#operator = undefined;
    this.#ask();
    const { request } = this.#drain;
    return request === undefined ? undefined : CURES[request.by as keyof typeof CURES];
  }

  tick(): void {
    this.#drain.look(this.#options.pods(), this.#now());
  }

  status(podsLeft: number): DrainStatus {
    const { phase, request, since, pods } = this.#drain;
    const seconds = request === undefined ? 0 : Math.round((this.#now() - since) / 1000);
    return { phase, ...(request && { by: request.by, message: request.message }), seconds, pods, podsLeft };
  }

  peers(configs: readonly PeerConfig[]): readonly PeerConfig[] {
    // Routes of pods go as the node's own do.
    const kept = this.#drain.allWithdrawn ? configs.filter(({ attached }) => attached !== true) : configs;
    return this.#drain.lastResort ? kept.map((config) => ({ ...config, gracefulShutdown: true })) : kept;
  }

  announced(origination: Origination): Origination {
    return this.#drain.allWithdrawn ? { ...origination, networks: [] } : origination;
  }

  /** To be called after the peers were set: one that came anew is as down as the others. */
  holdDown(): void {
    const { request, phase } = this.#drain;
    if (phase !== "down") return;
    for (const { peer } of this.#options.neighbors()) {
      if (peer.disabled) continue;
      this.#heldDown.add(peer.config.name);
      this.#options.tell({ kind: "disable", peer: peer.config.name, message: request?.message ?? "" });
    }
  }

  #ask(): void {
    if (this.#started) this.#drain.ask(this.#wanted(), this.#now());
  }

  #wanted(): DrainRequest | undefined {
    const node = this.#node;
    const terms = { preferOthersMs: PREFER_OTHERS_MS, podsMs: Number.POSITIVE_INFINITY, servicesOnly: false };
    if (node?.outOfService === true) {
      return { ...terms, by: "out-of-service", message: "node is out of service", podsMs: 0 };
    }
    if (node?.shutsDown === true) {
      const preferOthersMs = PREFER_OTHERS_AT_SHUTDOWN_MS;
      return { ...terms, by: "shutdown", message: "node shuts down", preferOthersMs };
    }
    if (this.#operator !== undefined) return this.#operator;
    const drain = node?.settings.drain;
    if (drain !== undefined) {
      const message = drain === "" || drain === "true" ? "node is drained" : cut(drain);
      return { ...terms, by: "annotation", message };
    }
    const onCordon = node?.settings.onCordon ?? "nothing";
    if (node?.unschedulable !== true || onCordon === "nothing") return undefined;
    return { ...terms, by: "cordon", message: "node is cordoned", servicesOnly: onCordon === "services" };
  }

  #entered(phase: DrainPhase, request: DrainRequest | undefined): void {
    const { log, tell, changed, pods } = this.#options;
    const about = request === undefined ? {} : { by: request.by, message: request.message };
    const waits = phase === "waiting" || phase === "announcing" ? { pods: pods().length } : {};
    log.info(PHASES[phase], { ...about, ...waits });
    if (phase !== "down") {
      for (const peer of this.#heldDown) tell({ kind: "enable", peer });
      this.#heldDown.clear();
    }
    changed();
    this.holdDown();
  }
}

const PHASES: Readonly<Record<DrainPhase, string>> = {
  serving: "the node is back: everything is announced",
  announcing: "the node is drained: peers are asked to prefer other ways (GRACEFUL_SHUTDOWN)",
  waiting: "the node is drained: addresses of services are withdrawn; pods may leave",
  withdrawn: "the node is drained: everything is withdrawn",
  down: "the node is drained: sessions are shut down",
};

const CURES = {
  annotation: "the Kubernetes Node has the annotation overland.dev/drain: remove it",
  cordon: "the Kubernetes Node is cordoned and has the annotation overland.dev/withdraw-on-cordon: uncordon it",
  shutdown: "kubelet says that the machine shuts down",
  "out-of-service": "the Kubernetes Node has the taint node.kubernetes.io/out-of-service: remove it",
};

function cut(text: string): string {
  const octets = new TextEncoder().encode(text);
  return octets.length <= LONGEST_MESSAGE ? text : new TextDecoder().decode(octets.subarray(0, LONGEST_MESSAGE - 3));
}
