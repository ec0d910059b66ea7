/**
 * A copy of the routes in a table that are not ours, kept current by the kernel's events: next hops are looked up in
 * it, and where one of them holds a prefix at our metric we must not write.
 *
 * A listing of a table with a hundred thousand routes takes its time, so an event changes what it names, and only where
 * it leaves doubt the table has to be read again.
 */
import type { Gateway, UnderlayRoute } from "../../bgp/rib/next-hops.ts";
import { type Address, formatAddress } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import type { RouteEventKind } from "../kernel/monitor.ts";
import type { NextHop, RouteView } from "../kernel/routes.ts";
import { PrefixSet } from "./prefix-set.ts";

interface Entry {
  readonly route: UnderlayRoute;
  readonly tos: number;
  readonly type: number;
  /** A next hop's link is down or has no carrier. */
  readonly down: boolean;
  readonly sharesNextHops: boolean;
}

/** `unclear`: the event alone does not say what the table holds now. */
export type Change = "none" | "changed" | "unclear";

const LONGEST_KEY = 17;

export class ForeignRoutes {
  readonly #ourMetric: number;
  readonly #entries = new Map<string, readonly Entry[]>();
  /** Equal sets of next hops are the same array. */
  readonly #hops = new Map<string, readonly NextHop[]>();
  /** How many entries use an interface. */
  readonly #users = new Map<number, number>();
  readonly #occupied = new PrefixSet();
  readonly #key = Buffer.alloc(LONGEST_KEY);
  #sharing = 0;

  constructor(ourMetric: number) {
    this.#ourMetric = ourMetric;
  }

  /** True when a route of somebody else has the prefix at our metric. */
  occupies(address: Address, length: number): boolean {
    return this.#occupied.has(address, length);
  }

  /** True when an entry leads over the interface. */
  uses(interfaceIndex: number): boolean {
    return this.#users.has(interfaceIndex);
  }

  /** True when an entry's next hops are a nexthop object. */
  get hasNextHopObjects(): boolean {
    return this.#sharing > 0;
  }

  /** What can be used, for next hops to be looked up in. */
  underlay(): UnderlayRoute[] {
    const routes: UnderlayRoute[] = [];
    for (const entries of this.#entries.values()) {
      for (const { route, down } of entries) if (!down) routes.push(route);
    }
    return routes;
  }

  event(kind: RouteEventKind, route: RouteView): Change {
    const address = route.address;
    const key = this.#keyOf(address, route.length);
    const entry = this.#entryOf(address, route);
    const before = this.#entries.get(key) ?? [];
    const after = entriesAfter(kind, before, entry, address.length === 16);
    if (after === undefined) return "unclear";
    if (after.length === before.length && after.every((other, i) => same(other, before[i] as Entry))) return "none";
    this.#set(key, entry.route.prefix, before, after);
    return "changed";
  }

  #set(key: string, prefix: Prefix, before: readonly Entry[], after: readonly Entry[]): void {
    for (const entry of before) this.#count(entry, -1);
    for (const entry of after) this.#count(entry, 1);
    if (after.length === 0) this.#entries.delete(key);
    else this.#entries.set(key, after);
    this.#occupy(prefix, after);
  }

  #occupy({ address, length }: Prefix, after: readonly Entry[]): void {
    if (after.some(({ route }) => route.metric === this.#ourMetric)) this.#occupied.add(address, length);
    else this.#occupied.delete(address, length);
  }

  #count({ route, sharesNextHops }: Entry, by: 1 | -1): void {
    if (sharesNextHops) this.#sharing += by;
    for (const { interfaceIndex = 0 } of route.via) {
      const users = (this.#users.get(interfaceIndex) ?? 0) + by;
      if (users === 0) this.#users.delete(interfaceIndex);
      else this.#users.set(interfaceIndex, users);
    }
  }

  #keyOf(address: Address, length: number): string {
    this.#key[0] = length;
    this.#key.set(address, 1);
    return this.#key.toString("latin1", 0, 1 + address.length);
  }

  #entryOf(address: Address, route: RouteView): Entry {
    const hops = route.nextHops();
    const text = hops.map(describe).join();
    let via = this.#hops.get(text);
    if (via === undefined) {
      via = hops;
      this.#hops.set(text, via);
    }
    return {
      route: { prefix: { address, length: route.length }, metric: route.metric, via },
      tos: route.tos,
      type: route.type,
      down: route.interfaceDown,
      sharesNextHops: route.nextHopId !== 0,
    };
  }
}

/** The routes of a prefix after the event; undefined: that cannot be told. */
function entriesAfter(
  kind: RouteEventKind,
  before: readonly Entry[],
  entry: Entry,
  ipv6: boolean,
): Entry[] | undefined {
  const rivals = before.filter(({ tos, route }) => tos === entry.tos && route.metric === entry.route.metric);
  const others = before.filter((other) => !rivals.includes(other));
  const equal = rivals.filter((other) => leadsAs(other, entry));
  switch (kind) {
    case "replaced":
      // Of several the kernel replaces its first, and we don't know which that is.
      return rivals.length > 1 ? undefined : [...others, entry];
    case "new": {
      // IPv6 joins routes with gateways of one metric, and tells the whole of what came of it.
      const joined = ipv6 && hasGateways(entry) ? rivals.filter((other) => isWithin(other, entry)) : equal;
      return [...before.filter((other) => !joined.includes(other) && !equal.includes(other)), entry];
    }
    case "gone": {
      if (equal.length > 0) return before.filter((other) => other !== equal[0]);
      if (rivals.length === 0) return [...before];
      const whole = rivals.find((other) => ipv6 && isWithin(entry, other));
      if (whole === undefined) return undefined;
      const via = whole.route.via.filter((hop) => !entry.route.via.some((gone) => describe(gone) === describe(hop)));
      const rest = { ...whole, route: { ...whole.route, via } };
      return [...others, ...rivals.filter((other) => other !== whole), rest];
    }
  }
}

function hasGateways({ route: { via } }: Entry): boolean {
  return via.length > 0 && via.every(({ gateway }) => gateway !== undefined);
}

/** Every next hop of the first is one of the second's. */
function isWithin(inner: Entry, outer: Entry): boolean {
  return (
    hasGateways(inner) &&
    inner.route.via.every((hop) => outer.route.via.some((other) => describe(other) === describe(hop)))
  );
}

function leadsAs(a: Entry, b: Entry): boolean {
  const [viaA, viaB] = [a.route.via, b.route.via];
  return a.type === b.type && (viaA === viaB || viaA.map(describe).join() === viaB.map(describe).join());
}

function same(a: Entry, b: Entry): boolean {
  return a.tos === b.tos && a.route.metric === b.route.metric && a.down === b.down && leadsAs(a, b);
}

function describe({ gateway, interfaceIndex }: Gateway): string {
  return `${gateway === undefined ? "" : formatAddress(gateway)}%${interfaceIndex ?? ""}`;
}
