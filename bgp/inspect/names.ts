/** The words for families in everything an operator sees. */
import type { Family } from "../../ipam/net/address.ts";

export const FAMILY_NAME: Readonly<Record<Family, "ipv4-unicast" | "ipv6-unicast">> = {
  4: "ipv4-unicast",
  6: "ipv6-unicast",
};

export type FamilyName = (typeof FAMILY_NAME)[Family];
