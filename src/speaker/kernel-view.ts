/**
 * The kernel as a speaker sees it: the routes others made, for next hops to be looked up in, and those the speaker
 * wants there itself.
 *
 * The table is listed at the start, then kept current by the kernel's events. It is listed again where events were
 * lost, where the kernel drops routes without one (a link down, an address gone), and now and then in case.
 */
import type { UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import { listLinks } from "../kernel/links.ts";
import { type LinkEvent, type RouteEventKind, watchKernel } from "../kernel/monitor.ts";
import { finish, KernelRoutes, ROUTE_METRIC, ROUTE_PROTOCOL, type RouteView } from "../kernel/routes.ts";
import type { Log } from "../telemetry/log.ts";
import { ForeignTables } from "./foreign-tables.ts";
import { Forwarding, type WantedRoutes } from "./forwarding.ts";
import { isOurs, lookAtKernel } from "./kernel-look.ts";
import { Repairs } from "./repairs.ts";

export interface KernelViewOptions {
  readonly log: Log;
  /** The table routes are written to; the main one if absent. Next hops are looked up in the main one always. */
  readonly table?: number;
  /** Path of a network namespace; the process's own if absent. */
  readonly netns?: string;
}

export interface KernelViewPorts {
  /** Takes all routes next hops may be looked up in, as they are now. */
  underlay(routes: readonly UnderlayRoute[]): void;
  /** Absent: no routes are written. */
  readonly wanted?: WantedRoutes;
}

const TICK_MS = 500;
/** A burst of events is one change. Where the speaker or the look takes long, it gets a tenth of the time. */
const UNDERLAY_QUIET_MS = 10;
const LOOK_QUIET_MS = 50;
const SHARE = 10;
const LOOK_ANYWAY_MS = 10 * 60_000;

export class KernelView {
  readonly #log: Log;
  readonly #kernel: KernelRoutes;
  readonly #stops: (() => void)[] = [];
  /** What interfaces are able to do, by index. */
  readonly #links = new Map<number, number>();
  /** How many routes of ours were there at the start. */
  readonly left: number;
  #foreign: ForeignTables;
  /** The copy a look is making; events go to both. */
  #coming: ForeignTables | undefined;
  #underlay: KernelViewPorts["underlay"] = () => undefined;
  #forwarding: Forwarding | undefined;
  #repairs: Repairs | undefined;
  #looking: Promise<number> | undefined;
  readonly #tellUnderlay = new Later(UNDERLAY_QUIET_MS, async () => this.#underlay(this.#foreign.underlay()));
  readonly #lookAgain = new Later(LOOK_QUIET_MS, async () => {
    try {
      const wrong = await this.look();
      if (wrong > 0) this.#log.info("kernel routes brought in line", { routes: wrong });
    } catch (error) {
      this.#log.error("the kernel's routes cannot be read", { error });
      this.#lookAgain.soon();
    }
  });

  constructor({ log, table, netns }: KernelViewOptions) {
    this.#log = log;
    const where = netns === undefined ? {} : { netns };
    this.#kernel = KernelRoutes.open({ ...where, ...(table === undefined ? {} : { table }) });
    this.#stops.push(watchKernel(this.#listener(), { ...where, withoutPorts: this.#kernel.ports }));
    for (const { index, up, carrier } of listLinks(netns)) this.#links.set(index, abilities(up, carrier));
    this.#foreign = new ForeignTables(this.#kernel.table);
    let left = 0;
    const visit = (route: RouteView) => {
      if (route.protocol !== ROUTE_PROTOCOL) this.#foreign.list(route);
      else if (isOurs(route, this.#kernel.table)) left++;
    };
    for (const listed of this.#foreign.tables) finish(this.#kernel.scan(visit, listed));
    this.left = left;
  }

  /** Begins to tell of changes, and to write routes. */
  serve({ underlay, wanted }: KernelViewPorts): void {
    this.#underlay = underlay;
    if (wanted !== undefined) {
      this.#forwarding = new Forwarding({
        kernel: this.#kernel,
        wanted,
        occupied: (address, length) => this.#foreign.occupies(address, length),
        doubt: (error) => {
          this.#log.error("routes were sent to the kernel, and what became of them is not known", { error });
          this.#lookAgain.soon();
        },
        log: this.#log,
      });
      this.#repairs = new Repairs(this.#forwarding, this.#log);
    }
    underlay(this.#foreign.underlay());
    const tick = setInterval(() => {
      this.#repairs?.tick();
      this.#forwarding?.retry(performance.now());
    }, TICK_MS);
    const anyway = setInterval(() => this.#lookAgain.soon(), LOOK_ANYWAY_MS);
    for (const timer of [tick, anyway]) this.#stops.push(() => clearInterval(timer.unref()));
  }

  /** Undefined: no routes are written. */
  get forwarding(): Forwarding | undefined {
    return this.#forwarding;
  }

  /** Removes what an earlier run left and nobody wants; resolves with how many routes were not as they should be. */
  async sweep(): Promise<number> {
    this.#forwarding?.startSweeping();
    return this.left === 0 ? 0 : this.#lookOnceMore();
  }

  async #lookOnceMore(): Promise<number> {
    // A look that is under way has passed some by.
    await this.#looking;
    await this.#forwarding?.settle();
    return this.look();
  }

  /** Lists the table anew, and puts right what of ours is wrong; resolves with how many routes were. */
  look(): Promise<number> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<number> {
    const coming = new ForeignTables(this.#kernel.table);
    coming.beginListing();
    this.#coming = coming;
    try {
      const { wrong, whole } = await lookAtKernel(this.#kernel, coming, this.#forwarding);
      this.#foreign = coming;
      this.#underlay(coming.underlay());
      this.#forwarding?.forward();
      if (!whole) this.#lookAgain.soon();
      return wrong;
    } finally {
      coming.endListing();
      this.#coming = undefined;
    }
  }

  /** Takes our routes from the kernel, all of them, for good. */
  async removeOurs(): Promise<void> {
    if (this.#forwarding === undefined) return;
    this.#forwarding.wantNothing();
    this.#forwarding.startSweeping();
    await this.#lookOnceMore();
    await this.#forwarding.settle();
    this.#kernel.deleteNextHops();
  }

  /** Resolves once the kernel has everything that is wanted; nothing is told from now on. */
  async stop(): Promise<void> {
    for (const stop of this.#stops) stop();
    await Promise.all([this.#tellUnderlay.stop(), this.#lookAgain.stop()]);
    await this.#looking;
    await this.#forwarding?.settle();
    this.#kernel.close();
  }

  #listener() {
    return {
      link: (event: LinkEvent) => this.#linkChanged(event),
      addressGone: (index: number) => this.#mayHaveLost(index),
      route: (kind: RouteEventKind, route: RouteView) => this.#routeChanged(kind, route),
      nextHopChanged: (kind: "new" | "gone", id: number) => {
        // Of routes of others that go elsewhere with their object the kernel tells.
        if (this.#kernel.nextHopLost(id) || (kind === "gone" && this.#foreign.hasNextHopObjects))
          this.#lookAgain.soon();
      },
      doubt: () => this.#lookAgain.soon(),
    };
  }

  #linkChanged({ index, up, carrier, gone }: LinkEvent): void {
    const before = this.#links.get(index);
    const now = abilities(up, carrier);
    if (gone) this.#links.delete(index);
    else this.#links.set(index, now);
    if (before !== undefined && (gone || before !== now)) this.#mayHaveLost(index);
  }

  /** The kernel may have dropped or marked routes over the interface without a word. */
  #mayHaveLost(interfaceIndex: number): void {
    if (this.#foreign.uses(interfaceIndex)) this.#lookAgain.soon();
  }

  #routeChanged(kind: RouteEventKind, route: RouteView): void {
    if (route.protocol === ROUTE_PROTOCOL) return this.#ownChanged(kind, route);
    const changes = [this.#foreign.event(kind, route), this.#coming?.event(kind, route)];
    if (changes.includes("unclear")) this.#lookAgain.soon();
    if (!changes.includes("changed")) return;
    this.#tellUnderlay.soon();
    // It took the place of ours, or has left it.
    if (route.table === this.#kernel.table && route.metric === ROUTE_METRIC) this.#repair(route);
  }

  #ownChanged(kind: RouteEventKind, route: RouteView): void {
    if (!isOurs(route, this.#kernel.table)) return;
    if (kind === "replaced" && this.#foreign.occupies(route.address, route.length)) this.#lookAgain.soon();
    const prefix = { address: route.address, length: route.length };
    if (kind === "gone" || this.#forwarding?.isRight(route, prefix) === false) this.#repair(route);
  }

  #repair({ address, length }: RouteView): void {
    const prefix = { address, length };
    if (this.#forwarding?.isSweeping === true || this.#forwarding?.wants(prefix) === true) {
      this.#repairs?.repair(prefix);
    }
  }
}

function abilities(up: boolean, carrier: boolean): number {
  return (up ? 1 : 0) | (carrier ? 2 : 0);
}

/** Does something a little later, once for all who ask meanwhile; the longer it takes, the less often. */
class Later {
  readonly #quiet: number;
  readonly #work: () => Promise<void>;
  #timer: NodeJS.Timeout | undefined;
  #took = 0;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(quiet: number, work: () => Promise<void>) {
    this.#quiet = quiet;
    this.#work = work;
  }

  soon(): void {
    if (this.#stopped) return;
    this.#timer ??= setTimeout(() => this.#run(), Math.max(this.#quiet, SHARE * this.#took));
  }

  #run(): void {
    const started = performance.now();
    this.#timer = undefined;
    this.#running = this.#work().finally(() => {
      this.#took = performance.now() - started;
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }
}
