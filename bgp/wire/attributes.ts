/**
 * Path attributes (RFC 4271 4.3, 5; RFC 7606 for every fault): octets to values.
 *
 * One row of {@link ATTRIBUTES} per attribute we know says its flags, what its octets must be, and what a fault in it
 * costs. MP_REACH_NLRI and MP_UNREACH_NLRI carry routes, not attributes of a route: update.ts takes them out before.
 */
import { type Address } from "../../ipam/net/address.ts";
import { type AsPath, decodeAsPath, mergeAs4Path, SegmentType } from "./as-path.ts";
import { AS_TRANS, AttributeFlag, AttributeType, ErrorCode } from "./codes.ts";
import { type Fault } from "./fault.ts";
import { u16, u32 } from "./octets.ts";

export const Origin = { Igp: 0, Egp: 1, Incomplete: 2 } as const;

export interface Aggregator {
  readonly asNumber: number;
  readonly address: Address;
}

/** An optional transitive attribute of a type we don't know: passed on with the Partial bit (RFC 4271 5). */
export interface UnknownAttribute {
  readonly type: number;
  readonly flags: number;
  readonly value: Uint8Array;
}

export interface PathAttributes {
  readonly origin: number;
  readonly asPath: AsPath;
  /** 4 octets, or 16 for a global IPv6 address. */
  readonly nextHop: Address;
  /** The second address of an IPv6 next hop (RFC 2545 3). */
  readonly linkLocalNextHop?: Address;
  readonly med?: number;
  readonly localPref?: number;
  readonly atomicAggregate?: boolean;
  readonly aggregator?: Aggregator;
  /** Each one 32-bit value, `high:low`. */
  readonly communities?: readonly number[];
  /** Multiple of 12 octets. */
  readonly largeCommunities?: Uint8Array;
  /** Multiple of 8 octets. */
  readonly extendedCommunities?: Uint8Array;
  readonly originatorId?: Address;
  readonly clusterList?: readonly Address[];
  readonly unknown?: readonly UnknownAttribute[];
}

/** What an attribute's reading depends on besides its octets. */
export interface AttributeContext {
  readonly asOctets: 2 | 4;
  readonly external: boolean;
}

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  /** Faults that cost no more than the attribute. */
  readonly discarded: readonly Fault[];
}

type Draft = { -readonly [K in keyof PathAttributes]?: PathAttributes[K] } & {
  as4Path?: AsPath;
  as4Aggregator?: Aggregator;
};

interface Descriptor {
  readonly name: string;
  /** Optional and Transitive bits as they must be. */
  readonly flags: number;
  /** What a fault in it costs; `discard-external` costs an eBGP peer the attribute only (RFC 7606 7.5, 7.9, 7.10). */
  readonly onFault: "withdraw" | "discard" | "discard-external";
  /** Puts the value into the draft, or says [subcode, words]. */
  decode(value: Uint8Array, draft: Draft, context: AttributeContext): undefined | readonly [number, string];
}

const WELL_KNOWN = AttributeFlag.Transitive;
const OPTIONAL = AttributeFlag.Optional;
const OPTIONAL_TRANSITIVE = AttributeFlag.Optional | AttributeFlag.Transitive;
const LENGTH_ERROR = 5;

function badLength(value: Uint8Array, wanted: string): readonly [number, string] {
  return [LENGTH_ERROR, `length ${value.length} is not ${wanted}`];
}

const ATTRIBUTES: Readonly<Record<number, Descriptor>> = {
  [AttributeType.Origin]: {
    name: "ORIGIN",
    flags: WELL_KNOWN,
    onFault: "withdraw",
    decode(value, draft) {
      if (value.length !== 1) return badLength(value, "1");
      if ((value[0] as number) > Origin.Incomplete) return [6, `value ${value[0]} is unknown`];
      draft.origin = value[0] as number;
    },
  },
  [AttributeType.AsPath]: {
    name: "AS_PATH",
    flags: WELL_KNOWN,
    onFault: "withdraw",
    decode(value, draft, { asOctets }) {
      const path = decodeAsPath(value, asOctets);
      if (typeof path === "string") return [11, path];
      const fault = forbiddenInPath(path);
      if (fault !== undefined) return [11, fault];
      draft.asPath = path;
    },
  },
  [AttributeType.NextHop]: {
    name: "NEXT_HOP",
    flags: WELL_KNOWN,
    onFault: "withdraw",
    decode(value, draft) {
      if (value.length !== 4) return badLength(value, "4");
      draft.nextHop = value.slice();
    },
  },
  [AttributeType.Med]: {
    name: "MULTI_EXIT_DISC",
    flags: OPTIONAL,
    onFault: "withdraw",
    decode(value, draft) {
      if (value.length !== 4) return badLength(value, "4");
      draft.med = u32(value, 0);
    },
  },
  [AttributeType.LocalPref]: {
    name: "LOCAL_PREF",
    flags: WELL_KNOWN,
    onFault: "discard-external",
    decode(value, draft, { external }) {
      // RFC 4271 5.1.5: from an external peer it is ignored, whatever it holds.
      if (external) return undefined;
      if (value.length !== 4) return badLength(value, "4");
      draft.localPref = u32(value, 0);
    },
  },
  [AttributeType.AtomicAggregate]: {
    name: "ATOMIC_AGGREGATE",
    flags: WELL_KNOWN,
    onFault: "discard",
    decode(value, draft) {
      if (value.length !== 0) return badLength(value, "0");
      draft.atomicAggregate = true;
    },
  },
  [AttributeType.Aggregator]: {
    name: "AGGREGATOR",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "discard",
    decode(value, draft, { asOctets }) {
      const length = asOctets + 4;
      if (value.length !== length) return badLength(value, String(length));
      const asNumber = asOctets === 4 ? u32(value, 0) : u16(value, 0);
      if (asNumber === 0) return [9, "AS number 0 (RFC 7607)"];
      draft.aggregator = { asNumber, address: value.slice(asOctets) };
    },
  },
  [AttributeType.Communities]: {
    name: "COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    decode(value, draft) {
      if (value.length === 0 || value.length % 4 !== 0) return badLength(value, "a multiple of 4");
      draft.communities = Array.from({ length: value.length / 4 }, (_, i) => u32(value, 4 * i));
    },
  },
  [AttributeType.OriginatorId]: {
    name: "ORIGINATOR_ID",
    flags: OPTIONAL,
    onFault: "discard-external",
    decode(value, draft, { external }) {
      if (external) return undefined;
      if (value.length !== 4) return badLength(value, "4");
      draft.originatorId = value.slice();
    },
  },
  [AttributeType.ClusterList]: {
    name: "CLUSTER_LIST",
    flags: OPTIONAL,
    onFault: "discard-external",
    decode(value, draft, { external }) {
      if (external) return undefined;
      if (value.length === 0 || value.length % 4 !== 0) return badLength(value, "a multiple of 4");
      draft.clusterList = Array.from({ length: value.length / 4 }, (_, i) => value.slice(4 * i, 4 * i + 4));
    },
  },
  [AttributeType.ExtendedCommunities]: {
    name: "EXTENDED COMMUNITIES",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    decode(value, draft) {
      if (value.length === 0 || value.length % 8 !== 0) return badLength(value, "a multiple of 8");
      draft.extendedCommunities = value.slice();
    },
  },
  [AttributeType.As4Path]: {
    name: "AS4_PATH",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "discard",
    decode(value, draft, { asOctets }) {
      // RFC 6793 4.1: between speakers that both know four octets it is not used, and discarded.
      if (asOctets === 4) return undefined;
      const path = decodeAsPath(value, 4);
      if (typeof path === "string") return [11, path];
      if (path.some((segment) => segment.asNumbers.includes(0))) return [11, "AS number 0 (RFC 7607)"];
      draft.as4Path = path;
    },
  },
  [AttributeType.As4Aggregator]: {
    name: "AS4_AGGREGATOR",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "discard",
    decode(value, draft, { asOctets }) {
      if (asOctets === 4) return undefined;
      if (value.length !== 8) return badLength(value, "8");
      draft.as4Aggregator = { asNumber: u32(value, 0), address: value.slice(4) };
    },
  },
  [AttributeType.LargeCommunities]: {
    name: "LARGE_COMMUNITY",
    flags: OPTIONAL_TRANSITIVE,
    onFault: "withdraw",
    decode(value, draft) {
      if (value.length === 0 || value.length % 12 !== 0) return badLength(value, "a multiple of 12");
      draft.largeCommunities = value.slice();
    },
  },
};

function forbiddenInPath(path: AsPath): string | undefined {
  for (const { type, asNumbers } of path) {
    if (asNumbers.includes(0)) return "AS number 0 (RFC 7607)";
    if (type === SegmentType.ConfedSequence || type === SegmentType.ConfedSet) {
      return "confederation segment outside of a confederation (RFC 5065 5)";
    }
  }
  return undefined;
}

/** One attribute as it stands in the message. */
export interface RawAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

/**
 * Reads a route's attributes. A fault that costs the route comes back as the Fault (`withdraw`, or `reset` for an
 * unknown well-known attribute, RFC 4271 6.3). Mandatory attributes are update.ts's business: it knows the routes.
 */
export function decodeAttributes(list: readonly RawAttribute[], context: AttributeContext): DecodedAttributes | Fault {
  const draft: Draft = {};
  const discarded: Fault[] = [];
  const unknown: UnknownAttribute[] = [];
  let withdraw: Fault | undefined;
  for (const attribute of list) {
    const descriptor = ATTRIBUTES[attribute.type];
    if (descriptor === undefined) {
      const fault = keepUnknown(attribute, unknown);
      if (fault !== undefined) return fault;
      continue;
    }
    const fault = decodeKnown(attribute, descriptor, draft, context);
    if (fault?.action === "discard") discarded.push(fault);
    else withdraw ??= fault;
  }
  if (withdraw !== undefined) return withdraw;
  mergeFourOctet(draft);
  const { as4Path: _path, as4Aggregator: _aggregator, ...rest } = draft;
  const attributes = {
    ...rest,
    origin: draft.origin ?? Origin.Incomplete,
    asPath: draft.asPath ?? [],
    nextHop: draft.nextHop ?? new Uint8Array(0),
    ...(unknown.length > 0 ? { unknown } : {}),
  };
  return { attributes, discarded };
}

function decodeKnown(
  { flags, type, value }: RawAttribute,
  descriptor: Descriptor,
  draft: Draft,
  context: AttributeContext,
): Fault | undefined {
  // RFC 7606 3 c: only the Optional and Transitive bits are looked at.
  const wrongFlags = (flags & OPTIONAL_TRANSITIVE) !== descriptor.flags;
  const problem = wrongFlags
    ? ([4, `flags 0x${flags.toString(16)} do not fit the attribute`] as const)
    : descriptor.decode(value, draft, context);
  if (problem === undefined) return undefined;
  const [subcode, words] = problem;
  const discard = descriptor.onFault === "discard" || (descriptor.onFault === "discard-external" && context.external);
  return {
    action: discard ? "discard" : "withdraw",
    code: ErrorCode.Update,
    subcode,
    data: Uint8Array.of(flags, type, value.length & 0xff, ...value.subarray(0, 64)),
    text: `${descriptor.name}: ${words}`,
  };
}

function keepUnknown({ flags, type, value }: RawAttribute, unknown: UnknownAttribute[]): Fault | undefined {
  if ((flags & AttributeFlag.Optional) === 0) {
    const data = Uint8Array.of(flags, type, value.length & 0xff, ...value.subarray(0, 64));
    const text = `attribute ${type} is said to be well-known but is not`;
    return { action: "reset", code: ErrorCode.Update, subcode: 2, data, text };
  }
  // RFC 4271 5: an unrecognised optional attribute is passed on if transitive, and quietly ignored if not.
  if ((flags & AttributeFlag.Transitive) !== 0) unknown.push({ type, flags, value: value.slice() });
  return undefined;
}

/** RFC 6793 4.2.3: what a two-octet speaker passed along in AS4_PATH and AS4_AGGREGATOR. */
function mergeFourOctet(draft: Draft): void {
  if (draft.aggregator !== undefined && draft.as4Aggregator !== undefined) {
    // An AGGREGATOR that is not AS_TRANS was made later by a two-octet speaker: AS4_* are stale then.
    if (draft.aggregator.asNumber !== AS_TRANS) return;
    draft.aggregator = draft.as4Aggregator;
  }
  if (draft.as4Path !== undefined) draft.asPath = mergeAs4Path(draft.asPath ?? [], draft.as4Path);
}

export function hasAttribute(list: readonly RawAttribute[], type: number): boolean {
  return list.some((attribute) => attribute.type === type);
}
