/**
 * The path attributes this speaker knows: a row each says its flags, what its octets must be, and what a fault costs.
 *
 * check() looks at the octets in place and makes nothing: most attribute sets are never read further. read() puts a
 * value that check() let pass into a draft. The sections in brackets are those of RFC 7606 that give the remedy.
 */
import { AS_SET_PROBLEM, type AsPath, decodeAsPath, pathProblem } from "./as-path.ts";
import { AttributeFlag, AttributeType } from "./codes.ts";
import { concat, u16, u32 } from "./octets.ts";
import { type Aggregator, type AttributeContext, Origin, type PathAttributes } from "./path-attributes.ts";

/** Attributes as they are being read; what a two-octet speaker passed along is merged in at the end. */
export type Draft = { -readonly [K in keyof PathAttributes]?: PathAttributes[K] } & {
  as4Path?: AsPath;
  as4Aggregator?: Aggregator;
};

/** Error subcode of RFC 4271 6.3, and words; an action where it is not the attribute's own. */
type Problem = readonly [number, string, "withdraw"?];

export interface Descriptor {
  readonly name: string;
  /** Optional and Transitive bits as they must be. */
  readonly flags: number;
  /** What a fault in it costs; `discard-external` costs an eBGP peer the attribute only [7.5, 7.9, 7.10]. */
  readonly onFault: "withdraw" | "discard" | "discard-external";
  /** True: from such a peer the attribute means nothing, whatever it holds. */
  isIgnored?(context: AttributeContext): boolean;
  check(octets: Uint8Array, at: number, length: number, context: AttributeContext): Problem | undefined;
  /** True: a value that check() let pass is not in the form in which it is kept, but read() brings it there. */
  isRedundant?(octets: Uint8Array, at: number, length: number): boolean;
  read(value: Uint8Array, draft: Draft, context: AttributeContext): void;
}

/** Items that are compared each with each. */
const FEW = 32;
const WELL_KNOWN = AttributeFlag.Transitive;
const OPTIONAL = AttributeFlag.Optional;
const OPTIONAL_TRANSITIVE = AttributeFlag.Optional | AttributeFlag.Transitive;
const LENGTH_ERROR = 5;
const AS_ZERO: Problem = [9, "AS number 0 (RFC 7607)"];

/** A value of exactly so many octets. */
const exactly = (wanted: number) => (_octets: Uint8Array, _at: number, length: number) =>
  length === wanted ? undefined : badLength(length, String(wanted));

/** One or more items of so many octets each. */
const itemsOf = (width: number) => (_octets: Uint8Array, _at: number, length: number) =>
  length > 0 && length % width === 0 ? undefined : badLength(length, `a multiple of ${width}`);

function badLength(length: number, wanted: string): Problem {
  return [LENGTH_ERROR, `length ${length} is not ${wanted}`];
}

/** Whether an item is there twice. Nothing is made for the few that most attributes have. */
function hasDoubles(octets: Uint8Array, at: number, length: number, width: number): boolean {
  if (length > FEW * width) return distinct(octets, at, length, width).length < length;
  for (let one = at + width; one < at + length; one += width) {
    for (let other = at; other < one; other += width) {
      let i = 0;
      while (i < width && octets[one + i] === octets[other + i]) i++;
      if (i === width) return true;
    }
  }
  return false;
}

/** The items, each once, in the order of their first. */
function distinct(octets: Uint8Array, at: number, length: number, width: number): Uint8Array {
  const kept = new Map<string, Uint8Array>();
  for (let i = at; i < at + length; i += width) {
    const item = octets.subarray(i, i + width);
    const key = String.fromCharCode(...item);
    if (!kept.has(key)) kept.set(key, item);
  }
  return concat([...kept.values()]);
}

const fromExternal = ({ external }: AttributeContext) => external;
/** RFC 6793 4.1: between speakers that both know four octets AS4_* are not used, and discarded. */
const fromFourOctet = ({ asOctets }: AttributeContext) => asOctets === 4;

const ROWS: Readonly<Record<number, Descriptor>> = {
  [AttributeType.Origin]: {
    name: "ORIGIN",
    flags: WELL_KNOWN,
    onFault: "withdraw",
    check(octets, at, length) {
      if (length !== 1) return badLength(length, "1");
      return (octets[at] as number) > Origin.Incomplete ? [6, `value ${octets[at]} is unknown`] : undefined;
    },
    read(value, draft) {
      draft.origin = value[0] as number;
    },
  },
  [AttributeType.AsPath]: {
    name: "AS_PATH",
    flags: WELL_KNOWN,
    onFault: "withdraw",
    check(octets, at, length, { asOctets }) {
      const problem = pathProblem(octets, at, length, asOctets);
      return problem === undefined ? undefined : [11, problem];
    },
    read(value, draft, { asOctets }) {
      draft.asPath = decodeAsPath(value, asOctets);
    },
  },
  [AttributeType.NextHop]: {
    name: "NEXT_HOP",
    flags: WELL_KNOWN,
    onFault: "withdraw",
    check(_octets, _at, length, { multiprotocol }) {
      return length === 4 || (multiprotocol && (length === 16 || length === 32)) ? undefined : badLength(length, "4");
    },
    /** 16 and 32 octets: global, then link-local (RFC 2545 3). */
    read(value, draft) {
      draft.nextHop = value.slice(0, value.length === 4 ? 4 : 16);
      if (value.length === 32) draft.linkLocalNextHop = value.slice(16);
    },
  },
  [AttributeType.Med]: {
    name: "MULTI_EXIT_DISC",
    flags: OPTIONAL,
    onFault: "withdraw",
    check: exactly(4),
    read(value, draft) {
      draft.med = u32(value, 0);
    },
  },
  [AttributeType.LocalPref]: {
    name: "LOCAL_PREF",
    flags: WELL_KNOWN,
    onFault: "discard-external",
    // RFC 4271 5.1.5.
    isIgnored: fromExternal,
    check: exactly(4),
    read(value, draft) {
      draft.localPref = u32(value, 0);
    },
  },
  [AttributeType.AtomicAggregate]: {
    name: "ATOMIC_AGGREGATE",
    flags: WELL_KNOWN,
    onFault: "discard",
    check: exactly(0),
    read(_value, draft) {
      draft.atomicAggregate = true;
    },
  },
  [AttributeType.Aggregator]: {
    name: "AGGREGATOR",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "discard",
    check(octets, at, length, { asOctets }) {
      if (length !== asOctets + 4) return badLength(length, String(asOctets + 4));
      return (asOctets === 4 ? u32(octets, at) : u16(octets, at)) === 0 ? AS_ZERO : undefined;
    },
    read(value, draft, { asOctets }) {
      const asNumber = asOctets === 4 ? u32(value, 0) : u16(value, 0);
      draft.aggregator = { asNumber, address: value.slice(asOctets) };
    },
  },
  [AttributeType.Communities]: {
    name: "COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    check: itemsOf(4),
    read(value, draft) {
      draft.communities = Array.from({ length: value.length / 4 }, (_, i) => u32(value, 4 * i));
    },
  },
  [AttributeType.OriginatorId]: {
    name: "ORIGINATOR_ID",
    flags: OPTIONAL,
    onFault: "discard-external",
    isIgnored: fromExternal,
    check: exactly(4),
    read(value, draft) {
      draft.originatorId = value.slice();
    },
  },
  [AttributeType.ClusterList]: {
    name: "CLUSTER_LIST",
    flags: OPTIONAL,
    onFault: "discard-external",
    isIgnored: fromExternal,
    check: itemsOf(4),
    read(value, draft) {
      draft.clusterList = Array.from({ length: value.length / 4 }, (_, i) => value.slice(4 * i, 4 * i + 4));
    },
  },
  [AttributeType.ExtendedCommunities]: {
    name: "EXTENDED COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    check: itemsOf(8),
    read(value, draft) {
      draft.extendedCommunities = value.slice();
    },
  },
  [AttributeType.As4Path]: {
    name: "AS4_PATH",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "discard",
    isIgnored: fromFourOctet,
    check(octets, at, length) {
      // RFC 6793 6: confederation segments in it are left out, and an empty one is malformed.
      const problem = length === 0 ? "it is empty" : pathProblem(octets, at, length, 4, "confederations");
      if (problem === undefined) return undefined;
      return problem === AS_SET_PROBLEM ? [11, problem, "withdraw"] : [11, problem];
    },
    read(value, draft) {
      draft.as4Path = decodeAsPath(value, 4);
    },
  },
  [AttributeType.As4Aggregator]: {
    name: "AS4_AGGREGATOR",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "discard",
    isIgnored: fromFourOctet,
    check(octets, at, length) {
      if (length !== 8) return badLength(length, "8");
      return u32(octets, at) === 0 ? AS_ZERO : undefined;
    },
    read(value, draft) {
      draft.as4Aggregator = { asNumber: u32(value, 0), address: value.slice(4) };
    },
  },
  [AttributeType.Ipv6ExtendedCommunities]: {
    name: "IPV6 EXTENDED COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    check: itemsOf(20),
    read(value, draft) {
      draft.ipv6ExtendedCommunities = value.slice();
    },
  },
  [AttributeType.LargeCommunities]: {
    name: "LARGE_COMMUNITY",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    check: itemsOf(12),
    isRedundant: (octets, at, length) => hasDoubles(octets, at, length, 12),
    // RFC 8092 3: what is there twice goes on once.
    read(value, draft) {
      draft.largeCommunities = distinct(value, 0, value.length, 12);
    },
  },
  [AttributeType.OnlyToCustomer]: {
    name: "ONLY_TO_CUSTOMER",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    check: exactly(4),
    read(value, draft) {
      draft.onlyToCustomer = u32(value, 0);
    },
  },
};

/** By type; undefined for one we don't know. */
export const ATTRIBUTES: readonly (Descriptor | undefined)[] = Array.from({ length: 256 }, (_, type) => ROWS[type]);
