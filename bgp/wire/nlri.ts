/** NLRI: prefixes as a length in bits and as many octets as that needs (RFC 4271 4.3, RFC 4760 5). */
import { bitsOf, type Family } from "../../ipam/net/address.ts";
import { type Prefix, prefixAround } from "../../ipam/net/prefix.ts";

/** A run of prefixes in place: a view into the message. Checked once, read many times. */
export interface NlriBlock {
  readonly family: Family;
  readonly octets: Uint8Array;
}

/** Why the block cannot be read, in words; undefined when every prefix in it is whole. */
export function nlriProblem({ family, octets }: NlriBlock): string | undefined {
  const bits = bitsOf(family);
  let at = 0;
  while (at < octets.length) {
    const length = octets[at] as number;
    if (length > bits) return `prefix length ${length} is over ${bits}`;
    at += 1 + ((length + 7) >> 3);
  }
  return at === octets.length ? undefined : "the last prefix is cut off";
}

/** The prefixes of a block that {@link nlriProblem} found whole. Bits behind the length are cleared (RFC 4271 4.3). */
export function prefixesOf({ family, octets }: NlriBlock): Prefix[] {
  const prefixes: Prefix[] = [];
  let at = 0;
  while (at < octets.length) {
    const length = octets[at] as number;
    const width = (length + 7) >> 3;
    const address = new Uint8Array(family === 4 ? 4 : 16);
    address.set(octets.subarray(at + 1, at + 1 + width));
    prefixes.push(prefixAround(address, length));
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
