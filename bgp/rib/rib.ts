/**
 * All routes of a speaker: what came in, what is best, what is to be forwarded, what each peer has to be told.
 *
 * Input marks prefixes; {@link Rib.decideMarked} decides them and passes each on as a mark: to the forwarding table and
 * to every peer. Nobody is called back, nothing waits.
 */
import { type Address, addressOf, type Family } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { LOCAL_ATTRIBUTES, type RouteSource } from "../policy/export.ts";
import { encodePrefix, type NlriBlock } from "../wire/nlri.ts";
import type { AdjRibOut } from "./adj-rib-out.ts";
import { AttributeTable } from "./attribute-table.ts";
import type { Candidate } from "./decision.ts";
import { FamilyRib } from "./family-rib.ts";
import { Marks } from "./marks.ts";
import { type Gateway, NextHops, type UnderlayRoute } from "./next-hops.ts";
import { internAttributes } from "./packer.ts";
import { NO_PATH } from "./paths.ts";

/** Source number of the speaker's own routes. */
export const LOCAL_SOURCE = 0;

/** What the decision process has to know of where a path came from. */
export interface Source {
  readonly external: boolean;
  readonly peerId: Address;
  readonly peerAddress: Address;
}

/** One change for the forwarding table; no gateways: the route goes. */
export interface ForwardingChange {
  readonly prefix: Prefix;
  readonly gateways: readonly Gateway[] | undefined;
}

const NOBODY: Address = addressOf("0.0.0.0");

export class Rib {
  readonly families: Readonly<Record<Family, FamilyRib>> = { 4: new FamilyRib(4), 6: new FamilyRib(6) };
  readonly attributes = new AttributeTable();
  readonly nextHops = new NextHops();
  readonly sources = new Map<number, Source>();
  readonly #outs: Readonly<Record<Family, Set<AdjRibOut>>> = { 4: new Set(), 6: new Set() };
  readonly #forwardingPending: Readonly<Record<Family, Marks>> = { 4: new Marks(), 6: new Marks() };
  /** Prefixes the forwarding table has from us. */
  readonly #forwarded: Readonly<Record<Family, Set<number>>> = { 4: new Set(), 6: new Set() };

  kindOf(source: number): RouteSource {
    if (source === LOCAL_SOURCE) return "local";
    return this.sources.get(source)?.external === true ? "external" : "internal";
  }

  /** Takes a reference to the attribute set for each prefix; the caller keeps its own. */
  announce(source: number, { family, octets }: NlriBlock, attributes: number): void {
    const rib = this.families[family];
    for (let at = 0; at < octets.length; at += 1 + (((octets[at] as number) + 7) >> 3)) {
      this.attributes.retain(attributes);
      const before = rib.announce(source, rib.prefixes.intern(octets, at), attributes);
      if (before >= 0) this.attributes.release(before);
    }
  }

  withdraw(source: number, { family, octets }: NlriBlock): void {
    const rib = this.families[family];
    for (let at = 0; at < octets.length; at += 1 + (((octets[at] as number) + 7) >> 3)) {
      const prefix = rib.prefixes.lookup(octets, at);
      const path = prefix < 0 ? NO_PATH : rib.paths.find(prefix, source);
      if (path !== NO_PATH) this.attributes.release(rib.remove(path));
    }
  }

  /** Replaces the set of prefixes this speaker originates. */
  originate(prefixes: readonly Prefix[]): void {
    for (const family of [4, 6] as const) {
      const rib = this.families[family];
      const wanted = new Set<number>();
      for (const prefix of prefixes) {
        if ((prefix.address.length === 4 ? 4 : 6) !== family) continue;
        const octets = encodePrefix(prefix);
        const id = rib.prefixes.intern(octets, 0);
        wanted.add(id);
        if (rib.paths.find(id, LOCAL_SOURCE) !== NO_PATH) continue;
        const attributes = internAttributes(this.attributes, family, LOCAL_ATTRIBUTES);
        this.announce(LOCAL_SOURCE, { family, octets }, attributes);
        this.attributes.release(attributes);
      }
      for (const path of rib.paths.ofSource(LOCAL_SOURCE)) {
        if (!wanted.has(rib.paths.prefix(path))) this.attributes.release(rib.remove(path));
      }
    }
  }

  /** Marks what a peer announced as stale (RFC 4724 4.2); what was stale already goes. Returns how many are kept. */
  markStale(source: number, family: Family): number {
    const { paths } = this.families[family];
    let kept = 0;
    for (const path of paths.ofSource(source)) {
      if (paths.isStale(path)) {
        this.attributes.release(this.families[family].remove(path));
      } else {
        paths.markStale(path);
        kept++;
      }
    }
    return kept;
  }

  /** Removes a peer's routes: all, or only those still stale. Returns how many. */
  sweep(source: number, family: Family, which: "all" | "stale"): number {
    const rib = this.families[family];
    let swept = 0;
    for (const path of rib.paths.ofSource(source)) {
      if (which === "stale" && !rib.paths.isStale(path)) continue;
      this.attributes.release(rib.remove(path));
      swept++;
    }
    return swept;
  }

  /** The kernel's routes changed: where a next hop leads elsewhere now, every prefix is decided again. */
  updateUnderlay(routes: readonly UnderlayRoute[]): void {
    if (!this.nextHops.update(routes)) return;
    for (const family of [4, 6] as const) {
      for (const { id } of this.families[family].known()) this.families[family].marked.add(id);
    }
  }

  attach(family: Family, out: AdjRibOut): void {
    this.#outs[family].add(out);
    this.markAll(family, out);
  }

  detach(family: Family, out: AdjRibOut): void {
    this.#outs[family].delete(out);
    for (const { prefix, attributes } of [...out.entries()]) {
      this.attributes.release(attributes);
      this.families[family].unhold(prefix);
    }
  }

  /** The peer has to be told everything, where it differs from what it was told. */
  markAll(family: Family, out: AdjRibOut): void {
    for (const { id } of this.families[family].known()) out.pending.add(id);
  }

  /** Decides marked prefixes, at most `budget` of them; returns whether any are left. */
  decideMarked(budget: number): boolean {
    let left = budget;
    for (const family of [4, 6] as const) {
      const rib = this.families[family];
      while (left > 0) {
        const prefix = rib.marked.take();
        if (prefix === undefined) break;
        left--;
        rib.decide(prefix, (path) => this.candidate(family, path));
        for (const out of this.#outs[family]) out.pending.add(prefix);
        this.#forwardingPending[family].add(prefix);
      }
    }
    return this.families[4].marked.size + this.families[6].marked.size > 0;
  }

  candidate(family: Family, path: number): Candidate | undefined {
    const { paths } = this.families[family];
    const source = paths.source(path);
    const attributes = this.attributes.attributes(paths.attributes(path));
    if (source === LOCAL_SOURCE) {
      return { path, attributes, local: true, external: false, igpMetric: 0, peerId: NOBODY, peerAddress: NOBODY };
    }
    const from = this.sources.get(source);
    const resolution = this.nextHops.resolve(attributes.nextHop);
    if (from === undefined || resolution === undefined) return undefined;
    return { path, attributes, local: false, ...from, igpMetric: resolution.metric };
  }

  get forwardingChangesPending(): boolean {
    return this.#forwardingPending[4].size + this.#forwardingPending[6].size > 0;
  }

  /** What the forwarding table has to change, at most `limit` prefixes. Own routes are not in it. */
  takeForwardingChanges(limit: number): ForwardingChange[] {
    const changes: ForwardingChange[] = [];
    for (const family of [4, 6] as const) {
      const rib = this.families[family];
      while (changes.length < limit) {
        const id = this.#forwardingPending[family].take();
        if (id === undefined) break;
        // Its best path may be gone already; it comes again once it is decided.
        if (rib.marked.has(id)) continue;
        const gateways = this.#gatewaysOf(family, id);
        const had = this.#forwarded[family].has(id);
        if (gateways !== undefined || had) changes.push({ prefix: rib.prefixes.prefix(id), gateways });
        if (gateways !== undefined && !had) {
          this.#forwarded[family].add(id);
          rib.hold(id);
        } else if (gateways === undefined && had) {
          this.#forwarded[family].delete(id);
          rib.unhold(id);
        } else if (gateways === undefined) {
          rib.releaseIfUnused(id);
        }
      }
    }
    return changes;
  }

  /** Every prefix the forwarding table should have, whatever was taken before: for a whole comparison. */
  *forwarding(): IterableIterator<{ readonly prefix: Prefix; readonly gateways: readonly Gateway[] }> {
    for (const family of [4, 6] as const) {
      for (const { id, prefix } of this.families[family].known()) {
        const gateways = this.families[family].marked.has(id) ? undefined : this.#gatewaysOf(family, id);
        if (gateways !== undefined) yield { prefix, gateways };
      }
    }
  }

  #gatewaysOf(family: Family, prefix: number): readonly Gateway[] | undefined {
    const rib = this.families[family];
    const best = rib.best(prefix);
    if (best === NO_PATH || rib.paths.source(best) === LOCAL_SOURCE) return undefined;
    return this.nextHops.resolve(this.attributes.attributes(rib.paths.attributes(best)).nextHop)?.gateways;
  }
}
