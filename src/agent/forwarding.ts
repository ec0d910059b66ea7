/**
 * The kernel's routing table as we want it: routes learned over BGP, and a blackhole for each own block, so that
 * packets to its free addresses end here and do not loop to the default route.
 *
 * Wanted is compared with what the kernel has whenever there is doubt. After a restart the routes that are there are
 * left alone until {@link Forwarding.sweep}: traffic goes on while sessions come back.
 */
import { formatPrefix, type Prefix } from "../../ipam/net/prefix.ts";
import {
  type KernelRoute,
  type KernelRoutes,
  ROUTE_METRIC,
  ROUTE_PROTOCOL,
  type RouteChange,
  type RouteTarget,
} from "../kernel/routes.ts";
import type { Log } from "../telemetry/log.ts";
import { isRoutable } from "./routable.ts";

interface Wanted {
  readonly prefix: Prefix;
  readonly target: RouteTarget;
}

export class Forwarding {
  readonly #kernel: Pick<KernelRoutes, "apply">;
  readonly #log: Log;
  readonly #learned = new Map<string, Wanted>();
  #blackholes = new Map<string, Wanted>();
  /** What the kernel refused, with its word; tried again at the next comparison. */
  readonly #refused = new Map<string, string>();
  #sweeping = false;

  constructor(kernel: Pick<KernelRoutes, "apply">, log: Log) {
    this.#kernel = kernel;
    this.#log = log;
  }

  /** Routes learned over BGP that are in the kernel. */
  get installed(): number {
    return this.#learned.size - this.#refused.size;
  }

  get hasRefused(): boolean {
    return this.#refused.size > 0;
  }

  isInstalled(prefix: Prefix): boolean {
    const key = formatPrefix(prefix);
    return this.#learned.has(key) && !this.#refused.has(key);
  }

  learn(told: readonly RouteChange[]): void {
    const changes = told.filter(({ prefix }) => isRoutable(prefix));
    if (changes.length < told.length) {
      const prefixes = told.filter(({ prefix }) => !isRoutable(prefix)).map(({ prefix }) => formatPrefix(prefix));
      this.#log.warn("peers announce what must not be routed; the kernel is not told", { prefixes });
    }
    for (const { prefix, target } of changes) {
      const key = formatPrefix(prefix);
      if (target === undefined) this.#learned.delete(key);
      else this.#learned.set(key, { prefix, target });
    }
    // An own block stays a blackhole whatever somebody else announces.
    this.#apply(changes.filter(({ prefix }) => !this.#blackholes.has(formatPrefix(prefix))));
  }

  setBlackholes(prefixes: readonly Prefix[]): void {
    const target: RouteTarget = { kind: "blackhole" };
    const wanted = new Map(prefixes.map((prefix) => [formatPrefix(prefix), { prefix, target }]));
    const changes: RouteChange[] = [];
    for (const [key, { prefix }] of this.#blackholes) {
      if (!wanted.has(key)) changes.push({ prefix, target: this.#learned.get(key)?.target });
    }
    for (const [key, change] of wanted) if (!this.#blackholes.has(key)) changes.push(change);
    this.#blackholes = wanted;
    this.#apply(changes);
  }

  /** From now on routes of ours that nobody wants are removed, these included that an earlier run left. */
  sweep(kernel: readonly KernelRoute[]): number {
    this.#sweeping = true;
    return this.compare(kernel);
  }

  /** Brings the kernel in line; returns how many routes differed. */
  compare(kernel: readonly KernelRoute[]): number {
    const wanted = new Map([...this.#learned, ...this.#blackholes]);
    const changes: RouteChange[] = [];
    for (const route of kernel) {
      // Routes to pods carry our protocol too, with another metric: they belong to the pod's wiring.
      if (route.protocol !== ROUTE_PROTOCOL || route.metric !== ROUTE_METRIC) continue;
      const key = formatPrefix(route.prefix);
      const want = wanted.get(key);
      wanted.delete(key);
      if (want === undefined) {
        if (this.#sweeping) changes.push({ prefix: route.prefix, target: undefined });
      } else if (!sameTarget(want.target, route.target)) {
        changes.push(want);
      } else {
        this.#refused.delete(key);
      }
    }
    changes.push(...wanted.values());
    this.#apply(changes);
    return changes.length;
  }

  #apply(changes: readonly RouteChange[]): void {
    if (changes.length === 0) return;
    for (const { prefix } of changes) this.#refused.delete(formatPrefix(prefix));
    for (const { change, errno } of this.#kernel.apply(changes)) {
      const key = formatPrefix(change.prefix);
      this.#log.warn("the kernel refused a route", { prefix: key, errno });
      if (this.#learned.has(key)) this.#refused.set(key, errno);
    }
  }
}

function sameTarget(a: RouteTarget, b: KernelRoute["target"]): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind !== "unicast" || b.kind !== "unicast") return true;
  const text = (target: typeof a) =>
    target.nextHops
      .map(({ gateway, interfaceIndex }) => `${gateway?.join(".") ?? ""}%${interfaceIndex ?? ""}`)
      .sort()
      .join(" ");
  return text(a) === text(b);
}
