/**
 * The kernel's routing table as we want it: routes learned over BGP, and a blackhole for each own block, so that
 * packets to its free addresses end here and do not loop to the default route.
 *
 * The RIB knows what is wanted, the kernel has it; nothing is kept here but what stands between the two: prefixes to be
 * looked at again, and those the kernel refused. Every write is made from what is wanted at that moment, so none can
 * come too late. After a restart the routes that are there are left alone until {@link Forwarding.startSweeping}:
 * traffic goes on while sessions come back.
 */
import type { ForwardingSink } from "../../bgp/rib/forwarding.ts";
import type { Gateway } from "../../bgp/rib/next-hops.ts";
import type { Address } from "../../ipam/net/address.ts";
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import type { FailedWrite, KernelRoutes, RouteView } from "../kernel/routes.ts";
import type { Log } from "../telemetry/log.ts";
import { PrefixSet } from "./prefix-set.ts";
import { RefusedRoutes } from "./refused-routes.ts";
import { isInside, isRoutable } from "./routable.ts";

/** The RIB, as far as forwarding is concerned. What it says is what the sink was told last. */
export interface WantedRoutes {
  /** Changes since the last call, at most so many; returns how many were handed over. */
  takeForwardingChanges(limit: number, sink: ForwardingSink): number;
  /** Where packets to exactly this prefix should go; undefined: nowhere by us. */
  forwardingOf(prefix: Prefix): readonly Gateway[] | undefined;
  forwarding(): Iterable<{ readonly prefix: Prefix; readonly gateways: readonly Gateway[] }>;
  /** How many prefixes the sink was told a way for. */
  readonly forwardingCount: number;
  /** It has been told something that it has not yet drawn all conclusions from. */
  readonly isDeciding: boolean;
}

export type ForwardingKernel = Pick<
  KernelRoutes,
  "replace" | "blackhole" | "remove" | "waiting" | "capacity" | "send" | "goesBy"
>;

export interface ForwardingOptions {
  readonly kernel: ForwardingKernel;
  readonly wanted: WantedRoutes;
  /** True when somebody else's route holds the prefix at our metric. */
  readonly occupied: (address: Address, length: number) => boolean;
  /** Routes were sent, and it is not known what became of them. */
  readonly doubt: (error: unknown) => void;
  readonly log: Log;
}

const LONGEST_WAIT_MS = 1000;

const NOTHING: WantedRoutes = {
  takeForwardingChanges: () => 0,
  forwardingOf: () => undefined,
  forwarding: () => [],
  forwardingCount: 0,
  isDeciding: false,
};

export class Forwarding {
  readonly #kernel: ForwardingKernel;
  #wanted: WantedRoutes;
  readonly #occupied: ForwardingOptions["occupied"];
  readonly #doubt: ForwardingOptions["doubt"];
  readonly #log: Log;
  readonly #blackholes = new PrefixSet();
  /** To be written as wanted. */
  readonly #due = new PrefixSet();
  readonly #refused: RefusedRoutes;
  readonly #unroutable = new PrefixSet();
  /** Destinations that somebody else on this machine takes care of. */
  #leftAlone: readonly Prefix[] = [];
  /** Those of the batch being filled that had been refused before. */
  #retried: Prefix[] = [];
  #sweeping = false;
  #dueSince = 0;
  #sending: Promise<void> | undefined;

  constructor({ kernel, wanted, occupied, doubt, log }: ForwardingOptions) {
    this.#doubt = doubt;
    this.#kernel = kernel;
    this.#wanted = wanted;
    this.#occupied = occupied;
    this.#log = log;
    this.#refused = new RefusedRoutes(log);
  }

  /** Routes learned over BGP that are in the kernel. */
  get installed(): number {
    let other = this.#unroutable.size + this.#refused.size;
    for (const prefix of this.#blackholes) {
      if (this.#wanted.forwardingOf(prefix) !== undefined) other++;
      if (this.#refused.has(prefix.address, prefix.length)) other--;
    }
    return this.#wanted.forwardingCount - other;
  }

  /** Routes the kernel does not take, learned ones and blackholes. */
  get refused(): number {
    return this.#refused.size;
  }

  isInstalled(prefix: Prefix): boolean {
    const { address, length } = prefix;
    const elsewhere = [this.#refused, this.#unroutable, this.#blackholes].some((set) => set.has(address, length));
    return !elsewhere && this.#wanted.forwardingOf(prefix) !== undefined;
  }

  /** Writes what is due, and goes on with it by itself where it is much. */
  forward(): void {
    this.#write(this.#mayWait());
  }

  /** Resolves when the kernel has everything. */
  async settle(): Promise<void> {
    for (this.#write(false); this.#sending !== undefined; this.#write(false)) await this.#sending;
  }

  /**
   * Where a link went down the kernel has lost routes, and the RIB is about to say that they are not wanted any more:
   * to write each of them again would be in vain.
   */
  #mayWait(): boolean {
    const now = performance.now();
    if (this.#due.size === 0) this.#dueSince = now;
    return this.#wanted.isDeciding && now - this.#dueSince < LONGEST_WAIT_MS;
  }

  #write(dueMayWait: boolean): void {
    while (this.#fill(dueMayWait) && this.#sending === undefined) this.#send();
  }

  setBlackholes(prefixes: readonly Prefix[]): void {
    const before = [...this.#blackholes];
    this.#blackholes.clear();
    for (const { address, length } of prefixes) this.#blackholes.add(address, length);
    for (const { address, length } of before) {
      if (!this.#blackholes.has(address, length)) this.#due.add(address, length);
    }
    const had = new PrefixSet();
    for (const { address, length } of before) had.add(address, length);
    for (const { address, length } of prefixes) if (!had.has(address, length)) this.#due.add(address, length);
    this.forward();
  }

  /** From now on no learned route inside these ranges is written; those that are there go. */
  leaveAlone(ranges: readonly Prefix[]): void {
    const before = this.#leftAlone;
    this.#leftAlone = ranges;
    for (const { prefix } of this.#wanted.forwarding()) {
      const { address, length } = prefix;
      if (isInside(before, address, length) === isInside(ranges, address, length)) continue;
      if (this.#isForUs(address, length)) this.#unroutable.delete(address, length);
      else this.#unroutable.add(address, length);
      this.#due.add(address, length);
    }
    this.forward();
  }

  #isForUs(address: Address, length: number): boolean {
    return isRoutable(address, length) && !isInside(this.#leftAlone, address, length);
  }

  /** From now on routes of ours that nobody wants are removed, these included that an earlier run left. */
  startSweeping(): void {
    this.#sweeping = true;
  }

  /** From now on none of ours is wanted: a sweep removes all. */
  wantNothing(): void {
    this.#wanted = NOTHING;
    this.#blackholes.clear();
    this.#refused.clear();
  }

  get isSweeping(): boolean {
    return this.#sweeping;
  }

  /** True when the route, which carries our marks, is as it should be, or may stay until the sweep. */
  isRight(route: RouteView, prefix: Prefix): boolean {
    if (this.#blackholes.has(prefix.address, prefix.length)) return route.isBlackhole;
    const gateways = this.#gatewaysOf(prefix);
    if (gateways === undefined) return !this.#sweeping;
    return this.#kernel.goesBy(route, gateways);
  }

  /** True when the kernel should have a route of ours for the prefix. */
  wants(prefix: Prefix): boolean {
    return this.#blackholes.has(prefix.address, prefix.length) || this.#gatewaysOf(prefix) !== undefined;
  }

  /** Every prefix the kernel should have a route of ours for, some twice, but those it refused. */
  *everyPrefix(): IterableIterator<Prefix> {
    for (const prefix of this.#blackholes) yield prefix;
    for (const { prefix } of this.#wanted.forwarding()) {
      const { address, length } = prefix;
      if (!this.#refused.has(address, length) && !this.#unroutable.has(address, length)) yield prefix;
    }
  }

  /** The kernel's route for the prefix is in doubt: it is written as wanted with the next {@link forward}. */
  writeAgain({ address, length }: Prefix): void {
    this.#due.add(address, length);
  }

  /** Tries again what the kernel refused, less and less often. Time in milliseconds. */
  retry(now: number): void {
    for (const { address, length } of this.#refused.takeDue(now)) this.#due.add(address, length);
    this.forward();
  }

  #gatewaysOf(prefix: Prefix): readonly Gateway[] | undefined {
    return this.#isForUs(prefix.address, prefix.length) ? this.#wanted.forwardingOf(prefix) : undefined;
  }

  /** Fills the batch; true when there is something in it. */
  #fill(dueMayWait: boolean): boolean {
    for (let prefix = dueMayWait ? undefined : this.#due.take(); prefix !== undefined; prefix = this.#due.take()) {
      if (this.#putWanted(prefix)) continue;
      this.#due.add(prefix.address, prefix.length);
      return true;
    }
    const room = this.#kernel.capacity - this.#kernel.waiting;
    if (room > 0) this.#wanted.takeForwardingChanges(room, this.#sink);
    return this.#kernel.waiting > 0;
  }

  readonly #sink: ForwardingSink = (_family, address, length, gateways) => {
    // An own block stays a blackhole whatever somebody else announces.
    if (this.#blackholes.has(address, length)) return;
    if (!this.#isForUs(address, length)) return this.#tellUnroutable({ address, length }, gateways);
    this.#refused.delete(address, length);
    if (gateways !== undefined && this.#occupied(address, length))
      return this.#refused.addOccupied({ address, length });
    // Wide sets of next hops may fill the batch before their number does.
    if (!this.#put(address, length, gateways)) this.#due.add(address, length);
  };

  #put(address: Address, length: number, gateways: readonly Gateway[] | undefined): boolean {
    if (gateways === undefined) return this.#kernel.remove(address, length);
    return this.#kernel.replace(address, length, gateways);
  }

  /** Puts in what is wanted of the prefix; false: no room. */
  #putWanted(prefix: Prefix): boolean {
    const { address, length } = prefix;
    const black = this.#blackholes.has(address, length);
    const gateways = black ? undefined : this.#gatewaysOf(prefix);
    if ((black || gateways !== undefined) && this.#occupied(address, length)) {
      this.#refused.addOccupied(prefix);
      return true;
    }
    const done = black ? this.#kernel.blackhole(address, length) : this.#put(address, length, gateways);
    if (done && this.#refused.has(address, length)) this.#retried.push(prefix);
    return done;
  }

  #send(): void {
    const retried = this.#retried;
    this.#retried = [];
    const over = (failed: readonly FailedWrite[]) => {
      this.#refused.add(failed, (prefix) => this.wants(prefix));
      this.#refused.forgive(retried, failed);
    };
    try {
      const outcome = this.#kernel.send();
      if (!(outcome instanceof Promise)) return over(outcome);
      this.#sending = outcome.then(over, this.#doubt).then(() => {
        this.#sending = undefined;
        this.forward();
      });
    } catch (error) {
      this.#doubt(error);
    }
  }

  #tellUnroutable({ address, length }: Prefix, gateways: readonly Gateway[] | undefined): void {
    if (gateways === undefined) return void this.#unroutable.delete(address, length);
    if (this.#unroutable.has(address, length)) return;
    this.#unroutable.add(address, length);
    if (isRoutable(address, length)) return;
    this.#log.warn("peers announce what must not be routed; the kernel is not told", {
      prefix: formatPrefix({ address, length }),
    });
  }
}
