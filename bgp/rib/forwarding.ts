/**
 * What the forwarding table should hold, and which prefixes of it have changed since it was last told.
 *
 * Own routes are not in it. With multipath, every path that is as good as the best gives its gateways.
 */
import type { Family } from "../../ipam/net/address.ts";
import { type AttributeTable } from "./attribute-table.ts";
import type { Decision } from "./decision.ts";
import type { FamilyRib } from "./family-rib.ts";
import { Marks } from "./marks.ts";
import { describeGateway, type Gateway, type NextHops } from "./next-hops.ts";
import { NO_PATH } from "./paths.ts";
import { LOCAL_SOURCE } from "./sources.ts";

/**
 * Called once per changed prefix. `address` (4 or 16 octets) is only good during the call. Equal sets of gateways tend
 * to be the same object; none: the route goes.
 */
export type ForwardingSink = (
  family: Family,
  address: Uint8Array,
  length: number,
  gateways: readonly Gateway[] | undefined,
) => void;

const LARGEST_CACHE = 10_000;

export class ForwardingTable {
  readonly #rib: FamilyRib;
  readonly #attributes: AttributeTable;
  readonly #nextHops: NextHops;
  readonly #decision: Decision;
  readonly pending = new Marks();
  /** What the table has from us, by prefix. */
  #told: (readonly Gateway[] | undefined)[] = [];
  readonly #address: Uint8Array;
  /** Gateways of several next hops together, by their serial numbers. */
  #joined = new Map<string, readonly Gateway[]>();
  #count = 0;

  constructor(rib: FamilyRib, attributes: AttributeTable, nextHops: NextHops, decision: Decision) {
    this.#rib = rib;
    this.#attributes = attributes;
    this.#nextHops = nextHops;
    this.#decision = decision;
    this.#address = new Uint8Array(rib.family === 4 ? 4 : 16);
  }

  /** How many prefixes it has been told. */
  get count(): number {
    return this.#count;
  }

  /** Next hops lead elsewhere: what was joined from them is no longer right. */
  forgetJoined(): void {
    this.#joined = new Map();
  }

  /** Hands over what changed, at most `limit` prefixes; returns how many. */
  take(limit: number, sink: ForwardingSink): number {
    const rib = this.#rib;
    let taken = 0;
    while (taken < limit) {
      const prefix = this.pending.take();
      if (prefix < 0) break;
      // Its best path may be gone already; it comes again once it is decided.
      if (rib.marked.has(prefix)) continue;
      const gateways = this.gatewaysOf(prefix);
      const had = this.#told[prefix];
      if (!sameGateways(gateways, had)) {
        rib.prefixes.readAddress(prefix, this.#address);
        sink(rib.family, this.#address, rib.prefixes.length(prefix), gateways);
        taken++;
        this.#tell(prefix, gateways, had !== undefined);
      } else if (gateways === undefined) rib.releaseIfUnused(prefix);
    }
    return taken;
  }

  /** What it was told last about a prefix. */
  told(prefix: number): readonly Gateway[] | undefined {
    return this.#told[prefix];
  }

  /** Where packets to the prefix should go; undefined: nowhere by us. */
  gatewaysOf(prefix: number): readonly Gateway[] | undefined {
    const { paths } = this.#rib;
    const best = this.#rib.best(prefix);
    if (best === NO_PATH || paths.source(best) === LOCAL_SOURCE) return undefined;
    if (this.#decision.settings.multipath > 1 && paths.next(paths.first(prefix)) !== NO_PATH) {
      return this.#multipath(prefix);
    }
    return this.#resolve(best)?.gateways;
  }

  #multipath(prefix: number): readonly Gateway[] | undefined {
    const { paths } = this.#rib;
    const decision = this.#decision;
    const best = decision.decide(paths, prefix);
    if (best === NO_PATH) return undefined;
    const nextHopOf = (path: number) => this.#attributes.rows.nextHop(paths.inForce(path));
    // The best path's first; the others in an order that does not depend on their arrival.
    const others = new Set(Array.from(decision.equal.subarray(0, decision.equalCount), nextHopOf));
    others.delete(nextHopOf(best));
    if (others.size === 0) return this.#resolve(best)?.gateways;
    const used = [nextHopOf(best), ...[...others].sort((a, b) => a - b)].slice(0, decision.settings.multipath);
    const key = used.map((nextHop) => this.#nextHops.serial(nextHop)).join();
    const known = this.#joined.get(key);
    if (known !== undefined) return known;
    const joined = new Map<string, Gateway>();
    for (const nextHop of used) {
      for (const gateway of this.#nextHops.resolution(nextHop)?.gateways ?? []) {
        joined.set(describeGateway(gateway), gateway);
      }
    }
    const gateways = [...joined.values()];
    if (this.#joined.size >= LARGEST_CACHE) this.#joined.clear();
    this.#joined.set(key, gateways);
    return gateways;
  }

  #resolve(path: number) {
    return this.#nextHops.resolution(this.#attributes.rows.nextHop(this.#rib.paths.inForce(path)));
  }

  #tell(prefix: number, gateways: readonly Gateway[] | undefined, had: boolean): void {
    this.#told[prefix] = gateways;
    if (gateways !== undefined && !had) {
      this.#count++;
      this.#rib.hold(prefix);
    } else if (gateways === undefined && had) {
      this.#count--;
      this.#rib.unhold(prefix);
    }
  }
}

function sameGateways(a: readonly Gateway[] | undefined, b: readonly Gateway[] | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((gateway, i) => describeGateway(gateway) === describeGateway(b[i] as Gateway));
}
