/** The pod half of the agent: addresses, wiring and the CNI requests that ask for them. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Allocator } from "../../ipam/allocator.ts";
import { servedFamilies } from "../../ipam/choose-pools.ts";
import type { Address, Family } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { PrefixMap } from "../../ipam/net/prefix-map.ts";
import type { Store } from "../../ipam/store.ts";
import { type Attachment, Attachments } from "../cni/attachments.ts";
import type { CniContext } from "../cni/context.ts";
import { finishPending } from "../cni/del.ts";
import type { Identity } from "../cni/identity.ts";
import { Locks } from "../cni/locks.ts";
import { PendingDeletes } from "../cni/pending-deletes.ts";
import { type CniAnswer, serveCni } from "../cni/serve.ts";
import { listLinks } from "../kernel/links.ts";
import { PodNetwork } from "../kernel/pod-wiring.ts";
import type { Log } from "../telemetry/log.ts";
import type { Reclaimed } from "./agent-metrics.ts";
import { type Configured, uplinkMtu } from "./configuration.ts";
import type { KubernetesPods } from "./kubernetes-pods.ts";
import { type ReclaimTerms, Reconciler } from "./reconcile.ts";

const PENDING_RETRY_MS = 5_000;
/** Less than a stop may take in all, and as much as a call to an etcd that hangs. */
const DRAIN_MS = 3_000;
const RANDOM_STEPS = 2 ** 32;

export interface PodsOptions {
  readonly nodeName: string;
  readonly stateDir: string;
  /** What does not outlive the machine's restart. */
  readonly runDir: string;
  readonly store: Store;
  readonly reclaim: ReclaimTerms;
  readonly log: Log;
  /** Undefined: no Kubernetes. */
  readonly kubernetesPods: Pick<KubernetesPods, "podFor" | "isGone"> | undefined;
  /** Blocks, or addresses outside of them, changed: so does what the node announces. */
  readonly changed: () => void;
  /** A pod came or went. */
  readonly podsChanged: () => void;
}

export class Pods {
  readonly allocator: Allocator;
  readonly #options: PodsOptions;
  readonly #attachments: Attachments;
  readonly #pending: PendingDeletes;
  readonly #network = PodNetwork.open();
  readonly #context: CniContext;
  /** The node's blocks. */
  #own = new PrefixMap<true>();
  readonly #reconciler: Reconciler;
  #loaded = false;
  #configured: Configured | undefined;
  #mtu = 1500;
  #timer: NodeJS.Timeout | undefined;
  #finishing = false;
  #stopping = false;
  readonly #serving = new Set<Promise<unknown>>();
  #ranges = "";
  #unreadableLogged = "";

  constructor(options: PodsOptions) {
    this.#options = options;
    const { nodeName, store, stateDir, runDir, log } = options;
    this.allocator = new Allocator(nodeName, {
      store,
      now: () => Date.now(),
      random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
      wait: (ms) => sleep(ms),
    });
    this.allocator.onBlocksChanged(() => this.#blocksChanged());
    this.#attachments = Attachments.open(runDir, stateDir);
    for (const problem of this.#attachments.damaged) log.error("an attachment's file cannot be read", { problem });
    this.#pending = new PendingDeletes(stateDir);
    this.#context = this.#contextOf(options);
    const { allocator } = this;
    this.#reconciler = new Reconciler({ ...options, allocator, terms: options.reclaim, context: this.#context });
  }

  get count(): number {
    return this.#attachments.count;
  }

  get notReady(): string[] {
    return this.#loaded ? [] : ["the node's address blocks are not read yet"];
  }

  /** What this node goes on without, and what it found, in words. */
  get problems(): readonly string[] {
    return [...this.#unreadable(), ...this.#reconciler.problems()];
  }

  /** What reconciliation has taken back. */
  get reclaimed(): Readonly<Reclaimed> {
    return this.#reconciler.reclaimed;
  }

  attachments(): readonly Attachment[] {
    return this.#attachments.all();
  }

  addresses(): readonly Address[] {
    return this.#attachments.all().flatMap(({ addresses }) => addresses);
  }

  serve(body: Uint8Array): Promise<CniAnswer> {
    return this.#toItsEnd(serveCni(this.#context, body));
  }

  configure(configured: Configured): void {
    this.#configured = configured;
    this.allocator.setPools(configured.pools);
    this.allocator.setRules(configured.rules);
    this.allocator.setNodeLabels(configured.labels);
    // With a pool that is deleted go the blocks cut from it, and a pool may come again: what is ours is read anew.
    const ranges = configured.pools.map(({ cidr }) => formatPrefix(cidr)).join(" ");
    if (this.#loaded && ranges !== this.#ranges) void this.#readAgain();
    this.#ranges = ranges;
    const { ipv4, ipv6 } = configured.node;
    this.#mtu = uplinkMtu(
      listLinks(),
      [ipv4, ipv6].filter((address) => address !== undefined),
    );
  }

  /** Reads the node's blocks, however long that takes, then finishes DELs that were left. */
  async start(): Promise<void> {
    while (!this.#loaded) {
      try {
        await this.allocator.load();
        this.#loaded = true;
      } catch (error) {
        this.#options.log.warn("the node's address blocks cannot be read yet", { error });
        await sleep(500, undefined, { ref: false });
      }
    }
    if (this.#stopping) return;
    this.#logUnreadable();
    this.#timer = setInterval(() => void this.#toItsEnd(this.#tend()), PENDING_RETRY_MS);
    await this.#toItsEnd(this.#finishPending());
    this.#reconciler.start();
  }

  /** What is under way comes to its end first: a request cut in two is one that a runtime must clean up after. */
  async quiet(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    this.#reconciler.stop();
    await Promise.race([Promise.allSettled(this.#serving), sleep(DRAIN_MS, undefined, { ref: false })]);
  }

  stop(): void {
    this.#network.close();
  }

  async #toItsEnd<T>(work: Promise<T>): Promise<T> {
    this.#serving.add(work);
    try {
      return await work;
    } finally {
      this.#serving.delete(work);
    }
  }

  async #tend(): Promise<void> {
    await this.#finishPending();
    if (this.allocator.unreadable().length > 0) await this.#readAgain();
    this.#logUnreadable();
  }

  /** Should it fail, the next request does it. */
  async #readAgain(): Promise<void> {
    try {
      await this.allocator.load();
    } catch (error) {
      this.#options.log.warn("the node's address blocks cannot be read again yet", { error });
    }
  }

  #unreadable(): string[] {
    return this.allocator.unreadable().map((key) => `${key} in the store cannot be read; see overland ipam check`);
  }

  #logUnreadable(): void {
    const problems = this.#unreadable();
    const text = problems.join("\n");
    if (text !== this.#unreadableLogged) for (const problem of problems) this.#options.log.error(problem);
    this.#unreadableLogged = text;
  }

  async #finishPending(): Promise<void> {
    if (this.#finishing) return;
    this.#finishing = true;
    try {
      if (this.#pending.list().length > 0) {
        const left = await finishPending(this.#context);
        this.#options.log.info("finished recorded DELs", { left });
      }
    } catch (error) {
      this.#options.log.error("recorded DELs cannot be finished", { error });
    } finally {
      this.#finishing = false;
    }
  }

  #blocksChanged(): void {
    this.#own = new PrefixMap();
    for (const { cidr } of this.allocator.blocks()) this.#own.set(cidr, true);
    this.#options.changed();
  }

  /** An address out of the node's own blocks changes nothing about what it announces. */
  #podChanged(addresses: readonly Address[]): void {
    this.#options.podsChanged();
    if (addresses.some((address) => this.#own.longest(address) === undefined)) this.#options.changed();
  }

  #contextOf({ log, kubernetesPods }: PodsOptions): CniContext {
    return {
      allocator: this.allocator,
      network: this.#network,
      attachments: this.#attachments,
      pending: this.#pending,
      locks: new Locks(),
      log,
      families: (asked) => this.#families(asked),
      ...(kubernetesPods && { kubernetesPod: (pod: Identity) => kubernetesPods.podFor(pod) }),
      mtu: () => this.#mtu,
      changed: (addresses) => this.#podChanged(addresses),
      unavailable: () => {
        if (this.#stopping) return "it is stopping";
        if (this.#configured === undefined) return "the resources are not read yet";
        return this.notReady[0];
      },
    };
  }

  #families(asked: Parameters<CniContext["families"]>[0]): readonly Family[] {
    const { pools = [], labels = {} } = this.#configured ?? {};
    return servedFamilies(pools, labels, asked);
  }
}
