/**
 * The speaker's whole conversation with the world: facts it is told, work it asks for.
 *
 * Both are plain values, so that a run can be written down and played again. Connections are numbers: even ones the
 * speaker chose when it asked to dial, odd ones whoever accepted them.
 */
import type { Address, Family } from "../ipam/net/address.ts";
import type { Prefix } from "../ipam/net/prefix.ts";
import type { UnderlayRoute } from "./rib/next-hops.ts";
import type { Network } from "./rib/own-routes.ts";
import type { SpeakerSettings } from "./rib/settings.ts";
import type { StateName } from "./session/fsm.ts";
import type { LocalEnd } from "./session/local-end.ts";
import type { PeerConfig, PeerRange } from "./session/peer-config.ts";

export type { Network } from "./rib/own-routes.ts";
export { DEFAULT_SETTINGS, type SpeakerSettings } from "./rib/settings.ts";
export type { LocalEnd } from "./session/local-end.ts";

export type Fact =
  /** All neighbours, as they should be from now on. */
  | { readonly kind: "peers"; readonly peers: readonly PeerConfig[]; readonly ranges?: readonly PeerRange[] }
  | { readonly kind: "settings"; readonly settings: SpeakerSettings }
  /** All prefixes to originate, as they should be from now on. */
  | { readonly kind: "networks"; readonly prefixes: readonly Network[] }
  /** Some to originate from now on, or with other communities; some not any more. */
  | { readonly kind: "networks-changed"; readonly announced: readonly Network[]; readonly withdrawn: readonly Prefix[] }
  /** All routes of the kernel that are not ours. */
  | { readonly kind: "underlay"; readonly routes: readonly UnderlayRoute[] }
  | { readonly kind: "connected"; readonly connection: number; readonly local?: LocalEnd }
  | {
      readonly kind: "accepted";
      readonly connection: number;
      readonly address: Address;
      /** The interface that a link-local caller came by. */
      readonly device?: string;
      readonly local?: LocalEnd;
    }
  | { readonly kind: "received"; readonly connection: number; readonly octets: Uint8Array }
  /** Closed by the other side, or an attempt that failed; the reason in words. */
  | { readonly kind: "closed"; readonly connection: number; readonly reason: string }
  /** The connection takes no more for now, or takes more again. */
  | { readonly kind: "congested" | "drained"; readonly connection: number }
  /** An operator: end the session and let it start again; `soft`: exchange all routes again within it (RFC 2918). */
  | { readonly kind: "reset"; readonly peer: string; readonly soft: boolean; readonly message: string }
  /** An operator: take a peer down until it is enabled again, with words for the other side (RFC 9003). */
  | { readonly kind: "disable"; readonly peer: string; readonly message: string }
  | { readonly kind: "enable"; readonly peer: string }
  /** Ends every session with an administrative shutdown (RFC 4486, RFC 9003). */
  | { readonly kind: "shutdown"; readonly message: string };

/** What happens to a connection that is somebody's already. */
export type ConnectionFact = Extract<Fact, { kind: "connected" | "received" | "closed" | "congested" | "drained" }>;

export type Work =
  | { readonly kind: "dial"; readonly connection: number; readonly peer: PeerConfig }
  /** One message, or several one after the other; the octets may be on their way to other peers too. */
  | { readonly kind: "send"; readonly connection: number; readonly octets: Uint8Array }
  /** After everything sent before it. */
  | { readonly kind: "close"; readonly connection: number }
  | { readonly kind: "event"; readonly event: SpeakerEvent };

export type SpeakerEvent =
  | { readonly kind: "prefix-limit"; readonly peer: string; readonly family: Family; readonly text: string }
  | {
      readonly kind: "session";
      readonly peer: string;
      readonly from: StateName;
      readonly to: StateName;
      readonly reason: string;
    }
  | { readonly kind: "end-of-rib"; readonly peer: string; readonly family: Family }
  /** The session goes on under another name: another resource asks for it now. */
  | { readonly kind: "renamed"; readonly peer: string; readonly formerly: string }
  | { readonly kind: "stale-kept" | "stale-swept"; readonly peer: string; readonly routes: number }
  /** RFC 7606 8: `octets` is the whole message in hex. */
  | {
      readonly kind: "bad-update";
      readonly peer: string;
      readonly action: string;
      readonly text: string;
      readonly prefixes: readonly string[];
      readonly octets: string;
    };
