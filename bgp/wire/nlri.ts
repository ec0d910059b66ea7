/**
 * NLRI: prefixes as a length in bits and as many octets as that needs (RFC 4271 4.3, RFC 4760 5), behind a path
 * identifier of four octets where both sides agreed on it (RFC 7911 3).
 */
import { bitsOf, type Family } from "../../ipam/net/address.ts";
import { type Prefix, prefixAround } from "../../ipam/net/prefix.ts";
import { u32 } from "./octets.ts";

/** Octets of a path identifier. */
export const PATH_ID_OCTETS = 4;

/** Why a run of prefixes cannot be read, in words; undefined when every prefix in it is whole. */
export function nlriProblem(
  octets: Uint8Array,
  start: number,
  end: number,
  family: Family,
  addPath: boolean,
): string | undefined {
  const bits = bitsOf(family);
  const skip = addPath ? PATH_ID_OCTETS : 0;
  let at = start;
  while (at < end) {
    if (at + skip >= end) return "the last path identifier is cut off";
    const length = octets[at + skip] as number;
    if (length > bits) return `prefix length ${length} is over ${bits}`;
    at += skip + 1 + ((length + 7) >> 3);
  }
  return at === end ? undefined : "the last prefix is cut off";
}

export interface PathPrefix {
  readonly prefix: Prefix;
  readonly pathId: number;
}

/** The prefixes of a run that {@link nlriProblem} found whole. Bits behind the length are cleared (RFC 4271 4.3). */
export function prefixesIn(
  octets: Uint8Array,
  start: number,
  end: number,
  family: Family,
  addPath: boolean,
): PathPrefix[] {
  const prefixes: PathPrefix[] = [];
  let at = start;
  while (at < end) {
    const pathId = addPath ? u32(octets, at) : 0;
    if (addPath) at += PATH_ID_OCTETS;
    const length = octets[at] as number;
    const width = (length + 7) >> 3;
    const address = new Uint8Array(family === 4 ? 4 : 16);
    address.set(octets.subarray(at + 1, at + 1 + width));
    prefixes.push({ prefix: prefixAround(address, length), pathId });
    at += 1 + width;
  }
  return prefixes;
}

export function encodePrefix({ address, length }: Prefix): Uint8Array {
  const width = (length + 7) >> 3;
  const octets = new Uint8Array(1 + width);
  octets[0] = length;
  octets.set(address.subarray(0, width), 1);
  return octets;
}
