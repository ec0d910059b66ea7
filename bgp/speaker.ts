/**
 * The BGP speaker: told facts, asked for work (see facts.ts). It never waits, reads no clock and touches no socket.
 *
 * tell() takes a fact in and returns at once. work() runs what is due: timers, decisions over marked prefixes, messages
 * for peers with room. takeForwardingChanges() is what the kernel pulls. nextDue() says when to ask again.
 */
import { type Address, type Family, formatAddress } from "../ipam/net/address.ts";
import type { Fact, SpeakerEvent, Work } from "./facts.ts";
import { Neighbor } from "./neighbor.ts";
import { importUpdate } from "./rib/adj-rib-in.ts";
import { type ForwardingChange, LOCAL_SOURCE, Rib } from "./rib/rib.ts";
import { cease, type Ending } from "./session/fsm.ts";
import type { Negotiated } from "./session/negotiate.ts";
import { Peer, type PeerHost } from "./session/peer.ts";
import { changeNeeds, type PeerConfig } from "./session/peer-config.ts";
import { CeaseSubcode } from "./wire/codes.ts";
import { type Fault, isFault } from "./wire/fault.ts";
import { encodeShutdownMessage } from "./wire/notification.ts";
import { encodeRouteRefresh } from "./wire/route-refresh.ts";

export interface SpeakerOptions {
  /** Numbers in [0, 1) for jitter. */
  readonly random: () => number;
  /** The kernel kept forwarding while we were away: says so to the peers until {@link Speaker.endRestart}. */
  readonly restarting: boolean;
}

/** Prefixes decided in one call of work(). */
const DECISION_BUDGET = 20_000;

export class Speaker {
  readonly rib = new Rib();
  readonly #options: SpeakerOptions;
  readonly #neighbors = new Map<string, Neighbor>();
  readonly #byConnection = new Map<number, Neighbor>();
  #work: Work[] = [];
  #nextConnection = 2;
  #nextSource = LOCAL_SOURCE + 1;
  #restarting: boolean;
  #stopped = false;

  constructor(options: SpeakerOptions) {
    this.#options = options;
    this.#restarting = options.restarting;
  }

  get neighbors(): readonly Neighbor[] {
    return [...this.#neighbors.values()];
  }

  /** From now on new sessions are ordinary ones. */
  endRestart(): void {
    this.#restarting = false;
  }

  tell(fact: Fact, now: number): void {
    switch (fact.kind) {
      case "peers":
        return this.#setPeers(fact.peers, now);
      case "networks":
        return this.rib.originate(fact.prefixes);
      case "underlay":
        return this.rib.updateUnderlay(fact.routes);
      case "connected":
        return this.#byConnection.get(fact.connection)?.peer.connected(fact.connection, now);
      case "accepted":
        return this.#accepted(fact.connection, fact.address, now);
      case "received":
        return this.#byConnection.get(fact.connection)?.peer.received(fact.connection, fact.octets, now);
      case "closed": {
        const neighbor = this.#byConnection.get(fact.connection);
        this.#byConnection.delete(fact.connection);
        return neighbor?.peer.closed(fact.connection, fact.reason, now);
      }
      case "congested":
      case "drained": {
        const neighbor = this.#byConnection.get(fact.connection);
        if (neighbor?.peer.session?.connection === fact.connection) neighbor.congested = fact.kind === "congested";
        return undefined;
      }
      case "shutdown":
        return this.#shutDown(fact.message, now);
    }
  }

  work(now: number): Work[] {
    for (const neighbor of this.#neighbors.values()) {
      if (neighbor.peer.nextDue() <= now) neighbor.peer.tick(now);
      if (neighbor.staleDue() <= now) this.#swept(neighbor, neighbor.sweepDue(now));
    }
    this.rib.decideMarked(DECISION_BUDGET);
    for (const neighbor of this.#neighbors.values()) {
      const updates = neighbor.takeUpdates();
      if (updates === undefined) continue;
      for (const octets of updates.messages) this.#send(updates.connection, octets);
    }
    const work = this.#work;
    this.#work = [];
    return work;
  }

  /** When work() has something to do, on the caller's clock (ms): now or earlier means at once. */
  nextDue(now: number): number {
    if (this.#work.length > 0 || this.rib.families[4].marked.size + this.rib.families[6].marked.size > 0) return now;
    let next = Number.POSITIVE_INFINITY;
    for (const neighbor of this.#neighbors.values()) {
      if (neighbor.hasUpdates) return now;
      next = Math.min(next, neighbor.peer.nextDue(), neighbor.staleDue());
    }
    return next;
  }

  takeForwardingChanges(limit: number): ForwardingChange[] {
    return this.rib.takeForwardingChanges(limit);
  }

  #setPeers(configs: readonly PeerConfig[], now: number): void {
    const wanted = new Map(configs.map((config) => [config.name, config]));
    for (const [name, neighbor] of [...this.#neighbors]) {
      const config = wanted.get(name);
      if (config === undefined) {
        this.#remove(name, neighbor, CeaseSubcode.PeerDeconfigured, now);
        continue;
      }
      const need = changeNeeds(neighbor.peer.config, config);
      if (need === "new session") this.#remove(name, neighbor, CeaseSubcode.OtherConfigurationChange, now);
      else if (need === "re-evaluation") this.#reconfigure(neighbor, config);
    }
    for (const [name, config] of wanted) {
      if (this.#neighbors.has(name) || this.#stopped) continue;
      const neighbor = new Neighbor(new Peer(config, this.#peerHost(), now), this.#nextSource++, this.rib);
      this.#neighbors.set(name, neighbor);
      neighbor.peer.start(now);
    }
  }

  #reconfigure(neighbor: Neighbor, config: PeerConfig): void {
    neighbor.peer.config = config;
    for (const family of neighbor.outs.keys()) {
      neighbor.tellAgain(family, "changes");
      const { session } = neighbor.peer;
      // What import rules turned away is not kept: the peer is asked for it again (RFC 2918).
      if (session?.negotiated.routeRefresh === true) this.#send(session.connection, encodeRouteRefresh(family));
    }
  }

  #remove(name: string, neighbor: Neighbor, subcode: number, now: number): void {
    neighbor.peer.stop(cease(subcode), now);
    neighbor.remove();
    this.#neighbors.delete(name);
  }

  #shutDown(message: string, now: number): void {
    this.#stopped = true;
    const notification = cease(CeaseSubcode.AdministrativeShutdown, encodeShutdownMessage(message));
    for (const { peer } of this.#neighbors.values()) peer.stop(notification, now);
  }

  #accepted(connection: number, address: Address, now: number): void {
    const from = formatAddress(address);
    const named = this.neighbors.filter(({ peer }) => formatAddress(peer.config.address) === from);
    // Two sessions with one address, on different ports: the one that is down is the one meant.
    const neighbor = named.find(({ peer }) => peer.session === undefined) ?? named[0];
    if (neighbor === undefined || this.#stopped) {
      this.#work.push({ kind: "close", connection });
      return;
    }
    this.#byConnection.set(connection, neighbor);
    neighbor.peer.accepted(connection, now);
  }

  #send(connection: number, octets: Uint8Array): void {
    const neighbor = this.#byConnection.get(connection);
    if (neighbor !== undefined) neighbor.peer.messages.sent++;
    this.#work.push({ kind: "send", connection, octets });
  }

  #event(event: SpeakerEvent): void {
    this.#work.push({ kind: "event", event });
  }

  #swept(neighbor: Neighbor, routes: number): void {
    if (routes > 0) this.#event({ kind: "stale-swept", peer: neighbor.peer.config.name, routes });
  }

  #update(neighbor: Neighbor, negotiated: Negotiated, body: Uint8Array): Fault | undefined {
    const { config } = neighbor.peer;
    neighbor.updates.received++;
    const imported = importUpdate(body, { rib: this.rib, source: neighbor.source, config, negotiated });
    if (isFault(imported)) return imported;
    for (const { action, text } of imported.faults) {
      if (action === "withdraw") neighbor.updates.treatedAsWithdraw++;
      else neighbor.updates.attributesDiscarded++;
      this.#event({ kind: "bad-update", peer: config.name, action, text });
    }
    if (imported.endOfRib !== undefined) {
      this.#event({ kind: "end-of-rib", peer: config.name, family: imported.endOfRib });
      this.#swept(neighbor, neighbor.completed(imported.endOfRib));
    }
    return undefined;
  }

  #neighborOf(peer: Peer): Neighbor {
    return this.#neighbors.get(peer.config.name) as Neighbor;
  }

  #peerHost(): PeerHost {
    return {
      dial: (peer) => {
        const connection = this.#nextConnection;
        this.#nextConnection += 2;
        this.#byConnection.set(connection, this.#neighborOf(peer));
        this.#work.push({ kind: "dial", connection, peer: peer.config });
        return connection;
      },
      send: (connection, octets) => this.#send(connection, octets),
      close: (connection) => {
        this.#byConnection.delete(connection);
        this.#work.push({ kind: "close", connection });
      },
      up: (peer, negotiated, now) => this.#neighborOf(peer).up(negotiated, now),
      down: (peer, ending: Ending, now) => {
        const routes = this.#neighborOf(peer).down(ending, now);
        if (routes > 0) this.#event({ kind: "stale-kept", peer: peer.config.name, routes });
      },
      update: (peer, body) => {
        const { session } = peer;
        return session && this.#update(this.#neighborOf(peer), session.negotiated, body);
      },
      refresh: (peer, family: Family) => this.#neighborOf(peer).tellAgain(family, "everything"),
      stateChanged: (peer, from, to, reason) =>
        this.#event({ kind: "session", peer: peer.config.name, from, to, reason }),
      jitter: () => 0.75 + 0.25 * this.#options.random(),
      isRestarting: () => this.#restarting,
    };
  }
}
