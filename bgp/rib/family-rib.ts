/**
 * The routes of one family: every path, the best of each prefix, and which prefixes have to be looked at again.
 *
 * A change marks its prefix; deciding runs over the marked ones, once per prefix however many changes came.
 */
import type { Family } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { NO_SET } from "./attribute-table.ts";
import type { Decision } from "./decision.ts";
import { Marks } from "./marks.ts";
import { Match } from "./path-order.ts";
import { NO_PATH, Paths } from "./paths.ts";
import { grown, PrefixTable } from "./prefix-table.ts";
import { STEPS, type Step } from "./steps.ts";

/** What happened to a prefix: paths came; some went, too; or something else about them is other. */
const NEWCOMERS = 0;
const LOSSES = 1;
const ANYTHING = 2;

export class FamilyRib {
  readonly family: Family;
  readonly prefixes: PrefixTable;
  readonly paths: Paths;
  readonly marked = new Marks();
  /** A path, plus one; 0: none. */
  #best = new Int32Array(0);
  /** What happened since the last decision: NEWCOMERS at the least. */
  #since = new Uint8Array(0);
  /** Who else still needs the prefix's id: what was announced, the forwarding table, peers that lag behind. */
  #holders = new Int32Array(0);

  /** `capacity`: prefixes and paths reserved at the start. */
  constructor(family: Family, capacity: number) {
    this.family = family;
    this.prefixes = new PrefixTable(family, capacity);
    this.paths = new Paths(capacity);
  }

  /** As decided last: of a prefix that is marked again, the path may be gone since. */
  best(prefix: number): number {
    return prefix < this.#best.length ? (this.#best[prefix] as number) - 1 : NO_PATH;
  }

  /** Which step of the decision process chose the best path: asked for by people, so found out when asked. */
  step(prefix: number, decision: Decision): Step {
    decision.decide(this.paths, prefix);
    return STEPS[decision.step] as Step;
  }

  /** Puts a prefix into the queue for its decision. */
  mark(prefix: number): void {
    this.#reach(prefix);
    this.#since[prefix] = ANYTHING;
    this.marked.add(prefix);
  }

  /** The same, where nothing happened but that a path went. */
  markRemoved(prefix: number): void {
    this.#reach(prefix);
    if (this.#since[prefix] === NEWCOMERS) this.#since[prefix] = LOSSES;
    this.marked.add(prefix);
  }

  /** The same, where nothing happened but that a path came. */
  markAdded(prefix: number): void {
    this.#reach(prefix);
    this.marked.add(prefix);
  }

  /** Marks what a source announced, to be told again too. */
  markSource(source: number): void {
    for (const path of this.paths.ofSource(source)) {
      this.paths.setChanged(path);
      this.mark(this.paths.prefix(path));
    }
  }

  markAll(): void {
    for (const prefix of this.prefixes.ids()) this.mark(prefix);
  }

  /** Decides one marked prefix; returns whether its best path is another one, or the same with other attributes. */
  decide(prefix: number, decision: Decision): boolean {
    const { paths } = this;
    const before = (this.#best[prefix] as number) - 1;
    const since = this.#since[prefix];
    this.#since[prefix] = NEWCOMERS;
    if (before !== NO_PATH && since === NEWCOMERS) {
      const best = this.#withNewcomers(prefix, before, decision);
      if (best !== NO_PATH) {
        this.#best[prefix] = best + 1;
        return best !== before;
      }
    }
    const first = paths.first(prefix);
    if (first !== NO_PATH && paths.next(first) === NO_PATH) {
      // Most prefixes have one path.
      const only = decision.isCandidate(paths, first) ? first : NO_PATH;
      const changed = only !== before || paths.isChanged(first);
      paths.clearChanged(first);
      this.#best[prefix] = only + 1;
      return changed;
    }
    const best = decision.best(paths, prefix);
    let changed = best !== before;
    for (let path = first; path !== NO_PATH; path = paths.next(path)) {
      if (!paths.isChanged(path)) {
        // New ones come first, and no others changed.
        if (since !== ANYTHING) break;
        continue;
      }
      paths.clearChanged(path);
      if (path === best) changed = true;
    }
    this.#best[prefix] = best + 1;
    return changed;
  }

  /** The best path, where it is enough to hold the new ones, which come first, against it; NO_PATH where it is not. */
  #withNewcomers(prefix: number, before: number, decision: Decision): number {
    const { paths } = this;
    let best = before;
    for (let path = paths.first(prefix); path !== NO_PATH && paths.isChanged(path); path = paths.next(path)) {
      const outcome = decision.match(paths, best, path);
      if (outcome === Match.Unsure) return NO_PATH;
      if (outcome === Match.Won) best = path;
      paths.clearChanged(path);
    }
    return best;
  }

  hold(prefix: number): void {
    this.#reach(prefix);
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

  /** Marks every prefix that has a path for which `concerns` answers true. */
  markWhere(concerns: (set: number) => boolean): void {
    for (let path = 0; path < this.paths.bound; path++) {
      if (this.paths.source(path) < 0) continue;
      const set = this.paths.inForce(path);
      if (set !== NO_SET && concerns(set)) this.mark(this.paths.prefix(path));
    }
  }

  #reach(prefix: number): void {
    if (prefix < this.#best.length) return;
    const length = this.prefixes.capacity;
    this.#best = grown(this.#best, length);
    this.#since = grown(this.#since, length);
    this.#holders = grown(this.#holders, length);
  }
}
