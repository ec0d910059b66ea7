/** One peer inside the speaker: its session, its place among the sources, what it has been told, what it asked for. */
import type { Family } from "../ipam/net/address.ts";
import type { ConnectionFact } from "./facts.ts";
import { renewsQuietly } from "./peer-changes.ts";
import { exportTerms } from "./policy/export-terms.ts";
import { holdToLimit } from "./prefix-limit.ts";
import { AdjRibIn } from "./rib/adj-rib-in.ts";
import { Member } from "./rib/member.ts";
import type { Rib } from "./rib/rib.ts";
import type { UpdateGroup } from "./rib/update-group.ts";
import { cease, type Ending } from "./session/fsm.ts";
import type { LocalEnd } from "./session/local-end.ts";
import type { Negotiated } from "./session/negotiate.ts";
import type { Peer } from "./session/peer.ts";
import { changeNeeds, type PeerConfig } from "./session/peer-config.ts";
import { Staleness } from "./staleness.ts";
import { CeaseSubcode } from "./wire/codes.ts";
import type { Fault } from "./wire/fault.ts";
import { encodeRouteRefresh } from "./wire/route-refresh.ts";

/** What a neighbour asks of the speaker. */
export interface NeighborHost {
  /** Whole messages on the peer's session; the octets may go to others too. */
  send(neighbor: Neighbor, octets: Uint8Array, messages: number): void;
  /** Everything asked for with a ROUTE-REFRESH has been told. */
  refreshed(neighbor: Neighbor, family: Family): void;
  /** End-of-RIB waits for peers on this machine. */
  holdsEndOfRib(): boolean;
  /** More prefixes than allowed: how many, and what is done, in words. */
  overLimit(neighbor: Neighbor, family: Family, text: string): void;
}

export class Neighbor {
  readonly peer: Peer;
  readonly source: number;
  readonly #rib: Rib;
  readonly #host: NeighborHost;
  /** Made from a range, for whoever connected: gone with its session. */
  readonly dynamic: boolean;
  congested = false;
  /** Set while Established. */
  adjRibIn: AdjRibIn | undefined;
  readonly groups = new Map<Family, UpdateGroup>();
  readonly members = new Map<Family, Member>();
  /** Families whose initial routes from the peer are complete. */
  readonly endOfRib = new Set<Family>();
  readonly staleness: Staleness;
  /** Families over their limit, said once. */
  readonly overLimit = new Set<Family>();
  readonly updates = { received: 0, treatedAsWithdraw: 0, attributesDiscarded: 0 };
  /** RFC 7606: how often which remedy for which attribute; `withdraw AS_PATH`. */
  readonly faults = new Map<string, number>();

  constructor(peer: Peer, source: number, rib: Rib, host: NeighborHost, dynamic: boolean) {
    this.peer = peer;
    this.source = source;
    this.#rib = rib;
    this.#host = host;
    this.dynamic = dynamic;
    this.staleness = new Staleness(rib, source);
  }

  /** When a timer is due; Infinity when none runs. */
  nextDue(): number {
    return Math.min(this.peer.nextDue(), this.staleness.nextDue());
  }

  happened(fact: ConnectionFact, now: number): void {
    const { peer } = this;
    switch (fact.kind) {
      case "received":
        return peer.received(fact.connection, fact.octets, now);
      case "connected":
        return peer.connected(fact.connection, fact.local, now);
      case "closed":
        return peer.closed(fact.connection, fact.reason, now);
      default:
        return this.#flow(fact.connection, fact.kind === "congested", now);
    }
  }

  #flow(connection: number, congested: boolean, now: number): void {
    const { peer } = this;
    if (peer.session?.connection !== connection) return;
    this.congested = congested;
    if (congested) peer.congested(now);
    else peer.drained(now);
  }

  up(negotiated: Negotiated, local: LocalEnd | undefined, now: number): void {
    const { config } = this.peer;
    this.congested = false;
    this.endOfRib.clear();
    this.overLimit.clear();
    this.adjRibIn = new AdjRibIn(this.#rib, this.source, config, negotiated, local);
    this.#takeLimit();
    this.#rib.setSource(this.source, {
      name: config.name,
      external: negotiated.external,
      peerId: negotiated.peerId,
      peerAddress: config.address,
      client: config.reflectorClient,
      attached: config.attached === true,
    });
    this.staleness.up(negotiated, now);
    for (const family of negotiated.families) {
      const member = new Member(this.source, this.#memberHost());
      member.holdsEndOfRib = config.attached !== true && this.#host.holdsEndOfRib();
      this.members.set(family, member);
      this.groups.set(family, this.#rib.join(exportTerms(config, negotiated, family, local?.address), member));
    }
  }

  /** Returns how many of the peer's routes stay (RFC 4724). */
  down(ending: Ending, now: number): number {
    for (const [family, group] of this.groups) this.#rib.leave(group, this.members.get(family) as Member);
    this.groups.clear();
    this.members.clear();
    this.adjRibIn = undefined;
    this.endOfRib.clear();
    return this.staleness.down(ending, this.peer.config, now);
  }

  /** The family's initial routes are complete: what is still stale goes. Returns how many that were. */
  completed(family: Family): number {
    this.endOfRib.add(family);
    return this.staleness.completed(family);
  }

  /** Forgets everything about the peer; its session is over. */
  remove(): void {
    this.staleness.sweepAll();
    this.#rib.sources.release(this.source);
  }

  /**
   * Another configuration: other rules within the session, or a new session with the routes of both sides kept. False:
   * neither can be, and nothing has happened.
   */
  take(config: PeerConfig, now: number): boolean {
    const { peer } = this;
    const need = changeNeeds(peer.config, config);
    const isNew = need === "new session";
    if (isNew && !renewsQuietly(peer, config)) return false;
    if (isNew) peer.stop(cease(CeaseSubcode.OtherConfigurationChange), now, true);
    if (need !== "nothing") this.reconfigure(config, now);
    // Equal, but told again it is the same one: no need to compare.
    else peer.config = config;
    if (isNew) peer.start(now);
    return true;
  }

  /** Other rules for the peer, within its session: routes in both directions are looked at again. */
  reconfigure(config: PeerConfig, now: number): void {
    const { maxPrefixes } = this.peer.config;
    this.peer.config = config;
    const { session } = this.peer;
    const source = this.#rib.sources.get(this.source);
    const { name, reflectorClient: client, attached = false } = config;
    this.#rib.setSource(this.source, { ...source, name, client, attached });
    if (session === undefined || this.adjRibIn === undefined) return;
    const { negotiated, local } = session;
    this.adjRibIn.reconfigure(config);
    for (const [family, before] of this.groups) {
      const terms = exportTerms(config, negotiated, family, local?.address);
      const member = this.members.get(family) as Member;
      this.groups.set(family, this.#rib.move(before, terms, member));
    }
    if (JSON.stringify(config.maxPrefixes) !== JSON.stringify(maxPrefixes)) this.#limitChanged(now);
  }

  /**
   * Everything once more. `asked`: by a ROUTE-REFRESH, so that its ends are marked where that was agreed (RFC 7313).
   */
  tellAgain(family: Family, asked: boolean): void {
    const member = this.members.get(family);
    if (member === undefined) return;
    if (asked && this.peer.session?.negotiated.enhancedRefresh === true) {
      this.#host.send(this, encodeRouteRefresh(family, "begin"), 1);
      member.refreshEndDue = true;
    }
    this.groups.get(family)?.tellAll(member);
  }

  /** Both sides tell everything once more within the session (RFC 2918). */
  exchangeAgain(): void {
    for (const family of this.members.keys()) this.tellAgain(family, false);
    this.#ask(this.members.keys());
  }

  /** For the counters; returns it. */
  count(fault: Fault): Fault {
    const { action, attribute } = fault;
    if (action === "withdraw") this.updates.treatedAsWithdraw++;
    else if (action === "discard") this.updates.attributesDiscarded++;
    const key = `${action} ${attribute ?? "UPDATE"}`;
    this.faults.set(key, (this.faults.get(key) ?? 0) + 1);
    return fault;
  }

  /** Prefixes (or paths) of a family the peer has announced, whatever the rules made of them. */
  received(family: Family): number {
    return this.#rib.families[family].paths.countOf(this.source);
  }

  advertised(family: Family): number {
    return this.groups.get(family)?.countFor(this.source) ?? 0;
  }

  /** Ends the session where there are more prefixes than that is allowed for. */
  holdToLimit(now: number): void {
    holdToLimit(this, (family, text) => this.#host.overLimit(this, family, text), now);
  }

  /** What the old limit kept out is asked for; the new one is held at once, not with the next route. */
  #limitChanged(now: number): void {
    const before = this.adjRibIn?.limit ?? 0;
    this.#takeLimit();
    const fetched = (this.adjRibIn?.limit ?? 0) > before ? [...this.overLimit] : [];
    this.overLimit.clear();
    this.#ask(fetched);
    this.holdToLimit(now);
  }

  /** For all routes of these families once more (RFC 2918), of a peer that can do that. */
  #ask(families: Iterable<Family>): void {
    if (this.peer.session?.negotiated.routeRefresh !== true) return;
    for (const family of families) this.#host.send(this, encodeRouteRefresh(family), 1);
  }

  #takeLimit(): void {
    const { maxPrefixes } = this.peer.config;
    if (this.adjRibIn === undefined) return;
    this.adjRibIn.limit = maxPrefixes?.action === "block" ? maxPrefixes.limit : Number.POSITIVE_INFINITY;
  }

  #memberHost() {
    const neighbor = this;
    return {
      get congested() {
        return neighbor.congested;
      },
      send: (octets: Uint8Array, messages: number) => neighbor.#host.send(neighbor, octets, messages),
      refreshed: (family: Family) => neighbor.#host.refreshed(neighbor, family),
    };
  }
}
