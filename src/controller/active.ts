/** One controller among several: its standing, and the work it does while it is the active one. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../../ipam/store.ts";
import { clusterIdentity, isDenied } from "../cluster/identity.ts";
import { Election } from "../cluster/lease.ts";
import type { Cluster } from "../cluster/port.ts";
import { ClusterClaim } from "../config/cluster-claim.ts";
import { readRules } from "../config/ipam-rules.ts";
import { poolOf } from "../config/pools.ts";
import { listResources } from "../config/resource-store.ts";
import type { Metric } from "../telemetry/exposition.ts";
import type { Log } from "../telemetry/log.ts";
import { BlockCounts } from "./block-counts.ts";
import { DepartedNodes } from "./departed-nodes.ts";
import { ipamMetrics, Reclaims } from "./ipam-metrics.ts";
import { KubernetesNodes } from "./kubernetes-nodes.ts";
import { usualTerms } from "./leader.ts";
import { LoadBalancing } from "./load-balancing.ts";
import { Reflecting } from "./reflecting.ts";
import { Standing } from "./standing.ts";

const LEASE = "overland-controller";

export interface ActiveTerms {
  /** How long a node must be gone before what it held is taken back, in milliseconds. */
  readonly graceMs: number;
  readonly intervalMs: number;
}

export class ActiveController {
  readonly standing: Standing;
  readonly reflecting: Reflecting | undefined;
  readonly kubernetesNodes: KubernetesNodes | undefined;
  readonly loadBalancing: LoadBalancing | undefined;
  readonly #reclaims = new Reclaims();
  readonly #blocks: BlockCounts;
  readonly #terms: ActiveTerms;
  readonly #store: Store;
  readonly #log: Log;
  readonly #election: Election | undefined;
  readonly #claim: ClusterClaim | undefined;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #nodes: DepartedNodes;
  #lookedAt: number | undefined;
  #looking: Promise<void> = Promise.resolve();
  #woken: () => void = () => undefined;
  #electionProblem: string | undefined;
  #due = false;
  #storeTrouble: string | undefined = "etcd was not asked yet";

  constructor(terms: ActiveTerms, store: Store, cluster: Cluster | undefined, log: Log) {
    this.#terms = terms;
    this.#store = store;
    this.#log = log;
    if (cluster !== undefined) {
      const identity = `${hostname()}_${randomUUID()}`;
      const wake = () => this.#wake();
      this.#election = new Election(cluster, { name: LEASE, identity, changed: wake, troubled: wake });
      this.#claim = new ClusterClaim({
        store,
        by: `the controller on ${hostname()}`,
        identity: () => clusterIdentity(cluster),
        isDenied,
        error: (problem) => log.error(problem),
      });
    }
    this.standing = new Standing(store, this.#election);
    this.#nodes = this.#newDeparted();
    this.#blocks = new BlockCounts(store);
    if (cluster !== undefined) {
      this.reflecting = new Reflecting(cluster, store, this.standing, log);
      this.loadBalancing = new LoadBalancing(cluster, store, this.standing, log);
      this.kubernetesNodes = new KubernetesNodes(cluster, store, this.standing, log, terms.graceMs);
    }
    this.#election?.start();
    this.#running = this.#run();
  }

  /** How full the pools are; empty while this one does not act. Throws StoreUnavailable. */
  async ipamMetrics(): Promise<Metric[]> {
    if (!this.standing.leads) return [];
    const [{ resources }, rules] = await Promise.all([listResources(this.#store, "IPPool"), readRules(this.#store)]);
    const pools = resources.flatMap((resource) => (resource.kind === "IPPool" ? poolOf(resource) : []));
    return ipamMetrics(this.#blocks.all, pools, rules, this.#reclaims);
  }

  /** Why this one could not act, in words. */
  notReady(): string[] {
    const etcd = this.#storeTrouble === undefined ? [] : [`etcd: ${this.#storeTrouble}`];
    const api = this.#election?.problem;
    const another = this.#claim?.state === "another's" ? (this.#claim.problem ?? "") : undefined;
    return [...etcd, ...(another === undefined ? [] : [another]), ...(api === undefined ? [] : [`API server: ${api}`])];
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.kubernetesNodes?.stop();
    this.#blocks.stop();
    await this.reflecting?.stop();
    await this.loadBalancing?.stop();
    await this.#looking;
    const late = (error: unknown) => this.#log.warn("the lock cannot be given up; it expires", { error });
    await this.standing.resign().catch(late);
    await this.#election?.stop();
  }

  async #run(): Promise<void> {
    let led = false;
    while (!this.#stopping.signal.aborted) {
      try {
        const may = await this.#mayUseStore();
        this.#storeTrouble = undefined;
        if (may) await this.standing.beat(performance.now());
      } catch (error) {
        this.#trouble(error as Error);
      }
      this.#electionTrouble();
      const { leads } = this.standing;
      if (leads !== led) this.#changed(leads);
      led = leads;
      if (leads && this.#isDue()) void this.#look();
      await this.#rest();
    }
  }

  /** Not before it is known not to be another cluster's: what this one would delete there is somebody's network. */
  async #mayUseStore(): Promise<boolean> {
    const claim = this.#claim;
    if (claim !== undefined && claim.state !== "free") await claim.look();
    return (claim?.state ?? "free") === "free";
  }

  #changed(leads: boolean): void {
    const { other } = this.standing;
    this.#log.info(leads ? "this controller is the active one" : "another controller is active", { other });
    // Who was not watching all the while has seen nothing twice.
    this.#nodes = this.#newDeparted();
    this.kubernetesNodes?.forget();
    this.#lookedAt = undefined;
    this.reflecting?.wake();
    this.loadBalancing?.wake();
  }

  #isDue(): boolean {
    return this.#lookedAt === undefined || performance.now() - this.#lookedAt >= this.#terms.intervalMs;
  }

  /** One at a time, and beside the heartbeat. */
  async #look(): Promise<void> {
    this.#lookedAt = Number.POSITIVE_INFINITY;
    const nodes = this.#nodes;
    this.#looking = (async () => {
      try {
        const gone = (await this.kubernetesNodes?.look(performance.now())) ?? [];
        this.#reclaims.take(await nodes.look(performance.now(), gone));
      } catch (error) {
        this.#log.warn("departed nodes could not all be looked at; tried again", { error });
      }
    })();
    await this.#looking;
    // A change of standing in between asks for a look of its own.
    if (this.#nodes === nodes) this.#lookedAt = performance.now();
  }

  #newDeparted(): DepartedNodes {
    return new DepartedNodes(this.#store, this.standing, this.#log, this.#terms.graceMs);
  }

  /** Else nobody would know why no controller is active. */
  #electionTrouble(): void {
    const problem = this.#election?.problem;
    if (problem !== undefined && problem !== this.#electionProblem) {
      this.#log.warn("no controller can be elected; tried again", { problem });
    }
    this.#electionProblem = problem;
  }

  #trouble(error: Error): void {
    if (this.#storeTrouble !== error.message) this.#log.warn("etcd cannot be used; tried again", { error });
    this.#storeTrouble = error.message;
  }

  #wake(): void {
    this.#due = true;
    this.#woken();
  }

  async #rest(): Promise<void> {
    if (this.#due) {
      this.#due = false;
      return;
    }
    const over = new AbortController();
    const signal = AbortSignal.any([over.signal, this.#stopping.signal]);
    this.#woken = () => over.abort();
    const ms = Math.min(usualTerms.beatMs, this.#terms.intervalMs);
    await sleep(ms, undefined, { signal }).catch(() => undefined);
    this.#woken = () => undefined;
    this.#due = false;
  }
}
