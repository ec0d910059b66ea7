/**
 * CIDR text as a person writes it in a resource or on a command line: read with a reason when it is wrong.
 *
 * ip-cidr is used here, at the edge, for what it is good at (first and last address of a range for a hint); the grammar
 * is checked strictly first, since it takes `10.0.0.0/08`, `::1/128/3` and keeps host bits without a word.
 */
import IPCIDR from "ip-cidr";
import {
  familyOfPrefix,
  formatPrefix,
  hostBitsAreZero,
  type Prefix,
  parseAddressWithLength,
  prefixAround,
} from "./prefix.ts";

export type CidrResult = { readonly prefix: Prefix } | { readonly error: string };

/**
 * Reads a CIDR; the error is a phrase that follows the field's name, such as `has host bits set; did you mean
 * 10.0.0.0/24?`
 */
export function readCidr(text: string): CidrResult {
  const parsed = parseAddressWithLength(text);
  if (parsed === undefined) {
    return {
      error: text.includes("/")
        ? "is not a CIDR such as 10.244.0.0/16 or fd00:244::/48"
        : "lacks a prefix length such as /24",
    };
  }
  if (!hostBitsAreZero(parsed.address, parsed.length)) {
    return { error: `has host bits set; did you mean ${formatPrefix(prefixAround(parsed.address, parsed.length))}?` };
  }
  return { prefix: parsed };
}

/** First and last address as text, for people: `10.0.0.0 - 10.0.0.63`. */
export function rangeText(prefix: Prefix): string {
  const cidr = new IPCIDR(formatPrefix(prefix));
  const first = cidr.start<string>();
  const last = cidr.end<string>();
  return `${first} - ${last} (IPv${familyOfPrefix(prefix)})`;
}
