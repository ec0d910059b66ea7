/**
 * Whether this controller acts. Without Kubernetes the lock in etcd decides; with it the Lease does, and the lock is
 * the fence of what the one it chose writes: see docs/decisions/controller-lock.md.
 */
import type { Committed, Store, Transaction } from "../../ipam/store.ts";
import type { Election } from "../cluster/lease.ts";
import { type Fence, Leadership } from "./leader.ts";

export class Standing implements Fence {
  readonly #lock: Leadership;
  readonly #election: Pick<Election, "leads" | "holder"> | undefined;
  readonly store: Store;

  constructor(store: Store, election?: Pick<Election, "leads" | "holder">) {
    this.#lock = new Leadership(store);
    this.#election = election;
    const fenced = this.#lock.store;
    const commit = async (transaction: Transaction): Promise<Committed> =>
      this.leads ? await fenced.commit(transaction) : { committed: false };
    this.store = { ...fenced, commit };
  }

  get leads(): boolean {
    return this.#lock.leads && (this.#election?.leads ?? true);
  }

  /** The one that is active instead, as far as known. */
  get other(): string | undefined {
    if (this.leads) return undefined;
    return this.#election === undefined ? this.#lock.other : this.#election.holder;
  }

  async commit(transaction: Transaction): Promise<boolean> {
    return this.leads && (await this.#lock.commit(transaction));
  }

  /** Throws StoreUnavailable. */
  async beat(now: number): Promise<void> {
    if (this.#election === undefined) await this.#lock.beat(now);
    // Whom the Lease chose need not wait until the lock of the one before expires: that one's acts fail from now on.
    else if (this.#election.leads) await this.#lock.beat(now, true);
    else await this.#lock.resign();
  }

  async resign(): Promise<void> {
    await this.#lock.resign();
  }
}
