/** One session that a node shall have: what the speaker needs to know of it. */
import type { Address } from "../../ipam/net/address.ts";

export interface PeerIntent {
  /** `mesh/<node>`, `<bgppeer>`, or `<bgppeer>/<node>` for a peering by peerSelector. */
  readonly name: string;
  readonly type: "node-to-node mesh" | "node specific" | "global";
  readonly address: Address;
  readonly port: number;
  /** AS of the other side. */
  readonly asNumber: number;
  /** AS that this node shows to it. */
  readonly localASNumber: number;
  /** Undefined: the kernel picks. */
  readonly sourceAddress?: Address;
  readonly passive: boolean;
  /** Seconds, 0 for none. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the agreed hold time. */
  readonly keepaliveTime?: number;
  /** Seconds. */
  readonly connectRetryTime?: number;
  /** Seconds. */
  readonly maxRestartTime: number;
  readonly nextHopMode: "Auto" | "Self" | "Keep";
  readonly numAllowedLocalASNumbers: number;
  /** At most so many hops away; undefined: any distance. */
  readonly ttlSecurity?: number;
}
