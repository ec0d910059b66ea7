/** Paths of the RIB as values. */
import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { ImportRules } from "../policy/import.ts";
import { NO_SET } from "../rib/attribute-table.ts";
import type { FamilyRib } from "../rib/family-rib.ts";
import type { Rib } from "../rib/rib.ts";
import { LOCAL_SOURCE } from "../rib/sources.ts";
import { type AttributesView, viewAttributes } from "./attributes.ts";
import type { RouteView } from "./types.ts";

/** Sets that stay viewed: routes that follow each other tend to share theirs. */
const KEPT_VIEWS = 64;

/** Good for one batch of routes: numbers of sets may stand for others after that. */
/** The import rules of a source, as long as its session is up. */
export type RulesOf = (source: number) => ImportRules | undefined;

export class RouteViews {
  readonly #rib: Rib;
  readonly #rulesOf: RulesOf;
  readonly #views = new Map<number, AttributesView>();

  constructor(rib: Rib, rulesOf: RulesOf) {
    this.#rib = rib;
    this.#rulesOf = rulesOf;
  }

  attributes(set: number): AttributesView {
    const known = this.#views.get(set);
    if (known !== undefined) return known;
    if (this.#views.size >= KEPT_VIEWS) this.#views.clear();
    const view = viewAttributes(this.#rib.attributes.attributes(set));
    this.#views.set(set, view);
    return view;
  }

  /** A path as the decision sees it; one that import rules refuse, or as it was `received`, before them. */
  path(table: FamilyRib, prefix: number, path: number, which: "in force" | "received" = "in force"): RouteView {
    const { paths } = table;
    const inForce = paths.inForce(path);
    const best = table.best(prefix) === path;
    const problem = this.problem(table, prefix, path);
    return {
      prefix: formatPrefix(table.prefixes.prefix(prefix)),
      ...this.from(paths.source(path), paths.pathId(path)),
      best,
      ...(best && { decidedBy: table.step(prefix, this.#rib.decision) }),
      ...(paths.isStale(path) && { stale: true as const }),
      ...(problem !== undefined && { problem }),
      attributes: this.attributes(inForce === NO_SET || which === "received" ? paths.received(path) : inForce),
    };
  }

  from(source: number, pathId: number): Pick<RouteView, "peer" | "pathID"> {
    return {
      ...(source !== LOCAL_SOURCE && { peer: this.#rib.sources.get(source).name }),
      ...(pathId !== 0 && { pathID: pathId }),
    };
  }

  /** Why a path takes no part in the decision. */
  problem(table: FamilyRib, prefix: number, path: number): string | undefined {
    const { paths, prefixes } = table;
    const set = paths.inForce(path);
    if (set === NO_SET) {
      const rules = this.#rulesOf(paths.source(path));
      return rules?.explain(paths.received(path), prefixes.prefix(prefix)).by ?? "refused by import rules when it came";
    }
    if (paths.source(path) === LOCAL_SOURCE) return undefined;
    const nextHop = this.#rib.attributes.rows.nextHop(set);
    if (nextHop !== NO_SET && this.#rib.nextHops.resolution(nextHop) !== undefined) return undefined;
    return `next hop ${this.attributes(set).nextHop ?? ""} is unreachable: no other route of the kernel leads to it`;
  }
}
