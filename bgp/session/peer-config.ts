/** One neighbour as the operator wants it, resolved: no name, selector or default is left to look up. */
import type { Address, Family } from "../../ipam/net/address.ts";

export interface PeerConfig {
  /** Unique; the key by which a change of configuration finds the session again. */
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  readonly asNumber: number;
  /** Our AS number towards this peer. */
  readonly localAsNumber: number;
  /** Our BGP Identifier, four octets. */
  readonly routerId: Address;
  /** Where our end of the TCP connection sits; undefined: the kernel chooses. */
  readonly sourceAddress: Address | undefined;
  /** Never dial, wait for the peer to. */
  readonly passive: boolean;
  readonly families: readonly Family[];
  /** Seconds: 0, or 3 and more. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the hold time in force. */
  readonly keepaliveTime: number | undefined;
  /** Seconds between two tries to dial. */
  readonly connectRetryTime: number;
  /** Seconds the peer may keep our routes while we restart; undefined: graceful restart is not offered. */
  readonly restartTime: number | undefined;
  /** What we put as next hop where it is ours to put, by family. */
  readonly localAddresses: { readonly 4?: Address; readonly 6?: Address };
  readonly nextHopMode: "Auto" | "Self" | "Keep";
  /** How often our own AS number may stand in a received path. */
  readonly numAllowedLocalAsNumbers: number;
  /** Hops of RFC 5082; undefined: off. */
  readonly ttlSecurity: number | undefined;
  /** `originated`: only routes of this speaker's own are announced, so that it never becomes a transit. */
  readonly exportScope: "all" | "originated";
}

export function isExternal(config: PeerConfig): boolean {
  return config.asNumber !== config.localAsNumber;
}

/** Fields that can change without a new session: what they govern is applied to the routes again instead. */
const POLICY_FIELDS: readonly (keyof PeerConfig)[] = [
  "localAddresses",
  "nextHopMode",
  "numAllowedLocalAsNumbers",
  "exportScope",
  "connectRetryTime",
];

/** What it takes to go from one configuration to the other. */
export function changeNeeds(before: PeerConfig, after: PeerConfig): "nothing" | "re-evaluation" | "new session" {
  let need: "nothing" | "re-evaluation" = "nothing";
  for (const field of Object.keys(after) as (keyof PeerConfig)[]) {
    if (sameValue(before[field], after[field])) continue;
    if (!POLICY_FIELDS.includes(field)) return "new session";
    need = "re-evaluation";
  }
  return need;
}

function sameValue(a: unknown, b: unknown): boolean {
  return JSON.stringify(plain(a)) === JSON.stringify(plain(b));
}

function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, plain(inner)]);
}
