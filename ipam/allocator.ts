/**
 * A node's addresses: gives them out, takes them back, and keeps the store and what this node knows of it in step.
 * Nothing is answered that is not in the store.
 */
import type { Block } from "./block.ts";
import type { Draft } from "./draft.ts";
import { type AllocatorPorts, GroupCommit } from "./group-commit.ts";
import type { Address } from "./net/address.ts";
import { formatPrefix, type Prefix } from "./net/prefix.ts";
import {
  type Assigned,
  type AssignRequest,
  type Fresh,
  planAssign,
  planLookup,
  planRelease,
  type Step,
} from "./plan.ts";
import type { Pool } from "./pool.ts";
import { planReturn } from "./reclaim.ts";
import type { Rules } from "./rules.ts";
import type { Labels } from "./selector.ts";
import { View } from "./view.ts";

export type { AllocatorPorts } from "./group-commit.ts";
export type { Workload } from "./handle.ts";
export type { Assigned, AssignRequest } from "./plan.ts";

export class Allocator {
  readonly #now: () => number;
  readonly #view: View;
  readonly #requests: GroupCommit;
  readonly #listeners: (() => void)[] = [];

  constructor(node: string, ports: AllocatorPorts) {
    this.#now = () => ports.now();
    this.#view = new View(node, ports.random().toString(36).slice(2));
    this.#requests = new GroupCommit(this.#view, ports, () => {
      for (const listener of this.#listeners) listener();
    });
  }

  setPools(pools: readonly Pool[]): void {
    this.#view.pools = pools;
  }

  setNodeLabels(labels: Labels): void {
    this.#view.labels = labels;
  }

  setRules(rules: Rules): void {
    this.#view.rules = rules;
  }

  /** Reads this node's blocks; the first request does so, too. Throws StoreUnavailable. */
  async load(): Promise<void> {
    this.#requests.reload();
    await this.#request(() => ({ done: undefined }));
  }

  /**
   * One address for each family, all or none, durable when this resolves. The same handle gets the same ones again.
   * Throws Refusal when the request cannot be met, StoreUnavailable when the store does not answer: what may have been
   * assigned then is freed by release(), or by this allocator with its next request once the store is back.
   *
   * @param planned called each time addresses are on their way to the store, which may still refuse them: for what can
   *   be made ready meanwhile. Must not throw.
   */
  async assign(
    request: AssignRequest,
    planned?: (addresses: readonly Assigned[]) => void,
  ): Promise<readonly Assigned[]> {
    const { handle } = request.workload;
    return await this.#request((draft, now, fresh) => planAssign(draft, request, now, fresh), { handle, planned });
  }

  /** Frees all the handle holds and tells what that was: nothing, if it held nothing. Throws StoreUnavailable. */
  async release(handle: string): Promise<readonly Address[]> {
    let planned: readonly Address[] = [];
    return await this.#request((draft, now, fresh) => {
      const step = planRelease(draft, handle, now, fresh);
      if (!("done" in step)) return step;
      // After a lost reply nothing is left to free; what the lost transaction freed is the answer all the same.
      if (step.done.length > 0) planned = step.done;
      return { done: planned };
    });
  }

  /** What the handle holds, from the store. */
  async assignmentsOf(handle: string): Promise<readonly Assigned[]> {
    return await this.#request((draft, _now, fresh) => planLookup(draft, handle, fresh));
  }

  /**
   * Gives blocks back to their pools that this node has not needed for `idleMs`, or cannot use any more; tells which.
   * In one transaction with what else waits, so that none goes that a pod is just given an address of. At most 24 at a
   * time. Throws StoreUnavailable.
   */
  async returnBlocks(idleMs: number): Promise<readonly Prefix[]> {
    const planned = new Map<string, Prefix>();
    await this.#request((draft, now) => {
      const step = planReturn(draft, now, idleMs);
      if ("done" in step) for (const cidr of step.done) planned.set(formatPrefix(cidr), cidr);
      return step;
    });
    // Gone, by this transaction or by one whose reply was lost; not, if a request beside it kept the block.
    const left = new Set(this.blocks().map(({ cidr }) => formatPrefix(cidr)));
    return [...planned].filter(([text]) => !left.has(text)).map(([, cidr]) => cidr);
  }

  /** This node's blocks as last known, the first claimed first. */
  blocks(): readonly Block[] {
    return this.#view.ownBlocks();
  }

  /** Keys of records that this node needed and could not read: it goes on without them. load() reads them again. */
  unreadable(): readonly string[] {
    return this.#view.unreadable.keys();
  }

  /** Records and unsettled writes kept in memory, as a number: what must not grow with pods that are gone. */
  get remembered(): number {
    return this.#view.size + this.#requests.unsettled;
  }

  /** Called when a block was claimed, found or lost, before the request that caused it is answered. */
  onBlocksChanged(listener: () => void): void {
    this.#listeners.push(listener);
  }

  #request<T>(
    plan: (draft: Draft, now: number, fresh: Fresh) => Step<T>,
    { handle, planned }: { readonly handle?: string; readonly planned?: ((answer: T) => void) | undefined } = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const counts = { conflicts: 0, failures: 0, reads: 0 };
      const answer = {
        ...{ resolve: resolve as (answer: unknown) => void, reject },
        ...(planned === undefined ? {} : { planned: planned as (answer: unknown) => void }),
      };
      this.#requests.submit({ plan, ...answer, handle, since: this.#now(), fresh: new Set(), ...counts });
    });
  }
}
