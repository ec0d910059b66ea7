/** One neighbour as the operator wants it, resolved: no name, selector or default is left to look up. */
import type { Address, Family } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import type { FilterChain } from "../policy/chain.ts";
import { sameOctets } from "../wire/octets.ts";

/** RFC 9234 4: what this speaker is on the session. */
export type Role = "provider" | "customer" | "peer" | "rs" | "rs-client";

/** How many prefixes of one family, and what happens beyond. */
export interface PrefixLimit {
  readonly limit: number;
  /**
   * `warn`: say so; `block`: take no more; `restart`: Cease and again after `restartAfter`; `shutdown`: Cease and stay
   * down until an operator enables the peer (RFC 4486 4).
   */
  readonly action: "warn" | "block" | "restart" | "shutdown";
  /** Seconds, for `restart`. */
  readonly restartAfter: number;
}

export interface PeerConfig {
  /** Unique; the key by which a change of configuration finds the session again. */
  readonly name: string;
  readonly address: Address;
  readonly port: number;
  /** 0: any, the peer's OPEN says which. */
  readonly asNumber: number;
  /** Our AS number towards this peer. */
  readonly localAsNumber: number;
  /** Our BGP Identifier, four octets. */
  readonly routerId: Address;
  /** False: shut down by the operator; the session stays down. */
  readonly enabled: boolean;
  /** Why the session has to stay down until there is another configuration, in words: its password is not known. */
  readonly held?: string | undefined;

  /** Where our end of the TCP connection sits; undefined: the kernel chooses. */
  readonly sourceAddress: Address | undefined;
  /** The interface to go out by: needed for a link-local address. */
  readonly device: string | undefined;
  /** Never dial, wait for the peer to. */
  readonly passive: boolean;
  /** TCP MD5 (RFC 2385). */
  readonly password: string | undefined;
  /** Hops of RFC 5082; undefined: off. */
  readonly ttlSecurity: number | undefined;
  /** TTL of what we send; undefined: the system's. */
  readonly ttl: number | undefined;

  readonly families: readonly Family[];
  /** Seconds: 0, or 3 and more. */
  readonly holdTime: number;
  /** Seconds; undefined: a third of the hold time in force. */
  readonly keepaliveTime: number | undefined;
  /** Seconds between two tries to dial. */
  readonly connectRetryTime: number;
  /** Seconds the peer may keep our routes while we restart; undefined: graceful restart is not offered. */
  readonly restartTime: number | undefined;
  /**
   * Ends without a NOTIFICATION, so that both sides keep the routes as over a restart where both said so (RFC 4724):
   * when its terms change, or when the peer is removed, too.
   */
  readonly endsQuietly?: "on change" | "always";
  /** RFC 8538, the N bit: routes are kept over a NOTIFICATION and an expired hold timer too. */
  readonly restartOnNotification?: boolean;
  /** Seconds that routes of the peer stay as a last resort when the restart time is over (RFC 9494); undefined: off. */
  readonly longLivedStaleTime: number | undefined;
  /** RFC 7911. */
  readonly addPath: { readonly send: boolean; readonly receive: boolean };
  /** RFC 8654. */
  readonly extendedMessages: boolean;
  /** RFC 8950: IPv4 routes with IPv6 next hops. */
  readonly extendedNextHop: boolean;
  /** RFC 9234; undefined: the capability is not sent. */
  readonly role: Role | undefined;
  /** RFC 9234 4.2: the peer has to say its role too. */
  readonly strictRole: boolean;

  /** What we put as next hop where it is ours to put, by family; absent: our end of the session. */
  readonly localAddresses: { readonly 4?: Address; readonly 6?: Address };
  readonly nextHopMode: "Auto" | "Self" | "Keep";
  /** How often our own AS number may stand in a received path. */
  readonly numAllowedLocalAsNumbers: number;
  /** Private AS numbers leave the path before it goes to this external peer (RFC 6996). */
  readonly removePrivateAs: boolean;
  /** `originated`: only routes of this speaker's own are announced, so that it never becomes a transit. */
  readonly exportScope: "all" | "originated";
  /**
   * On this machine alone, as a pod is: nobody reaches it but through us. Its routes lead to its own address or are
   * refused, and go on as our own do: also where only own routes are announced, inside the AS too, and always with us
   * as next hop.
   */
  readonly attached?: boolean;
  /** RFC 4456. */
  readonly reflectorClient: boolean;
  /** Four octets, for CLUSTER_LIST. */
  readonly clusterId: Address;
  /** RFC 7947: routes go out as they came, without our AS number. */
  readonly routeServerClient: boolean;
  /** Everything we announce carries GRACEFUL_SHUTDOWN (RFC 8326). */
  readonly gracefulShutdown: boolean;
  readonly importChain: FilterChain;
  readonly exportChain: FilterChain;
  /** RFC 8212: an external peer without filters neither gives nor gets routes. */
  readonly requiresPolicy: boolean;
  readonly maxPrefixes: PrefixLimit | undefined;
  /** Never announce more prefixes of a family than this; undefined: no limit. */
  readonly maxPrefixesOut: number | undefined;
}

/** Peers that are not known one by one: whoever connects from the range gets a session like this. */
export interface PeerRange {
  readonly range: Prefix;
  /** Its address is of no meaning; its name is the front of the peers' names. */
  readonly template: PeerConfig;
}

/** By configuration; with asNumber 0 only the OPEN tells. */
export function isExternal(config: PeerConfig): boolean {
  return config.asNumber !== config.localAsNumber;
}

/** Fields that can change without a new session: what they govern is applied to the routes again instead. */
const POLICY_FIELDS: readonly (keyof PeerConfig)[] = [
  "name",
  "endsQuietly",
  "localAddresses",
  "nextHopMode",
  "numAllowedLocalAsNumbers",
  "removePrivateAs",
  "exportScope",
  "attached",
  "connectRetryTime",
  "gracefulShutdown",
  "importChain",
  "exportChain",
  "requiresPolicy",
  "maxPrefixes",
  "maxPrefixesOut",
  "reflectorClient",
  "clusterId",
  "routeServerClient",
];

/** What it takes to go from one configuration to the other. */
export function changeNeeds(before: PeerConfig, after: PeerConfig): "nothing" | "re-evaluation" | "new session" {
  if (before === after) return "nothing";
  let need: "nothing" | "re-evaluation" = "nothing";
  for (const field of Object.keys({ ...before, ...after }) as (keyof PeerConfig)[]) {
    if (sameValue(before[field], after[field])) continue;
    if (!POLICY_FIELDS.includes(field)) return "new session";
    need = "re-evaluation";
  }
  return need;
}

/** Of plain data. */
function sameValue(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (a instanceof Uint8Array && b instanceof Uint8Array) return sameOctets(a, b);
  if (!isMap(a) || !isMap(b)) return false;
  const fields = Object.keys(a);
  const sameFields = fields.length === Object.keys(b).length;
  return sameFields && fields.every((field) => field in b && sameValue(a[field], b[field]));
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;
