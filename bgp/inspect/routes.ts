/** Walks through the routes that were asked for, a few hundred prefixes at a time. */
import type { Family } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { FamilyRib } from "../rib/family-rib.ts";
import { NO_PATH } from "../rib/paths.ts";
import { FAMILIES, type Rib } from "../rib/rib.ts";
import type { UpdateGroup } from "../rib/update-group.ts";
import { viewAttributes } from "./attributes.ts";
import { exported } from "./exports.ts";
import { exactly, familyAsked, insideOf, prefixAsked } from "./prefix-search.ts";
import { RouteViews, type RulesOf } from "./route-views.ts";
import type { RouteView } from "./types.ts";

/** Prefixes looked at, or routes found, in one batch: well under a millisecond, views and all, and quick to skip. */
const BATCH = 256;

export interface RouteWalk {
  readonly prefix?: string;
  readonly longerPrefixes?: boolean;
  readonly family?: Family;
  /** Source numbers of peers. */
  readonly from?: number;
  readonly to?: number;
  readonly best?: boolean;
}

type ViewsOf = (views: RouteViews, table: FamilyRib, prefix: number) => RouteView[];

export function* walkRoutes(rib: Rib, walk: RouteWalk, rulesOf: RulesOf): Generator<RouteView[]> {
  const asked = walk.prefix === undefined ? undefined : prefixAsked(walk.prefix);
  const wanted = asked === undefined ? walk.family : familyAsked(asked, walk.family);
  const viewsOf = viewsFor(rib, walk);
  const fresh = () => new RouteViews(rib, rulesOf);
  for (const family of wanted === undefined ? FAMILIES : [wanted]) {
    const table = rib.families[family];
    if (asked === undefined) yield* walkTable(table, viewsOf, fresh, () => true);
    else if (walk.longerPrefixes === true) yield* walkTable(table, viewsOf, fresh, insideOf(table, asked));
    else {
      const id = exactly(table, asked);
      yield id === undefined ? [] : viewsOf(fresh(), table, id);
    }
  }
}

function* walkTable(
  table: FamilyRib,
  viewsOf: ViewsOf,
  fresh: () => RouteViews,
  wanted: (id: number) => boolean,
): Generator<RouteView[]> {
  let routes: RouteView[] = [];
  let views = fresh();
  for (let id = 0; id < table.prefixes.bound; id++) {
    if (table.prefixes.isInUse(id) && wanted(id)) routes.push(...viewsOf(views, table, id));
    if (routes.length < BATCH && id % BATCH !== 0) continue;
    yield routes;
    routes = [];
    views = fresh();
  }
  yield routes;
}

function viewsFor(rib: Rib, { from, to, best }: RouteWalk): ViewsOf {
  if (to !== undefined) return (views, table, prefix) => toldRoutes(rib, views, table, prefix, to);
  return (views, table, prefix) => {
    const routes: RouteView[] = [];
    const chosen = table.best(prefix);
    for (let path = table.paths.first(prefix); path !== NO_PATH; path = table.paths.next(path)) {
      if (best === true && path !== chosen) continue;
      if (from !== undefined && table.paths.source(path) !== from) continue;
      const view = views.path(table, prefix, path, from === undefined ? "in force" : "received");
      if (path === chosen) routes.unshift(view);
      else routes.push(view);
    }
    return routes;
  };
}

/** The update group a peer is in; undefined: it has no session for the family. */
export function groupOf(rib: Rib, source: number, family: Family): UpdateGroup | undefined {
  for (const group of rib.groups.values()) if (group.terms.family === family && group.members.has(source)) return group;
  return undefined;
}

/** What a peer was told of a prefix, with the attributes it was told. */
function toldRoutes(rib: Rib, views: RouteViews, table: FamilyRib, id: number, source: number): RouteView[] {
  const group = groupOf(rib, source, table.family);
  if (group === undefined) return [];
  const prefix = table.prefixes.prefix(id);
  return group.announcedTo(source, id).flatMap(({ pathId, set, from }) => {
    const { attributes } = exported(rib, group.terms, set, from, prefix);
    if (attributes === undefined) return [];
    const view = views.from(from, pathId);
    const best = table.best(id);
    const isBest = best !== NO_PATH && table.paths.source(best) === from;
    return [{ prefix: formatPrefix(prefix), ...view, best: isBest, attributes: viewAttributes(attributes) }];
  });
}
