/**
 * The decision process (RFC 4271 9.1.2, RFC 4456 9): of the paths to one prefix, which is best, and why.
 *
 * Before any step, a path whose next hop cannot be resolved is no candidate (9.1.2.1). Then each step (see steps.ts)
 * removes the paths that are worse than the best of it, until one is left.
 *
 * Steps remove from the whole set at once, so the outcome does not depend on the order in which paths arrived, MED
 * included. Paths that are left after igp-metric are equally good: multipath uses them side by side.
 */
import { SetFlag } from "./attribute-columns.ts";
import { NO_SET } from "./attribute-table.ts";
import { Match, PathOrder } from "./path-order.ts";
import { NO_PATH, type Paths } from "./paths.ts";
import { grown } from "./prefix-table.ts";
import { LOCAL_SOURCE } from "./sources.ts";

/** Steps by their place in STEPS. */
const LOCAL = 1;
const LAST_RESORT = 2;
const LOCAL_PREF = 3;
const AS_PATH = 4;
const ORIGIN = 5;
const MED = 6;
const EXTERNAL = 7;
const IGP_METRIC = 8;
const ROUTER_ID = 9;
const CLUSTER_LIST = 10;
const PEER_ADDRESS = 11;
const PATH_ID = 12;

export class Decision extends PathOrder {
  #paths: Paths | undefined;
  /** The paths still in the race, their sets, and what each is worth in the step at hand. */
  #left = new Int32Array(64);
  #set = new Int32Array(64);
  #value = new Float64Array(64);
  #beaten = new Uint8Array(64);
  #count = 0;
  /** The paths that are equally good, the best one among them. */
  equal = new Int32Array(64);
  equalCount = 0;
  /** Place in STEPS of the step that left one path. */
  step = 0;

  /** The best path of a prefix, or NO_PATH, where nobody asks for more: each path is held against the best so far. */
  best(paths: Paths, prefix: number): number {
    let best = NO_PATH;
    for (let path = paths.first(prefix); path !== NO_PATH; path = paths.next(path)) {
      if (best === NO_PATH) {
        if (this.isCandidate(paths, path)) best = path;
        continue;
      }
      const outcome = this.match(paths, best, path);
      if (outcome === Match.Unsure) return this.decide(paths, prefix);
      if (outcome === Match.Won) best = path;
    }
    return best;
  }

  /** The same; {@link step} and {@link equal} tell more. */
  decide(paths: Paths, prefix: number): number {
    this.#paths = paths;
    const first = this.#gather(paths, prefix);
    this.step = 0;
    this.equalCount = 0;
    for (let step = first; this.#count > 1 && step <= PATH_ID; step++) {
      if (this.#keepBest(step)) this.step = step;
      if (step === IGP_METRIC) this.#rememberEqual();
    }
    if (this.equalCount === 0) this.#rememberEqual();
    return this.#count === 0 ? NO_PATH : (this.#left[0] as number);
  }

  /** Finds the candidates; returns the first step that can make a difference. */
  #gather(paths: Paths, prefix: number): number {
    const rows = this.rows;
    let special = false;
    let count = 0;
    for (let path = paths.first(prefix); path !== NO_PATH; path = paths.next(path)) {
      const set = paths.inForce(path);
      if (set === NO_SET) continue;
      if (paths.source(path) === LOCAL_SOURCE) special = true;
      else if (!this.nextHops.isReachable(rows.nextHop(set))) continue;
      if ((rows.flags(set) & SetFlag.LlgrStale) !== 0) special = true;
      if (count === this.#left.length) this.#grow();
      this.#left[count] = path;
      this.#set[count++] = set;
    }
    this.#count = count;
    return special ? LOCAL : LOCAL_PREF;
  }

  /** Removes what is worse; returns whether anything was. */
  #keepBest(step: number): boolean {
    const value = this.#value;
    const count = this.#count;
    this.#weigh(step);
    let lowest = value[0] as number;
    let differ = false;
    for (let i = 1; i < count; i++) {
      const one = value[i] as number;
      if (one === lowest) continue;
      differ = true;
      if (one < lowest) lowest = one;
    }
    if (!differ) return false;
    if (step === MED && this.settings.compareMed === "same-as") return this.#keepLowestMedOfEachNeighbor();
    let kept = 0;
    for (let i = 0; i < count; i++) if (value[i] === lowest) this.#keep(i, kept++);
    this.#count = kept;
    return true;
  }

  #keep(from: number, to: number): void {
    this.#left[to] = this.#left[from] as number;
    this.#set[to] = this.#set[from] as number;
  }

  /** RFC 4271 9.1.2.2 c. */
  #keepLowestMedOfEachNeighbor(): boolean {
    const rows = this.rows;
    const set = this.#set;
    const value = this.#value;
    const count = this.#count;
    let kept = 0;
    for (let i = 0; i < count; i++) {
      const as = rows.neighborAs(set[i] as number);
      let beaten = false;
      for (let k = 0; k < count && !beaten; k++) {
        beaten = (value[k] as number) < (value[i] as number) && rows.neighborAs(set[k] as number) === as;
      }
      this.#beaten[i] = beaten ? 1 : 0;
    }
    for (let i = 0; i < count; i++) if (this.#beaten[i] === 0) this.#keep(i, kept++);
    this.#count = kept;
    return kept < count;
  }

  /** What each path that is left is worth in this step: less is better. */
  #weigh(step: number): void {
    const count = this.#count;
    const left = this.#left;
    const set = this.#set;
    const value = this.#value;
    const paths = this.#paths as Paths;
    const rows = this.rows;
    switch (step) {
      case LOCAL:
        for (let i = 0; i < count; i++) value[i] = paths.source(left[i] as number) === LOCAL_SOURCE ? 0 : 1;
        break;
      case LAST_RESORT:
        for (let i = 0; i < count; i++) value[i] = rows.flags(set[i] as number) & SetFlag.LlgrStale;
        break;
      case LOCAL_PREF:
        for (let i = 0; i < count; i++) value[i] = -rows.localPref(set[i] as number);
        break;
      case AS_PATH:
        for (let i = 0; i < count; i++) value[i] = rows.pathLength(set[i] as number);
        break;
      case ORIGIN:
        for (let i = 0; i < count; i++) value[i] = rows.origin(set[i] as number);
        break;
      case MED:
        for (let i = 0; i < count; i++) value[i] = this.med(set[i] as number);
        break;
      case EXTERNAL:
        for (let i = 0; i < count; i++) {
          value[i] = this.sources.external[paths.source(left[i] as number)] === true ? 0 : 1;
        }
        break;
      case IGP_METRIC:
        // A path of our own has been the only one left since the first step.
        for (let i = 0; i < count; i++) value[i] = this.nextHops.metric(rows.nextHop(set[i] as number));
        break;
      case ROUTER_ID:
        for (let i = 0; i < count; i++) value[i] = this.routerId(paths, left[i] as number, set[i] as number);
        break;
      case CLUSTER_LIST:
        for (let i = 0; i < count; i++) value[i] = rows.clusterListLength(set[i] as number);
        break;
      case PEER_ADDRESS:
        for (let i = 0; i < count; i++) value[i] = this.sources.rank(paths.source(left[i] as number));
        break;
      default:
        for (let i = 0; i < count; i++) value[i] = paths.pathId(left[i] as number);
    }
  }

  #rememberEqual(): void {
    if (this.equal.length < this.#count) this.equal = new Int32Array(this.#left.length);
    for (let i = 0; i < this.#count; i++) this.equal[i] = this.#left[i] as number;
    this.equalCount = this.#count;
  }

  #grow(): void {
    const length = this.#left.length * 2;
    this.#left = grown(this.#left, length);
    this.#set = grown(this.#set, length);
    this.#value = new Float64Array(length);
    this.#beaten = new Uint8Array(length);
  }
}
