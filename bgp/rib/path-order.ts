/**
 * One path held against another: what a new path, or one that goes, changes where the best of the others is known.
 *
 * The decision over the whole set (see decision.ts) is the definition; this gives the same outcome. MED is what makes
 * that more than an order: it counts among paths of one neighbouring AS only (RFC 4271 9.1.2.2 c), so a path can lose
 * to one that itself is not the best.
 */
import { SetFlag } from "./attribute-columns.ts";
import type { AttributeRows } from "./attribute-rows.ts";
import { type AttributeTable, NO_SET } from "./attribute-table.ts";
import type { NextHops } from "./next-hops.ts";
import { NO_PATH, type Paths } from "./paths.ts";
import { DEFAULT_SETTINGS, type SpeakerSettings } from "./settings.ts";
import { LOCAL_SOURCE, type Sources } from "./sources.ts";

/** How a path does against the best of the others. */
export const Match = { Lost: 0, Won: 1, Unsure: 2 } as const;

const WORST_MED = 0x1_0000_0000;

export class PathOrder {
  protected readonly rows: AttributeRows;
  protected readonly nextHops: NextHops;
  protected readonly sources: Sources;
  settings: SpeakerSettings = DEFAULT_SETTINGS;

  constructor(attributes: AttributeTable, nextHops: NextHops, sources: Sources) {
    this.rows = attributes.rows;
    this.nextHops = nextHops;
    this.sources = sources;
  }

  /** Whether a path takes part at all. */
  isCandidate(paths: Paths, path: number): boolean {
    const set = paths.inForce(path);
    if (set === NO_SET) return false;
    if (paths.source(path) === LOCAL_SOURCE) return true;
    const nextHop = this.rows.nextHop(set);
    return this.nextHops.isReachable(nextHop);
  }

  /** Whether a path with the one set loses to a path with the other before MED is looked at; neither is our own. */
  isWorse(set: number, than: number): boolean {
    return this.rows.rank(set) > this.rows.rank(than);
  }

  /**
   * What a new path changes where `best` won among the others: nothing, it is best itself, or all have to be looked at
   * together, for MED. No loser comes back: the newcomer only removes more, and the steps after MED are a plain order.
   */
  match(paths: Paths, best: number, newcomer: number): (typeof Match)[keyof typeof Match] {
    if (!this.isCandidate(paths, newcomer) || paths.source(best) === LOCAL_SOURCE) return Match.Lost;
    if (paths.source(newcomer) === LOCAL_SOURCE) return Match.Won;
    const mine = paths.inForce(best);
    const set = paths.inForce(newcomer);
    if (this.isWorse(set, mine)) return Match.Lost;
    if (this.isWorse(mine, set)) return Match.Won;
    const always = this.settings.compareMed === "always";
    const comparable = always || this.rows.neighborAs(set) === this.rows.neighborAs(mine);
    const more = comparable ? this.med(set) - this.med(mine) : 0;
    if (more > 0) return Match.Lost;
    // It removes the best path, but may itself lose to another.
    if (more < 0) return always ? Match.Won : Match.Unsure;
    if (!this.#comesFirst(paths, newcomer, set, best, mine)) return Match.Lost;
    // One with a lower MED might be among those that lost.
    return comparable || !this.#hasRival(paths, newcomer, set, 1) ? Match.Won : Match.Lost;
  }

  /** Whether it keeps another path from taking part after MED. */
  outbids(paths: Paths, path: number): boolean {
    const set = paths.inForce(path);
    return set !== NO_SET && this.settings.compareMed !== "always" && this.#hasRival(paths, path, set, -1);
  }

  /** Whether a path of the same neighbouring AS, as good until then, has a lower MED (`sign` 1) or a higher (-1). */
  #hasRival(paths: Paths, path: number, set: number, sign: 1 | -1): boolean {
    const rows = this.rows;
    const med = this.med(set);
    if (sign === 1 && med === 0) return false;
    const neighborAs = rows.neighborAs(set);
    const rank = rows.rank(set);
    for (let other = paths.first(paths.prefix(path)); other !== NO_PATH; other = paths.next(other)) {
      const rival = paths.inForce(other);
      if (rival === NO_SET || rows.neighborAs(rival) !== neighborAs || rows.rank(rival) !== rank) continue;
      if (sign * (med - this.med(rival)) > 0 && this.isCandidate(paths, other)) return true;
    }
    return false;
  }

  /** In the steps after MED. */
  #comesFirst(paths: Paths, a: number, setA: number, b: number, setB: number): boolean {
    const sourceA = paths.source(a);
    const sourceB = paths.source(b);
    const { external } = this.sources;
    if (external[sourceA] !== external[sourceB]) return external[sourceA] === true;
    const rows = this.rows;
    return (
      (this.nextHops.metric(rows.nextHop(setA)) - this.nextHops.metric(rows.nextHop(setB)) ||
        this.routerId(paths, a, setA) - this.routerId(paths, b, setB) ||
        rows.clusterListLength(setA) - rows.clusterListLength(setB) ||
        this.sources.rank(sourceA) - this.sources.rank(sourceB) ||
        paths.pathId(a) - paths.pathId(b)) < 0
    );
  }

  protected med(set: number): number {
    const missing = (this.rows.flags(set) & SetFlag.HasMed) === 0;
    return missing && this.settings.missingMed === "worst" ? WORST_MED : this.rows.med(set);
  }

  protected routerId(paths: Paths, path: number, set: number): number {
    const rows = this.rows;
    if ((rows.flags(set) & SetFlag.HasOriginatorId) !== 0) return rows.originatorId(set);
    return this.sources.peerId[paths.source(path)] as number;
  }
}
