/**
 * A BGPFilter, compiled for one direction: plain data, so that two of them can be compared and a chain can be written
 * down and read again.
 */
import type { Prefix } from "../../ipam/net/prefix.ts";

export interface Filter {
  readonly name: string;
  readonly direction: "import" | "export";
  /** The first rule that matches decides. */
  readonly ipv4: readonly Rule[];
  readonly ipv6: readonly Rule[];
}

/** Matches a route that meets every condition given. */
export interface Rule {
  /** Which filter and rule this is, in words: `filter edge, rule 3 (importV4[2])`. */
  readonly by: string;
  readonly prefixes?: PrefixCondition;
  /** RemotePeers: came over BGP. Local: is this speaker's own. */
  readonly source?: "RemotePeers" | "Local";
  /** Came from a peer on this machine alone. */
  readonly attached?: true;
  /** The prefix contains one of these, or is inside one. */
  readonly overlaps?: readonly Prefix[];
  /** With `*` for any characters and `?` for any one. */
  readonly interface?: string;
  readonly peerType?: "eBGP" | "iBGP";
  readonly community?: CommunityValue;
  /** The path starts with these AS numbers. */
  readonly asPathPrefix?: readonly number[];
  readonly priority?: number;
  readonly action: "Accept" | "Reject";
  /** What is done to a route that is accepted, in this order. */
  readonly operations: readonly Operation[];
}

/** The route's prefix is one of a set, or (`negated`) is not. */
export interface PrefixCondition {
  /** The set: prefixes within this one ... */
  readonly within: Prefix;
  /** ... that have a length from here ... */
  readonly minLength: number;
  /** ... to here. */
  readonly maxLength: number;
  readonly negated: boolean;
}

/** A standard community as one 32-bit value `high:low` (RFC 1997), or 12 octets of a large one (RFC 8092). */
export type CommunityValue = number | Uint8Array;

export type Operation =
  | { readonly kind: "add-community"; readonly value: CommunityValue }
  /** The path starts with these afterwards, in this order. */
  | { readonly kind: "prepend"; readonly asNumbers: readonly number[] }
  | { readonly kind: "set-priority"; readonly priority: number }
  /** RFC 4271 5.1.4: on the way in, so before the decision. */
  | { readonly kind: "remove-med" };

/** What a route's priority (the metric a kernel would give it: less is better) and its LOCAL_PREF sum up to. */
export const PRIORITY_AND_LOCAL_PREF = 0x7fffffff;
/** Of routes that are not from BGP. */
export const LOCAL_PRIORITY = 1024;
