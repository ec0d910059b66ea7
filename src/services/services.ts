/**
 * Which prefixes a node announces for services: told services, slices and terms as they change, asked for what became
 * of it. A change of one service or slice has only that service looked at again, when next somebody asks.
 */
import { type Family, parseAddress, sameAddress } from "../../ipam/net/address.ts";
import { containsPrefix, formatPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";
import { allServiceRanges } from "../config/services.ts";
import { isSingle, judge, type Terms, type Verdict, wholeRanges } from "./judge.ts";
import type { Service } from "./service.ts";
import { Endpoints, type Slice } from "./slice.ts";
import { NO_WISHES, type Wishes, wishesOf } from "./wishes.ts";

export interface ServicePrefix extends Prefix {
  /** Values in order, each once. */
  readonly communities: readonly string[];
}

export interface Changes {
  readonly announced: readonly ServicePrefix[];
  readonly withdrawn: readonly Prefix[];
}

export interface ServiceView {
  /** `namespace/name`. */
  readonly service: string;
  readonly verdicts: readonly Verdict[];
  readonly communities: readonly string[];
  /** Why there are no verdicts. */
  readonly nothing?: string;
  readonly problems: readonly string[];
}

/** In the place of a service's key, which has a slash in it: the configuration's ranges, and what is remembered. */
const RANGES = "";
const REMEMBERED = "remembered ";
const NO_TERMS: Terms = {
  settings: {
    ranges: { cluster: [], external: [], loadBalancer: [] },
    loadBalancerAggregation: true,
    communities: new Map(),
  },
  excluded: undefined,
};

export class Services {
  #terms: Terms = NO_TERMS;
  #services = new Map<string, Service>();
  #slices = new Map<string, Slice>();
  /** Keys of slices by service; also of services that are not known (yet). */
  #slicesOf = new Map<string, string[]>();
  /** Of services with annotations of ours. */
  readonly #wishes = new Map<string, Wishes>();
  /** Prefixes by who wants them announced. */
  readonly #claims = new Map<string, readonly string[]>();
  /** Of each prefix: who wants it announced, with which communities. */
  readonly #claimants = new Map<string, Map<string, readonly string[]>>();
  /** Communities of what was handed out as announced. */
  readonly #told = new Map<string, string>();
  readonly #dirty = new Set<string>();
  readonly #touched = new Set<string>();
  #remembered: readonly ServicePrefix[] = [];

  configure(terms: Terms): void {
    this.#terms = terms;
    this.#claim(RANGES, wholeRanges(terms).map(formatPrefix), []);
    this.#claimRemembered();
    for (const key of this.#services.keys()) this.#dirty.add(key);
  }

  /**
   * Single addresses that an earlier run announced: they stay announced, as far as the terms have them, until all is
   * known and nothing is remembered any more. A restart is no reason to withdraw a route.
   */
  remember(addresses: readonly ServicePrefix[]): void {
    for (const prefix of this.#remembered) this.#claim(REMEMBERED + formatPrefix(prefix), [], []);
    this.#remembered = addresses;
    this.#claimRemembered();
  }

  setServices(services: ReadonlyMap<string, Service>): void {
    for (const key of this.#services.keys()) this.#dirty.add(key);
    for (const key of services.keys()) this.#dirty.add(key);
    this.#services = new Map(services);
  }

  setService(key: string, service: Service | undefined): void {
    if (service === undefined) this.#services.delete(key);
    else this.#services.set(key, service);
    this.#dirty.add(key);
  }

  setSlices(slices: ReadonlyMap<string, Slice>): void {
    for (const key of this.#slicesOf.keys()) this.#dirty.add(key);
    this.#slices = new Map();
    this.#slicesOf = new Map();
    for (const [key, slice] of slices) this.setSlice(key, slice);
  }

  setSlice(key: string, slice: Slice | undefined): void {
    const before = this.#slices.get(key);
    if (before !== undefined && before.service !== slice?.service) this.#leave(before.service, key);
    if (slice === undefined || slice.service === "") {
      this.#slices.delete(key);
      return;
    }
    this.#slices.set(key, slice);
    if (before?.service !== slice.service) {
      const others = this.#slicesOf.get(slice.service);
      if (others === undefined) this.#slicesOf.set(slice.service, [key]);
      else others.push(key);
    } else if (before.endpoints === slice.endpoints) return;
    this.#dirty.add(slice.service);
  }

  /** What is to be announced and withdrawn since the last call. */
  take(): Changes {
    for (const key of this.#dirty) this.#decide(key);
    this.#dirty.clear();
    const announced: ServicePrefix[] = [];
    const withdrawn: Prefix[] = [];
    for (const text of this.#touched) {
      const claimants = this.#claimants.get(text);
      const before = this.#told.get(text);
      if (claimants === undefined) {
        if (this.#told.delete(text)) withdrawn.push(prefixOf(text));
        continue;
      }
      const communities = union(claimants);
      const now = communities.join(" ");
      if (now === before) continue;
      this.#told.set(text, now);
      announced.push({ ...prefixOf(text), communities });
    }
    this.#touched.clear();
    return { announced, withdrawn };
  }

  /** Everything that {@link take} handed out and did not take back. */
  announced(): ServicePrefix[] {
    return [...this.#told].map(([text, communities]) => {
      return { ...prefixOf(text), communities: communities === "" ? [] : communities.split(" ") };
    });
  }

  /** How many that are, by family. */
  get routes(): Readonly<Record<Family, number>> {
    let ipv6 = 0;
    for (const text of this.#told.keys()) if (text.includes(":")) ipv6++;
    return { 4: this.#told.size - ipv6, 6: ipv6 };
  }

  /** What could not be read in services' annotations, in words. */
  problems(): string[] {
    return [...this.#wishes].flatMap(([key, { problems }]) => problems.map((text) => `service ${key}: ${text}`));
  }

  /** Each service, what becomes of its addresses, and why. */
  *view(): Generator<ServiceView> {
    for (const [service, known] of this.#services) {
      const { advertise, communities, problems } = this.#wishes.get(service) ?? NO_WISHES;
      yield {
        service,
        verdicts: judge(known, this.#endpointsOf(service), this.#terms, advertise),
        communities,
        ...(known.nothing !== undefined && { nothing: known.nothing }),
        problems,
      };
    }
  }

  /** Why a prefix is announced, or why nothing around it is, in words: empty when it is no service's. */
  explain(prefix: Prefix): string[] {
    const around = wholeRanges(this.#terms).filter((range) => containsPrefix(range, prefix));
    const lines = around.map((range) => `${formatPrefix(range)}: a range of services, which every node announces`);
    for (const { service, verdicts, communities } of this.view()) {
      for (const { address, prefix: alone, why } of verdicts) {
        if (!isAddress(prefix, address)) continue;
        const tags = alone === undefined || communities.length === 0 ? "" : `, with ${communities.join(" ")}`;
        lines.push(`service ${service}: ${alone === undefined ? "not announced alone" : "announced"}: ${why}${tags}`);
      }
    }
    return lines;
  }

  #claimRemembered(): void {
    const { settings, excluded } = this.#terms;
    const ranges = excluded !== undefined ? [] : allServiceRanges(settings);
    for (const prefix of this.#remembered) {
      const text = formatPrefix(prefix);
      const allowed = isSingle(prefix) && ranges.some((range) => containsPrefix(range, prefix));
      this.#claim(REMEMBERED + text, allowed ? [text] : [], prefix.communities);
    }
  }

  #leave(service: string, key: string): void {
    const left = (this.#slicesOf.get(service) ?? []).filter((other) => other !== key);
    if (left.length === 0) this.#slicesOf.delete(service);
    else this.#slicesOf.set(service, left);
    this.#dirty.add(service);
  }

  #decide(key: string): void {
    const service = this.#services.get(key);
    if (service === undefined) {
      this.#wishes.delete(key);
      return this.#claim(key, [], []);
    }
    const wishes = wishesOf(service, this.#terms.settings.communities, this.#wishes.get(key));
    if (wishes === NO_WISHES) this.#wishes.delete(key);
    else this.#wishes.set(key, wishes);
    const verdicts = judge(service, this.#endpointsOf(key), this.#terms, wishes.advertise);
    const prefixes = verdicts.flatMap(({ prefix }) => (prefix === undefined ? [] : [formatPrefix(prefix)]));
    this.#claim(key, prefixes, wishes.communities);
  }

  #endpointsOf(key: string): Endpoints {
    let bits = 0;
    for (const slice of this.#slicesOf.get(key) ?? []) bits |= this.#slices.get(slice)?.endpoints ?? 0;
    return new Endpoints(bits);
  }

  /** All prefixes that somebody wants announced from now on. */
  #claim(claimant: string, prefixes: readonly string[], communities: readonly string[]): void {
    for (const text of this.#claims.get(claimant) ?? []) {
      this.#touched.add(text);
      const claimants = this.#claimants.get(text);
      claimants?.delete(claimant);
      if (claimants?.size === 0) this.#claimants.delete(text);
    }
    if (prefixes.length === 0) this.#claims.delete(claimant);
    else this.#claims.set(claimant, prefixes);
    for (const text of prefixes) {
      this.#touched.add(text);
      const claimants = this.#claimants.get(text);
      if (claimants === undefined) this.#claimants.set(text, new Map([[claimant, communities]]));
      else claimants.set(claimant, communities);
    }
  }
}

function union(claimants: ReadonlyMap<string, readonly string[]>): readonly string[] {
  if (claimants.size === 1) for (const communities of claimants.values()) return communities;
  return [...new Set([...claimants.values()].flat())].sort();
}

/** The text may be any spelling of an address. */
function isAddress({ address, length }: Prefix, text: string): boolean {
  const other = parseAddress(text);
  return other !== undefined && isSingle({ address, length }) && sameAddress(address, other);
}
