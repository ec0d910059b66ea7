/**
 * A node leaves the network for a while: it asks its peers to prefer other ways (RFC 8326), takes back what others
 * announce as well, waits for the pods, takes back the rest, waits for what is on its way, and says goodbye. Pure: told
 * what is asked for and what the time is; what to announce follows.
 */

export interface DrainRequest {
  /** Who asks: an operator here, or the Kubernetes Node by an annotation, a cordon, its shutdown or a taint. */
  readonly by: "operator" | "annotation" | "cordon" | "shutdown" | "out-of-service";
  /** For the peers, at most 255 octets of UTF-8 (RFC 9003). */
  readonly message: string;
  /** Only addresses of services go; the rest is announced as a last resort, for as long as it takes. */
  readonly servicesOnly: boolean;
  /** How long peers get to take other ways, in milliseconds. */
  readonly preferOthersMs: number;
  /** How long pods get to leave; Infinity: as long as it takes. */
  readonly podsMs: number;
}

/**
 * `announcing`: everything, as a last resort; `waiting`: no service addresses, pods still leave; `withdrawn`: nothing;
 * `down`: the sessions are shut down.
 */
export const DRAIN_PHASES = ["serving", "announcing", "waiting", "withdrawn", "down"] as const;
export type DrainPhase = (typeof DRAIN_PHASES)[number];

/** Until the peers' routes point elsewhere, and what was sent here before has come. */
const WITHDRAWN_MS = 5_000;

export class Drain {
  readonly #changed: (phase: DrainPhase, request: DrainRequest | undefined) => void;
  #request: DrainRequest | undefined;
  #phase: DrainPhase = "serving";
  /** Monotonic milliseconds: of the drain, and of its phase. */
  #since = 0;
  #phaseSince = 0;
  #pods: readonly string[] = [];

  constructor(changed: (phase: DrainPhase, request: DrainRequest | undefined) => void) {
    this.#changed = changed;
  }

  get phase(): DrainPhase {
    return this.#phase;
  }

  get request(): DrainRequest | undefined {
    return this.#request;
  }

  /** Monotonic milliseconds at which the phase began. */
  get since(): number {
    return this.#phaseSince;
  }

  /** Pods that are waited for. */
  get pods(): readonly string[] {
    return this.#phase === "announcing" || this.#phase === "waiting" ? this.#pods : [];
  }

  /** What others announce as well is not announced. */
  get servicesWithdrawn(): boolean {
    return this.#phase === "waiting" || this.#phase === "withdrawn" || this.#phase === "down";
  }

  get allWithdrawn(): boolean {
    return this.#phase === "withdrawn" || this.#phase === "down";
  }

  /** Announced as a last resort (RFC 8326). */
  get lastResort(): boolean {
    return this.#phase !== "serving";
  }

  /** Undefined: come back. One that is on its way goes on, on the new terms. */
  ask(request: DrainRequest | undefined, now: number): void {
    const before = this.#request;
    this.#request = request;
    if (request === undefined) {
      if (before !== undefined) this.#enter("serving", now);
      return;
    }
    if (before?.by !== request.by) this.#since = now;
    if (before === undefined) this.#enter("announcing", now);
    else if (request.servicesOnly && this.allWithdrawn) this.#enter("waiting", now);
  }

  /** The node was drained before this agent started: it does not come back to go again. */
  isDown(request: DrainRequest, now: number): void {
    this.#request = request;
    this.#since = now;
    this.#enter("down", now);
  }

  /** Pods of this node that somebody may still move. */
  look(pods: readonly string[], now: number): void {
    this.#pods = pods;
    const request = this.#request;
    if (request === undefined) return;
    if (this.#phase === "announcing" && now - this.#phaseSince >= request.preferOthersMs) this.#enter("waiting", now);
    if (this.#phase === "waiting" && this.#mayGo(request, now)) this.#enter("withdrawn", now);
    if (this.#phase === "withdrawn" && now - this.#phaseSince >= WITHDRAWN_MS) this.#enter("down", now);
  }

  /** No time is left: everything is withdrawn now. */
  hurry(now: number): void {
    if (this.#request !== undefined && !this.allWithdrawn) this.#enter("withdrawn", now);
  }

  #mayGo({ servicesOnly, podsMs }: DrainRequest, now: number): boolean {
    return !servicesOnly && (this.#pods.length === 0 || now - this.#since >= podsMs);
  }

  #enter(phase: DrainPhase, now: number): void {
    this.#phase = phase;
    this.#phaseSince = now;
    this.#changed(phase, this.#request);
  }
}
