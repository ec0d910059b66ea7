/**
 * A full table for BIRD to announce: prefixes of many lengths, attributes as different as those of the Internet, in
 * parts that can be taken away one by one. Everything follows from a prefix's number, so that any can be checked.
 */
import { closeSync, openSync, writeSync } from "node:fs";

/** A static protocol of BIRD's: the prefixes numbered from `from` up to, not including, `to`. */
export interface Part {
  readonly name: string;
  readonly family: 4 | 6;
  readonly from: number;
  readonly to: number;
}

const ATTRIBUTE_SETS = 30_000;
const IPV4_BASE = 11 * 2 ** 24;
const IPV6_BASE = 0x2a00;

/** Lengths as the number's alignment allows: /20 to /24 and some /32. */
export function ipv4Prefix(i: number): string {
  const host = i % 16 === 15;
  const length = host ? 32 : 24 - Math.min(4, alignment(i));
  const address = IPV4_BASE + i * 256 + Number(host);
  return `${[24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join(".")}/${length}`;
}

/** /29 to /32 and some /48. */
export function ipv6Prefix(i: number): string {
  const length = i % 16 === 15 ? 48 : 32 - Math.min(3, alignment(i));
  const low = i & 0xffff;
  const text = `${(IPV6_BASE + (i >>> 16)).toString(16)}:${low.toString(16)}::/${length}`;
  return text.replace(/:0::/, "::");
}

export const prefixOf = (family: 4 | 6, i: number): string => (family === 4 ? ipv4Prefix(i) : ipv6Prefix(i));

export interface Attributes {
  /** Behind the sender's own AS. */
  readonly path: readonly number[];
  readonly communities: readonly string[];
}

/** Sixteen prefixes side by side have the same, as those of one network do. */
export function attributesOf(i: number): Attributes {
  const set = Math.floor(i / 16) % ATTRIBUTE_SETS;
  const path = Array.from({ length: set % 5 }, (_, hop) => 64_600 + ((set + hop) % 300));
  return { path, communities: [`64500:${set}`, ...(set % 3 === 0 ? [`64501:${set % 100}`] : [])] };
}

/** BIRD's protocol for the part, with its routes in a file of its own. */
export function staticProtocol(part: Part, file: string): string {
  const output = openSync(file, "w");
  const step = 10_000;
  for (let from = part.from; from < part.to; from += step) {
    const lines = Array.from({ length: Math.min(step, part.to - from) }, (_, k) => route(part.family, from + k));
    writeSync(output, `${lines.join("\n")}\n`);
  }
  closeSync(output);
  return `protocol static ${part.name} {\n  ipv${part.family};\n  include "${file}";\n}\n`;
}

function route(family: 4 | 6, i: number): string {
  const { path, communities } = attributesOf(i);
  const prepends = path.toReversed().map((asNumber) => `bgp_path.prepend(${asNumber});`);
  const added = communities.map((one) => `bgp_community.add((${one.replace(":", ",")}));`);
  return `route ${prefixOf(family, i)} blackhole { ${[...prepends, ...added].join(" ")} };`;
}

/** How many low bits are zero. */
function alignment(i: number): number {
  return i === 0 ? 32 : 31 - Math.clz32(i & -i);
}
