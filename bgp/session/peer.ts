/** One neighbour: its connections, their machines, and the one session that comes of them. */
import { CeaseSubcode } from "../wire/codes.ts";
import { type Fault, isFault } from "../wire/fault.ts";
import { Framer } from "../wire/framer.ts";
import { describeNotification, encodeNotification, type Notification } from "../wire/notification.ts";
import type { Open } from "../wire/open.ts";
import { decodeRouteRefresh } from "../wire/route-refresh.ts";
import { isLostSession, loser } from "./collision.ts";
import { eventOf, TIMER_EVENT } from "./events.ts";
import { COLLISION, cease, Fsm, type FsmEvent, type FsmHost, mostAdvanced, type StateName } from "./fsm.ts";
import type { LocalEnd } from "./local-end.ts";
import { type Negotiated, ourOpen } from "./negotiate.ts";
import type { PeerConfig } from "./peer-config.ts";
import type { PeerHost, Session } from "./peer-host.ts";
import { isSetback, PeerRecord } from "./peer-record.ts";
import { step } from "./step.ts";

/** Of the type octet in a message. */
const TYPE_AT = 18;
/** RFC 4486 4: to whom is known, but not wanted now. */
const REJECTED = cease(CeaseSubcode.ConnectionRejected);
const LEFT: FsmEvent = { kind: "TcpFails", reason: "ended here: the configuration changed" };

interface Link {
  readonly fsm: Fsm;
  readonly framer: Framer;
  readonly local: LocalEnd | undefined;
}

export class Peer extends PeerRecord {
  readonly host: PeerHost;
  config: PeerConfig;
  /** Taken down by an operator or a limit, until it is enabled. */
  disabled = false;
  /** Until when the peer is kept down for having sent too much (ms). */
  #heldUntil = 0;
  readonly #dialer: Fsm;
  readonly #links = new Map<number, Link>();
  #acceptor: Fsm | undefined;
  #running = false;
  #shown: StateName = "Idle";
  since: number;

  constructor(config: PeerConfig, host: PeerHost, now: number) {
    super();
    this.config = config;
    this.host = host;
    this.since = now;
    this.#dialer = new Fsm(this.#fsmHost(), true, now);
  }

  get state(): StateName {
    return this.#shown;
  }

  /** Set while Established. */
  get session(): Session | undefined {
    const fsm = this.#machines().find(({ state }) => state === "Established");
    if (fsm?.connection === undefined || fsm.negotiated === undefined) return undefined;
    const { local } = this.#links.get(fsm.connection) ?? {};
    return { connection: fsm.connection, negotiated: fsm.negotiated, local };
  }

  nextDue(): number {
    return Math.min(this.#dialer.timers.next(), this.#acceptor?.timers.next() ?? Number.POSITIVE_INFINITY);
  }

  get runningTimers(): readonly { readonly name: string; readonly due: number }[] {
    return this.#machines().flatMap(({ timers }) => timers.running);
  }

  start(now: number): void {
    const { enabled, held } = this.config;
    this.lastError = held ?? this.lastError;
    if (this.disabled || !enabled || held !== undefined) return;
    this.#running = true;
    this.#heldUntil = 0;
    this.#handle(this.#dialer, { kind: "ManualStart" }, now);
  }

  /** Ends all, telling the peer why, until start. `quietly`: a session without a word, as a restart (RFC 4724) does. */
  stop(notification: Notification, now: number, quietly = false): void {
    this.#running = false;
    for (const fsm of this.#machines()) {
      const isLeft = quietly && fsm.state === "Established";
      this.#handle(fsm, isLeft ? LEFT : { kind: "ManualStop", notification }, now);
    }
    this.#dialer.timers.clearAll();
  }

  get hasConnection(): boolean {
    return this.#links.size > 0;
  }

  /** Somebody, or a limit, wants no session now. */
  isKeptDown(now: number): boolean {
    return this.disabled || now < this.#heldUntil;
  }

  /** Down until {@link enable}, telling the peer why. */
  disable(notification: Notification, now: number): void {
    this.disabled = true;
    this.lastError = `down by the operator or a limit: ${describeNotification(notification)}`;
    this.stop(notification, now);
  }

  enable(now: number): void {
    if (!this.disabled) return;
    this.disabled = false;
    this.start(now);
  }

  /** Ends the session and starts again. */
  reset(notification: Notification, now: number): void {
    this.stop(notification, now);
    this.start(now);
  }

  /** Ends the session, and starts again after a while. */
  holdDown(notification: Notification, restartAfterMs: number, now: number): void {
    this.stop(notification, now);
    this.#running = true;
    this.#heldUntil = now + restartAfterMs;
    this.lastError = `held down: ${describeNotification(notification)}`;
    this.#dialer.timers.set("IdleHold", this.#heldUntil);
  }

  /** The session takes no more octets: for so long at most (RFC 9687 3). */
  congested(now: number): void {
    const fsm = this.#machines().find(({ state }) => state === "Established");
    if (fsm?.timers.isRunning("SendHold") === false) fsm.startSendHoldTimer(now);
  }

  drained(_now: number): void {
    for (const fsm of this.#machines()) fsm.timers.clear("SendHold");
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
  connected(connection: number, local: LocalEnd | undefined, now: number): void {
    if (this.#dialer.connection !== connection) return this.host.close(connection);
    this.#links.set(connection, { fsm: this.#dialer, framer: new Framer(), local });
    this.#handle(this.#dialer, { kind: "TcpConnected", connection }, now);
  }

  /** The peer opened a connection. */
  accepted(connection: number, local: LocalEnd | undefined, now: number): void {
    if (!this.#running || this.isKeptDown(now)) return this.#refuse(connection, REJECTED);
    const before = this.#acceptor;
    const established = this.#machines().find(({ state }) => state === "Established");
    if (established !== undefined && !isLostSession(established, now)) return this.#refuse(connection, COLLISION);
    if (before?.state === "Established") {
      this.#handle(before, { kind: "TcpFails", reason: "the peer opened a new connection" }, now);
    } else if (before !== undefined) {
      // The first one is still unanswered: the peer has given up on it.
      this.#handle(before, { kind: "ManualStop", notification: COLLISION }, now);
    }
    const fsm = new Fsm(this.#fsmHost(), false, now);
    fsm.state = "Active";
    this.#acceptor = fsm;
    this.#links.set(connection, { fsm, framer: new Framer(), local });
    this.#handle(fsm, { kind: "TcpConnected", connection }, now);
  }

  #refuse(connection: number, notification: Notification): void {
    this.host.send(connection, encodeNotification(notification));
    this.host.close(connection);
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
      this.countReceived(isFault(message) ? undefined : message.type);
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
    if (isSetback(fsm.state, event.kind, from !== undefined)) this.failed(fsm.reason, event.kind);
    if (from === undefined) return;
    if (fsm.state === "OpenConfirm" && event.kind === "OpenReceived" && !isFault(event.open)) {
      this.#opened(fsm, event.open, now);
      if (fsm.state !== "OpenConfirm") return;
    }
    if (fsm.state === "Established") this.#established(fsm, now);
    if (fsm.state === "Idle" && fsm === this.#acceptor) this.#acceptor = undefined;
    if (from === "Established") this.host.down(this, fsm.ending, now);
    this.#keepDialing(now);
    this.#show(fsm, now);
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
    this.#dialer.forgetFailures();
    this.succeeded();
    this.host.up(this, fsm.negotiated as Negotiated, this.#linkOf(fsm)?.local, now);
  }

  #linkOf({ connection }: Fsm): Link | undefined {
    return connection === undefined ? undefined : this.#links.get(connection);
  }

  /** The peer's OPEN is acceptable: its next message may be a long one already, and it tells who wins a collision. */
  #opened(fresh: Fsm, open: Open, now: number): void {
    this.opens = { ...this.opens, received: open };
    const link = this.#linkOf(fresh);
    if (link !== undefined) link.framer.maxLength = (fresh.negotiated as Negotiated).maxMessageLength;
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
    const top = mostAdvanced(this.#machines(), moved);
    if (top.state === this.#shown) return;
    const from = this.#shown;
    this.#shown = top.state;
    this.since = now;
    this.host.stateChanged(this, from, top.state, top.reason, now);
  }

  #refresh(body: Uint8Array, now: number): Fault | undefined {
    const { negotiated } = this.session ?? {};
    const refresh = decodeRouteRefresh(body, negotiated?.enhancedRefresh === true);
    if (refresh === undefined || isFault(refresh)) return refresh;
    // RFC 2918 4: a family that was not agreed on is passed over.
    const isAgreed = negotiated?.families.includes(refresh.family) === true;
    if (isAgreed) this.host.refresh(this, refresh.family, refresh.kind, now);
    return undefined;
  }

  #fsmHost(): FsmHost {
    const peer = this;
    return {
      get config() {
        return peer.config;
      },
      dial: () => peer.host.dial(peer),
      send(connection, message) {
        peer.countSent(message[TYPE_AT] as number, 1);
        peer.host.send(connection, message);
      },
      close: (connection) => peer.host.close(connection),
      ourOpen() {
        const forwardingPreserved = peer.establishedCount > 0 || peer.host.keptForwarding();
        const sent = ourOpen(peer.config, { restarted: peer.host.isRestarting(), forwardingPreserved });
        peer.opens = { ...peer.opens, sent };
        return sent;
      },
      update: (body, now) => peer.host.update(peer, body, now),
      routeRefresh: (body, now) => peer.#refresh(body, now),
      notified: (direction, notification, now) => peer.notified(direction, notification, now),
      jitter: () => peer.host.jitter(),
    };
  }
}
