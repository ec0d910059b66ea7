/**
 * What the BGP finite state machine of one connection holds, and what its states have in common (RFC 4271 8).
 *
 * A state is a function from an event to the next state and the reason in words; one file each, put together in
 * step.ts. A machine asks its peer for effects (dial, send, close) and never waits. A peer has two machines at most:
 * one
 * that dials, and one for a connection the other side opened (RFC 4271 8.2.1); collision.ts chooses between them.
 */
import { CeaseSubcode, ErrorCode } from "../wire/codes.ts";
import type { Fault } from "../wire/fault.ts";
import {
  describeNotification,
  encodeNotification,
  hardReset,
  isHardReset,
  type Notification,
} from "../wire/notification.ts";
import type { Open } from "../wire/open.ts";
import { keepsOverNotification, type Negotiated } from "./negotiate.ts";
import type { PeerConfig } from "./peer-config.ts";
import { type TimerName, Timers } from "./timers.ts";

export type StateName = "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established";

/** RFC 4271 8.1, with the message events split by message. */
export type FsmEvent =
  | { readonly kind: "ManualStart" }
  | { readonly kind: "ManualStop"; readonly notification: Notification }
  | { readonly kind: "ConnectRetryTimerExpires" }
  | { readonly kind: "IdleHoldTimerExpires" }
  | { readonly kind: "HoldTimerExpires" }
  | { readonly kind: "KeepaliveTimerExpires" }
  | { readonly kind: "SendHoldTimerExpires" }
  | { readonly kind: "TcpConnected"; readonly connection: number }
  | { readonly kind: "TcpFails"; readonly reason: string }
  /** Or what is wrong with it: only the state that waits for an OPEN looks into it. */
  | { readonly kind: "OpenReceived"; readonly open: Open | Fault }
  | { readonly kind: "KeepaliveReceived" }
  | { readonly kind: "UpdateReceived"; readonly body: Uint8Array }
  | { readonly kind: "RouteRefreshReceived"; readonly body: Uint8Array }
  | { readonly kind: "NotificationReceived"; readonly notification: Notification }
  | { readonly kind: "MessageFault"; readonly fault: Fault };

/**
 * How an established session ended, as far as graceful restart asks: whether the routes may stay (RFC 4724 4.2: the TCP
 * connection was lost; RFC 8538 3: a NOTIFICATION, where both sides said so). Collision: the peer, which is there, goes
 * on over the other of two connections.
 */
export type Ending = "restartable" | "collision" | "final";

export interface Next {
  readonly state: StateName;
  readonly reason: string;
}

export type StateHandler = (fsm: Fsm, event: FsmEvent, now: number) => Next | undefined;

/** What a machine asks of the peer it belongs to. */
export interface FsmHost {
  readonly config: PeerConfig;
  /** The dial's connection. */
  dial(): number;
  send(connection: number, message: Uint8Array): void;
  close(connection: number): void;
  ourOpen(): Open;
  update(body: Uint8Array, now: number): Fault | undefined;
  routeRefresh(body: Uint8Array, now: number): Fault | undefined;
  /** For operators. */
  notified(direction: "sent" | "received", notification: Notification, now: number): void;
  /** A factor in 0.75 to 1, so that retries of many speakers spread (RFC 4271 10). */
  jitter(): number;
}

/** States from the least to the most advanced. */
const RANK: readonly StateName[] = ["Idle", "Active", "Connect", "OpenSent", "OpenConfirm", "Established"];

/** Of several machines; the given one among equals. */
export function mostAdvanced(machines: readonly Fsm[], given: Fsm): Fsm {
  const rank = (fsm: Fsm) => RANK.indexOf(fsm.state);
  return machines.reduce((best, fsm) => (rank(fsm) > rank(best) ? fsm : best), given);
}

/** RFC 8538 3.1: a peer that goes for good takes its routes along. */
const ENDS_RESTART: readonly number[] = [
  CeaseSubcode.MaximumPrefixes,
  CeaseSubcode.AdministrativeShutdown,
  CeaseSubcode.PeerDeconfigured,
];

/** RFC 4271 8.2.2: how long an OPEN may take. */
export const LARGE_HOLD_TIME_S = 240;
const SEND_HOLD_TIME_S = 480;
const FIRST_IDLE_HOLD_S = 1;
const LONGEST_IDLE_HOLD_S = 30;

export class Fsm {
  readonly host: FsmHost;
  readonly dials: boolean;
  readonly timers = new Timers();
  state: StateName = "Idle";
  reason = "not started";
  since: number;
  connection: number | undefined;
  negotiated: Negotiated | undefined;
  ending: Ending = "restartable";
  #idleHold = FIRST_IDLE_HOLD_S;

  constructor(host: FsmHost, dials: boolean, now: number) {
    this.host = host;
    this.dials = dials;
    this.since = now;
  }

  /** The state machine's own: step.ts calls it. */
  enter({ state, reason }: Next, now: number): void {
    this.reason = reason;
    if (state === this.state) return;
    this.state = state;
    this.since = now;
    if (state === "Established") this.forgetFailures();
  }

  /** The next rest is a short one again. */
  forgetFailures(): void {
    this.#idleHold = FIRST_IDLE_HOLD_S;
  }

  /** Seconds on the caller's clock. */
  startTimer(name: TimerName, seconds: number, now: number): void {
    const jittered = name === "Hold" || name === "SendHold" ? seconds : seconds * this.host.jitter();
    // RFC 4271 4.4: KEEPALIVEs come once a second at most, whatever chance says.
    const least = name === "Keepalive" ? 1 : 0;
    this.timers.set(name, now + Math.max(jittered, least) * 1000);
  }

  send(message: Uint8Array): void {
    if (this.connection !== undefined) this.host.send(this.connection, message);
  }

  restartHoldTimer(now: number): void {
    const seconds = this.negotiated?.holdTime ?? 0;
    if (seconds > 0) this.startTimer("Hold", seconds, now);
    else this.timers.clear("Hold");
  }

  restartKeepaliveTimer(now: number): void {
    const seconds = this.negotiated?.keepaliveTime ?? 0;
    if (seconds > 0) this.startTimer("Keepalive", seconds, now);
  }

  /** RFC 9687 3: eight minutes, or two hold times where that is more. */
  startSendHoldTimer(now: number): void {
    const holdTime = this.negotiated?.holdTime ?? 0;
    if (holdTime > 0) this.startTimer("SendHold", Math.max(SEND_HOLD_TIME_S, 2 * holdTime), now);
  }

  /** To Idle, with what is left of the connection closed; a machine that dials starts again after a while. */
  toIdle(reason: string, now: number, ending: Ending = "restartable"): Next {
    if (this.connection !== undefined) this.host.close(this.connection);
    this.connection = undefined;
    this.ending = ending;
    this.timers.clearAll();
    if (this.dials) this.rest(now);
    return { state: "Idle", reason };
  }

  /** Starts again after a while, longer each time in a row (RFC 4271 8.1.1 DampPeerOscillations). */
  rest(now: number): void {
    this.timers.set("IdleHold", now + this.#idleHold * 1000 * this.host.jitter());
    this.#idleHold = Math.min(this.#idleHold * 2, LONGEST_IDLE_HOLD_S);
  }

  /** Tells the peer why, then Idle. */
  notify(notification: Notification, reason: string, now: number): Next {
    const keeps = this.#keepsOverNotification();
    const isFinal = keeps && ENDS_RESTART.includes(notification.subcode) && notification.code === ErrorCode.Cease;
    const sent = isFinal ? hardReset(notification) : notification;
    this.host.notified("sent", sent, now);
    this.send(encodeNotification(sent));
    const words = `sent ${describeNotification(sent)}${reason === "" ? "" : ` (${reason})`}`;
    return this.toIdle(words, now, keeps && !isFinal ? "restartable" : "final");
  }

  fault(fault: Fault, now: number): Next {
    return this.notify(fault, fault.text, now);
  }

  /** An event that has no place in this state (RFC 4271 8.2.2 with the subcodes of RFC 6608). */
  unexpected(subcode: 1 | 2 | 3, what: string, now: number): Next {
    const notification = { code: ErrorCode.Fsm, subcode, data: new Uint8Array(0) };
    return this.notify(notification, `unexpected ${what}`, now);
  }

  received(notification: Notification, now: number): Next {
    this.host.notified("received", notification, now);
    const keeps = this.#keepsOverNotification() && !isHardReset(notification);
    const { code, subcode } = notification;
    const collides = code === ErrorCode.Cease && subcode === CeaseSubcode.ConnectionCollision;
    const ending = keeps ? "restartable" : collides ? "collision" : "final";
    return this.toIdle(`received ${describeNotification(notification)}`, now, ending);
  }

  #keepsOverNotification(): boolean {
    return this.negotiated !== undefined && keepsOverNotification(this.host.config, this.negotiated);
  }
}

export function cease(subcode: number, data: Uint8Array = new Uint8Array(0)): Notification {
  return { code: ErrorCode.Cease, subcode, data };
}

export const COLLISION = cease(CeaseSubcode.ConnectionCollision);
