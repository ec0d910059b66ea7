/** Addresses of services, all the time: a look after whatever may have changed something, while this one leads. */
import { randomInt } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "../../ipam/store.ts";
import { type Cluster, SERVICES, type Watch } from "../cluster/port.ts";
import { rulesOf } from "../config/ipam-rules.ts";
import { poolOf } from "../config/pools.ts";
import { watchResources } from "../config/resource-watch.ts";
import { type AddressWish, addressWish } from "../services/address-wish.ts";
import type { Log } from "../telemetry/log.ts";
import type { Fence } from "./leader.ts";
import { LoadBalancerAddresses } from "./load-balancer.ts";
import { NamespaceLabels } from "./namespace-labels.ts";
import { WatchHealth } from "./watch-health.ts";

/** In milliseconds. */
export interface LoadBalancingPace {
  /** What comes within this time is done together. */
  readonly settle: number;
  readonly firstRetry: number;
  readonly longestRetry: number;
  /** While services have no address: released ones rest for half a minute. */
  readonly refused: number;
  /** Without any reason. */
  readonly resync: number;
}

export const usualPace: LoadBalancingPace = {
  settle: 20,
  firstRetry: 250,
  longestRetry: 15_000,
  refused: 31_000,
  resync: 300_000,
};

const RANDOM_STEPS = 2 ** 32;

export class LoadBalancing {
  readonly #leader: Fence;
  readonly #log: Log;
  readonly #pace: LoadBalancingPace;
  readonly #addresses: LoadBalancerAddresses;
  readonly #wishes = new Map<string, AddressWish>();
  readonly #health: WatchHealth;
  readonly #namespaces: NamespaceLabels;
  readonly #watch: Watch;
  readonly #unwatch: () => void;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #known = { services: false, pools: false };
  #wake: () => void = () => undefined;
  #due = false;
  #led = false;
  #failures = 0;
  #trouble: string | undefined;
  #refused: ReadonlyMap<string, string> = new Map();

  /** @param store watched for pools; what is written goes through the leader's */
  constructor(cluster: Cluster, store: Store, leader: Fence, log: Log, pace: LoadBalancingPace = usualPace) {
    this.#leader = leader;
    this.#log = log;
    this.#pace = pace;
    const ports = {
      store: leader.store,
      now: () => Date.now(),
      random: () => randomInt(RANDOM_STEPS) / RANDOM_STEPS,
      wait: (ms: number) => sleep(ms),
    };
    this.#addresses = new LoadBalancerAddresses(cluster, ports, log);
    this.#health = new WatchHealth(log);
    this.#namespaces = new NamespaceLabels(cluster, this.#health, () => this.wake());
    this.#unwatch = watchResources(store, {
      changed: ({ snapshot: { pools, ipamConfigurations, ipReservations } }) => {
        this.#addresses.configure(pools.map(poolOf), rulesOf(ipamConfigurations[0], ipReservations));
        this.#namespaces.follow(this.#addresses.asksNamespaces);
        this.#known.pools = true;
        this.wake();
      },
      trouble: () => undefined,
    });
    this.#watch = cluster.watch({ type: SERVICES }, addressWish, {
      snapshot: (wishes) => {
        this.#wishes.clear();
        for (const [key, wish] of wishes) this.#set(key, wish);
        this.#known.services = true;
        this.wake();
      },
      change: (key, wish) => {
        const before = this.#wishes.has(key);
        this.#set(key, wish);
        if (before || wish !== undefined) this.wake();
      },
      health: this.#health.of("services"),
    });
    this.#running = this.#run();
  }

  /** Why services have no address, by `namespace/name`. */
  get refused(): ReadonlyMap<string, string> {
    return this.#refused;
  }

  /** Something may be different: who leads, among others. */
  wake(): void {
    this.#due = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#watch.stop();
    this.#unwatch();
    this.#namespaces.stop();
    this.#health.stop();
    this.#wake();
    await this.#running;
  }

  #set(key: string, wish: AddressWish | undefined): void {
    if (wish === undefined) this.#wishes.delete(key);
    else this.#wishes.set(key, wish);
  }

  async #run(): Promise<void> {
    let wait = this.#pace.resync;
    while (!this.#stopping.signal.aborted) {
      await this.#until(wait);
      await this.#pause(this.#failures > 0 ? wait : this.#pace.settle);
      this.#due = false;
      wait = await this.#look();
    }
  }

  /** How long to wait for the next one, when nothing happens. */
  async #look(): Promise<number> {
    const { leads } = this.#leader;
    if (leads && !this.#led) this.#addresses.forget();
    this.#led = leads;
    // What is not known must not be taken for gone.
    const known = this.#known.services && this.#known.pools && this.#namespaces.settled;
    if (!leads || !known || this.#stopping.signal.aborted) return this.#pace.resync;
    try {
      const { refused } = await this.#addresses.look([...this.#wishes.values()], (name) => this.#namespaces.of(name));
      for (const [service, why] of refused) {
        if (this.#refused.get(service) !== why) this.#log.warn("a service gets no address", { service, why });
      }
      this.#refused = refused;
      this.#failures = 0;
      this.#trouble = undefined;
      return refused.size > 0 ? this.#pace.refused : this.#pace.resync;
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#trouble) this.#log.warn("services cannot all be given addresses; tried again", { error });
      this.#trouble = message;
      this.#due = true;
      return Math.min(this.#pace.longestRetry, this.#pace.firstRetry * 2 ** this.#failures++);
    }
  }

  async #until(ms: number): Promise<void> {
    if (this.#due) return;
    const over = new AbortController();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      const signal = AbortSignal.any([over.signal, this.#stopping.signal]);
      void sleep(ms, undefined, { signal }).then(resolve, resolve);
    });
    over.abort();
    this.#wake = () => undefined;
  }

  async #pause(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopping.signal }).catch(() => undefined);
  }
}
