/** The pod half of the agent: addresses, wiring and the CNI requests that ask for them. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { Allocator } from "../../ipam/allocator.ts";
import type { Address, Family } from "../../ipam/net/address.ts";
import { familyOfPrefix } from "../../ipam/net/prefix.ts";
import { PrefixMap } from "../../ipam/net/prefix-map.ts";
import { automaticPools } from "../../ipam/pool.ts";
import type { Store } from "../../ipam/store.ts";
import { Attachments } from "../cni/attachments.ts";
import type { CniContext } from "../cni/context.ts";
import { finishPending } from "../cni/del.ts";
import { Locks } from "../cni/locks.ts";
import { PendingDeletes } from "../cni/pending-deletes.ts";
import { type CniAnswer, serveCni } from "../cni/serve.ts";
import { listLinks } from "../kernel/links.ts";
import { PodNetwork } from "../kernel/pod-wiring.ts";
import type { Log } from "../telemetry/log.ts";
import { type Configured, uplinkMtu } from "./configuration.ts";

const PENDING_RETRY_MS = 5_000;
const RANDOM_STEPS = 2 ** 32;

export interface PodsOptions {
  readonly nodeName: string;
  readonly stateDir: string;
  readonly store: Store;
  readonly log: Log;
  /** Blocks, or addresses outside of them, changed: so does what the node announces. */
  readonly changed: () => void;
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
  #loaded = false;
  #configured: Configured | undefined;
  #mtu = 1500;
  #timer: NodeJS.Timeout | undefined;
  #finishing = false;

  constructor(options: PodsOptions) {
    this.#options = options;
    const { nodeName, store, stateDir, log } = options;
    this.allocator = new Allocator(nodeName, {
      store,
      now: () => Date.now(),
      random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
      wait: (ms) => sleep(ms),
    });
    this.allocator.onBlocksChanged(() => this.#blocksChanged());
    this.#attachments = Attachments.open(stateDir);
    for (const problem of this.#attachments.damaged) log.error("an attachment's file cannot be read", { problem });
    this.#pending = new PendingDeletes(stateDir);
    this.#context = this.#contextOf(log);
  }

  get count(): number {
    return this.#attachments.all().length;
  }

  get notReady(): string[] {
    return this.#loaded ? [] : ["the node's address blocks are not read yet"];
  }

  addresses(): readonly Address[] {
    return this.#attachments.all().flatMap(({ addresses }) => addresses);
  }

  serve(body: Uint8Array): Promise<CniAnswer> {
    return serveCni(this.#context, body);
  }

  configure(configured: Configured): void {
    this.#configured = configured;
    this.allocator.setPools(configured.pools);
    this.allocator.setRules(configured.rules);
    this.allocator.setNodeLabels(configured.labels);
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
    this.#timer = setInterval(() => void this.#finishPending(), PENDING_RETRY_MS);
    await this.#finishPending();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#network.close();
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
    if (addresses.some((address) => this.#own.longest(address) === undefined)) this.#options.changed();
  }

  #contextOf(log: Log): CniContext {
    return {
      allocator: this.allocator,
      network: this.#network,
      attachments: this.#attachments,
      pending: this.#pending,
      locks: new Locks(),
      log,
      families: () => this.#families(),
      mtu: () => this.#mtu,
      changed: (addresses) => this.#podChanged(addresses),
      unavailable: () => {
        if (this.#configured === undefined) return "the resources are not read yet";
        return this.notReady[0];
      },
    };
  }

  /** A family whose pools are all switched off or full is asked for all the same: the refusal says why. */
  #families(): Family[] {
    const { pools = [], labels = {} } = this.#configured ?? {};
    const usable = ([4, 6] as const).filter((family) => automaticPools(pools, family, labels).pools.length > 0);
    if (usable.length > 0) return usable;
    return ([4, 6] as const).filter((family) => pools.some(({ cidr }) => familyOfPrefix(cidr) === family));
  }
}
