/**
 * The path attributes this speaker knows: a row each says its flags, what its octets must be, and what a fault costs.
 *
 * The sections in brackets are those of RFC 7606 that give the remedy.
 */
import { type AsPath, decodeAsPath, SegmentType } from "./as-path.ts";
import { AttributeFlag, AttributeType } from "./codes.ts";
import { u16, u32 } from "./octets.ts";
import { type Aggregator, type AttributeContext, Origin, type PathAttributes } from "./path-attributes.ts";

/** Attributes as they are being read; what a two-octet speaker passed along is merged in at the end. */
export type Draft = { -readonly [K in keyof PathAttributes]?: PathAttributes[K] } & {
  as4Path?: AsPath;
  as4Aggregator?: Aggregator;
};

export interface Descriptor {
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

export const ATTRIBUTES: Readonly<Record<number, Descriptor>> = {
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
