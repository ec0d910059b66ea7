/**
 * The main routing table of one network namespace, both families.
 *
 * What we write carries our protocol number and metric, and only such routes are ever removed or replaced: a route of
 * somebody else that stands at the same prefix and metric is reported as a failure, not overwritten.
 */
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import { RequestBatch } from "./netlink/batch.ts";
import { AF_INET, AF_INET6, RT_TABLE_MAIN } from "./netlink/constants.ts";
import {
  dumpRoutes,
  type KernelRoute,
  type RouteTarget,
  readRoute,
  removeRoute,
  replaceRoute,
} from "./netlink/route.ts";
import { dump, type Netlink, NetlinkSocket } from "./netlink/socket.ts";

export type { KernelRoute, NextHop, RouteTarget } from "./netlink/route.ts";

/** The protocol number of Overland's routes (`ip route show proto 201`). */
export const ROUTE_PROTOCOL = 201;
/** Metric of the routes {@link KernelRoutes} writes, in both families. */
export const ROUTE_METRIC = 1024;

/** `target: undefined` removes the route. */
export interface RouteChange {
  readonly prefix: Prefix;
  readonly target: RouteTarget | undefined;
}

export interface FailedChange {
  readonly change: RouteChange;
  /** Name of the errno. EEXIST: a route that is not ours holds this prefix and metric. */
  readonly errno: string;
}

// 400 to 500 requests a send are the fastest; a send of many wide ECMP sets must still fit the socket's buffer.
const REQUESTS_PER_SEND = 400;
const OCTETS_PER_SEND = 128 * 1024;

export class KernelRoutes {
  readonly #netlink: Netlink;
  readonly #marks: { protocol: number; metric: number };
  /** Prefixes where a route of another protocol has our metric, as of the last {@link list}. Empty on most nodes. */
  #foreign: Set<string> | undefined;

  private constructor(netlink: Netlink, protocol: number, metric: number) {
    this.#netlink = netlink;
    this.#marks = { protocol, metric };
  }

  /** Opens a socket in the namespace at the path, or in the process's own; it stays there. */
  static open(options: { netns?: string; protocol?: number; metric?: number } = {}): KernelRoutes {
    const { netns, protocol = ROUTE_PROTOCOL, metric = ROUTE_METRIC } = options;
    return new KernelRoutes(NetlinkSocket.open(netns), protocol, metric);
  }

  /** Every route of the main table, of every protocol. 20,000 routes take some 20 ms. */
  list(): KernelRoute[] {
    const routes = [AF_INET, AF_INET6].flatMap((family) => this.#listFamily(family));
    const { protocol, metric } = this.#marks;
    const foreign = routes.filter((route) => route.metric === metric && route.protocol !== protocol);
    this.#foreign = new Set(foreign.map((route) => formatPrefix(route.prefix)));
    return routes;
  }

  #listFamily(family: number): KernelRoute[] {
    const request = () => {
      const batch = new RequestBatch();
      dumpRoutes(batch, family);
      return batch;
    };
    return dump(this.#netlink, request, (message) => {
      const route = readRoute(message);
      // The IPv6 dump also holds cached clones and other tables.
      return route?.table === RT_TABLE_MAIN ? route : undefined;
    });
  }

  /**
   * Makes the changes in order and gives those that failed; the others are done. A set of next hops replaces the old
   * one as a whole and without a gap; removing what is absent is no failure. Blocks for 3 to 5 µs a change: hand over
   * a few hundred at a time and let the event loop turn in between.
   */
  apply(changes: readonly RouteChange[]): FailedChange[] {
    if (this.#foreign === undefined) this.list();
    const failed: FailedChange[] = [];
    const batch = new RequestBatch();
    let sent: RouteChange[] = [];
    const flush = () => {
      for (const { index, errno } of this.#netlink.execute(batch)) {
        const change = sent[index] as RouteChange;
        if (change.target !== undefined || errno !== "ESRCH") failed.push({ change, errno });
      }
      batch.clear();
      sent = [];
    };
    for (const change of changes) {
      const { prefix, target } = change;
      if (target === undefined) removeRoute(batch, prefix, this.#marks);
      else if (target.kind === "unicast" && target.nextHops.length === 0) {
        failed.push({ change, errno: "EINVAL" });
        continue;
      } else if (this.#isForeign(prefix)) {
        failed.push({ change, errno: "EEXIST" });
        continue;
      } else replaceRoute(batch, prefix, target, this.#marks);
      sent.push(change);
      if (batch.count === REQUESTS_PER_SEND || batch.length > OCTETS_PER_SEND) flush();
    }
    flush();
    return failed;
  }

  #isForeign(prefix: Prefix): boolean {
    const foreign = this.#foreign as Set<string>;
    return foreign.size > 0 && foreign.has(formatPrefix(prefix));
  }

  close(): void {
    this.#netlink.close();
  }
}
