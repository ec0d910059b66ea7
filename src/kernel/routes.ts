/**
 * A routing table of one network namespace, both families.
 *
 * What we write carries our protocol number and metric, and only such routes are removed. To replace is to replace
 * whatever holds prefix and metric: who must not touch what others made looks before.
 */
import type { Address } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { RequestBatch } from "./netlink/batch.ts";
import { AF_INET, AF_INET6, RT_TABLE_MAIN } from "./netlink/constants.ts";
import { dumpRoutes, type KernelRoute, type NextHop, type RouteMarks } from "./netlink/route.ts";
import { RouteBatch } from "./netlink/route-batch.ts";
import { RouteView } from "./netlink/route-view.ts";
import { NetlinkSocket, type Refused, refusalError } from "./netlink/socket.ts";
import { NextHopObjects } from "./nexthop-objects.ts";

export { RT_TABLE_MAIN } from "./netlink/constants.ts";
export type { KernelRoute, NextHop, RouteTarget } from "./netlink/route.ts";
export type { RouteView } from "./netlink/route-view.ts";

/** The protocol number of Overland's routes (`ip route show proto 201`). */
export const ROUTE_PROTOCOL = 201;
/** Metric of the routes {@link KernelRoutes} writes, in both families. */
export const ROUTE_METRIC = 1024;

/** A change that the kernel did not make. */
export interface FailedWrite {
  readonly prefix: Prefix;
  /** What was to be done. */
  readonly change: "replace" | "remove";
  /** Name of the errno: ENETUNREACH and EHOSTUNREACH of a gateway that is on no link… */
  readonly errno: string;
}

export interface KernelRoutesOptions {
  /** Path of a namespace; the process's own if absent. */
  readonly netns?: string;
  readonly protocol?: number;
  readonly metric?: number;
  /** Number of the routing table, the main one if absent. */
  readonly table?: number;
  /** False: next hops are written out in every route, and no nexthop object is made. */
  readonly shareNextHops?: boolean;
}

/** What waits to be sent at most: some 60 ms of the kernel's work, more than any turn of the speaker's loop takes. */
const BATCH = { changes: 32_768, octets: 4 << 20 };
/** Fewer changes than this are made at once: half a millisecond, less than the way to another thread and back costs. */
const AT_ONCE = 200;
const MAX_ATTEMPTS = 10;

/** `writing`: being laid out; `sent`: the kernel may still be reading it. */
interface Batches {
  writing: RouteBatch;
  sent: RouteBatch;
}

export class KernelRoutes {
  readonly #netns: string | undefined;
  readonly #socket: NetlinkSocket;
  readonly #batches: Batches;
  readonly #objects: NextHopObjects | undefined;
  readonly table: number;
  #inFlight = false;

  private constructor(netns: string | undefined, marks: Required<RouteMarks>, share: boolean) {
    this.#netns = netns;
    this.table = marks.table;
    this.#objects = share ? new NextHopObjects(netns, marks.protocol, marks.table) : undefined;
    const batch = () => new RouteBatch(marks, BATCH, this.#objects);
    this.#batches = { writing: batch(), sent: batch() };
    this.#socket = NetlinkSocket.open(netns);
  }

  /** Opens a socket in the namespace; it stays there. */
  static open(options: KernelRoutesOptions = {}): KernelRoutes {
    const { netns, protocol = ROUTE_PROTOCOL, metric = ROUTE_METRIC, table = RT_TABLE_MAIN } = options;
    return new KernelRoutes(netns, { protocol, metric, table }, options.shareNextHops !== false);
  }

  /** The kernel's events name one of these ports where we asked for the change. */
  get ports(): readonly number[] {
    return [this.#socket.port, ...(this.#objects === undefined ? [] : [this.#objects.port])];
  }

  /** True when the route goes by exactly these next hops. */
  goesBy(route: RouteView, nextHops: readonly NextHop[]): boolean {
    if (route.nextHopId !== 0 && route.nextHopId === this.#objects?.idIfKnown(nextHops)) return true;
    return route.goesBy(nextHops);
  }

  /** A nexthop object is gone, or another one now; true if it was ours: routes of ours are gone or go elsewhere. */
  nextHopLost(id: number): boolean {
    return this.#objects?.lost(id) === true;
  }

  /** Around a {@link scan} of our table that shows every route: deletes nexthop objects of ours that none uses. */
  beginListing(): void {
    this.#objects?.beginListing(this.waiting === 0 && !this.#inFlight);
  }

  /** `used`: the nexthop objects of all routes that were shown. */
  endListing(used: ReadonlySet<number>): void {
    this.#objects?.endListing(used);
  }

  /** When none of our routes is left, or none may be. */
  deleteNextHops(): void {
    this.#objects?.deleteAll();
  }

  /** How many changes may wait at most; fewer where their next hops are many. */
  readonly capacity = BATCH.changes;

  /** Changes put in and not sent yet. */
  get waiting(): number {
    return this.#batches.writing.count;
  }

  /** True while another thread sends: what is put in meanwhile goes out with the next {@link send}. */
  get isSending(): boolean {
    return this.#inFlight;
  }

  /**
   * Puts in: this route as a whole, in place of what holds prefix and metric, without a gap. The next hops must never
   * change: another set is another array. False: no room, send first.
   */
  replace(address: Address, length: number, nextHops: readonly NextHop[]): boolean {
    return this.#batches.writing.replace(address, length, nextHops);
  }

  /** As {@link replace}, dropping packets to the prefix. */
  blackhole(address: Address, length: number): boolean {
    return this.#batches.writing.blackhole(address, length);
  }

  /** Puts in: no route of ours at the prefix. That there is none is no failure. */
  remove(address: Address, length: number): boolean {
    return this.#batches.writing.remove(address, length);
  }

  /**
   * Has the kernel make what was put in, in order, and gives what it refused; the others are made. Many go out from
   * another thread, while this one goes on: a promise. It rejects when it is not known what was made.
   */
  send(): readonly FailedWrite[] | Promise<readonly FailedWrite[]> {
    if (this.#inFlight) throw new Error("the last changes are still being sent");
    const { writing, sent } = this.#batches;
    this.#batches.writing = sent;
    this.#batches.sent = writing;
    sent.clear();
    if (writing.count < AT_ONCE) return failuresIn(writing, this.#socket.execute(writing));
    this.#inFlight = true;
    return this.#socket
      .executeFromPool(writing)
      .then((refused) => failuresIn(writing, refused))
      .finally(() => {
        this.#inFlight = false;
      });
  }

  /**
   * Shows every route of the table (or another one), of every protocol; a step is some hundred of them, 0.1 ms. What
   * changes meanwhile may be shown as it was or as it is. The view is valid during the call, in which nothing else may
   * be asked of the kernel. False in the end: the listing was disturbed and lacks some.
   */
  *scan(visit: (route: RouteView) => void, table = this.table): Generator<void, boolean> {
    const socket = NetlinkSocket.open(this.#netns, { strict: true });
    const view = new RouteView();
    let whole = true;
    try {
      for (const family of [AF_INET, AF_INET6]) {
        const batch = new RequestBatch();
        dumpRoutes(batch, family, table);
        const outcome = yield* socket.steps(batch, (octets, start, end) => {
          if (view.read(octets, start, end) && view.table === table) visit(view);
        });
        // ENOENT: nobody has put a route into that table yet.
        if (typeof outcome !== "string" && outcome.errno !== "ENOENT") throw refusalError("listing routes", outcome);
        if (outcome === "disturbed") whole = false;
      }
    } finally {
      socket.close();
    }
    return whole;
  }

  /** Every route of the table, of every protocol. 20,000 routes take some 20 ms. */
  list(): KernelRoute[] {
    for (let attempt = 1; ; attempt++) {
      const routes: KernelRoute[] = [];
      const whole = finish(this.scan((view) => routes.push(view.toRoute())));
      // A table that changes without end must not hold us for ever: its events make the caller read again anyway.
      if (whole || attempt === MAX_ATTEMPTS) return routes;
    }
  }

  /** Not while {@link isSending}: another socket could be given the descriptor. */
  close(): void {
    this.#socket.close();
    this.#objects?.close();
  }
}

/** Takes all steps at once. */
export function finish<T>(steps: Generator<void, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

function failuresIn(batch: RouteBatch, refused: readonly Refused[]): FailedWrite[] {
  const failed: FailedWrite[] = [];
  for (const { index, errno } of refused) {
    const { prefix, change } = batch.changeAt(index);
    if (change === "replace" || errno !== "ESRCH") failed.push({ prefix, change, errno });
  }
  return failed;
}
