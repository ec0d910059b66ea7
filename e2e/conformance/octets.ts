/**
 * Octets of a BGP message, written out by hand. Nothing here knows the speaker's own encoder, so that a mistake there
 * cannot hide; every length can be made to lie.
 */

export type Octets = Uint8Array;

export const u8 = (value: number): Octets => Uint8Array.of(value);
export const u16 = (value: number): Octets => Uint8Array.of(value >> 8, value & 255);
export const u32 = (value: number): Octets =>
  Uint8Array.of(value >>> 24, (value >> 16) & 255, (value >> 8) & 255, value & 255);

export const cat = (...parts: readonly (Octets | readonly number[])[]): Octets =>
  Uint8Array.from(parts.flatMap((part) => [...part]));

export const hex = (octets: Octets): string => Buffer.from(octets).toString("hex");
export const fromHex = (text: string): Octets => Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));

export const zeros = (count: number): Octets => new Uint8Array(count);

/** Four octets, or sixteen for text with colons. */
export function ip(text: string): Octets {
  if (!text.includes(":")) return Uint8Array.from(text.split(".").map(Number));
  const [front = "", back] = text.split("::");
  const groups = (part: string) => part.split(":").filter((group) => group !== "");
  const [head, tail] = [groups(front), back === undefined ? [] : groups(back)];
  const middle = new Array<string>(8 - head.length - tail.length).fill("0");
  return cat(...[...head, ...middle, ...tail].map((group) => u16(Number.parseInt(group, 16))));
}

/** The other way round; IPv6 in the form of RFC 5952. */
export function ipText(octets: Octets): string {
  if (octets.length === 4) return octets.join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] ?? 0) << 8) | (octets[2 * i + 1] ?? 0));
  let [best, bestLength] = [0, 0];
  for (let start = 0; start < 8; start++) {
    let end = start;
    while (end < 8 && groups[end] === 0) end++;
    if (end - start > bestLength) [best, bestLength] = [start, end - start];
  }
  const text = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (bestLength < 2) return text(groups);
  return `${text(groups.slice(0, best))}::${text(groups.slice(best + bestLength))}`;
}

/** A prefix as NLRI: `192.0.2.0/24`, `2001:db8::/32`; behind a path identifier where one is given (RFC 7911 3). */
export function nlri(prefix: string, pathId?: number): Octets {
  const [address = "", bits = ""] = prefix.split("/");
  const octets = ip(address).subarray(0, Math.ceil(Number(bits) / 8));
  return cat(pathId === undefined ? [] : u32(pathId), u8(Number(bits)), octets);
}

/** An octet string of that length that is the same every time. */
export const filler = (count: number, seed = 7): Octets =>
  Uint8Array.from({ length: count }, (_, i) => (i * seed) & 255);
