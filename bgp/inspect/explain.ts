/** Why a prefix is routed as it is: every candidate, what decided, where packets go, and who is told. */
import { familyOf } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import type { Neighbor } from "../neighbor.ts";
import { NO_SET } from "../rib/attribute-table.ts";
import type { FamilyRib } from "../rib/family-rib.ts";
import { describeGateway } from "../rib/next-hops.ts";
import { NO_PATH } from "../rib/paths.ts";
import type { Rib } from "../rib/rib.ts";
import { LOCAL_SOURCE } from "../rib/sources.ts";
import { viewAttributes } from "./attributes.ts";
import { DECISION_WORDS } from "./decision-words.ts";
import { exported } from "./exports.ts";
import { longestMatch, prefixAsked } from "./prefix-search.ts";
import { RouteViews, type RulesOf } from "./route-views.ts";
import { groupOf } from "./routes.ts";
import type { CandidateView, Explanation, ExportView } from "./types.ts";

export function explain(rib: Rib, neighbors: readonly Neighbor[], asked: string): Explanation {
  const wanted = prefixAsked(asked);
  const table = rib.families[familyOf(wanted.address)];
  const id = longestMatch(table, wanted);
  if (id === undefined) return { asked, candidates: [], exports: [] };
  const best = table.best(id);
  const prefix = table.prefixes.prefix(id);
  const gateways = rib.forwardingOf(prefix);
  const step = table.step(id, rib.decision);
  return {
    asked,
    prefix: formatPrefix(prefix),
    candidates: candidates(rib, neighbors, table, id),
    ...(table.marked.has(id) && { decision: "not decided yet" }),
    ...(best !== NO_PATH && !table.marked.has(id) && { decidedBy: step, decision: DECISION_WORDS[step] }),
    ...(gateways !== undefined && { forwarding: gateways.map(describeGateway) }),
    exports: neighbors.map((neighbor) => exportView(rib, neighbor, table, id)),
  };
}

export function rulesOf(neighbors: readonly Neighbor[]): RulesOf {
  const bySource = new Map(neighbors.map((neighbor) => [neighbor.source, neighbor]));
  return (source) => bySource.get(source)?.adjRibIn?.rules;
}

/** The best first, then those that could be, then those that cannot. */
function candidates(rib: Rib, neighbors: readonly Neighbor[], table: FamilyRib, id: number): CandidateView[] {
  const { paths } = table;
  const views = new RouteViews(rib, rulesOf(neighbors));
  const equal = equallyGood(rib, table, id);
  const found: CandidateView[] = [];
  for (let path = paths.first(id); path !== NO_PATH; path = paths.next(path)) {
    const set = paths.inForce(path);
    const view = views.path(table, id, path);
    const changed = set !== NO_SET && set !== paths.received(path);
    found.push({
      ...view,
      ...(changed && { received: views.attributes(paths.received(path)) }),
      ...nextHopView(rib, table, path),
      ...(equal.size > 1 && equal.has(path) && { multipath: true as const }),
    });
  }
  const rank = ({ best, problem }: CandidateView) => (best ? 0 : problem === undefined ? 1 : 2);
  return found.sort((a, b) => rank(a) - rank(b) || (a.peer ?? "").localeCompare(b.peer ?? ""));
}

/** Paths that go to the kernel side by side. */
function equallyGood(rib: Rib, table: FamilyRib, id: number): ReadonlySet<number> {
  const { decision } = rib;
  if (decision.settings.multipath <= 1 || decision.decide(table.paths, id) === NO_PATH) return new Set();
  return new Set(decision.equal.subarray(0, decision.equalCount));
}

function nextHopView(rib: Rib, { paths }: FamilyRib, path: number): Partial<CandidateView> {
  const set = paths.inForce(path);
  if (set === NO_SET || paths.source(path) === LOCAL_SOURCE) return {};
  const nextHop = rib.attributes.rows.nextHop(set);
  const resolution = nextHop === NO_SET ? undefined : rib.nextHops.resolution(nextHop);
  if (resolution === undefined) return {};
  return { nextHopMetric: resolution.metric, gateways: resolution.gateways.map(describeGateway) };
}

function exportView(rib: Rib, { peer, source }: Neighbor, table: FamilyRib, id: number): ExportView {
  const { name } = peer.config;
  if (peer.session === undefined) return { peer: name, exported: false, why: `no session (${peer.state})` };
  const group = groupOf(rib, source, table.family);
  if (group === undefined) return { peer: name, exported: false, why: `the session does not carry IPv${table.family}` };
  const prefix = table.prefixes.prefix(id);
  const told = group.announcedTo(source, id);
  const lags = group.members.get(source)?.lags === true || group.pending.has(id);
  const later = lags ? "; the peer takes its messages slowly, this may still be on its way" : "";
  if (told.length > 0) {
    const [first] = told as [(typeof told)[number]];
    const { by, attributes } = exported(rib, group.terms, first.set, first.from, prefix);
    const paths = told.length > 1 ? `${told.length} paths, the first: ${by}` : by;
    const view = attributes === undefined ? {} : { attributes: viewAttributes(attributes) };
    return { peer: name, exported: true, why: paths + later, ...view };
  }
  const best = table.best(id);
  if (best === NO_PATH) return { peer: name, exported: false, why: "there is no best path" };
  const from = table.paths.source(best);
  if (from === source) return { peer: name, exported: false, why: "the best path came from this peer" };
  const outcome = exported(rib, group.terms, table.paths.inForce(best), from, prefix);
  if (!outcome.accept) return { peer: name, exported: false, why: outcome.by };
  const limit = group.terms.limit === undefined ? "" : `; at most ${group.terms.limit} prefixes go to this peer`;
  return { peer: name, exported: false, why: lags ? "not told yet" : `it does not fit into a message${limit}` };
}
