/** For tests: UPDATEs straight from attributes, between four-octet speakers. */
import type { Family } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { encodeAttributes } from "./encode-attributes.ts";
import { encodeAnnouncements } from "./encode-update.ts";
import type { PathAttributes } from "./path-attributes.ts";

export function announcements(
  family: Family,
  prefixes: readonly Prefix[],
  attributes: PathAttributes,
  maxLength = 4096,
): Uint8Array[] | undefined {
  const { nextHop: address, linkLocalNextHop: linkLocal } = attributes;
  return encodeAnnouncements(family, prefixes, encodeAttributes(attributes, 4), { address, linkLocal }, maxLength);
}
