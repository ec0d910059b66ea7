/** One neighbour: its connections, their machines, and the one session that comes of them. */
import type { Family } from "../../ipam/net/address.ts";
import { MessageType } from "../wire/codes.ts";
import { type Fault, isFault } from "../wire/fault.ts";
import { Framer, type RawMessage } from "../wire/framer.ts";
import { decodeNotification, type Notification } from "../wire/notification.ts";
import { decodeOpen, type Open } from "../wire/open.ts";
import { decodeRouteRefresh } from "../wire/route-refresh.ts";
import { isLostSession, loser } from "./collision.ts";
import { COLLISION, type Ending, Fsm, type FsmEvent, type FsmHost, type StateName } from "./fsm.ts";
import { type Negotiated, ourOpen } from "./negotiate.ts";
import type { PeerConfig } from "./peer-config.ts";
import { step } from "./step.ts";
import type { TimerName } from "./timers.ts";

/** What a peer asks of the speaker. */
export interface PeerHost {
  dial(peer: Peer): number;
  send(connection: number, message: Uint8Array): void;
  close(connection: number): void;
  up(peer: Peer, negotiated: Negotiated, now: number): void;
  down(peer: Peer, ending: Ending, now: number): void;
  update(peer: Peer, body: Uint8Array, now: number): Fault | undefined;
  refresh(peer: Peer, family: Family): void;
  stateChanged(peer: Peer, from: StateName, to: StateName, reason: string, now: number): void;
  jitter(): number;
  /** The R bit of our OPEN (RFC 4724 3). */
  isRestarting(): boolean;
}

const TIMER_EVENT: Readonly<Record<TimerName, FsmEvent>> = {
  ConnectRetry: { kind: "ConnectRetryTimerExpires" },
  IdleHold: { kind: "IdleHoldTimerExpires" },
  Hold: { kind: "HoldTimerExpires" },
  Keepalive: { kind: "KeepaliveTimerExpires" },
};

/** States from the least to the most advanced: a peer is shown in the state of its most advanced machine. */
const RANK: readonly StateName[] = ["Idle", "Active", "Connect", "OpenSent", "OpenConfirm", "Established"];

interface Link {
  readonly fsm: Fsm;
  readonly framer: Framer;
}

export class Peer {
  readonly host: PeerHost;
  config: PeerConfig;
  /** Number of times the session was established. */
  establishedCount = 0;
  /** The last thing that went wrong, in words; empty when nothing has. */
  lastError = "";
  #lastNotification = "";
  readonly messages = { received: 0, sent: 0 };
  readonly #dialer: Fsm;
  readonly #links = new Map<number, Link>();
  #acceptor: Fsm | undefined;
  #running = false;
  #shown: StateName = "Idle";
  since: number;

  constructor(config: PeerConfig, host: PeerHost, now: number) {
    this.config = config;
    this.host = host;
    this.since = now;
    this.#dialer = new Fsm(this.#fsmHost(), true, now);
  }

  get state(): StateName {
    return this.#shown;
  }

  /** Set while Established. */
  get session(): { readonly connection: number; readonly negotiated: Negotiated } | undefined {
    const fsm = this.#machines().find(({ state }) => state === "Established");
    if (fsm?.connection === undefined || fsm.negotiated === undefined) return undefined;
    return { connection: fsm.connection, negotiated: fsm.negotiated };
  }

  nextDue(): number {
    return Math.min(this.#dialer.timers.next(), this.#acceptor?.timers.next() ?? Number.POSITIVE_INFINITY);
  }

  start(now: number): void {
    this.#running = true;
    this.#handle(this.#dialer, { kind: "ManualStart" }, now);
  }

  /** Ends whatever there is, telling the peer why; stays down until start. */
  stop(notification: Notification, now: number): void {
    this.#running = false;
    for (const fsm of this.#machines()) this.#handle(fsm, { kind: "ManualStop", notification }, now);
    this.#dialer.timers.clearAll();
  }

  /** Runs every timer that is due. */
  tick(now: number): void {
    for (const fsm of this.#machines()) {
      for (let name = fsm.timers.takeExpired(now); name !== undefined; name = fsm.timers.takeExpired(now)) {
        this.#handle(fsm, TIMER_EVENT[name], now);
      }
    }
  }

  /** Our own connection attempt got through. */
  connected(connection: number, now: number): void {
    if (this.#dialer.connection !== connection) return this.host.close(connection);
    this.#links.set(connection, { fsm: this.#dialer, framer: new Framer() });
    this.#handle(this.#dialer, { kind: "TcpConnected", connection }, now);
  }

  /** The peer opened a connection. */
  accepted(connection: number, now: number): void {
    const before = this.#acceptor;
    const established = this.#machines().find(({ state }) => state === "Established");
    if (established !== undefined && !isLostSession(established, now)) return this.host.close(connection);
    if (before?.state === "Established") {
      this.#handle(before, { kind: "TcpFails", reason: "the peer opened a new connection" }, now);
    } else if (before !== undefined) {
      // The first one is still unanswered: the peer has given up on it.
      this.#handle(before, { kind: "ManualStop", notification: COLLISION }, now);
    }
    const fsm = new Fsm(this.#fsmHost(), false, now);
    fsm.state = "Active";
    this.#acceptor = fsm;
    this.#links.set(connection, { fsm, framer: new Framer() });
    this.#handle(fsm, { kind: "TcpConnected", connection }, now);
  }

  /** A connection is gone, or never came about. */
  closed(connection: number, reason: string, now: number): void {
    const fsm = this.#machines().find((one) => one.connection === connection);
    this.#links.delete(connection);
    if (fsm === undefined) return;
    fsm.connection = undefined;
    this.#handle(fsm, { kind: "TcpFails", reason }, now);
  }

  received(connection: number, octets: Uint8Array, now: number): void {
    const link = this.#links.get(connection);
    if (link === undefined || link.fsm.connection !== connection) return;
    link.framer.push(octets);
    while (link.fsm.connection === connection) {
      const message = link.framer.next();
      if (message === undefined) return;
      this.messages.received++;
      this.#handle(link.fsm, isFault(message) ? { kind: "MessageFault", fault: message } : eventOf(message), now);
    }
  }

  #machines(): Fsm[] {
    return this.#acceptor === undefined ? [this.#dialer] : [this.#dialer, this.#acceptor];
  }

  #handle(fsm: Fsm, event: FsmEvent, now: number): void {
    const connectionBefore = fsm.connection;
    const from = step(fsm, event, now);
    if (connectionBefore !== undefined && fsm.connection === undefined) this.#links.delete(connectionBefore);
    if (from === undefined) return;
    if (fsm.state === "OpenConfirm" && event.kind === "OpenReceived") {
      this.#resolveCollision(fsm, event.open, now);
      if (fsm.state !== "OpenConfirm") return;
    }
    if (fsm.state === "Established") this.#established(fsm, now);
    if (fsm.state === "Idle" && fsm === this.#acceptor) this.#acceptor = undefined;
    if (fsm.state === "Idle" && event.kind !== "ManualStop") this.#failed(fsm.reason, event);
    if (fsm.state === "Active" && event.kind === "TcpFails") this.#failed(fsm.reason, event);
    if (from === "Established") this.host.down(this, fsm.ending, now);
    this.#keepDialing(now);
    this.#show(fsm, now);
  }

  /** A router that was shut down says so once; connections it refuses from then on must not hide its words. */
  #failed(reason: string, event: FsmEvent): void {
    if (event.kind !== "TcpFails") this.#lastNotification = reason;
    const before = this.#lastNotification;
    this.lastError = before === "" || before === reason ? reason : `${reason}; before that: ${before}`;
  }

  /** The dialling machine rests while the other one holds the session, and goes on when there is none. */
  #keepDialing(now: number): void {
    if (!this.#running || this.#dialer.state !== "Idle") return;
    if (this.#acceptor?.state === "Established") this.#dialer.timers.clear("IdleHold");
    else if (!this.#dialer.timers.isRunning("IdleHold")) this.#dialer.rest(now);
  }

  #established(fsm: Fsm, now: number): void {
    const other = this.#machines().find((one) => one !== fsm);
    // The other machine has nothing left to do until this session ends.
    if (other !== undefined) this.#handle(other, { kind: "ManualStop", notification: COLLISION }, now);
    this.establishedCount++;
    this.lastError = "";
    this.#lastNotification = "";
    this.host.up(this, fsm.negotiated as Negotiated, now);
  }

  #resolveCollision(fresh: Fsm, open: Open, now: number): void {
    const other = this.#machines().find((one) => one !== fresh);
    const out = other && loser(this.config, fresh, other, open, now);
    if (out === undefined) return;
    if (out.state === "Established") {
      this.#handle(out, { kind: "TcpFails", reason: "the peer opened a new connection" }, now);
    } else {
      this.#handle(out, { kind: "ManualStop", notification: COLLISION }, now);
    }
  }

  /** `moved` has just changed state; the peer is shown in the state of its most advanced machine. */
  #show(moved: Fsm, now: number): void {
    const rank = (fsm: Fsm) => RANK.indexOf(fsm.state);
    const top = this.#machines().reduce((best, fsm) => (rank(fsm) > rank(best) ? fsm : best), moved);
    if (top.state === this.#shown) return;
    const from = this.#shown;
    this.#shown = top.state;
    this.since = now;
    this.host.stateChanged(this, from, top.state, top.reason, now);
  }

  #fsmHost(): FsmHost {
    const peer = this;
    return {
      get config() {
        return peer.config;
      },
      dial: () => peer.host.dial(peer),
      send: (connection, message) => peer.host.send(connection, message),
      close: (connection) => peer.host.close(connection),
      ourOpen: () => ourOpen(peer.config, peer.host.isRestarting()),
      update: (body, now) => peer.host.update(peer, body, now),
      routeRefresh(body) {
        const family = decodeRouteRefresh(body);
        if (family !== undefined) peer.host.refresh(peer, family);
      },
      jitter: () => peer.host.jitter(),
    };
  }
}

function eventOf({ type, body }: RawMessage): FsmEvent {
  switch (type) {
    case MessageType.Open: {
      const open = decodeOpen(body);
      return isFault(open) ? { kind: "MessageFault", fault: open } : { kind: "OpenReceived", open };
    }
    case MessageType.Update:
      return { kind: "UpdateReceived", body };
    case MessageType.Notification:
      return { kind: "NotificationReceived", notification: decodeNotification(body) };
    case MessageType.RouteRefresh:
      return { kind: "RouteRefreshReceived", body };
    default:
      return { kind: "KeepaliveReceived" };
  }
}
