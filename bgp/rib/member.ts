/** One peer of an update group: what it is owed beside what the group sends to all. */
import type { Family } from "../../ipam/net/address.ts";
import { Marks } from "./marks.ts";

export class Member {
  /** Its number among the sources: its own paths do not go back to it. */
  readonly source: number;
  /** Prefixes whose last change it has not been told. */
  readonly lag = new Marks();
  lags = false;
  /** It is caught up once the group has looked at everything. */
  waits = false;
  /** It is on its way to another group, with what it misses. */
  moves = false;
  /** End-of-RIB is due once it has been told everything (RFC 4724 2). */
  endOfRibDue = true;
  /** It is due later: this speaker restarts, and does not know yet all that it had announced before. */
  holdsEndOfRib = false;
  /** RFC 7313: the end of a refresh is due then too. */
  refreshEndDue = false;
  /** With add-path: identifiers of paths that were withdrawn meanwhile, by prefix. */
  readonly #missedPaths = new Map<number, Set<number>>();
  readonly #host: MemberHost;

  constructor(source: number, host: MemberHost) {
    this.source = source;
    this.#host = host;
  }

  get congested(): boolean {
    return this.#host.congested;
  }

  send(octets: Uint8Array, messages: number): void {
    this.#host.send(octets, messages);
  }

  refreshed(family: Family): void {
    this.#host.refreshed(family);
  }

  missPaths(prefix: number, pathIds: readonly number[]): void {
    if (pathIds.length === 0) return;
    const missed = this.#missedPaths.get(prefix) ?? new Set();
    for (const pathId of pathIds) missed.add(pathId);
    this.#missedPaths.set(prefix, missed);
  }

  /** Taken: asked for once. */
  missedPaths(prefix: number): Iterable<number> {
    const missed = this.#missedPaths.get(prefix) ?? [];
    this.#missedPaths.delete(prefix);
    return missed;
  }
}

export interface MemberHost {
  readonly congested: boolean;
  /** The octets may go to others too. */
  send(octets: Uint8Array, messages: number): void;
  /** Everything asked for has been told again. */
  refreshed(family: Family): void;
}
