/** AS_PATH (RFC 4271 4.3 b, 5.1.2) with four-octet numbers inside, two or four octets on the wire (RFC 6793). */
import { AS_TRANS } from "./codes.ts";
import { putU16, putU32, u16, u32 } from "./octets.ts";

export const SegmentType = { Set: 1, Sequence: 2, ConfedSequence: 3, ConfedSet: 4 } as const;

export interface AsPathSegment {
  readonly type: number;
  readonly asNumbers: readonly number[];
}

export type AsPath = readonly AsPathSegment[];

export const AS_SET_PROBLEM = "it has an AS_SET (RFC 9774)";

/**
 * Why a path as it stands in an attribute cannot be used, in words (RFC 7606 7.2); undefined when it can. AS 0 is no AS
 * number (RFC 7607); sets are refused (RFC 9774 3), and so are confederation segments (RFC 5065 5) unless let pass.
 */
export function pathProblem(
  octets: Uint8Array,
  start: number,
  length: number,
  asOctets: 2 | 4,
  letPass?: "confederations",
): string | undefined {
  const end = start + length;
  let at = start;
  while (at < end) {
    if (at + 2 > end) return "a segment header is cut off";
    const type = octets[at] as number;
    const count = octets[at + 1] as number;
    if (type < SegmentType.Set || type > SegmentType.ConfedSet) return `segment type ${type} is unknown`;
    if (count === 0) return "a segment is empty";
    const next = at + 2 + count * asOctets;
    if (next > end) return "a segment overruns the attribute";
    if (type === SegmentType.Set) return AS_SET_PROBLEM;
    if (type !== SegmentType.Sequence && letPass === undefined) {
      return "confederation segment outside of a confederation (RFC 5065 5)";
    }
    for (at += 2; at < next; at += asOctets) {
      if ((asOctets === 4 ? u32(octets, at) : u16(octets, at)) === 0) return "AS number 0 (RFC 7607)";
    }
  }
  return undefined;
}

/** Of a path in which {@link pathProblem} found none. */
export function decodeAsPath(octets: Uint8Array, asOctets: 2 | 4): AsPath {
  const path: AsPathSegment[] = [];
  let at = 0;
  while (at < octets.length) {
    const count = octets[at + 1] as number;
    const asNumbers: number[] = [];
    for (let i = 0; i < count; i++) {
      asNumbers.push(asOctets === 4 ? u32(octets, at + 2 + 4 * i) : u16(octets, at + 2 + 2 * i));
    }
    path.push({ type: octets[at] as number, asNumbers });
    at += 2 + count * asOctets;
  }
  return path;
}

export function encodeAsPath(path: AsPath, asOctets: 2 | 4): Uint8Array {
  const octets = new Uint8Array(path.reduce((sum, segment) => sum + 2 + segment.asNumbers.length * asOctets, 0));
  let at = 0;
  for (const { type, asNumbers } of path) {
    octets[at] = type;
    octets[at + 1] = asNumbers.length;
    at += 2;
    for (const asNumber of asNumbers) {
      if (asOctets === 4) putU32(octets, at, asNumber);
      else putU16(octets, at, asNumber > 0xffff ? AS_TRANS : asNumber);
      at += asOctets;
    }
  }
  return octets;
}

/** RFC 4271 9.1.2.2 a: a set counts as one; confederation segments do not count (RFC 5065 5.3). */
export function pathLength(path: AsPath): number {
  let length = 0;
  for (const { type, asNumbers } of path) {
    if (type === SegmentType.Sequence) length += asNumbers.length;
    else if (type === SegmentType.Set) length += 1;
  }
  return length;
}

/** RFC 4271 5.1.2: our number goes in front of the first sequence, which holds at most 255. */
export function prepend(path: AsPath, asNumber: number): AsPath {
  const first = path[0];
  if (first === undefined || first.type !== SegmentType.Sequence || first.asNumbers.length >= 255) {
    return [{ type: SegmentType.Sequence, asNumbers: [asNumber] }, ...path];
  }
  return [{ type: SegmentType.Sequence, asNumbers: [asNumber, ...first.asNumbers] }, ...path.slice(1)];
}

/** RFC 6996 5: private numbers mean nothing outside; segments they leave empty go with them. */
export function withoutPrivate(path: AsPath): AsPath {
  return path
    .map(({ type, asNumbers }) => ({ type, asNumbers: asNumbers.filter((asNumber) => !isPrivate(asNumber)) }))
    .filter(({ asNumbers }) => asNumbers.length > 0);
}

function isPrivate(asNumber: number): boolean {
  return (asNumber >= 64512 && asNumber <= 65534) || (asNumber >= 4200000000 && asNumber <= 4294967294);
}

/** How often a number is in a path as it stands in a canonical set: four-octet numbers, checked. */
export function occurrencesIn(octets: Uint8Array, start: number, end: number, asNumber: number): number {
  let count = 0;
  for (let at = start; at < end; ) {
    const next = at + 2 + 4 * (octets[at + 1] as number);
    for (at += 2; at < next; at += 4) if (u32(octets, at) === asNumber) count++;
  }
  return count;
}

/** `65001 65002 {64512 64513}` */
export function formatAsPath(path: AsPath): string {
  return path
    .map(({ type, asNumbers }) => {
      const text = asNumbers.join(" ");
      if (type === SegmentType.Set) return `{${text}}`;
      if (type === SegmentType.ConfedSequence) return `(${text})`;
      return type === SegmentType.ConfedSet ? `[${text}]` : text;
    })
    .join(" ");
}

/** RFC 6793 4.2.3: the four-octet numbers of AS4_PATH behind what the two-octet path has more in front. */
export function mergeAs4Path(path: AsPath, as4Path: AsPath): AsPath {
  let surplus = pathLength(path) - pathLength(as4Path);
  if (surplus < 0) return path;
  const head: AsPathSegment[] = [];
  for (const segment of path) {
    if (surplus <= 0) break;
    const counts = segment.type === SegmentType.Sequence;
    const taken = counts ? segment.asNumbers.slice(0, surplus) : segment.asNumbers;
    head.push({ type: segment.type, asNumbers: taken });
    surplus -= counts ? taken.length : segment.type === SegmentType.Set ? 1 : 0;
  }
  const tail = as4Path.filter(({ type }) => type === SegmentType.Sequence || type === SegmentType.Set);
  const last = head.at(-1);
  const next = tail[0];
  if (last?.type === SegmentType.Sequence && next?.type === SegmentType.Sequence) {
    const joined = [...last.asNumbers, ...next.asNumbers];
    if (joined.length <= 255) {
      return [...head.slice(0, -1), { type: SegmentType.Sequence, asNumbers: joined }, ...tail.slice(1)];
    }
  }
  return [...head, ...tail];
}
