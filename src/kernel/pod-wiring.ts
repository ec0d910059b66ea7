/**
 * Pods' network wiring on one host.
 */
import { addressOf } from "../../ipam/net/address.ts";
import { type Netlink, NetlinkSocket } from "./netlink/socket.ts";
import { netnsInode, scratchNetns } from "./netns.ts";
import { check } from "./pod/check.ts";
import { PodRemoval } from "./pod/removal.ts";
import { type HostSide, makePair, type Pair } from "./pod/wire.ts";
import type { PodWiring, WiredPod } from "./pod/wiring.ts";

export type { Pair } from "./pod/wire.ts";
export { type PodWiring, type WiredPod, WiringFault } from "./pod/wiring.ts";

/** Opens a netlink socket in a namespace. Tests give one that fails. */
export type OpenSocket = (netns: string | undefined) => Netlink;

export class PodNetwork {
  readonly #host: HostSide;
  readonly #removal: PodRemoval;

  private constructor(host: HostSide) {
    this.#host = host;
    this.#removal = new PodRemoval(host.netns);
  }

  /** The host namespace at the path, or the process's own. */
  static open(options: { netns?: string; openSocket?: OpenSocket } = {}): PodNetwork {
    const { netns, openSocket = NetlinkSocket.open } = options;
    return new PodNetwork({ netns, inode: netnsInode(netns), netlink: openSocket(netns), openSocket });
  }

  /** Synchronous. Throws a WiringFault and leaves nothing behind. */
  wire(wiring: PodWiring): WiredPod {
    return makePair(this.#host, wiring).complete();
  }

  /** All of {@link wire} but the host's routes, without which nothing reaches the addresses. Throws as it does. */
  begin(wiring: PodWiring): Pair {
    return makePair(this.#host, wiring);
  }

  /**
   * Removes the pair, and with it addresses and routes of both sides. Idempotent; the pod's namespace need not exist.
   */
  unwire(hostInterface: string): Promise<void> {
    return this.#removal.remove(hostInterface);
  }

  /** What differs from the wiring, in words; `learned` as in {@link check}. */
  check(wiring: PodWiring, learned = false): string[] {
    return check(this.#host, wiring, learned);
  }

  close(): void {
    this.#host.netlink.close();
    this.#removal.close();
  }
}

/**
 * Wires and removes one pod between two scratch namespaces, so that the first real pod does not pay for lazy binding
 * and compilation (2 to 5 ms). Says at the same time whether this machine can do it at all: throws what the kernel
 * refused.
 */
export async function warmUpPodWiring(): Promise<void> {
  const [host, pod] = [scratchNetns(), scratchNetns()];
  const network = PodNetwork.open({ netns: host.path });
  try {
    const wiring: PodWiring = {
      netns: pod.path,
      ifName: "eth0",
      hostInterface: "ovlwarmup",
      addresses: [addressOf("192.0.2.1"), addressOf("2001:db8::1")],
      mtu: 1500,
    };
    for (let i = 0; i < 3; i++) {
      network.wire(wiring);
      network.check(wiring);
      await network.unwire(wiring.hostInterface);
    }
  } finally {
    network.close();
    host.close();
    pod.close();
  }
}
