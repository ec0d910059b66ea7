/**
 * Where a next hop leads (RFC 4271 9.1.2.1): looked up in the kernel's own routes, never in routes BGP put there.
 *
 * A next hop on a connected network is the gateway itself; one further away is reached through the gateways of the
 * route that covers it.
 */
import { type Address, formatAddress, isLinkLocal } from "../../ipam/net/address.ts";
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

export class NextHops {
  #routes = new PrefixMap<UnderlayRoute>();
  #resolved = new Map<string, Resolution | undefined>();

  /**
   * Takes the kernel's routes as they are now; of several to one prefix the lowest metric counts. Returns whether any
   * next hop asked for before now leads elsewhere.
   */
  update(routes: readonly UnderlayRoute[]): boolean {
    const table = new PrefixMap<UnderlayRoute>();
    for (const route of routes) {
      const before = table.get(route.prefix);
      if (before === undefined || route.metric < before.metric) table.set(route.prefix, route);
    }
    this.#routes = table;
    const before = this.#resolved;
    this.#resolved = new Map();
    let changed = false;
    for (const [key, was] of before) {
      const octets = Uint8Array.from(key, (char) => char.charCodeAt(0));
      if (describe(this.resolve(octets)) !== describe(was)) changed = true;
    }
    return changed;
  }

  /** Undefined: unreachable. */
  resolve(nextHop: Address): Resolution | undefined {
    const key = String.fromCharCode(...nextHop);
    if (this.#resolved.has(key)) return this.#resolved.get(key);
    const resolution = this.#lookUp(nextHop);
    this.#resolved.set(key, resolution);
    return resolution;
  }

  #lookUp(nextHop: Address): Resolution | undefined {
    // A link-local next hop says nothing without its interface; it only comes beside a global one here.
    if (nextHop.length === 16 && isLinkLocal(nextHop)) return undefined;
    const found = this.#routes.longest(nextHop)?.value;
    if (found === undefined || found.via.length === 0) return undefined;
    const gateways = found.via.map((via) => (via.gateway === undefined ? { ...via, gateway: nextHop } : via));
    return { gateways, metric: found.metric };
  }
}

function describe(resolution: Resolution | undefined): string {
  if (resolution === undefined) return "";
  const gateways = resolution.gateways.map(
    ({ gateway, interfaceIndex }) => `${gateway === undefined ? "" : formatAddress(gateway)}%${interfaceIndex ?? ""}`,
  );
  return `${gateways.join(",")} ${resolution.metric}`;
}
