/** Prefixes that a tester's own message announces, to be taken back afterwards; nothing of one that is malformed. */
import { decodeUpdate } from "./decode.ts";
import { type Octets } from "./octets.ts";
import type { Terms } from "./terms.ts";

export function prefixesSaid(message: Octets, terms: Terms): string[] {
  if (message[18] !== 2) return [];
  const sends = (terms.addPath ?? []).filter(([, mode]) => (mode & 2) !== 0).map(([afi]) => afi);
  try {
    return [...decodeUpdate(message.subarray(19), new Set(sends), "any").announced];
  } catch {
    return [];
  }
}
