/**
 * What the condition NetworkUnavailable of the node should say. Pure, and slow to change its mind: True keeps new pods
 * away (Kubernetes taints the node), so a session that comes and goes must not.
 */
import { conditionOf, type NodeCondition } from "./node-object.ts";

export interface NetworkFacts {
  readonly ready: boolean;
  readonly peers: number;
  readonly established: number;
  /** Why the node leaves the network, in words; undefined: it does not. */
  readonly leaving: string | undefined;
}

/** Without any session for this long: the peers' restarts, and ours, are shorter. */
const LOST_MS = 150_000;
/** With one again for this long. */
const BACK_MS = 10_000;

export class NetworkCondition {
  #lostSince: number | undefined;
  #backSince: number | undefined;
  #unavailable = false;

  /** Undefined: what it says stays, as while the agent starts, which is no news: a restart interrupts nothing. */
  wanted(facts: NetworkFacts, now: number): Required<NodeCondition> | undefined {
    if (facts.leaving !== undefined) {
      this.#lostSince = undefined;
      this.#unavailable = false;
      return conditionOf("True", "OverlandDrains", facts.leaving);
    }
    const carries = facts.ready && (facts.peers === 0 || facts.established > 0);
    this.#lostSince = carries || !facts.ready ? undefined : (this.#lostSince ?? now);
    this.#backSince = carries ? (this.#backSince ?? now) : undefined;
    if (this.#lostSince !== undefined && now - this.#lostSince >= LOST_MS) {
      this.#unavailable = true;
      const text = `none of ${facts.peers} BGP sessions is established: see overland node status on the node`;
      return conditionOf("True", "NoBGPSession", text);
    }
    if (!carries) return undefined;
    if (this.#unavailable && now - (this.#backSince as number) < BACK_MS) return undefined;
    this.#unavailable = false;
    return conditionOf("False", "OverlandIsUp", "Overland routes pods on this node");
  }
}
