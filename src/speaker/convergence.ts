/**
 * When is what we know of the network complete enough to remove routes that an earlier run left in the kernel?
 *
 * When every peer that answers has said that its initial routes are complete. Each peer has its own short deadline: one
 * dead router never holds up the rest (Calico's node waits four minutes for it).
 */
import type { Neighbor } from "../../bgp/neighbor.ts";

/** For a session to come up. */
const SESSION_DEADLINE_MS = 15_000;
/** For End-of-RIB on a session that is up: some routers never send it. */
const END_OF_RIB_DEADLINE_MS = 30_000;

export class Convergence {
  readonly #startedAt: number;
  #done = false;

  constructor(now: number) {
    this.#startedAt = now;
  }

  /** What is still waited for, in words; once empty it stays so. */
  waitingFor(neighbors: readonly Neighbor[], now: number): string[] {
    if (this.#done) return [];
    const waiting = neighbors.flatMap((neighbor) => this.#waitsFor(neighbor, now) ?? []);
    this.#done = waiting.length === 0;
    return waiting;
  }

  #waitsFor(neighbor: Neighbor, now: number): string | undefined {
    const { peer, endOfRib } = neighbor;
    const { session, config } = peer;
    if (session === undefined) {
      if (now - this.#startedAt >= SESSION_DEADLINE_MS) return undefined;
      return `the session with ${config.name} to come up${peer.lastError === "" ? "" : ` (${peer.lastError})`}`;
    }
    const complete = session.negotiated.families.every((family) => endOfRib.has(family));
    if (complete || now - Math.max(this.#startedAt, peer.since) >= END_OF_RIB_DEADLINE_MS) return undefined;
    return `${config.name} to finish its initial routes`;
  }
}
