/** One session that a node shall have: what the speaker needs to know of it. */
import type { Address, Family } from "../../ipam/net/address.ts";
import type { BGPFilterSpec } from "./schema/bgpfilter.ts";

export interface PeerIntent extends PeerTerms {
  /**
   * `mesh/<node>`, `<bgppeer>`, `<bgppeer>/<node>` for a peering by peerSelector, or `<bgppeer>/<namespace>/<pod>/ipv4`
   * for one by localWorkloadSelector.
   */
  readonly name: string;
  readonly type: "node-to-node mesh" | "node specific" | "global" | "local workload";
  /** A pod of this node, `namespace/name`: nobody reaches it but through us. */
  readonly pod?: string;
  /** Name of the node on the other side; undefined: somebody else. */
  readonly node?: string;
  readonly address: Address;
  readonly port: number;
  /** AS of the other side. */
  readonly asNumber: number;
  /** AS that this node shows to it. */
  readonly localASNumber: number;
  /** Undefined: the kernel picks. */
  readonly sourceAddress?: Address;
  /** Gateway that the node is to reach the address by; undefined: its routes lead there. */
  readonly reachableBy?: Address;
  readonly passive: boolean;
  /** This node is a route reflector (RFC 4456) and the session is one within the AS. */
  readonly reflection?: Reflection;
}

export interface Reflection {
  /** Four octets. */
  readonly clusterID: Address;
  /** Not one of the same cluster: what others inside the AS say is passed on to it, and what it says to them. */
  readonly client: boolean;
}

/** What a BGPPeer says of a session beside who has it with whom. */
export interface PeerTerms {
  /** Seconds, 0 for none. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the agreed hold time. */
  readonly keepaliveTime?: number;
  /** Seconds. */
  readonly connectRetryTime?: number;
  /** Seconds. */
  readonly maxRestartTime: number;
  /** Seconds; undefined: off. */
  readonly longLivedRestartTime?: number;
  readonly nextHopMode: "Auto" | "Self" | "Keep";
  readonly numAllowedLocalASNumbers: number;
  /** At most so many hops away; undefined: any distance. */
  readonly ttlSecurity?: number;
  /** TTL of what is sent; undefined: the system's. */
  readonly ttl?: number;
  /** Undefined: every one this node has. */
  readonly families?: readonly Family[];
  readonly addPath?: { readonly send?: boolean; readonly receive?: boolean };
  readonly extendedNextHop?: boolean;
  /** What this node is to the peer (RFC 9234). */
  readonly role?: Role;
  readonly strictRole?: boolean;
  readonly routeServerClient?: boolean;
  readonly removePrivateAS?: boolean;
  readonly gracefulShutdown?: boolean;
  readonly maxPrefixes?: PrefixLimit;
  /** TCP MD5; undefined: none. */
  readonly password?: SecretKey;
  /** In the order in which they are asked. */
  readonly filters?: readonly NamedFilter[];
}

/** A key of a Secret in the agent's namespace. */
export interface SecretKey {
  readonly name: string;
  readonly key: string;
}

export type Role = "provider" | "customer" | "peer" | "rs" | "rs-client";

export interface PrefixLimit {
  readonly limit: number;
  readonly action: "warn" | "block" | "restart" | "shutdown";
  /** Seconds. */
  readonly restartAfter: number;
}

export interface NamedFilter {
  readonly name: string;
  /** Undefined: there is no such BGPFilter. */
  readonly spec: BGPFilterSpec | undefined;
}
