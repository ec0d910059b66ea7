/**
 * All routes of a speaker: what came in, what is best, what is to be forwarded, what each peer has to be told.
 *
 * Input marks prefixes; {@link Rib.decideMarked} decides them and passes each on as a mark: to the forwarding table and
 * to every update group. Nobody is called back, nothing waits.
 */
import { type Family, familyOf, sameAddress } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { type ExportTerms, termsKey } from "../policy/export-terms.ts";
import { type ImportRules, longLivedStale } from "../policy/import.ts";
import { encodePrefix, PATH_ID_OCTETS } from "../wire/nlri.ts";
import { u32 } from "../wire/octets.ts";
import type { NlriRun } from "../wire/update.ts";
import { AddPathGroup } from "./add-path-group.ts";
import { SetFlag } from "./attribute-columns.ts";
import { AttributeTable, NO_SET } from "./attribute-table.ts";
import { BestPathGroup } from "./best-path-group.ts";
import { Decision } from "./decision.ts";
import { FamilyRib } from "./family-rib.ts";
import { type ForwardingSink, ForwardingTable } from "./forwarding.ts";
import type { Member } from "./member.ts";
import { type Gateway, NextHops, type UnderlayRoute } from "./next-hops.ts";
import { OwnRoutes } from "./own-routes.ts";
import { PathChanges } from "./path-changes.ts";
import { NO_PATH } from "./paths.ts";
import type { SpeakerSettings } from "./settings.ts";
import { type Source, Sources } from "./sources.ts";
import type { UpdateGroup } from "./update-group.ts";

export const FAMILIES: readonly Family[] = [4, 6];

/** Stands for any prefix where rules look at attributes only. */
const EVERYTHING: Readonly<Record<Family, () => Prefix>> = {
  4: () => ({ address: new Uint8Array(4), length: 0 }),
  6: () => ({ address: new Uint8Array(16), length: 0 }),
};
/** Rows of each table at the start, unless told otherwise. */
const FEW = 1024;
/** Routes that share a set, by and large. */
const ROUTES_PER_SET = 4;

export class Rib {
  readonly families: Readonly<Record<Family, FamilyRib>>;
  readonly nextHops: NextHops;
  readonly attributes: AttributeTable;
  readonly sources = new Sources();
  readonly decision: Decision;
  readonly forwardingTables: Readonly<Record<Family, ForwardingTable>>;
  /** Whether anybody asks for forwarding changes. */
  readonly forwards: boolean;
  readonly groups = new Map<string, UpdateGroup>();
  /** What this speaker originates. */
  readonly own: OwnRoutes;
  readonly #changes: PathChanges;

  /**
   * `expected`: prefixes of a family that are reserved for: more is possible, but tables that grow are copied. Memory
   * that is not touched is not taken.
   */
  constructor(expected = FEW, forwards = true) {
    this.forwards = forwards;
    this.nextHops = new NextHops(!forwards);
    this.families = { 4: new FamilyRib(4, expected), 6: new FamilyRib(6, expected) };
    this.attributes = new AttributeTable(this.nextHops, Math.max(64, expected / ROUTES_PER_SET));
    this.decision = new Decision(this.attributes, this.nextHops, this.sources);
    this.#changes = new PathChanges(this.attributes, this.decision, forwards);
    this.own = new OwnRoutes(this.families, this.attributes, this.#changes);
    const table = (family: Family) =>
      new ForwardingTable(this.families[family], this.attributes, this.nextHops, this.decision);
    this.forwardingTables = { 4: table(4), 6: table(6) };
  }

  /** What is known of a source; where that is other than before, its paths are decided and told again. */
  setSource(source: number, known: Source): void {
    const { external, client, attached, peerId } = this.sources.get(source);
    this.sources.set(source, known);
    const same = external === known.external && client === known.client && attached === known.attached;
    if (same && sameAddress(peerId, known.peerId)) return;
    for (const family of FAMILIES) this.families[family].markSource(source);
  }

  /** A path per prefix of the run; the caller keeps its reference to the set. New ones only up to the limit. */
  announce(source: number, run: NlriRun, set: number, rules: ImportRules, limit: number): void {
    const rib = this.families[run.family];
    const perPrefix = rules.looksAtPrefix(run.family);
    const common = perPrefix ? NO_SET : rules.inForce(set, EVERYTHING[run.family]);
    for (let at = run.start; at < run.end; ) {
      const pathId = run.addPath ? u32(run.octets, at) : 0;
      if (run.addPath) at += PATH_ID_OCTETS;
      const prefix = rib.prefixes.intern(run.octets, at);
      at += 1 + (((run.octets[at] as number) + 7) >> 3);
      const inForce = perPrefix ? rules.inForceFor(set, rib.prefixes, prefix) : common;
      this.#changes.place(rib, source, prefix, pathId, set, inForce, limit);
      if (perPrefix) this.#changes.drop(inForce, set);
    }
    this.#changes.drop(common, set);
  }

  withdraw(source: number, run: NlriRun): void {
    const rib = this.families[run.family];
    for (let at = run.start; at < run.end; ) {
      const pathId = run.addPath ? u32(run.octets, at) : 0;
      if (run.addPath) at += PATH_ID_OCTETS;
      const prefix = rib.prefixes.lookup(run.octets, at);
      at += 1 + (((run.octets[at] as number) + 7) >> 3);
      const path = prefix < 0 ? NO_PATH : rib.paths.find(prefix, source, pathId);
      if (path !== NO_PATH) this.#changes.remove(rib, path);
    }
  }

  /** The rules of a peer changed: its paths are looked at again. */
  reimport(source: number, family: Family, rules: ImportRules): void {
    const rib = this.families[family];
    for (const path of rib.paths.ofSource(source)) {
      const set = rib.paths.received(path);
      const prefix = rib.paths.prefix(path);
      const stale = rib.paths.isStale(path);
      const before = rib.paths.inForce(path);
      let inForce = rules.inForce(set, () => rib.prefixes.prefix(prefix));
      if (stale && this.#isLastResort(before)) inForce = this.#lastResort(inForce, set);
      if (inForce !== before) this.#changes.replace(rib, path, set, inForce);
      // Other rules are no sign of life.
      rib.paths.setStale(path, stale);
      this.#changes.drop(inForce, set);
    }
  }

  #isLastResort(inForce: number): boolean {
    return inForce !== NO_SET && this.attributes.has(inForce, SetFlag.LlgrStale);
  }

  /** The set with LLGR_STALE, with one reference, in the place of one that the rules made of what was received. */
  #lastResort(inForce: number, received: number): number {
    if (inForce === NO_SET || this.#isLastResort(inForce)) return inForce;
    const attributes = longLivedStale(this.attributes.attributes(inForce));
    const marked = this.attributes.intern(attributes, this.attributes.scope(inForce));
    this.#changes.drop(inForce, received);
    return marked;
  }

  /** Marks what a peer announced as stale (RFC 4724 4.2). Returns how many that are. */
  markStale(source: number, family: Family): number {
    const { paths } = this.families[family];
    const all = paths.ofSource(source);
    for (const path of all) paths.setStale(path, true);
    return all.length;
  }

  /** RFC 9494 4.2: stale paths stay as a last resort; those that must not (NO_LLGR) go. Returns how many stay. */
  markLongLived(source: number, family: Family): number {
    const rib = this.families[family];
    let stay = 0;
    for (const path of rib.paths.ofSource(source)) {
      if (!rib.paths.isStale(path)) continue;
      const inForce = rib.paths.inForce(path);
      if (inForce === NO_SET) continue;
      if (this.attributes.has(inForce, SetFlag.NoLlgr)) {
        this.#changes.remove(rib, path);
        continue;
      }
      const set = rib.paths.received(path);
      const attributes = longLivedStale(this.attributes.attributes(inForce));
      const marked = this.attributes.intern(attributes, this.attributes.scope(inForce));
      this.#changes.replace(rib, path, set, marked);
      rib.paths.setStale(path, true);
      this.attributes.release(marked);
      stay++;
    }
    return stay;
  }

  /** Removes a peer's routes: all, or only those still stale. Returns how many. */
  sweep(source: number, family: Family, which: "all" | "stale"): number {
    const rib = this.families[family];
    let swept = 0;
    for (const path of rib.paths.ofSource(source)) {
      if (which === "stale" && !rib.paths.isStale(path)) continue;
      this.#changes.remove(rib, path);
      swept++;
    }
    return swept;
  }

  applySettings(settings: SpeakerSettings): void {
    this.decision.settings = settings;
    for (const family of FAMILIES) this.families[family].markAll();
  }

  /** The kernel's routes changed: where a next hop leads elsewhere now, its prefixes are decided again. */
  updateUnderlay(routes: readonly UnderlayRoute[]): void {
    const changed = this.nextHops.update(routes);
    if (changed.size === 0) return;
    for (const family of FAMILIES) {
      this.forwardingTables[family].forgetJoined();
      this.families[family].markWhere((set) => changed.has(this.attributes.rows.nextHop(set)));
    }
  }

  /** The group of peers with these terms, which the member joins. */
  join(terms: ExportTerms, member: Member): UpdateGroup {
    const key = termsKey(terms);
    let group = this.groups.get(key);
    if (group === undefined) {
      const rib = this.families[terms.family];
      group = terms.addPath ? new AddPathGroup(terms, rib, this) : new BestPathGroup(terms, rib, this);
      this.groups.set(key, group);
      if (terms.addPath) this.#changes.tellsAllPaths = true;
    }
    group.join(member);
    return group;
  }

  /** The member goes over to the group with these terms; what it has from the old one is put right. */
  move(before: UpdateGroup, terms: ExportTerms, member: Member): UpdateGroup {
    if (termsKey(before.terms) === termsKey(terms)) return before;
    before.handOver(member);
    const after = this.join(terms, member);
    this.leave(before, member);
    return after;
  }

  leave(group: UpdateGroup, member: Member): void {
    group.leave(member);
    if (group.members.size > 0) return;
    this.groups.delete(termsKey(group.terms));
    this.#changes.tellsAllPaths = [...this.groups.values()].some(({ terms }) => terms.addPath);
    group.dissolve();
  }

  /** Decides marked prefixes, at most `budget` of them; returns whether any are left. */
  decideMarked(budget: number): boolean {
    let left = budget;
    for (const family of FAMILIES) {
      const rib = this.families[family];
      if (rib.marked.size === 0) continue;
      const groups = [...this.groups.values()].filter(({ terms, isMute }) => terms.family === family && !isMute);
      const best = groups.filter(({ terms }) => !terms.addPath);
      const all = groups.filter(({ terms }) => terms.addPath);
      const forwarding = this.forwardingTables[family].pending;
      while (left > 0) {
        const prefix = rib.marked.take();
        if (prefix < 0) break;
        left--;
        const isNews = rib.decide(prefix, this.decision);
        // By index: an iterator for each prefix would be felt.
        if (isNews) for (let i = 0; i < best.length; i++) best[i]?.pending.add(prefix);
        for (let i = 0; i < all.length; i++) all[i]?.pending.add(prefix);
        if (this.forwards) forwarding.add(prefix);
        if (rib.paths.first(prefix) === NO_PATH) rib.releaseIfUnused(prefix);
      }
    }
    return this.undecided > 0;
  }

  get undecided(): number {
    return this.families[4].marked.size + this.families[6].marked.size;
  }

  get forwardingChangesPending(): boolean {
    return this.forwardingTables[4].pending.size + this.forwardingTables[6].pending.size > 0;
  }

  /** What the forwarding table has to change, at most `limit` prefixes; returns how many were handed over. */
  takeForwardingChanges(limit: number, sink: ForwardingSink): number {
    const taken = this.forwardingTables[4].take(limit, sink);
    return taken + this.forwardingTables[6].take(limit - taken, sink);
  }

  /** What the forwarding table was told last about exactly this prefix; undefined: nothing, or that it goes. */
  forwardingOf(prefix: Prefix): readonly Gateway[] | undefined {
    const family = familyOf(prefix.address);
    const id = this.families[family].prefixes.lookup(encodePrefix(prefix), 0);
    return id < 0 ? undefined : this.forwardingTables[family].told(id);
  }

  /** Everything the forwarding table has been told and should have: for a whole comparison. */
  *forwarding(): IterableIterator<{ readonly prefix: Prefix; readonly gateways: readonly Gateway[] }> {
    for (const family of FAMILIES) {
      for (const { id, prefix } of this.families[family].known()) {
        const gateways = this.forwardingTables[family].told(id);
        if (gateways !== undefined) yield { prefix, gateways };
      }
    }
  }
}
