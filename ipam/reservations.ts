/** Addresses that are not handed out unless somebody asks for exactly them: what the cluster's IPReservations say. */
import { type Address, addressToBigInt, bitsOf, familyOf } from "./net/address.ts";
import { familyOfPrefix, hostPrefix, type Prefix, prefixSize } from "./net/prefix.ts";

interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

export class Reservations {
  /** Apart from one another, in order. */
  readonly #ranges: Readonly<Record<4 | 6, readonly Range[]>>;

  constructor(prefixes: readonly Prefix[]) {
    this.#ranges = { 4: merged(prefixes, 4), 6: merged(prefixes, 6) };
  }

  has(address: Address): boolean {
    return this.count(hostPrefix(address)) > 0n;
  }

  /** How many addresses of the prefix are reserved. */
  count(prefix: Prefix): bigint {
    return this.within(prefix).reduce((sum, { first, last }) => sum + last - first + 1n, 0n);
  }

  /** True when every address of the prefix is. */
  cover(prefix: Prefix): boolean {
    return this.#ranges[familyOfPrefix(prefix)].length > 0 && this.count(prefix) === prefixSize(prefix);
  }

  /** The places in the prefix that are reserved, counted from 0. */
  within(prefix: Prefix): Range[] {
    const ranges = this.#ranges[familyOfPrefix(prefix)];
    if (ranges.length === 0) return [];
    const start = addressToBigInt(prefix.address);
    const end = start + prefixSize(prefix) - 1n;
    return ranges.flatMap(({ first, last }) => {
      if (last < start || first > end) return [];
      return [{ first: (first > start ? first : start) - start, last: (last < end ? last : end) - start }];
    });
  }
}

function merged(prefixes: readonly Prefix[], family: 4 | 6): Range[] {
  const ranges: Range[] = [];
  const sorted = prefixes.filter((prefix) => familyOfPrefix(prefix) === family).map(rangeOf);
  for (const range of sorted.sort((a, b) => (a.first < b.first ? -1 : 1))) {
    const before = ranges.at(-1);
    if (before === undefined || range.first > before.last + 1n) ranges.push(range);
    else if (range.last > before.last) ranges[ranges.length - 1] = { first: before.first, last: range.last };
  }
  return ranges;
}

function rangeOf({ address, length }: Prefix): Range {
  const first = addressToBigInt(address);
  return { first, last: first + (1n << BigInt(bitsOf(familyOf(address)) - length)) - 1n };
}
