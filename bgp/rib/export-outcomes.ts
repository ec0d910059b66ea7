/**
 * What the export rules make of paths, once per attribute set and source in a batch: the octets to announce, or
 * nothing.
 *
 * Filters that look at prefixes are asked once per prefix; equal outcomes still share one entry, and so their messages.
 */
import type { Prefix } from "../../ipam/net/prefix.ts";
import { exportAttributes, exportProblem, isPlain, keepsNextHop, type RouteOrigin } from "../policy/export.ts";
import type { ExportTerms } from "../policy/export-terms.ts";
import { isOpen, looksAtPrefix, runChain } from "../policy/run-chain.ts";
import { AttributeType } from "../wire/codes.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { findAttribute } from "../wire/find-attribute.ts";
import { concat, sameOctets } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { REWRITE_ROOM, type Rewrite, rewriteAttributes } from "../wire/rewrite-attributes.ts";
import { DEFAULT_LOCAL_PREF } from "./attribute-columns.ts";
import type { AttributeTable } from "./attribute-table.ts";
import type { PrefixTable } from "./prefix-table.ts";
import { LOCAL_SOURCE, type Source, type Sources, UNKNOWN } from "./sources.ts";

/** The path is not announced. */
export const NO_OUTCOME = -1;
/** Sources in one key beside a set. */
const KEY_STEP = 0x10_0000;

export class ExportOutcomes {
  readonly #terms: ExportTerms;
  readonly #prefixes: PrefixTable;
  readonly #attributes: AttributeTable;
  readonly #sources: Sources;
  readonly #isOpen: boolean;
  readonly #looksAtPrefix: boolean;
  /** By source, then set. Small integers make quick keys. */
  readonly #bySource = new Map<number, Map<number, number>>();
  #known = new Map<number, number>();
  #lastSet = -1;
  /** Sets come in runs from one source: what the rules know of it. */
  #origin = originOf(LOCAL_SOURCE, UNKNOWN);
  #originFrom = -1;
  /** For routes that go out with our own address as next hop. */
  readonly #ownRewrite: Rewrite;
  #lastOutcome = NO_OUTCOME;
  /** Where rules look at prefixes: the outcomes so far, by the same key. */
  readonly #variants = new Map<number, readonly number[]>();
  /** By outcome. */
  readonly start: number[] = [];
  readonly end: number[] = [];
  readonly nextHop: (Uint8Array | undefined)[] = [];
  readonly set: number[] = [];
  readonly from: number[] = [];
  /** Attributes of all outcomes, as they are sent. */
  octets = new Uint8Array(64 * 1024);
  #used = 0;

  constructor(terms: ExportTerms, prefixes: PrefixTable, attributes: AttributeTable, sources: Sources) {
    this.#terms = terms;
    this.#prefixes = prefixes;
    this.#attributes = attributes;
    this.#sources = sources;
    this.#isOpen = isOpen(terms.chain);
    this.#looksAtPrefix = looksAtPrefix(terms.chain, terms.family);
    this.#ownRewrite = this.#rewriteWith(terms.ownNextHop);
  }

  get count(): number {
    return this.set.length;
  }

  /** Starts a batch: what is known of sets is forgotten, they may stand for others since. */
  clear(): void {
    this.#bySource.clear();
    this.#lastSet = -1;
    this.#originFrom = -1;
    this.#variants.clear();
    this.start.length = 0;
    this.end.length = 0;
    this.nextHop.length = 0;
    this.set.length = 0;
    this.from.length = 0;
    this.#used = 0;
  }

  /** The outcome for a path with this set, from this source. `prefix`: its number, for rules that look at it. */
  of(set: number, from: number, prefix: number): number {
    // Prefixes of a set tend to come one after the other.
    if (set === this.#lastSet && from === this.#originFrom) return this.#lastOutcome;
    if (from !== this.#originFrom) this.#turnTo(from);
    const outcome = this.#of(set, from, prefix);
    if (!this.#looksAtPrefix) {
      this.#lastSet = set;
      this.#lastOutcome = outcome;
    }
    return outcome;
  }

  #turnTo(from: number): void {
    this.#originFrom = from;
    this.#origin = originOf(from, this.#sources.get(from));
    this.#known = this.#bySource.get(from) ?? new Map();
    this.#bySource.set(from, this.#known);
  }

  #of(set: number, from: number, prefix: number): number {
    const known = this.#known.get(set);
    if (known !== undefined && (known === NO_OUTCOME || !this.#looksAtPrefix)) return known;
    const origin = this.#origin;
    if (exportProblem(this.#terms, origin, this.#attributes.rows.flags(set)) !== undefined) {
      this.#known.set(set, NO_OUTCOME);
      return NO_OUTCOME;
    }
    if (this.#isOpen && isPlain(this.#terms, origin)) {
      const outcome = this.#rewrite(set, from, origin);
      this.#known.set(set, outcome);
      return outcome;
    }
    const attributes = this.#filtered(set, origin, prefix);
    const outcome = typeof attributes === "string" ? NO_OUTCOME : this.#encode(set, from, attributes);
    if (!this.#looksAtPrefix) this.#known.set(set, outcome);
    return outcome;
  }

  /** In words, for one path: exported and by what, or why not. */
  explain(set: number, from: number, prefix: Prefix): { readonly accept: boolean; readonly by: string } {
    const origin = originOf(from, this.#sources.get(from));
    const problem = exportProblem(this.#terms, origin, this.#attributes.rows.flags(set));
    if (problem !== undefined) return { accept: false, by: problem };
    const attributes = exportAttributes(this.#terms, origin, this.#attributes.attributes(set));
    if (typeof attributes === "string") return { accept: false, by: attributes };
    if (this.#isOpen) return { accept: true, by: "no export filter" };
    const { accept, by } = this.#run(this.#seen(set, attributes), origin, prefix);
    return { accept, by };
  }

  #filtered(set: number, origin: RouteOrigin, prefix: number): PathAttributes | string {
    const attributes = exportAttributes(this.#terms, origin, this.#attributes.attributes(set));
    if (typeof attributes === "string" || this.#isOpen) return attributes;
    const verdict = this.#run(this.#seen(set, attributes), origin, this.#prefixes.prefix(prefix));
    if (!verdict.accept) return verdict.by;
    if (!this.#terms.external) return verdict.attributes;
    const { localPref: _inside, ...outside } = verdict.attributes;
    return outside;
  }

  /** Filters see the path's LOCAL_PREF, also where it does not go out. */
  #seen(set: number, attributes: PathAttributes): PathAttributes {
    return { ...attributes, localPref: attributes.localPref ?? this.#attributes.rows.localPref(set) };
  }

  #run(attributes: PathAttributes, origin: RouteOrigin, prefix: Prefix) {
    return runChain(this.#terms.chain, {
      prefix,
      attributes,
      peerType: this.#terms.external ? "eBGP" : "iBGP",
      source: origin.local ? "Local" : "RemotePeers",
      attached: origin.attached,
      interface: undefined,
    });
  }

  #rewrite(set: number, from: number, origin: RouteOrigin): number {
    const { family, extendedNextHop, ownNextHop } = this.#terms;
    const { octets } = this.#attributes;
    const start = this.#attributes.start(set);
    const end = this.#attributes.end(set);
    const keeps = keepsNextHop(this.#terms, origin);
    const nextHop = keeps ? nextHopIn(octets, start, end) : ownNextHop;
    if (nextHop === undefined || (family === 4 && nextHop.length !== 4 && !extendedNextHop)) return NO_OUTCOME;
    const classic = nextHop.length === 4;
    const rewrite = keeps ? this.#rewriteWith(nextHop) : this.#ownRewrite;
    this.#reserve(end - start + REWRITE_ROOM);
    const to = rewriteAttributes(octets, start, end, this.octets, this.#used, rewrite);
    return this.#add(set, from, to, classic ? undefined : nextHop);
  }

  #rewriteWith(nextHop: Uint8Array | undefined): Rewrite {
    const { external, localAsNumber } = this.#terms;
    return {
      prepend: external ? localAsNumber : undefined,
      nextHop: nextHop?.length === 4 ? nextHop : undefined,
      localPref: external ? undefined : DEFAULT_LOCAL_PREF,
    };
  }

  #encode(set: number, from: number, attributes: PathAttributes): number {
    const octets = encodeAttributes(attributes, this.#terms.asOctets);
    const { nextHop, linkLocalNextHop } = attributes;
    const hops = linkLocalNextHop === undefined ? nextHop : concat([nextHop, linkLocalNextHop]);
    const key = set * KEY_STEP + from;
    const variants = this.#variants.get(key) ?? [];
    for (const outcome of variants) {
      if (sameOctets(this.octets.subarray(this.start[outcome], this.end[outcome]), octets)) return outcome;
    }
    this.#reserve(octets.length);
    this.octets.set(octets, this.#used);
    const outcome = this.#add(set, from, this.#used + octets.length, nextHop.length === 4 ? undefined : hops);
    if (this.#looksAtPrefix) this.#variants.set(key, [...variants, outcome]);
    return outcome;
  }

  #add(set: number, from: number, end: number, nextHop: Uint8Array | undefined): number {
    this.start.push(this.#used);
    this.end.push(end);
    this.nextHop.push(nextHop);
    this.set.push(set);
    this.from.push(from);
    this.#used = end;
    return this.set.length - 1;
  }

  #reserve(more: number): void {
    if (this.#used + more <= this.octets.length) return;
    const octets = new Uint8Array(Math.max(this.octets.length * 2, this.#used + more));
    octets.set(this.octets.subarray(0, this.#used));
    this.octets = octets;
  }
}

/** Four octets, or the global address of an IPv6 next hop: the link-local one is good on its own link only. */
function nextHopIn(octets: Uint8Array, start: number, end: number): Uint8Array {
  const place = findAttribute(octets, start, end, AttributeType.NextHop);
  return octets.slice(place.start, Math.min(place.end, place.start + 16));
}

function originOf(from: number, { external, client, attached, peerId }: Source): RouteOrigin {
  return { local: from === LOCAL_SOURCE, external, client, attached, peerId };
}
