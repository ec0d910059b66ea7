/**
 * IP addresses as octets: 4 of them for IPv4, 16 for IPv6, in network order.
 *
 * Octets are what BGP messages and netlink carry, so nothing is converted on the way. Text is read strictly: what this
 * file accepts, every other tool on the node reads the same way (inet_aton's octal and short forms are refused).
 */
export type Address = Uint8Array;
export type Family = 4 | 6;

export function familyOf(address: Address): Family {
  return address.length === 4 ? 4 : 6;
}

/** Width of an address of the family in bits: 32 or 128. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}

/** Reads `192.0.2.1` or `2001:db8::1`. No zone, no leading zeros in IPv4, no brackets: undefined for anything else. */
export function parseAddress(text: string): Address | undefined {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

/** As {@link parseAddress}, for text this program wrote itself: throws on anything else. */
export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`not an IP address: ${JSON.stringify(text)}`);
  return address;
}

function parseIPv4(text: string): Address | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const address = new Uint8Array(4);
  for (let i = 0; i < 4; i++) {
    const octet = parseOctet(parts[i] as string);
    if (octet === undefined) return undefined;
    address[i] = octet;
  }
  return address;
}

// Digit by digit: lists of a large cluster's blocks have tens of thousands of these.
function parseOctet(text: string): number | undefined {
  const { length } = text;
  if (length === 0 || length > 3 || (length > 1 && text.charCodeAt(0) === 48)) return undefined;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value > 255 ? undefined : value;
}

// RFC 4291 2.2: eight groups, one run of zero groups written as "::", the last two groups possibly as an IPv4 address.
function parseIPv6(text: string): Address | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] as string, halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] as string, true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  const address = new Uint8Array(16);
  const groups = [...head, ...new Array<number>(missing).fill(0), ...tail];
  for (const [i, group] of groups.entries()) {
    address[2 * i] = group >> 8;
    address[2 * i + 1] = group & 0xff;
  }
  return address;
}

function groupsOf(text: string, mayEndInIPv4: boolean): number[] | undefined {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (mayEndInIPv4 && i === parts.length - 1 && part.includes(".")) {
      const v4 = parseIPv4(part);
      if (v4 === undefined) return undefined;
      groups.push(((v4[0] as number) << 8) | (v4[1] as number), ((v4[2] as number) << 8) | (v4[3] as number));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

/**
 * Canonical text: dotted quad, or RFC 5952 (lower case, longest run of zero groups shortened, IPv4-mapped as dotted).
 */
export function formatAddress(address: Address): string {
  if (address.length === 4) return `${address[0]}.${address[1]}.${address[2]}.${address[3]}`;
  if (isIPv4Mapped(address)) return `::ffff:${address.subarray(12).join(".")}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((address[i] as number) << 8) | (address[i + 1] as number));
  const [start, length] = longestZeroRun(groups);
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return hex(groups);
  return `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

function isIPv4Mapped(address: Address): boolean {
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return address[10] === 0xff && address[11] === 0xff;
}

function longestZeroRun(groups: readonly number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  for (let i = 0; i < groups.length; i++) {
    let end = i;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - i > best[1]) best = [i, end - i];
    i = Math.max(i, end);
  }
  return best;
}

/** Order by family, then by value: negative, zero or positive as Array.sort wants it. */
export function compareAddresses(a: Address, b: Address): number {
  if (a.length !== b.length) return a.length - b.length;
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}

export function sameAddress(a: Address, b: Address): boolean {
  return compareAddresses(a, b) === 0;
}

export function addressToBigInt(address: Address): bigint {
  let value = 0n;
  for (const octet of address) value = (value << 8n) | BigInt(octet);
  return value;
}

/** Throws a RangeError when the value does not fit the family. */
export function addressFromBigInt(value: bigint, family: Family): Address {
  if (value < 0n || value >> BigInt(bitsOf(family)) !== 0n) throw new RangeError(`${value} is no IPv${family} address`);
  const address = new Uint8Array(bitsOf(family) / 8);
  let rest = value;
  for (let i = address.length - 1; i >= 0; i--) {
    address[i] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  return address;
}

/** The address n places further on; throws a RangeError past the end of the family. */
export function addressPlus(address: Address, n: number | bigint): Address {
  return addressFromBigInt(addressToBigInt(address) + BigInt(n), familyOf(address));
}

/** 127.0.0.0/8 or ::1. */
export function isLoopback(address: Address): boolean {
  if (address.length === 4) return address[0] === 127;
  return address.every((octet, i) => octet === (i === 15 ? 1 : 0));
}

/** 169.254.0.0/16 or fe80::/10. */
export function isLinkLocal(address: Address): boolean {
  if (address.length === 4) return address[0] === 169 && address[1] === 254;
  return address[0] === 0xfe && ((address[1] as number) & 0xc0) === 0x80;
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: Address): boolean {
  return address.length === 4 ? ((address[0] as number) & 0xf0) === 0xe0 : address[0] === 0xff;
}

export function isUnspecified(address: Address): boolean {
  return address.every((octet) => octet === 0);
}
