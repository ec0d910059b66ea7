/**
 * Where a next hop leads (RFC 4271 9.1.2.1): looked up in the kernel's own routes, never in routes BGP put there.
 *
 * A next hop on a connected network is the gateway itself; one further away is reached through the gateways of the
 * route that covers it. A next hop is a number, as long as attribute sets refer to it; so is a set of gateways.
 */
import { type Address, formatAddress, isLinkLocal, sameAddress } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { PrefixMap } from "../../ipam/net/prefix-map.ts";

export interface Gateway {
  /** Absent for a device route without gateway that is not a connected network. */
  readonly gateway?: Address;
  readonly interfaceIndex?: number;
}

/** A route of the kernel that is not ours. */
export interface UnderlayRoute {
  readonly prefix: Prefix;
  /** Empty: packets to it are dropped (blackhole, unreachable). */
  readonly via: readonly Gateway[];
  readonly metric: number;
}

export interface Resolution {
  readonly gateways: readonly Gateway[];
  readonly metric: number;
}

interface NextHop {
  /** Never given to another one, unlike its number. */
  readonly serial: number;
  readonly key: string;
  readonly address: Address;
  /** For a link-local address: the interface of the session it came on; 0: none. */
  readonly scope: number;
  references: number;
  resolution: Resolution | undefined;
}

const UNKNOWN_METRIC = 0xffffffff;

export class NextHops {
  readonly #assumesReachable: boolean;
  #routes = new PrefixMap<UnderlayRoute>();
  readonly #byKey = new Map<string, number>();
  readonly #nextHops: (NextHop | undefined)[] = [];
  readonly #free: number[] = [];
  #last = -1;
  #nextSerial = 0;

  /**
   * `assumesReachable`: this speaker forwards nothing (a reflector, a route server): whether others reach a next hop is
   * not for this machine's routes to say. What it can reach is preferred all the same.
   */
  constructor(assumesReachable = false) {
    this.#assumesReachable = assumesReachable;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /**
   * The number of a next hop (4, 16 or 32 octets in place, as MP_REACH_NLRI has them), with one reference more. Of a
   * global and a link-local address the global one counts, unless it is none.
   */
  intern(octets: Uint8Array, at: number, length: number, scope: number): number {
    // Sets come in runs with one next hop.
    const last = this.#nextHops[this.#last];
    if (length === 4 && last?.address.length === 4 && isSame(last.address, octets, at)) {
      last.references++;
      return this.#last;
    }
    let address = octets.subarray(at, at + (length === 4 ? 4 : 16));
    if (length === 32 && scope !== 0) address = octets.subarray(at + 16, at + 32);
    const used = length >= 16 && isLinkLocal(address) ? scope : 0;
    if (last !== undefined && last.scope === used && sameAddress(last.address, address)) {
      last.references++;
      return this.#last;
    }
    const key = `${String.fromCharCode(...address)}${used}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) {
      this.#nextHop(known).references++;
      this.#last = known;
      return known;
    }
    const id = this.#free.pop() ?? this.#nextHops.length;
    const copy = address.slice();
    const resolution = this.#lookUp(copy, used);
    this.#nextHops[id] = { serial: this.#nextSerial++, key, address: copy, scope: used, references: 1, resolution };
    this.#byKey.set(key, id);
    return id;
  }

  release(id: number): void {
    const nextHop = this.#nextHop(id);
    nextHop.references--;
    if (nextHop.references > 0) return;
    this.#byKey.delete(nextHop.key);
    this.#nextHops[id] = undefined;
    this.#free.push(id);
  }

  /** False for NO_SET too. */
  isReachable(id: number): boolean {
    return id >= 0 && (this.#assumesReachable || (this.#nextHops[id] as NextHop).resolution !== undefined);
  }

  /** Of the way to a next hop; of one that is only assumed to be reachable the largest. */
  metric(id: number): number {
    return (this.#nextHops[id] as NextHop).resolution?.metric ?? UNKNOWN_METRIC;
  }

  /** Undefined: unreachable. */
  resolution(id: number): Resolution | undefined {
    return (this.#nextHops[id] as NextHop).resolution;
  }

  serial(id: number): number {
    return this.#nextHop(id).serial;
  }

  address(id: number): Address {
    return this.#nextHop(id).address;
  }

  /**
   * Takes the kernel's routes as they are now; of several to one prefix the lowest metric counts. Returns the next
   * hops that lead elsewhere than before.
   */
  update(routes: readonly UnderlayRoute[]): ReadonlySet<number> {
    const table = new PrefixMap<UnderlayRoute>();
    for (const route of routes) {
      const before = table.get(route.prefix);
      if (before === undefined || route.metric < before.metric) table.set(route.prefix, route);
    }
    this.#routes = table;
    const changed = new Set<number>();
    for (const [id, nextHop] of this.#nextHops.entries()) {
      if (nextHop === undefined) continue;
      const resolution = this.#lookUp(nextHop.address, nextHop.scope);
      if (describe(resolution) === describe(nextHop.resolution)) continue;
      nextHop.resolution = resolution;
      changed.add(id);
    }
    return changed;
  }

  #nextHop(id: number): NextHop {
    const nextHop = this.#nextHops[id];
    if (nextHop === undefined) throw new Error(`next hop ${id} is not in the table`);
    return nextHop;
  }

  #lookUp(address: Address, scope: number): Resolution | undefined {
    if (address.length === 16 && isLinkLocal(address)) {
      // It says nothing without its interface.
      return scope === 0 ? undefined : { gateways: [{ gateway: address, interfaceIndex: scope }], metric: 0 };
    }
    const found = this.#routes.longest(address)?.value;
    if (found === undefined || found.via.length === 0) return undefined;
    const gateways = found.via.map((via) => (via.gateway === undefined ? { ...via, gateway: address } : via));
    return { gateways, metric: found.metric };
  }
}

function isSame(address: Address, octets: Uint8Array, at: number): boolean {
  for (let i = 0; i < address.length; i++) if (address[i] !== octets[at + i]) return false;
  return true;
}

function describe(resolution: Resolution | undefined): string {
  return resolution === undefined ? "" : `${resolution.gateways.map(describeGateway).join(",")} ${resolution.metric}`;
}

/** `192.0.2.1%3` */
export function describeGateway({ gateway, interfaceIndex }: Gateway): string {
  return `${gateway === undefined ? "" : formatAddress(gateway)}%${interfaceIndex ?? ""}`;
}
