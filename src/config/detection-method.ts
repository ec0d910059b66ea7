/** How a node's own address is found when nobody gives it: the text of Calico's IP_AUTODETECTION_METHOD. */

import { readCidr } from "../../ipam/net/cidr.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";

export type DetectionMethod =
  | { readonly kind: "first-found" | "kubernetes-internal-ip" }
  /** Address, or a name to look up: what the kernel would send from. */
  | { readonly kind: "can-reach"; readonly destination: string }
  /** A name fits where one of the expressions matches any part of it, as in Calico. */
  | { readonly kind: "interface" | "skip-interface"; readonly names: readonly RegExp[] }
  | { readonly kind: "cidr"; readonly prefixes: readonly Prefix[] };

const FORMS =
  "first-found, can-reach=DESTINATION, interface=REGEX,..., skip-interface=REGEX,..., cidr=CIDR,..., " +
  "kubernetes-internal-ip";

/** The method, or what is wrong with the text. */
export function readDetectionMethod(text: string): DetectionMethod | { readonly error: string } {
  const at = text.indexOf("=");
  const [kind, value] = at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
  const parts = value.split(",").map((part) => part.trim());
  const isEmpty = parts.some((part) => part === "");
  switch (kind) {
    case "first-found":
    case "kubernetes-internal-ip":
      return at < 0 ? { kind } : { error: `${kind} takes no value; write ${kind} alone` };
    case "can-reach":
      if (!/^[A-Za-z0-9:.%_-]+$/.test(value))
        return { error: "can-reach needs an address or a name, can-reach=10.0.0.1" };
      return { kind, destination: value };
    case "interface":
    case "skip-interface":
      return isEmpty ? { error: `${kind} needs names, such as ${kind}=eth.*,bond0` } : named(kind, parts);
    case "cidr":
      return isEmpty ? { error: "cidr needs ranges, such as cidr=10.0.0.0/8" } : within(parts);
    default:
      return { error: `is not one of ${FORMS}` };
  }
}

function named(kind: "interface" | "skip-interface", parts: readonly string[]): ReturnType<typeof readDetectionMethod> {
  const names: RegExp[] = [];
  for (const part of parts) {
    try {
      names.push(new RegExp(part));
    } catch (error) {
      return { error: `${kind}: ${(error as Error).message}` };
    }
  }
  return { kind, names };
}

function within(parts: readonly string[]): ReturnType<typeof readDetectionMethod> {
  const prefixes: Prefix[] = [];
  for (const part of parts) {
    const read = readCidr(part);
    if ("error" in read) return { error: `cidr: ${part} ${read.error}` };
    prefixes.push(read.prefix);
  }
  return { kind: "cidr", prefixes };
}
