/**
 * Leader election on a Lease (coordination.k8s.io/v1), readable by and for everything else that elects so.
 *
 * No clock is compared with that of another: renewTime is for people. A candidate takes over when it has seen the same
 * record, by its own monotonic clock, for as long as the record says that it lasts. A leader counts from before it sent
 * the renewal that succeeded, and leads no more a third of that time before anybody can take over.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Cluster, type ClusterError, type KubeObject, LEASES, type ObjectRef } from "./port.ts";

export interface Terms {
  /** What others wait for after the last renewal they saw, in milliseconds; whole seconds. */
  readonly leaseMs: number;
  /** After this long without a renewal a leader leads no more; shorter than leaseMs. */
  readonly leadMs: number;
  /** Between two tries; several must fit into leadMs. */
  readonly beatMs: number;
}

export const usualTerms: Terms = { leaseMs: 15_000, leadMs: 10_000, beatMs: 2_000 };

/** A stop waits no longer than this for a try in flight. */
const STOP_MS = 1_000;

export interface Candidacy {
  readonly name: string;
  /** Of this process alone: host name and something random. */
  readonly identity: string;
  readonly terms?: Terms;
  /** Monotonic, milliseconds. */
  now?(): number;
  /** Told in turn: true when it begins to lead, false as soon as it must not act any more. */
  changed(leads: boolean): void;
  /** Told when tries begin to come to nothing, and when for another reason than before. */
  troubled?(problem: string): void;
}

interface Lease extends KubeObject {
  readonly spec?: {
    readonly holderIdentity?: string | null;
    readonly leaseDurationSeconds?: number | null;
    readonly acquireTime?: string | null;
    readonly renewTime?: string | null;
    readonly leaseTransitions?: number | null;
  };
}

export class Election {
  readonly #cluster: Cluster;
  readonly #ref: ObjectRef;
  readonly #candidacy: Candidacy;
  readonly #terms: Terms;
  readonly #now: () => number;
  /** The record as last seen, and since when it has been this one. */
  #seen: Lease | undefined;
  #seenAt = 0;
  #leadsUntil = Number.NEGATIVE_INFINITY;
  #told = false;
  #timer: NodeJS.Timeout | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #stopped = false;
  #beating: Promise<void> | undefined;
  /** Why the last try came to nothing, in words; undefined: it did not. */
  problem: string | undefined;

  constructor(cluster: Cluster, candidacy: Candidacy) {
    this.#cluster = cluster;
    this.#ref = { type: LEASES, namespace: cluster.namespace, name: candidacy.name };
    this.#candidacy = candidacy;
    this.#terms = candidacy.terms ?? usualTerms;
    this.#now = candidacy.now ?? (() => performance.now());
  }

  /** Ask before every act: it turns false by itself. */
  get leads(): boolean {
    return this.#told && this.#now() < this.#leadsUntil;
  }

  /** Who leads as far as is known; undefined: nobody. */
  get holder(): string | undefined {
    return this.#seen?.spec?.holderIdentity || undefined;
  }

  start(): void {
    void this.#loop();
  }

  /** Stops leading at once, and gives the lease back so that another need not wait. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const held = this.#told && this.holder === this.#candidacy.identity;
    this.#tell(false);
    await Promise.race([this.#beating, sleep(STOP_MS, undefined, { ref: false })]);
    if (held) await this.#release();
  }

  /** One try to get or keep the lease. Never rejects. */
  async beat(): Promise<void> {
    try {
      await this.#try();
      this.problem = undefined;
    } catch (error) {
      // Another was quicker, or the lease was deleted: it is looked at again next time.
      const { status } = error as Partial<ClusterError>;
      if (status === 409 || status === 404) this.#seen = undefined;
      if (status !== 409) this.#trouble((error as Error).message);
    }
    if (this.#now() >= this.#leadsUntil) this.#tell(false);
  }

  #trouble(problem: string): void {
    const isNew = problem !== this.problem;
    this.problem = problem;
    if (isNew) this.#candidacy.troubled?.(problem);
  }

  async #loop(): Promise<void> {
    if (this.#stopped) return;
    const { beatMs, leadMs } = this.#terms;
    this.#beating = this.beat();
    // A try that hangs must not keep the next from being made; what it comes to late does no harm.
    let patience: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, leadMs / 2);
    });
    await Promise.race([this.#beating, late]);
    clearTimeout(patience);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#loop(), beatMs * (1 + Math.random() / 5));
  }

  async #try(): Promise<void> {
    // A leader renews over what it wrote itself; anybody else looks first.
    if (!this.leads || this.#seen === undefined) this.#see(await this.#cluster.get<Lease>(this.#ref));
    const began = this.#now();
    const { identity } = this.#candidacy;
    const lease = this.#seen;
    const isFree = this.holder === undefined || this.holder === identity || began >= this.#seenAt + lastsMs(lease);
    if (!isFree) return this.#tell(false);
    const written = lease === undefined ? await this.#create() : await this.#write(lease, identity);
    this.#see(written);
    if (this.#stopped) return;
    this.#leadsUntil = began + this.#terms.leadMs;
    clearTimeout(this.#deadline);
    this.#endInTime();
    if (this.#now() < this.#leadsUntil) this.#tell(true);
  }

  #endInTime(): void {
    const left = this.#leadsUntil - this.#now();
    if (left <= 0) return this.#tell(false);
    this.#deadline = setTimeout(() => this.#endInTime(), left).unref();
  }

  #see(lease: Lease | undefined): void {
    const isNew = lease?.metadata.resourceVersion !== this.#seen?.metadata.resourceVersion;
    const isOther = lease?.metadata.uid !== this.#seen?.metadata.uid;
    if (lease !== undefined && (isNew || isOther)) this.#seenAt = this.#now();
    this.#seen = lease;
  }

  #create(): Promise<Lease> {
    const { namespace, name } = this.#ref;
    const now = microTime();
    return this.#cluster.create<Lease>(LEASES, {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { name, ...(namespace !== undefined && { namespace }) },
      spec: { ...this.#times(now), acquireTime: now, holderIdentity: this.#candidacy.identity, leaseTransitions: 0 },
    });
  }

  #write(lease: Lease, holder: string): Promise<Lease> {
    const { spec = {} } = lease;
    const now = microTime();
    const change =
      spec.holderIdentity === holder ? {} : { acquireTime: now, leaseTransitions: (spec.leaseTransitions ?? 0) + 1 };
    return this.#cluster.replace<Lease>(LEASES, {
      ...lease,
      spec: { ...spec, ...this.#times(now), ...change, holderIdentity: holder },
    });
  }

  #times(now: string) {
    return { leaseDurationSeconds: Math.ceil(this.#terms.leaseMs / 1000), renewTime: now };
  }

  async #release(): Promise<void> {
    const lease = this.#seen;
    if (lease === undefined) return;
    const now = microTime();
    const spec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, acquireTime: now, renewTime: now };
    // Not given back, it expires.
    await this.#cluster.replace<Lease>(LEASES, { ...lease, spec }).catch(() => undefined);
  }

  #tell(leads: boolean): void {
    if (!leads) {
      this.#leadsUntil = Number.NEGATIVE_INFINITY;
      clearTimeout(this.#deadline);
    }
    if (this.#told === leads) return;
    this.#told = leads;
    this.#candidacy.changed(leads);
  }
}

function lastsMs(lease: Lease | undefined): number {
  return (lease?.spec?.leaseDurationSeconds ?? 0) * 1000;
}

/** meta/v1 MicroTime: six digits of a second, of which JavaScript knows three. */
function microTime(): string {
  return new Date().toISOString().replace("Z", "000Z");
}
