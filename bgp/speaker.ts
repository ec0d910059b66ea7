/**
 * The BGP speaker: told facts, asked for work (see facts.ts). It never waits, reads no clock and touches no socket.
 *
 * tell() takes a fact in and returns at once. work() runs what is due: timers, decisions over marked prefixes, messages
 * for peers with room. takeForwardingChanges() is what the kernel pulls. nextDue() says when to ask again.
 */
import type { Family } from "../ipam/net/address.ts";
import { type Caller, isCalledBy } from "./caller.ts";
import type { ConnectionFact, Fact, SpeakerEvent, Work } from "./facts.ts";
import { holdsEndOfRib } from "./held-end-of-rib.ts";
import { Neighbor, type NeighborHost } from "./neighbor.ts";
import { peerChanges } from "./peer-changes.ts";
import { MOST_DYNAMIC_PEERS, peerFor } from "./peer-range.ts";
import type { ForwardingSink } from "./rib/forwarding.ts";
import { Rib } from "./rib/rib.ts";
import { cease, type Ending } from "./session/fsm.ts";
import type { LocalEnd } from "./session/local-end.ts";
import type { Negotiated } from "./session/negotiate.ts";
import { Peer } from "./session/peer.ts";
import type { PeerConfig, PeerRange } from "./session/peer-config.ts";
import type { PeerHost } from "./session/peer-host.ts";
import type { SpeakerOptions } from "./speaker-options.ts";
import { CeaseSubcode, MessageType } from "./wire/codes.ts";
import { type Fault, isFault } from "./wire/fault.ts";
import { frame } from "./wire/framer.ts";
import { encodeNotification, encodeShutdownMessage } from "./wire/notification.ts";
import { hexOf } from "./wire/octets.ts";
import { encodeRouteRefresh } from "./wire/route-refresh.ts";

export type { SpeakerOptions } from "./speaker-options.ts";

/** Prefixes decided in one call of work(): some ten milliseconds. */
const DECISION_BUDGET = 20_000;
const { OtherConfigurationChange: CHANGED, AdministrativeShutdown: SHUT_DOWN, PeerDeconfigured: GONE } = CeaseSubcode;
/** RFC 4486 4: to whom nobody knows. */
const REJECTED = encodeNotification(cease(CeaseSubcode.ConnectionRejected));
const TYPE_AT = 18; // of the type octet in a message

export class Speaker {
  readonly rib: Rib;
  readonly #options: SpeakerOptions;
  readonly #neighbors = new Map<string, Neighbor>();
  readonly #byConnection = new Map<number, Neighbor>();
  #ranges: readonly PeerRange[] = [];
  #work: Work[] = [];
  #nextConnection = 2;
  #restarting: boolean;
  #holdsEndOfRib: boolean;
  #stopped = false;
  /** No timer is looked for before (ms): of 5,000 peers some always has one due, which may be 50 ms late. */
  #nextTick = Number.NEGATIVE_INFINITY;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#restarting = options.restarting;
    this.#holdsEndOfRib = options.restarting;
    this.rib = new Rib(options.expectedPrefixes, options.forwards);
  }

  get neighbors(): readonly Neighbor[] {
    return [...this.#neighbors.values()];
  }

  neighbor(name: string): Neighbor | undefined {
    return this.#neighbors.get(name);
  }

  /** From now on new sessions are ordinary ones. */
  endRestart(): void {
    this.#restarting = false;
  }

  tell(fact: Fact, now: number): void {
    if (!("connection" in fact) || fact.kind === "accepted") this.#nextTick = now;
    switch (fact.kind) {
      case "peers":
        this.#ranges = fact.ranges ?? [];
        return this.#setPeers(fact.peers, now);
      case "settings":
        return this.rib.applySettings(fact.settings);
      case "networks":
        return this.rib.own.set(fact.prefixes);
      case "networks-changed":
        return this.rib.own.change(fact.announced, fact.withdrawn);
      case "underlay":
        return this.rib.updateUnderlay(fact.routes);
      case "accepted":
        return this.#accepted(fact.connection, fact, fact.local, now);
      case "reset":
      case "disable":
      case "enable":
        return this.#operate(fact, now);
      case "shutdown":
        return this.#shutDown(fact.message, now);
      default:
        return this.#happened(fact, now);
    }
  }

  work(now: number): Work[] {
    if (this.#nextTick <= now) this.#tick(now);
    if (this.#holdsEndOfRib) this.#holdsEndOfRib = holdsEndOfRib(this.neighbors, this.#restarting);
    this.rib.decideMarked(DECISION_BUDGET);
    for (const group of this.rib.groups.values()) group.work(now);
    const work = this.#work;
    this.#work = [];
    return work;
  }

  /** When work() has something to do, on the caller's clock (ms): now or earlier means at once. */
  nextDue(now: number): number {
    if (this.#work.length > 0 || this.rib.undecided > 0) return now;
    let next = this.#nextTick;
    for (const group of this.rib.groups.values()) next = Math.min(next, group.nextDue(now));
    return next;
  }

  /** Every timer that is due, and when the next is: not looked for at each turn, with hundreds of peers. */
  #tick(now: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const neighbor of this.#neighbors.values()) {
      if (neighbor.peer.nextDue() <= now) neighbor.peer.tick(now);
      if (neighbor.staleness.nextDue() <= now) this.#swept(neighbor, neighbor.staleness.tick(now));
      if (neighbor.dynamic) this.#removeIfGone(neighbor, now);
      next = Math.min(next, neighbor.nextDue());
    }
    this.#nextTick = Math.max(next, now + Math.floor(this.#neighbors.size / 100));
  }

  /** Something about a connection. It may have set a timer: later ones are found when the earlier one is looked at. */
  #happened(fact: ConnectionFact, now: number): void {
    const neighbor = this.#byConnection.get(fact.connection);
    if (neighbor === undefined) return;
    if (fact.kind === "closed") this.#byConnection.delete(fact.connection);
    neighbor.happened(fact, now);
    const gone = neighbor.dynamic && neighbor.peer.session === undefined;
    this.#nextTick = gone ? now : Math.min(this.#nextTick, neighbor.nextDue());
  }

  takeForwardingChanges(limit: number, sink: ForwardingSink): number {
    return this.rib.takeForwardingChanges(limit, sink);
  }

  #setPeers(configs: readonly PeerConfig[], now: number): void {
    const { kept, gone, fresh } = peerChanges(this.neighbors, configs, (config) => peerFor(this.#ranges, config));
    for (const neighbor of gone) this.#remove(neighbor, GONE, now);
    const anew = kept.flatMap(([neighbor, config]) => (this.#goesOn(neighbor, config, now) ? [] : config));
    if (!this.#stopped) for (const config of [...anew, ...fresh]) this.#add(config, false, now).peer.start(now);
  }

  /** False: the session is over, and a new one begins with nothing. */
  #goesOn(neighbor: Neighbor, config: PeerConfig, now: number): boolean {
    const { name } = neighbor.peer.config;
    this.#neighbors.set(config.name, neighbor);
    const goesOn = neighbor.take(config, now);
    if (name !== config.name) this.#neighbors.delete(goesOn ? name : config.name);
    if (!goesOn) this.#remove(neighbor, config.enabled ? CHANGED : SHUT_DOWN, now);
    else if (name !== config.name) this.#event({ kind: "renamed", peer: config.name, formerly: name });
    return goesOn || neighbor.dynamic;
  }

  #add(config: PeerConfig, dynamic: boolean, now: number): Neighbor {
    const peer = new Peer(config, this.#peerHost(), now);
    const neighbor = new Neighbor(peer, this.rib.sources.allocate(), this.rib, this.#neighborHost, dynamic);
    this.#neighbors.set(config.name, neighbor);
    return neighbor;
  }

  #remove(neighbor: Neighbor, subcode: number, now: number): void {
    const { peer } = neighbor;
    peer.stop(cease(subcode), now, subcode === GONE && peer.config.endsQuietly === "always");
    neighbor.remove();
    this.#neighbors.delete(peer.config.name);
  }

  /** A peer from a range goes with its session, once none of its routes is kept for its return. */
  #removeIfGone(neighbor: Neighbor, now: number): void {
    const { peer, staleness } = neighbor;
    const waits = peer.state === "Idle" || (peer.state === "Active" && !peer.hasConnection);
    if (waits && !peer.isKeptDown(now) && staleness.families.size === 0) this.#remove(neighbor, GONE, now);
  }

  #operate(fact: Extract<Fact, { kind: "reset" | "disable" | "enable" }>, now: number): void {
    const neighbor = this.#neighbors.get(fact.peer);
    if (neighbor === undefined || this.#stopped) return;
    const { peer } = neighbor;
    if (fact.kind === "enable") peer.enable(now);
    else if (fact.kind === "disable") {
      peer.disable(cease(CeaseSubcode.AdministrativeShutdown, encodeShutdownMessage(fact.message)), now);
    } else if (fact.soft) neighbor.exchangeAgain();
    else peer.reset(cease(CeaseSubcode.AdministrativeReset, encodeShutdownMessage(fact.message)), now);
  }

  #shutDown(message: string, now: number): void {
    this.#stopped = true;
    const notification = cease(CeaseSubcode.AdministrativeShutdown, encodeShutdownMessage(message));
    for (const { peer } of this.#neighbors.values()) peer.stop(notification, now);
  }

  #accepted(connection: number, caller: Caller, local: LocalEnd | undefined, now: number): void {
    const named = this.neighbors.filter(({ peer }) => isCalledBy(peer.config, caller));
    // Two sessions with one address, on different ports: the one that is down is the one meant.
    const neighbor = named.find(({ peer }) => peer.session === undefined) ?? named[0] ?? this.#fromRange(caller, now);
    if (neighbor === undefined || this.#stopped) {
      this.#work.push({ kind: "send", connection, octets: REJECTED }, { kind: "close", connection });
      return;
    }
    this.#byConnection.set(connection, neighbor);
    neighbor.peer.accepted(connection, local, now);
  }

  #fromRange(caller: Caller, now: number): Neighbor | undefined {
    const config = peerFor(this.#ranges, caller);
    const dynamic = this.neighbors.filter((neighbor) => neighbor.dynamic).length;
    if (config === undefined || this.#stopped || dynamic >= MOST_DYNAMIC_PEERS) return undefined;
    const neighbor = this.#add(config, true, now);
    neighbor.peer.start(now);
    return neighbor;
  }

  #send(neighbor: Neighbor, octets: Uint8Array, messages: number): void {
    const { session } = neighbor.peer;
    if (session === undefined) return;
    neighbor.peer.countSent(octets[TYPE_AT] as number, messages);
    this.#work.push({ kind: "send", connection: session.connection, octets });
  }

  #event(event: SpeakerEvent): void {
    this.#work.push({ kind: "event", event });
  }

  #swept(neighbor: Neighbor, routes: number): void {
    if (routes > 0) this.#event({ kind: "stale-swept", peer: neighbor.peer.config.name, routes });
  }

  #update(neighbor: Neighbor, body: Uint8Array, now: number): Fault | undefined {
    neighbor.updates.received++;
    const imported = neighbor.adjRibIn?.update(body);
    if (imported === undefined || isFault(imported)) return imported && neighbor.count(imported);
    const { name } = neighbor.peer.config;
    for (const fault of imported.faults) {
      const { action, text } = neighbor.count(fault);
      const octets = hexOf(frame(MessageType.Update, body));
      this.#event({ kind: "bad-update", peer: name, action, text, prefixes: imported.prefixes, octets });
    }
    if (imported.endOfRib !== undefined) {
      this.#event({ kind: "end-of-rib", peer: name, family: imported.endOfRib });
      this.#swept(neighbor, neighbor.completed(imported.endOfRib));
    }
    neighbor.holdToLimit(now);
    return undefined;
  }

  #refresh(neighbor: Neighbor, family: Family, kind: "request" | "begin" | "end", now: number): void {
    if (kind === "begin") return neighbor.staleness.refreshBegins(family, now);
    if (kind === "end") return this.#swept(neighbor, neighbor.staleness.refreshEnds(family));
    return neighbor.tellAgain(family, true);
  }

  #neighborOf(peer: Peer): Neighbor {
    return this.#neighbors.get(peer.config.name) as Neighbor;
  }

  readonly #neighborHost: NeighborHost = {
    send: (neighbor, octets, messages) => this.#send(neighbor, octets, messages),
    refreshed: (neighbor, family) => this.#send(neighbor, encodeRouteRefresh(family, "end"), 1),
    holdsEndOfRib: () => this.#holdsEndOfRib,
    overLimit: ({ peer }, family, text) => this.#event({ kind: "prefix-limit", peer: peer.config.name, family, text }),
  };

  #peerHost(): PeerHost {
    return {
      dial: (peer) => {
        const connection = this.#nextConnection;
        this.#nextConnection += 2;
        this.#byConnection.set(connection, this.#neighborOf(peer));
        this.#work.push({ kind: "dial", connection, peer: peer.config });
        return connection;
      },
      send: (connection, octets) => void this.#work.push({ kind: "send", connection, octets }),
      close: (connection) => {
        this.#byConnection.delete(connection);
        this.#work.push({ kind: "close", connection });
      },
      up: (peer, negotiated: Negotiated, local, now) => this.#neighborOf(peer).up(negotiated, local, now),
      down: (peer, ending: Ending, now) => {
        const routes = this.#neighborOf(peer).down(ending, now);
        if (routes > 0) this.#event({ kind: "stale-kept", peer: peer.config.name, routes });
      },
      update: (peer, body, now) => this.#update(this.#neighborOf(peer), body, now),
      refresh: (peer, family, kind, now) => this.#refresh(this.#neighborOf(peer), family, kind, now),
      stateChanged: ({ config }, from, to, reason) =>
        this.#event({ kind: "session", peer: config.name, from, to, reason }),
      jitter: () => 0.75 + 0.25 * this.#options.random(),
      isRestarting: () => this.#restarting,
      keptForwarding: () => this.#options.restarting || !this.rib.forwards,
    };
  }
}
