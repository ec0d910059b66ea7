/**
 * The decision process (RFC 4271 9.1.2, RFC 4456 9): of the paths to one prefix, which is best, and why.
 *
 * Before any step, a path whose next hop cannot be resolved is no candidate (9.1.2.1). Then each step removes the
 * paths that are worse than the best of it, until one is left:
 *
 *   local          a route this speaker originates
 *   last-resort    one that is not stale for long (RFC 9494 4.3)
 *   local-pref     the highest LOCAL_PREF
 *   as-path        the shortest AS_PATH
 *   origin         IGP before EGP before INCOMPLETE
 *   med            the lowest MED, among paths from the same neighbouring AS only unless told otherwise
 *   external       eBGP before iBGP
 *   igp-metric     the nearest next hop
 *   router-id      the lowest ORIGINATOR_ID, or BGP Identifier of the peer
 *   cluster-list   the shortest CLUSTER_LIST
 *   peer-address   the lowest address of the peer
 *   path-id        the lowest path identifier (RFC 7911), between paths of one peer
 *
 * Steps remove from the whole set at once, so the outcome does not depend on the order in which paths arrived, MED
 * included. Paths that are left after igp-metric are equally good: multipath uses them side by side.
 */
import { SetFlag } from "./attribute-columns.ts";
import { type AttributeTable, NO_SET } from "./attribute-table.ts";
import type { NextHops } from "./next-hops.ts";
import { NO_PATH, type Paths } from "./paths.ts";
import { DEFAULT_SETTINGS, type SpeakerSettings } from "./settings.ts";
import { LOCAL_SOURCE, type Sources } from "./sources.ts";

export const STEPS = [
  "only",
  "local",
  "last-resort",
  "local-pref",
  "as-path",
  "origin",
  "med",
  "external",
  "igp-metric",
  "router-id",
  "cluster-list",
  "peer-address",
  "path-id",
] as const;

export type Step = (typeof STEPS)[number];

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
const WORST_MED = 0x1_0000_0000;

export class Decision {
  readonly #attributes: AttributeTable;
  readonly #nextHops: NextHops;
  readonly #sources: Sources;
  #paths: Paths | undefined;
  settings: SpeakerSettings = DEFAULT_SETTINGS;
  /** The paths still in the race, and what each is worth in the step at hand. */
  #left = new Int32Array(64);
  #value = new Float64Array(64);
  #count = 0;
  /** The paths that are equally good, the best one among them. */
  equal = new Int32Array(64);
  equalCount = 0;
  /** Place in STEPS of the step that left one path. */
  step = 0;

  constructor(attributes: AttributeTable, nextHops: NextHops, sources: Sources) {
    this.#attributes = attributes;
    this.#nextHops = nextHops;
    this.#sources = sources;
  }

  /** Whether a path takes part at all. */
  isCandidate(paths: Paths, path: number): boolean {
    const set = paths.inForce(path);
    if (set === NO_SET) return false;
    if (paths.source(path) === LOCAL_SOURCE) return true;
    const nextHop = this.#attributes.nextHop[set] as number;
    return nextHop !== NO_SET && this.#nextHops.resolution(nextHop) !== undefined;
  }

  /** Whether a path with the one set loses to a path with the other before MED is looked at; neither is our own. */
  isWorse(set: number, than: number): boolean {
    const { flags, localPref, pathLength, origin } = this.#attributes;
    const lastResort = ((flags[set] as number) & SetFlag.LlgrStale) - ((flags[than] as number) & SetFlag.LlgrStale);
    if (lastResort !== 0) return lastResort > 0;
    if (localPref[set] !== localPref[than]) return (localPref[set] as number) < (localPref[than] as number);
    if (pathLength[set] !== pathLength[than]) return (pathLength[set] as number) > (pathLength[than] as number);
    return (origin[set] as number) > (origin[than] as number);
  }

  /** The best path of a prefix, or NO_PATH; {@link step} and {@link equal} tell more. */
  decide(paths: Paths, prefix: number): number {
    this.#paths = paths;
    this.#count = 0;
    for (let path = paths.first(prefix); path !== NO_PATH; path = paths.next(path)) {
      if (!this.isCandidate(paths, path)) continue;
      if (this.#count === this.#left.length) this.#grow();
      this.#left[this.#count++] = path;
    }
    this.step = 0;
    this.equalCount = 0;
    for (let step = 1; this.#count > 1 && step <= PATH_ID; step++) {
      if (this.#keepBest(step)) this.step = step;
      if (step === IGP_METRIC) this.#rememberEqual();
    }
    if (this.equalCount === 0) this.#rememberEqual();
    return this.#count === 0 ? NO_PATH : (this.#left[0] as number);
  }

  /** Removes what is worse; returns whether anything was. */
  #keepBest(step: number): boolean {
    const value = this.#value;
    const left = this.#left;
    this.#weigh(step);
    let lowest = value[0] as number;
    let differ = false;
    for (let i = 1; i < this.#count; i++) {
      const one = value[i] as number;
      if (one === lowest) continue;
      differ = true;
      if (one < lowest) lowest = one;
    }
    if (!differ) return false;
    if (step === MED && this.settings.compareMed === "same-as") return this.#keepLowestMedOfEachNeighbor();
    let kept = 0;
    for (let i = 0; i < this.#count; i++) if (value[i] === lowest) left[kept++] = left[i] as number;
    this.#count = kept;
    return true;
  }

  /** RFC 4271 9.1.2.2 c. */
  #keepLowestMedOfEachNeighbor(): boolean {
    const { neighborAs } = this.#attributes;
    const paths = this.#paths as Paths;
    const left = this.#left.slice(0, this.#count);
    let kept = 0;
    for (let i = 0; i < left.length; i++) {
      const as = neighborAs[paths.inForce(left[i] as number)];
      let beaten = false;
      for (let k = 0; k < left.length && !beaten; k++) {
        const better = (this.#value[k] as number) < (this.#value[i] as number);
        beaten = better && neighborAs[paths.inForce(left[k] as number)] === as;
      }
      if (!beaten) this.#left[kept++] = left[i] as number;
    }
    this.#count = kept;
    return kept < left.length;
  }

  /** What each path that is left is worth in this step: less is better. */
  #weigh(step: number): void {
    const count = this.#count;
    const left = this.#left;
    const value = this.#value;
    const paths = this.#paths as Paths;
    const { flags, localPref, pathLength, origin, originatorId, clusterListLength } = this.#attributes;
    switch (step) {
      case LOCAL:
        for (let i = 0; i < count; i++) value[i] = paths.source(left[i] as number) === LOCAL_SOURCE ? 0 : 1;
        break;
      case LAST_RESORT:
        for (let i = 0; i < count; i++) {
          value[i] = (flags[paths.inForce(left[i] as number)] as number) & SetFlag.LlgrStale;
        }
        break;
      case LOCAL_PREF:
        for (let i = 0; i < count; i++) value[i] = -(localPref[paths.inForce(left[i] as number)] as number);
        break;
      case AS_PATH:
        for (let i = 0; i < count; i++) value[i] = pathLength[paths.inForce(left[i] as number)] as number;
        break;
      case ORIGIN:
        for (let i = 0; i < count; i++) value[i] = origin[paths.inForce(left[i] as number)] as number;
        break;
      case MED:
        for (let i = 0; i < count; i++) value[i] = this.#med(paths.inForce(left[i] as number));
        break;
      case EXTERNAL:
        for (let i = 0; i < count; i++) {
          value[i] = this.#sources.external[paths.source(left[i] as number)] === true ? 0 : 1;
        }
        break;
      case IGP_METRIC:
        for (let i = 0; i < count; i++) value[i] = this.#metric(left[i] as number);
        break;
      case ROUTER_ID:
        for (let i = 0; i < count; i++) {
          const set = paths.inForce(left[i] as number);
          const reflected = ((flags[set] as number) & SetFlag.HasOriginatorId) !== 0;
          const id = reflected ? originatorId[set] : this.#sources.peerId[paths.source(left[i] as number)];
          value[i] = id as number;
        }
        break;
      case CLUSTER_LIST:
        for (let i = 0; i < count; i++) value[i] = clusterListLength[paths.inForce(left[i] as number)] as number;
        break;
      case PEER_ADDRESS:
        for (let i = 0; i < count; i++) value[i] = this.#sources.rank(paths.source(left[i] as number));
        break;
      default:
        for (let i = 0; i < count; i++) value[i] = paths.pathId(left[i] as number);
    }
  }

  #med(set: number): number {
    const missing = ((this.#attributes.flags[set] as number) & SetFlag.HasMed) === 0;
    return missing && this.settings.missingMed === "worst" ? WORST_MED : (this.#attributes.med[set] as number);
  }

  #metric(path: number): number {
    const paths = this.#paths as Paths;
    if (paths.source(path) === LOCAL_SOURCE) return 0;
    const nextHop = this.#attributes.nextHop[paths.inForce(path)] as number;
    return this.#nextHops.resolution(nextHop)?.metric as number;
  }

  #rememberEqual(): void {
    if (this.equal.length < this.#count) this.equal = new Int32Array(this.#left.length);
    for (let i = 0; i < this.#count; i++) this.equal[i] = this.#left[i] as number;
    this.equalCount = this.#count;
  }

  #grow(): void {
    const left = new Int32Array(this.#left.length * 2);
    left.set(this.#left);
    this.#left = left;
    this.#value = new Float64Array(left.length);
  }
}
