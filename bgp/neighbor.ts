/** One configured peer inside the speaker: its session, its place among the sources, and what it has been told. */
import type { Family } from "../ipam/net/address.ts";
import { AdjRibOut } from "./rib/adj-rib-out.ts";
import { packUpdates } from "./rib/packer.ts";
import type { Rib } from "./rib/rib.ts";
import type { Ending } from "./session/fsm.ts";
import type { Negotiated } from "./session/negotiate.ts";
import type { Peer } from "./session/peer.ts";

/**
 * Longest wait for End-of-RIB of a peer that came back (seconds): a peer that never sends one must not leave ghosts.
 */
const END_OF_RIB_WAIT_S = 120;

export class Neighbor {
  readonly peer: Peer;
  readonly source: number;
  readonly #rib: Rib;
  readonly outs = new Map<Family, AdjRibOut>();
  congested = false;
  /** Families whose initial routes from the peer are complete. */
  readonly endOfRib = new Set<Family>();
  readonly updates = { received: 0, treatedAsWithdraw: 0, attributesDiscarded: 0 };
  /** Families with stale routes, and when they go at the latest (ms). */
  readonly #stale = new Map<Family, number>();
  /** What the peer said about graceful restart when it was last up. */
  #lastNegotiated: Negotiated | undefined;

  constructor(peer: Peer, source: number, rib: Rib) {
    this.peer = peer;
    this.source = source;
    this.#rib = rib;
  }

  /** When stale routes have to go; Infinity when there are none. */
  staleDue(): number {
    return Math.min(Number.POSITIVE_INFINITY, ...this.#stale.values());
  }

  up(negotiated: Negotiated, now: number): void {
    this.#lastNegotiated = negotiated;
    this.congested = false;
    this.endOfRib.clear();
    this.#rib.sources.set(this.source, {
      external: negotiated.external,
      peerId: negotiated.peerId,
      peerAddress: this.peer.config.address,
    });
    for (const family of [...this.#stale.keys()]) {
      // RFC 4724 4.2: a family not listed again, or whose forwarding state was lost, is gone at once.
      const again = negotiated.peerRestart?.families.find((one) => one.family === family);
      if (again?.forwardingPreserved === true) this.#stale.set(family, now + END_OF_RIB_WAIT_S * 1000);
      else this.sweep(family);
    }
    for (const family of negotiated.families) {
      const out = new AdjRibOut();
      this.outs.set(family, out);
      this.#rib.attach(family, out);
    }
  }

  /** Returns how many routes are kept as stale. */
  down(ending: Ending, now: number): number {
    for (const [family, out] of this.outs) this.#rib.detach(family, out);
    this.outs.clear();
    this.endOfRib.clear();
    const restart = ending === "connection lost" ? this.#lastNegotiated?.peerRestart : undefined;
    let kept = 0;
    for (const family of [4, 6] as const) {
      const keeps =
        restart !== undefined && restart.restartTime > 0 && restart.families.some((one) => one.family === family);
      if (!keeps) {
        this.#rib.sweep(this.source, family, "all");
        this.#stale.delete(family);
        continue;
      }
      kept += this.#rib.markStale(this.source, family);
      this.#stale.set(family, now + restart.restartTime * 1000);
    }
    return kept;
  }

  /** The family's initial routes are complete: what is still stale goes. Returns how many that were. */
  completed(family: Family): number {
    this.endOfRib.add(family);
    return this.#stale.has(family) ? this.sweep(family) : 0;
  }

  /** Removes stale routes whose time is over; returns how many. */
  sweepDue(now: number): number {
    let swept = 0;
    for (const [family, due] of [...this.#stale]) if (due <= now) swept += this.sweep(family);
    return swept;
  }

  sweep(family: Family): number {
    this.#stale.delete(family);
    return this.#rib.sweep(this.source, family, "stale");
  }

  /** Forgets everything about the peer; its session is over. */
  remove(): void {
    for (const family of [4, 6] as const) this.#rib.sweep(this.source, family, "all");
    this.#stale.clear();
    this.#rib.sources.delete(this.source);
  }

  /** The next UPDATEs for the peer; empty when it has been told everything or takes nothing now. */
  takeUpdates(): { readonly connection: number; readonly messages: readonly Uint8Array[] } | undefined {
    const { session } = this.peer;
    if (session === undefined || this.congested) return undefined;
    const messages: Uint8Array[] = [];
    for (const [family, out] of this.outs) {
      if (out.pending.size === 0 && !out.endOfRibDue) continue;
      messages.push(
        ...packUpdates(out, {
          config: this.peer.config,
          negotiated: session.negotiated,
          rib: this.#rib.families[family],
          attributes: this.#rib.attributes,
          source: this.source,
          kindOf: (source) => this.#rib.kindOf(source),
        }),
      );
    }
    return messages.length === 0 ? undefined : { connection: session.connection, messages };
  }

  get hasUpdates(): boolean {
    if (this.congested || this.peer.session === undefined) return false;
    return [...this.outs.values()].some((out) => out.pending.size > 0 || out.endOfRibDue);
  }

  /** The peer asked for everything again (RFC 2918 4), or the rules towards it changed. */
  tellAgain(family: Family, what: "everything" | "changes"): void {
    const out = this.outs.get(family);
    if (out === undefined) return;
    if (what === "everything") {
      this.#rib.detach(family, out);
      const fresh = new AdjRibOut();
      fresh.endOfRibDue = out.endOfRibDue;
      this.outs.set(family, fresh);
      this.#rib.attach(family, fresh);
    } else {
      this.#rib.markAll(family, out);
    }
  }
}
