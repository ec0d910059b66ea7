/**
 * Routes of a peer that is away, or that tells everything again: how long they stay (RFC 4724 4.2, 9494 4.2, 7313 4).
 *
 * Per family: the session is lost and the routes are stale; the peer comes back and refreshes them; End-of-RIB, or a
 * deadline, takes away what was not refreshed. When the restart time is over, long-lived routes stay as a last resort.
 * A second loss takes away what had not been refreshed since the first.
 */
import type { Family } from "../ipam/net/address.ts";
import { FAMILIES, type Rib } from "./rib/rib.ts";
import type { Ending } from "./session/fsm.ts";
import type { Negotiated } from "./session/negotiate.ts";
import type { PeerConfig } from "./session/peer-config.ts";

/** Longest wait for End-of-RIB of a peer that came back: one that never sends it must not leave ghosts. */
const END_OF_RIB_WAIT_MS = 120_000;

interface Stale {
  readonly phase: "away" | "long-lived" | "back" | "refresh";
  /** When stale routes have to go at the latest (ms). */
  readonly due: number;
}

export class Staleness {
  readonly #rib: Rib;
  readonly #source: number;
  readonly #stale = new Map<Family, Stale>();
  /** What the peer said about graceful restart when it was last up, and we about long-lived routes. */
  #negotiated: Negotiated | undefined;
  #longLivedStaleTime: number | undefined;

  constructor(rib: Rib, source: number) {
    this.#rib = rib;
    this.#source = source;
  }

  /** Phase by family; for operators. */
  get families(): ReadonlyMap<Family, Stale> {
    return this.#stale;
  }

  /** When something has to be done; Infinity when nothing has. */
  nextDue(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { due } of this.#stale.values()) next = Math.min(next, due);
    return next;
  }

  up(negotiated: Negotiated, now: number): void {
    this.#negotiated = negotiated;
    for (const family of [...this.#stale.keys()]) {
      // RFC 4724 4.2: a family not listed again, or whose forwarding state was lost, is gone at once.
      const again = [...(negotiated.peerRestart?.families ?? []), ...negotiated.peerLongLived];
      const preserved = again.some((one) => one.family === family && one.forwardingPreserved);
      if (preserved) this.#stale.set(family, { phase: "back", due: now + END_OF_RIB_WAIT_MS });
      else this.#sweep(family);
    }
  }

  /** Returns how many routes are kept. */
  down(ending: Ending, { longLivedStaleTime }: PeerConfig, now: number): number {
    this.#longLivedStaleTime = longLivedStaleTime;
    const { peerRestart, peerLongLived = [] } = this.#negotiated ?? {};
    let kept = 0;
    for (const family of FAMILIES) {
      const restarts = peerRestart?.families.some((one) => one.family === family) === true;
      const restartMs = restarts ? (peerRestart?.restartTime ?? 0) * 1000 : 0;
      const longLived = longLivedStaleTime !== undefined && peerLongLived.some((one) => one.family === family);
      if (ending === "final" || (restartMs === 0 && !longLived)) {
        this.#rib.sweep(this.#source, family, "all");
        this.#stale.delete(family);
        continue;
      }
      // RFC 4724 4.2: what was stale already, and has not been refreshed since, goes at the second loss. A session that
      // lost a collision as soon as it was up is none.
      if (ending !== "collision" && this.#stale.get(family)?.phase === "back")
        this.#rib.sweep(this.#source, family, "stale");
      kept += this.#rib.markStale(this.#source, family);
      this.#stale.set(family, { phase: "away", due: now + restartMs });
    }
    return kept;
  }

  /** End-of-RIB: the peer that came back has said everything; returns how many routes it did not repeat. */
  completed(family: Family): number {
    const stale = this.#stale.get(family);
    return stale === undefined || stale.phase === "refresh" ? 0 : this.#sweep(family);
  }

  /** RFC 7313 4: from here on the peer tells everything again. */
  refreshBegins(family: Family, now: number): void {
    this.#rib.markStale(this.#source, family);
    this.#stale.set(family, { phase: "refresh", due: now + END_OF_RIB_WAIT_MS });
  }

  /** The same for a refresh; an end without a beginning is passed over. */
  refreshEnds(family: Family): number {
    return this.#stale.get(family)?.phase === "refresh" ? this.#sweep(family) : 0;
  }

  /** Does what is due; returns how many routes went. */
  tick(now: number): number {
    let swept = 0;
    for (const [family, { phase, due }] of [...this.#stale]) {
      if (due > now) continue;
      const long = this.#negotiated?.peerLongLived.find((one) => one.family === family);
      if (phase === "away" && long !== undefined && this.#longLivedStaleTime !== undefined) {
        const staleTime = Math.min(long.staleTime, this.#longLivedStaleTime);
        this.#rib.markLongLived(this.#source, family);
        this.#stale.set(family, { phase: "long-lived", due: now + staleTime * 1000 });
      } else swept += this.#sweep(family);
    }
    return swept;
  }

  /** Every route of the peer goes. */
  sweepAll(): void {
    for (const family of FAMILIES) this.#rib.sweep(this.#source, family, "all");
    this.#stale.clear();
  }

  #sweep(family: Family): number {
    this.#stale.delete(family);
    return this.#rib.sweep(this.#source, family, "stale");
  }
}
