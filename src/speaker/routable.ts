/**
 * Destinations that no route learned from a peer may lead to: RFC 4271 6.3 has them ignored, and the kernel would obey.
 */
import { type Address, familyOf } from "../../ipam/net/address.ts";
import { containsAddress, containsPrefix, type Prefix, prefixOf } from "../../ipam/net/prefix.ts";

const NEVER = {
  4: ["0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"].map(prefixOf),
  6: ["::/128", "::1/128", "fe80::/10", "ff00::/8"].map(prefixOf),
} as const;

/** False for this host, loopback, link-local and multicast; what is wider than those, as a default route, is fine. */
export function isRoutable(address: Address, length: number): boolean {
  const family = familyOf(address);
  const first = address[0] as number;
  // Told by one octet for nearly every prefix there is.
  if (family === 4 ? first > 0 && first < 224 && first !== 127 && first !== 169 : first > 0 && first < 0xfe)
    return true;
  return !NEVER[family].some((range) => containsPrefix(range, { address, length }));
}

/** Whether one of the ranges contains the prefix. */
export function isInside(ranges: readonly Prefix[], address: Address, length: number): boolean {
  for (const range of ranges) if (length >= range.length && containsAddress(range, address)) return true;
  return false;
}
