/** Communities as people write them, and as routes carry them (RFC 1997, RFC 8092). */
import { concat, putU32, u32 } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import type { CommunityValue } from "./filter.ts";

const LARGE_OCTETS = 12;

/** Reads `65000:100` or, as a large one, `65000:100:7`; undefined for anything else. */
export function parseCommunity(text: string): CommunityValue | undefined {
  if (!/^\d{1,10}(:\d{1,10}){1,2}$/.test(text)) return undefined;
  const parts = text.split(":").map(Number) as [number, number, number?];
  const [high, low, third] = parts;
  if (third === undefined) return high > 0xffff || low > 0xffff ? undefined : high * 0x10000 + low;
  if (parts.some((part) => (part as number) > 0xffffffff)) return undefined;
  const octets = new Uint8Array(LARGE_OCTETS);
  putU32(octets, 0, high);
  putU32(octets, 4, low);
  putU32(octets, 8, third);
  return octets;
}

export function formatCommunity(value: CommunityValue): string {
  if (typeof value === "number") return `${value >>> 16}:${value & 0xffff}`;
  return `${u32(value, 0)}:${u32(value, 4)}:${u32(value, 8)}`;
}

export function hasCommunity({ communities, largeCommunities }: PathAttributes, value: CommunityValue): boolean {
  if (typeof value === "number") return communities?.includes(value) ?? false;
  return largeCommunities !== undefined && hasLarge(largeCommunities, value, 0);
}

/** The same attributes when the route has it already: a community is in a set, and counts once. */
export function addCommunity(attributes: PathAttributes, value: CommunityValue): PathAttributes {
  if (hasCommunity(attributes, value)) return attributes;
  if (typeof value === "number") return { ...attributes, communities: [...(attributes.communities ?? []), value] };
  const { largeCommunities = new Uint8Array(0) } = attributes;
  return { ...attributes, largeCommunities: concat([largeCommunities, value]) };
}

/** Adds all of them; the same attributes when the route has them already. */
export function addCommunities(
  attributes: PathAttributes,
  communities: readonly number[],
  largeCommunities: Uint8Array,
): PathAttributes {
  let result = attributes;
  for (const value of communities) result = addCommunity(result, value);
  for (let at = 0; at < largeCommunities.length; at += LARGE_OCTETS) {
    result = addCommunity(result, largeCommunities.subarray(at, at + LARGE_OCTETS));
  }
  return result;
}

function hasLarge(all: Uint8Array, value: Uint8Array, from: number): boolean {
  for (let at = from; at < all.length; at += LARGE_OCTETS) {
    let i = 0;
    while (i < LARGE_OCTETS && all[at + i] === value[i]) i++;
    if (i === LARGE_OCTETS) return true;
  }
  return false;
}
