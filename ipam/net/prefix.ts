/** Prefixes: an address whose bits behind the length are zero, and the length. */
import { type Address, addressPlus, bitsOf, type Family, familyOf, formatAddress, parseAddress } from "./address.ts";

export interface Prefix {
  /** Host bits are zero. */
  readonly address: Address;
  /** 0 to 32, or 0 to 128. */
  readonly length: number;
}

/** An interface's address: the host bits count. `10.10.1.11/24` */
export interface AddressWithLength {
  readonly address: Address;
  readonly length: number;
}

/** Reads `10.0.0.0/8` or `fd00::/8`. Host bits that are not zero, `/08` and a missing length are refused: undefined. */
export function parsePrefix(text: string): Prefix | undefined {
  const parsed = parseAddressWithLength(text);
  if (parsed === undefined || !hostBitsAreZero(parsed.address, parsed.length)) return undefined;
  return parsed;
}

/** As {@link parsePrefix}, for text this program wrote itself: throws on anything else. */
export function prefixOf(text: string): Prefix {
  const prefix = parsePrefix(text);
  if (prefix === undefined) throw new Error(`not a prefix: ${JSON.stringify(text)}`);
  return prefix;
}

/** Reads `10.10.1.11/24`, host bits and all; undefined for anything else. */
export function parseAddressWithLength(text: string): AddressWithLength | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(digits)) return undefined;
  const length = Number(digits);
  return length > bitsOf(familyOf(address)) ? undefined : { address, length };
}

export function formatPrefix(prefix: AddressWithLength): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

const texts = new WeakMap<Prefix, string>();

/** {@link formatPrefix}, remembered as long as the value is there: for one that is a key again and again. */
export function prefixKey(prefix: Prefix): string {
  let text = texts.get(prefix);
  if (text === undefined) {
    text = formatPrefix(prefix);
    texts.set(prefix, text);
  }
  return text;
}

export function familyOfPrefix(prefix: AddressWithLength): Family {
  return familyOf(prefix.address);
}

/** The prefix of the given length around an address. */
export function prefixAround(address: Address, length: number): Prefix {
  const masked = new Uint8Array(address);
  const whole = length >> 3;
  if (whole < masked.length) {
    masked[whole] = (masked[whole] as number) & (0xff00 >> (length & 7));
    masked.fill(0, whole + 1);
  }
  return { address: masked, length };
}

/** The /32 or /128 of one address. */
export function hostPrefix(address: Address): Prefix {
  return { address, length: bitsOf(familyOf(address)) };
}

export function hostBitsAreZero(address: Address, length: number): boolean {
  const whole = length >> 3;
  if (whole >= address.length) return true;
  if (((address[whole] as number) & (0xff >> (length & 7))) !== 0) return false;
  for (let i = whole + 1; i < address.length; i++) if (address[i] !== 0) return false;
  return true;
}

export function containsAddress(prefix: Prefix, address: Address): boolean {
  if (prefix.address.length !== address.length) return false;
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.address[i] !== address[i]) return false;
  const rest = prefix.length & 7;
  if (rest === 0) return true;
  const mask = (0xff00 >> rest) & 0xff;
  return ((prefix.address[whole] as number) & mask) === ((address[whole] as number) & mask);
}

/** True when inner lies within outer; every prefix contains itself. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return inner.length >= outer.length && containsAddress(outer, inner.address);
}

export function prefixesOverlap(a: Prefix, b: Prefix): boolean {
  return containsPrefix(a, b) || containsPrefix(b, a);
}

export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && containsPrefix(a, b);
}

/** How many addresses the prefix holds. */
export function prefixSize(prefix: Prefix): bigint {
  return 1n << BigInt(bitsOf(familyOf(prefix.address)) - prefix.length);
}

export function lastAddress(prefix: Prefix): Address {
  return addressPlus(prefix.address, prefixSize(prefix) - 1n);
}

/** The i-th part when the prefix is cut into parts of the given length: `10.0.0.0/24` by 26, 2 -> `10.0.0.128/26`. */
export function subPrefix(prefix: Prefix, length: number, i: number | bigint): Prefix {
  const step = BigInt(bitsOf(familyOf(prefix.address)) - length);
  return { address: addressPlus(prefix.address, BigInt(i) << step), length };
}
