/** What the operator wants done with routes of one peer in one direction: filters in order, and what follows them. */
import type { Prefix } from "../../ipam/net/prefix.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import type { Filter } from "./filter.ts";

/** Communities that routes inside a prefix get on their way out (BGPConfiguration's prefixAdvertisements). */
export interface Tag {
  readonly prefix: Prefix;
  /** Each one 32-bit value, `high:low`. */
  readonly communities: readonly number[];
  /** Multiple of 12 octets. */
  readonly largeCommunities: Uint8Array;
}

export interface FilterChain {
  /** The first filter that decides counts. */
  readonly filters: readonly Filter[];
  /** What happens to a route that no filter decided. */
  readonly otherwise: "Accept" | "Reject";
  readonly tags: readonly Tag[];
}

export const OPEN_CHAIN: FilterChain = { filters: [], otherwise: "Accept", tags: [] };

/** A route as rules see it. */
export interface PolicyRoute {
  readonly prefix: Prefix;
  readonly attributes: PathAttributes;
  /** Of the session the rule is applied on. */
  readonly peerType: "eBGP" | "iBGP";
  /** Whether the route came over BGP. */
  readonly source: "RemotePeers" | "Local";
  /** From a peer on this machine alone. */
  readonly attached: boolean;
  /** Interface the route leads out by; undefined: not known. */
  readonly interface: string | undefined;
}

export type Verdict =
  /** `by`: which filter and rule decided, in words. */
  | { readonly accept: true; readonly attributes: PathAttributes; readonly by: string }
  | { readonly accept: false; readonly by: string };
