/**
 * The routes of one family: every path, the best of each prefix, and which prefixes have to be looked at again.
 *
 * A change marks its prefix; deciding runs over the marked ones, once per prefix however many changes came.
 */
import type { Family } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { type Candidate, decide, STEPS, type Step } from "./decision.ts";
import { Marks } from "./marks.ts";
import { NO_PATH, Paths } from "./paths.ts";
import { grown, PrefixTable } from "./prefix-table.ts";

export class FamilyRib {
  readonly family: Family;
  readonly prefixes: PrefixTable;
  readonly paths = new Paths();
  readonly marked = new Marks();
  #best = new Int32Array(0);
  #step = new Uint8Array(0);
  /** Who else still needs the prefix's id: adj-RIBs-out that announced it, the forwarding table. */
  #holders = new Int32Array(0);

  constructor(family: Family) {
    this.family = family;
    this.prefixes = new PrefixTable(family);
  }

  /** The path of a prefix, found or made; its attributes replaced. Returns the attribute set it had before, or -1. */
  announce(source: number, prefix: number, attributes: number): number {
    this.#reach(prefix);
    this.marked.add(prefix);
    const path = this.paths.find(prefix, source);
    if (path === NO_PATH) {
      this.paths.add(prefix, source, attributes);
      return -1;
    }
    const before = this.paths.attributes(path);
    this.paths.replace(path, attributes);
    return before;
  }

  /** Removes a path; returns its attribute set, for the caller to release. */
  remove(path: number): number {
    const attributes = this.paths.attributes(path);
    this.marked.add(this.paths.prefix(path));
    this.paths.remove(path);
    return attributes;
  }

  /** As decided last: of a prefix that is marked again, the path may be gone since. */
  best(prefix: number): number {
    return prefix < this.#best.length ? (this.#best[prefix] as number) : NO_PATH;
  }

  /** Which step of the decision process chose the best path. */
  step(prefix: number): Step {
    return STEPS[this.#step[prefix] as number] as Step;
  }

  /**
   * Decides one marked prefix. Candidates are the paths `candidate` answers for: undefined says that the path's next
   * hop leads nowhere. Paths are numbers that get new attributes in place, so a marked prefix always counts as changed.
   */
  decide(prefix: number, candidate: (path: number) => Candidate | undefined): void {
    const candidates: Candidate[] = [];
    for (let path = this.paths.first(prefix); path !== NO_PATH; path = this.paths.next(path)) {
      const one = candidate(path);
      if (one !== undefined) candidates.push(one);
    }
    const decision = decide(candidates);
    this.#best[prefix] = decision?.best.path ?? NO_PATH;
    this.#step[prefix] = decision === undefined ? 0 : STEPS.indexOf(decision.step);
  }

  hold(prefix: number): void {
    this.#holders[prefix] = (this.#holders[prefix] as number) + 1;
  }

  unhold(prefix: number): void {
    this.#holders[prefix] = (this.#holders[prefix] as number) - 1;
    this.releaseIfUnused(prefix);
  }

  /** Gives the id back once no path, no announcement and no forwarding entry needs it. */
  releaseIfUnused(prefix: number): void {
    if (this.paths.first(prefix) !== NO_PATH || this.#holders[prefix] !== 0 || this.marked.has(prefix)) return;
    // Several queues may come past the same prefix; the first gives it back.
    if (this.prefixes.isInUse(prefix)) this.prefixes.release(prefix);
  }

  /** Every prefix in use, as the table knows it. */
  *known(): IterableIterator<{ readonly id: number; readonly prefix: Prefix }> {
    for (const id of this.prefixes.ids()) yield { id, prefix: this.prefixes.prefix(id) };
  }

  #reach(prefix: number): void {
    if (prefix < this.#best.length) return;
    const before = this.#best.length;
    const length = this.prefixes.capacity;
    this.#best = grown(this.#best, new Int32Array(length));
    this.#best.fill(NO_PATH, before);
    this.#step = grown(this.#step, new Uint8Array(length));
    this.#holders = grown(this.#holders, new Int32Array(length));
  }
}
