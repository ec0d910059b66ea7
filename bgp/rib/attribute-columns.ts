/** What the decision and the export rules ask of an attribute set, gathered once from its canonical octets. */
import { AttributeFlag, AttributeType } from "../wire/codes.ts";
import { u16, u32 } from "../wire/octets.ts";

/** RFC 1997, 8326, 9494. */
export const Community = {
  NoExport: 0xffffff01,
  NoAdvertise: 0xffffff02,
  NoExportSubconfed: 0xffffff03,
  GracefulShutdown: 0xffff0000,
  LlgrStale: 0xffff0006,
  NoLlgr: 0xffff0007,
} as const;

/** Bits of {@link Columns.flags}. */
export const SetFlag = {
  NoExport: 1,
  NoAdvertise: 2,
  GracefulShutdown: 4,
  LlgrStale: 8,
  NoLlgr: 16,
  HasMed: 32,
  HasLocalPref: 64,
  HasOnlyToCustomer: 128,
  HasOriginatorId: 256,
  HasClusterList: 512,
} as const;

export const DEFAULT_LOCAL_PREF = 100;
/** More than fit into an attribute, with extended messages too: 65,535 octets, two and four per segment of one. */
const MOST_HOPS = 2 ** 15;

/** One set's row; filled by {@link gatherColumns}. */
export class Columns {
  flags = 0;
  origin = 0;
  localPref = DEFAULT_LOCAL_PREF;
  med = 0;
  /** How it does in the steps before MED, as one number (see {@link rankOf}): less is better. */
  rank = 0;
  /** RFC 4271 9.1.2.2 a. */
  pathLength = 0;
  /** The AS the route was received from: leftmost of the path; 0 for a path from inside our AS. */
  neighborAs = 0;
  originatorId = 0;
  clusterListLength = 0;
  nextHopAt = 0;
  nextHopLength = 0;
}

export function gatherColumns(octets: Uint8Array, start: number, end: number, row: Columns): void {
  row.flags = 0;
  row.localPref = DEFAULT_LOCAL_PREF;
  row.med = 0;
  row.pathLength = 0;
  row.neighborAs = 0;
  row.originatorId = 0;
  row.clusterListLength = 0;
  row.nextHopLength = 0;
  for (let at = start; at < end; ) {
    const extended = ((octets[at] as number) & AttributeFlag.ExtendedLength) !== 0;
    const length = extended ? u16(octets, at + 2) : (octets[at + 2] as number);
    const value = at + (extended ? 4 : 3);
    switch (octets[at + 1]) {
      case AttributeType.Origin:
        row.origin = octets[value] as number;
        break;
      case AttributeType.AsPath:
        gatherPath(octets, value, length, row);
        break;
      case AttributeType.NextHop:
        row.nextHopAt = value;
        row.nextHopLength = length;
        break;
      case AttributeType.Med:
        row.med = u32(octets, value);
        row.flags |= SetFlag.HasMed;
        break;
      case AttributeType.LocalPref:
        row.localPref = u32(octets, value);
        row.flags |= SetFlag.HasLocalPref;
        break;
      case AttributeType.Communities:
        for (let i = value; i < value + length; i += 4) row.flags |= flagOf(u32(octets, i));
        break;
      case AttributeType.OriginatorId:
        row.originatorId = u32(octets, value);
        row.flags |= SetFlag.HasOriginatorId;
        break;
      case AttributeType.ClusterList:
        row.clusterListLength = length / 4;
        row.flags |= SetFlag.HasClusterList;
        break;
      case AttributeType.OnlyToCustomer:
        row.flags |= SetFlag.HasOnlyToCustomer;
        break;
    }
    at = value + length;
  }
  row.rank = rankOf(row);
}

/** Steps last-resort, local-pref, as-path and origin of the decision (see steps.ts), each above the next: 47 bits. */
function rankOf({ flags, localPref, pathLength, origin }: Columns): number {
  const stale = (flags & SetFlag.LlgrStale) === 0 ? 0 : 1;
  return ((stale * 2 ** 32 + (0xffffffff - localPref)) * MOST_HOPS + Math.min(pathLength, MOST_HOPS - 1)) * 4 + origin;
}

/** Only sequences are in a canonical path, and sets this speaker was configured to make: those count as one. */
function gatherPath(octets: Uint8Array, start: number, length: number, row: Columns): void {
  for (let at = start; at < start + length; ) {
    const count = octets[at + 1] as number;
    const sequence = octets[at] === 2;
    if (at === start && sequence) row.neighborAs = u32(octets, at + 2);
    row.pathLength += sequence ? count : octets[at] === 1 ? 1 : 0;
    at += 2 + 4 * count;
  }
}

function flagOf(community: number): number {
  if (community < Community.GracefulShutdown) return 0;
  switch (community) {
    case Community.NoExport:
    case Community.NoExportSubconfed:
      return SetFlag.NoExport;
    case Community.NoAdvertise:
      return SetFlag.NoAdvertise;
    case Community.GracefulShutdown:
      return SetFlag.GracefulShutdown;
    case Community.LlgrStale:
      return SetFlag.LlgrStale;
    case Community.NoLlgr:
      return SetFlag.NoLlgr;
    default:
      return 0;
  }
}
