/**
 * Host routes to peers that a BGPPeer says are reached by a gateway. They carry a protocol number of their own, so that
 * next hops are looked up in them as in anybody else's route.
 */
import { type Address, formatAddress } from "../../ipam/net/address.ts";
import { containsAddress, formatPrefix, hostPrefix, type Prefix, prefixAround } from "../../ipam/net/prefix.ts";
import type { PeerIntent } from "../config/peer-intent.ts";
import { type Link, listLinks } from "../kernel/links.ts";
import { finish, KernelRoutes, type KernelRoutesOptions, type NextHop } from "../kernel/routes.ts";

export const PEER_ROUTE_PROTOCOL = 202;
/** Before a learned route to the same address. */
const METRIC = 512;
/** A link that went down took its routes along. */
const AGAIN_MS = 5_000;

interface Wanted {
  readonly peer: Prefix;
  readonly gateway: Address;
  readonly name: string;
}

export class PeerRoutes {
  readonly #options: Pick<KernelRoutesOptions, "netns">;
  readonly #wanted = new Map<string, Wanted>();
  #kernel: KernelRoutes | undefined;
  #written = new Map<string, Prefix>();
  #timer: NodeJS.Timeout | undefined;
  problems: readonly string[] = [];

  constructor(options: Pick<KernelRoutesOptions, "netns"> = {}) {
    this.#options = options;
  }

  /** Routes to these peers, and no others. */
  set(peers: readonly PeerIntent[]): void {
    this.#wanted.clear();
    for (const { name, address, reachableBy: gateway } of peers) {
      if (gateway === undefined) continue;
      const peer = hostPrefix(address);
      this.#wanted.set(formatPrefix(peer), { peer, gateway, name });
    }
    this.#kernel ??= this.#open();
    this.#write();
    clearInterval(this.#timer);
    if (this.#wanted.size > 0) this.#timer = setInterval(() => this.#write(), AGAIN_MS).unref();
  }

  /** The routes stay: a stop is a restart. */
  stop(): void {
    clearInterval(this.#timer);
    this.#kernel?.close();
    this.#kernel = undefined;
  }

  /** With what an earlier run left. */
  #open(): KernelRoutes {
    const marks = { protocol: PEER_ROUTE_PROTOCOL, metric: METRIC, shareNextHops: false };
    const kernel = KernelRoutes.open({ ...this.#options, ...marks });
    const isOurs = (route: { protocol: number; metric: number }) =>
      route.protocol === PEER_ROUTE_PROTOCOL && route.metric === METRIC;
    finish(
      kernel.scan((route) => {
        if (!isOurs(route)) return;
        const prefix = { address: route.address.slice(), length: route.length };
        this.#written.set(formatPrefix(prefix), prefix);
      }),
    );
    return kernel;
  }

  #write(): void {
    const kernel = this.#kernel;
    if (kernel === undefined || (this.#wanted.size === 0 && this.#written.size === 0)) return;
    const links = listLinks(this.#options.netns);
    const problems: string[] = [];
    for (const [key, prefix] of this.#written) {
      if (this.#wanted.has(key)) continue;
      kernel.remove(prefix.address, prefix.length);
      this.#written.delete(key);
    }
    for (const [key, { peer, gateway, name }] of this.#wanted) {
      const hop = hopTo(gateway, links);
      if (hop === undefined) {
        const cure = "give the node an address there, or another gateway";
        problems.push(`BGPPeer ${name}: reachableBy ${formatAddress(gateway)} is on no network of this node; ${cure}`);
        continue;
      }
      kernel.replace(peer.address, peer.length, [hop]);
      this.#written.set(key, peer);
    }
    const failed = kernel.send();
    // So few are made at once.
    if (!(failed instanceof Promise)) {
      for (const { prefix, change, errno } of failed) {
        problems.push(`the route to ${formatPrefix(prefix)} (reachableBy) cannot be ${change}d: ${errno}`);
      }
    }
    this.problems = problems;
  }
}

function hopTo(gateway: Address, links: readonly Link[]): NextHop | undefined {
  const link = links.find(
    ({ up, addresses }) =>
      up && addresses.some(({ address, length }) => containsAddress(prefixAround(address, length), gateway)),
  );
  return link && { gateway, interfaceIndex: link.index };
}
