/** What a peer and the speaker it belongs to know of each other. */
import type { Family } from "../../ipam/net/address.ts";
import type { Fault } from "../wire/fault.ts";
import type { RefreshKind } from "../wire/route-refresh.ts";
import type { Ending, StateName } from "./fsm.ts";
import type { LocalEnd } from "./local-end.ts";
import type { Negotiated } from "./negotiate.ts";
import type { Peer } from "./peer.ts";

/** What a peer asks of the speaker. */
export interface PeerHost {
  dial(peer: Peer): number;
  send(connection: number, message: Uint8Array): void;
  close(connection: number): void;
  up(peer: Peer, negotiated: Negotiated, local: LocalEnd | undefined, now: number): void;
  down(peer: Peer, ending: Ending, now: number): void;
  update(peer: Peer, body: Uint8Array, now: number): Fault | undefined;
  refresh(peer: Peer, family: Family, kind: RefreshKind, now: number): void;
  stateChanged(peer: Peer, from: StateName, to: StateName, reason: string, now: number): void;
  jitter(): number;
  /** The R bit of our OPEN (RFC 4724 3). */
  isRestarting(): boolean;
  /** The F bit of a first OPEN: what we forwarded by before our own start is still there, or nothing is forwarded. */
  keptForwarding(): boolean;
}

/** What there is while Established. */
export interface Session {
  readonly connection: number;
  readonly negotiated: Negotiated;
  readonly local: LocalEnd | undefined;
}
