/** Addresses and prefixes of both families for property tests, crowded enough that they meet and nest. */
import fc from "fast-check";
import { type Address, bitsOf, type Family } from "./address.ts";
import { type Prefix, prefixAround } from "./prefix.ts";

export const family = fc.constantFrom<Family>(4, 6);

export function addressIn(of: Family): fc.Arbitrary<Address> {
  const octets = bitsOf(of) / 8;
  const octet = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(0, 0, 0, 1, 255) },
    { weight: 2, arbitrary: fc.nat(255) },
  );
  return fc.array(octet, { minLength: octets, maxLength: octets }).map((list) => Uint8Array.from(list));
}

export const address = family.chain(addressIn);

export function prefixIn(of: Family): fc.Arbitrary<Prefix> {
  const length = fc.oneof(fc.nat(bitsOf(of)), fc.constantFrom(0, 8, 16, 24, 32));
  return fc.tuple(addressIn(of), length).map(([at, bits]) => prefixAround(at, bits));
}

export const prefix = family.chain(prefixIn);
