/**
 * What becomes of a path on its way in: the rules of RFC 4271 9.1.1 and 9, RFC 4456 8, RFC 8326, RFC 9234, then the
 * operator's filters.
 *
 * The outcome is the set in force: the one received, another that the rules made of it, or none. A path that is refused
 * stays known, so that a change of the rules needs no help from the peer and an operator can be told why.
 */
import { type Address, type Family, formatAddress, sameAddress } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { Community, SetFlag } from "../rib/attribute-columns.ts";
import { type AttributeTable, NO_SET } from "../rib/attribute-table.ts";
import type { NextHops } from "../rib/next-hops.ts";
import type { PrefixTable } from "../rib/prefix-table.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { occurrencesIn } from "../wire/as-path.ts";
import { AttributeType } from "../wire/codes.ts";
import { findAttribute } from "../wire/find-attribute.ts";
import { u32 } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { nextHopProblem } from "../wire/update.ts";
import type { Verdict } from "./chain.ts";
import { isOpen, looksAtPrefix, runChain } from "./run-chain.ts";

export class ImportRules {
  readonly #attributes: AttributeTable;
  readonly #nextHops: NextHops;
  readonly #config: PeerConfig;
  readonly #negotiated: Negotiated;
  readonly #ownAddresses: readonly Address[];
  readonly #clusterId: number;
  readonly #routerId: number;
  readonly #plain: boolean;
  /** Sets come in runs with one next hop: its serial, and what is wrong with it. */
  #nextHopSeen = -1;
  #nextHopProblemSeen: string | undefined;

  /** `localAddress`: our end of the session. */
  constructor(
    attributes: AttributeTable,
    nextHops: NextHops,
    config: PeerConfig,
    negotiated: Negotiated,
    localAddress: Address | undefined,
  ) {
    this.#attributes = attributes;
    this.#nextHops = nextHops;
    this.#config = config;
    this.#negotiated = negotiated;
    const own = [config.localAddresses[4], config.localAddresses[6], localAddress];
    this.#ownAddresses = own.filter((address) => address !== undefined);
    this.#clusterId = u32(config.clusterId, 0);
    this.#routerId = u32(config.routerId, 0);
    this.#plain = isOpen(config.importChain);
  }

  /** Whether prefixes of one set can have different outcomes. */
  looksAtPrefix(family: Family): boolean {
    return !this.#plain && looksAtPrefix(this.#config.importChain, family);
  }

  /**
   * The set in force for a path that came with this set, NO_SET when it is refused. A set that the rules made has one
   * reference, for the caller; the set itself gets none. Any `prefix` of the family will do unless {@link
   * looksAtPrefix}.
   */
  inForce(set: number, prefix: () => Prefix): number {
    if (this.#problem(set) !== undefined) return NO_SET;
    const changes = this.#changes(set);
    if (this.#plain && changes === undefined) return set;
    const attributes = { ...this.#attributes.attributes(set), ...changes };
    if (this.#plain) return this.#attributes.intern(attributes, this.#attributes.scope(set));
    const verdict = this.#filter(attributes, prefix());
    if (!verdict.accept) return NO_SET;
    if (verdict.attributes === attributes && changes === undefined) return set;
    return this.#attributes.intern(verdict.attributes, this.#attributes.scope(set));
  }

  /** Of the prefix with this number: where every prefix is asked for, but most are not looked at. */
  inForceFor(set: number, prefixes: PrefixTable, prefix: number): number {
    return this.inForce(set, () => prefixes.prefix(prefix));
  }

  /** The same in words: whether the path is let pass, and by what. */
  explain(set: number, prefix: Prefix): { readonly accept: boolean; readonly by: string } {
    const problem = this.#problem(set);
    if (problem !== undefined) return { accept: false, by: problem };
    if (this.#plain) return { accept: true, by: "no import filter" };
    const { accept, by } = this.#filter({ ...this.#attributes.attributes(set), ...this.#changes(set) }, prefix);
    return { accept, by };
  }

  #filter(attributes: PathAttributes, prefix: Prefix): Verdict {
    const peerType = this.#negotiated.external ? "eBGP" : "iBGP";
    return runChain(this.#config.importChain, {
      prefix,
      attributes,
      peerType,
      source: "RemotePeers",
      attached: this.#config.attached === true,
      interface: this.#config.device,
    });
  }

  /** Why no path with this set can be used, whatever its prefix. */
  #problem(set: number): string | undefined {
    const attributes = this.#attributes;
    const { external } = this.#negotiated;
    const { localAsNumber, numAllowedLocalAsNumbers, requiresPolicy, importChain } = this.#config;
    if (requiresPolicy && external && importChain.filters.length === 0) {
      return "the peer has no import filter and ebgpRequiresPolicy is on (RFC 8212)";
    }
    const { octets } = attributes;
    const start = attributes.start(set);
    const end = attributes.end(set);
    // RFC 4271 9.1.2: a path with our own AS number is a loop.
    const path = findAttribute(octets, start, end, AttributeType.AsPath);
    const own = occurrencesIn(octets, path.start, path.end, localAsNumber);
    if (own > numAllowedLocalAsNumbers)
      return `loop: AS ${localAsNumber} is in AS_PATH${own > 1 ? ` ${own} times` : ""}`;
    if (!external) {
      if (attributes.has(set, SetFlag.HasOriginatorId) && attributes.rows.originatorId(set) === this.#routerId) {
        return "loop: this speaker is the ORIGINATOR_ID (RFC 4456 8)";
      }
      if (attributes.has(set, SetFlag.HasClusterList) && this.#isInClusterList(octets, start, end)) {
        return "loop: this cluster is in CLUSTER_LIST (RFC 4456 8)";
      }
    }
    return this.#nextHopProblem(set) ?? this.#leak(set);
  }

  #isInClusterList(octets: Uint8Array, start: number, end: number): boolean {
    const list = findAttribute(octets, start, end, AttributeType.ClusterList);
    for (let at = list.start; at < list.end; at += 4) if (u32(octets, at) === this.#clusterId) return true;
    return false;
  }

  #nextHopProblem(set: number): string | undefined {
    const id = this.#attributes.rows.nextHop(set);
    if (id === NO_SET) return "it has no next hop";
    const serial = this.#nextHops.serial(id);
    if (serial !== this.#nextHopSeen) {
      this.#nextHopSeen = serial;
      this.#nextHopProblemSeen = this.#addressProblem(this.#nextHops.address(id));
    }
    return this.#nextHopProblemSeen;
  }

  #addressProblem(nextHop: Address): string | undefined {
    const problem = nextHopProblem(nextHop);
    if (problem !== undefined) return `the next hop ${problem}`;
    // RFC 4271 5.1.3.
    if (this.#ownAddresses.some((own) => sameAddress(own, nextHop))) return "the next hop is this speaker itself";
    const { attached, address } = this.#config;
    if (attached === true && !sameAddress(nextHop, address)) {
      return `the next hop ${formatAddress(nextHop)} is not the peer's own address: its routes lead nowhere else`;
    }
    return undefined;
  }

  /** RFC 9234 5: a route that was meant for customers only comes from where it must not. */
  #leak(set: number): string | undefined {
    const { role, asNumber } = this.#negotiated;
    if (role === undefined || !this.#attributes.has(set, SetFlag.HasOnlyToCustomer)) return undefined;
    if (role === "provider" || role === "rs") return "route leak: a customer passes on what is only for customers";
    const { onlyToCustomer } = this.#attributes.attributes(set);
    return role === "peer" && onlyToCustomer !== asNumber
      ? "route leak: a peer passes on what is not its own"
      : undefined;
  }

  /** What the rules add before the filters see the path; undefined: nothing. */
  #changes(set: number): Partial<PathAttributes> | undefined {
    const { role, external, asNumber } = this.#negotiated;
    const upstream = role === "customer" || role === "peer" || role === "rs-client";
    const marks = upstream && !this.#attributes.has(set, SetFlag.HasOnlyToCustomer);
    // RFC 8326 4.1: the least preferred, so that traffic moves away before the session goes.
    const leaves = external && this.#attributes.has(set, SetFlag.GracefulShutdown);
    if (!marks && !leaves) return undefined;
    return { ...(marks ? { onlyToCustomer: asNumber } : {}), ...(leaves ? { localPref: 0 } : {}) };
  }
}

/** RFC 9494 4.2: what stays beyond the restart time says so. */
export function longLivedStale(attributes: PathAttributes): PathAttributes {
  const communities = attributes.communities ?? [];
  return communities.includes(Community.LlgrStale)
    ? attributes
    : { ...attributes, communities: [...communities, Community.LlgrStale] };
}
