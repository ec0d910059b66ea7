/** How paths come, change and go: references to attribute sets kept right, prefixes marked where it can matter. */
import { type AttributeTable, NO_SET } from "./attribute-table.ts";
import type { Decision } from "./decision.ts";
import type { FamilyRib } from "./family-rib.ts";
import { NO_PATH } from "./paths.ts";
import { LOCAL_SOURCE } from "./sources.ts";

export class PathChanges {
  readonly #attributes: AttributeTable;
  readonly #decision: Decision;
  /** Some peer gets more than the best path: every path that comes or goes counts. */
  tellsAllPaths = false;
  /** The forwarding table uses the paths that are as good as the best one. */
  readonly #usesEqualPaths: boolean;

  constructor(attributes: AttributeTable, decision: Decision, usesEqualPaths: boolean) {
    this.#attributes = attributes;
    this.#decision = decision;
    this.#usesEqualPaths = usesEqualPaths;
  }

  /** A path with these sets, received and in force; a new one only up to the source's limit. */
  place(
    rib: FamilyRib,
    source: number,
    prefix: number,
    pathId: number,
    set: number,
    inForce: number,
    limit: number,
  ): void {
    const { paths } = rib;
    const path = paths.find(prefix, source, pathId);
    if (path !== NO_PATH) {
      // The same again is no change, only a sign of life.
      if (paths.received(path) === set && paths.inForce(path) === inForce) paths.setStale(path, false);
      else this.replace(rib, path, set, inForce);
      return;
    }
    if (paths.countOf(source) >= limit) {
      // The number may have been made for this path alone.
      rib.mark(prefix);
      return;
    }
    this.#attributes.retain(set);
    if (inForce !== set && inForce !== NO_SET) this.#attributes.retain(inForce);
    paths.add(prefix, source, pathId, set, inForce);
    if (!this.#isBeaten(rib, prefix, inForce)) rib.markAdded(prefix);
  }

  /**
   * Whether a path with this set cannot be the best one, nor as good: it comes or goes without a new decision. Only the
   * steps up to ORIGIN are looked at, and only against a best path that stands.
   */
  #isBeaten(rib: FamilyRib, prefix: number, inForce: number): boolean {
    if (rib.marked.has(prefix) || this.tellsAllPaths) return false;
    const best = rib.best(prefix);
    if (best === NO_PATH || rib.paths.source(best) === LOCAL_SOURCE) return false;
    return inForce === NO_SET || this.#decision.isWorse(inForce, rib.paths.inForce(best));
  }

  /** Whether a path that goes may have been the best, or as good, or have kept another from being it. */
  #isMissed(rib: FamilyRib, prefix: number, path: number): boolean {
    const best = rib.best(prefix);
    if (path === best || best === NO_PATH || rib.marked.has(prefix) || this.tellsAllPaths) return true;
    if (this.#isBeaten(rib, prefix, rib.paths.inForce(path))) return false;
    return this.#usesEqualPaths || this.#decision.outbids(rib.paths, path);
  }

  replace(rib: FamilyRib, path: number, set: number, inForce: number): void {
    const { paths } = rib;
    const received = paths.received(path);
    const before = paths.inForce(path);
    this.#attributes.retain(set);
    if (inForce !== set && inForce !== NO_SET) this.#attributes.retain(inForce);
    paths.replace(path, set, inForce);
    this.#attributes.release(received);
    this.drop(before, received);
    rib.mark(paths.prefix(path));
  }

  remove(rib: FamilyRib, path: number): void {
    const { paths } = rib;
    const received = paths.received(path);
    const inForce = paths.inForce(path);
    const prefix = paths.prefix(path);
    if (this.#isMissed(rib, prefix, path)) rib.markRemoved(prefix);
    paths.remove(path);
    this.#attributes.release(received);
    this.drop(inForce, received);
  }

  /** Gives back the reference to a set that the rules made, where they made one. */
  drop(inForce: number, received: number): void {
    if (inForce !== NO_SET && inForce !== received) this.#attributes.release(inForce);
  }
}
