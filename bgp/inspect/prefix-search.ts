/** Prefixes as operators ask for them: exactly, by the longest match, or with everything inside. */
import { type Address, bitsOf, type Family, familyOf, parseAddress } from "../../ipam/net/address.ts";
import { formatPrefix, hostPrefix, type Prefix, parseAddressWithLength, prefixAround } from "../../ipam/net/prefix.ts";
import type { FamilyRib } from "../rib/family-rib.ts";
import { NO_PATH } from "../rib/paths.ts";
import { encodePrefix } from "../wire/nlri.ts";
import { BadQuery } from "./types.ts";

/** `192.0.2.0/24`, or an address for its host route. */
export function prefixAsked(text: string): Prefix {
  const address = parseAddress(text);
  if (address !== undefined) return hostPrefix(address);
  const parsed = parseAddressWithLength(text);
  if (parsed === undefined) {
    throw new BadQuery(
      `${JSON.stringify(text)} is neither a prefix such as 192.0.2.0/24 or 2001:db8::/32 nor an address`,
    );
  }
  const prefix = prefixAround(parsed.address, parsed.length);
  if (formatPrefix(prefix) !== formatPrefix(parsed)) {
    throw new BadQuery(`${text} has bits set behind its length; ${formatPrefix(prefix)} is the prefix`);
  }
  return prefix;
}

/** The id of a prefix that has a path; undefined when there is none. */
export function exactly(table: FamilyRib, prefix: Prefix): number | undefined {
  const id = table.prefixes.lookup(encodePrefix(prefix), 0);
  return id >= 0 && table.paths.first(id) !== NO_PATH ? id : undefined;
}

/** The longest prefix with a path that `accepts` lets pass, around the one asked for. */
export function longestMatch(
  table: FamilyRib,
  asked: Prefix,
  accepts: (id: number) => boolean = () => true,
): number | undefined {
  for (let { length } = asked; length >= 0; length--) {
    const id = exactly(table, prefixAround(asked.address, length));
    if (id !== undefined && accepts(id)) return id;
  }
  return undefined;
}

/** Says of prefix ids, without making anything, whether they lie inside the prefix. */
export function insideOf(table: FamilyRib, { address, length }: Prefix): (id: number) => boolean {
  const scratch: Address = new Uint8Array(address.length);
  const whole = length >> 3;
  const mask = (0xff00 >> (length & 7)) & 0xff;
  return (id) => {
    if (table.prefixes.length(id) < length) return false;
    table.prefixes.readAddress(id, scratch);
    for (let i = 0; i < whole; i++) if (scratch[i] !== address[i]) return false;
    return mask === 0 || ((scratch[whole] as number) & mask) === address[whole];
  };
}

export function familyAsked(prefix: Prefix, family: Family | undefined): Family {
  const own = familyOf(prefix.address);
  if (family !== undefined && family !== own) {
    throw new BadQuery(`${formatPrefix(prefix)} is no IPv${family} prefix (it has ${bitsOf(own)} bits)`);
  }
  return own;
}
