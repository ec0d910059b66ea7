/** Addresses of links (`struct ifaddrmsg`) and neighbours (`struct ndmsg`). */
import { type Address, bitsOf, familyOf } from "../../../ipam/net/address.ts";
import type { AddressWithLength } from "../../../ipam/net/prefix.ts";
import type { RequestBatch } from "./batch.ts";
import * as nl from "./constants.ts";
import { attributesIn, type Message, readU16, readU32 } from "./reader.ts";

export interface AddressObject extends AddressWithLength {
  readonly interfaceIndex: number;
  /** RT_SCOPE_ number: 0 universe, 253 link, 254 host. */
  readonly scope: number;
  /** RFC 4862 5.5.4: good for connections there are, and not chosen for new ones. */
  readonly deprecated: boolean;
}

export interface NeighbourObject {
  readonly interfaceIndex: number;
  readonly state: number;
  readonly address: Address;
  readonly mac: Uint8Array;
}

/** Seconds, to the kernel. */
const FOREVER = 0xffffffff;

/** The AF_ number netlink wants for the address. */
export function addressFamily(address: Address): number {
  return familyOf(address) === 4 ? nl.AF_INET : nl.AF_INET6;
}

/** Puts an address on a link; IPv6 at once usable, without duplicate address detection. */
export function addAddress(batch: RequestBatch, interfaceIndex: number, { address, length }: AddressWithLength): void {
  batch.begin(nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_EXCL);
  batch
    .u8(addressFamily(address))
    .u8(length)
    .u8(familyOf(address) === 6 ? nl.IFA_F_NODAD : 0)
    .u8(address[0] === 0xfe && familyOf(address) === 6 ? nl.RT_SCOPE_LINK : nl.RT_SCOPE_UNIVERSE)
    .u32(interfaceIndex);
  batch.attribute(nl.IFA_LOCAL, address).attribute(nl.IFA_ADDRESS, address).end();
}

/**
 * Puts an address on a link that this machine answers at, and never speaks from by itself: deprecated (RFC 4862 5.5.4),
 * and IPv4 of host scope, else it would be the source towards whatever it resembles most.
 */
export function addQuietAddress(batch: RequestBatch, interfaceIndex: number, address: Address): void {
  const family = familyOf(address);
  batch.begin(nl.RTM_NEWADDR, nl.NLM_F_CREATE | nl.NLM_F_EXCL);
  batch
    .u8(addressFamily(address))
    .u8(bitsOf(family))
    .u8(family === 6 ? nl.IFA_F_NODAD : 0)
    .u8(family === 6 ? nl.RT_SCOPE_UNIVERSE : nl.RT_SCOPE_HOST)
    .u32(interfaceIndex);
  const preferredAndValid = new Uint32Array([0, FOREVER, 0, 0]);
  batch.attribute(nl.IFA_LOCAL, address).attribute(nl.IFA_ADDRESS, address);
  batch.attribute(nl.IFA_CACHEINFO, new Uint8Array(preferredAndValid.buffer)).end();
}

export function deleteAddress(batch: RequestBatch, interfaceIndex: number, address: Address): void {
  batch
    .begin(nl.RTM_DELADDR)
    .u8(addressFamily(address))
    .u8(bitsOf(familyOf(address)))
    .u8(0)
    .u8(0)
    .u32(interfaceIndex);
  batch.attribute(nl.IFA_LOCAL, address).attribute(nl.IFA_ADDRESS, address).end();
}

export function dumpAddresses(batch: RequestBatch): void {
  batch.begin(nl.RTM_GETADDR, nl.NLM_F_DUMP).u8(nl.AF_UNSPEC).u8(0).u8(0).u8(0).u32(0).end();
}

/** Reads RTM_NEWADDR; undefined for families other than IPv4 and IPv6. On a point-to-point link: the near end. */
export function readLinkAddress(message: Message): AddressObject | undefined {
  const { payload } = message;
  if (payload[0] !== nl.AF_INET && payload[0] !== nl.AF_INET6) return undefined;
  const attributes = attributesIn(payload, 8);
  const address = attributes.get(nl.IFA_LOCAL) ?? attributes.get(nl.IFA_ADDRESS);
  if (address === undefined) return undefined;
  return {
    interfaceIndex: readU32(payload, 4),
    scope: payload[3] as number,
    address: address.slice(),
    length: payload[1] as number,
    deprecated: ((payload[2] as number) & nl.IFA_F_DEPRECATED) !== 0,
  };
}

/** A neighbour that is never asked for and never forgotten. */
export function addPermanentNeighbour(
  batch: RequestBatch,
  interfaceIndex: number,
  address: Address,
  mac: Uint8Array,
): void {
  batch.begin(nl.RTM_NEWNEIGH, nl.NLM_F_CREATE | nl.NLM_F_REPLACE);
  batch.u8(addressFamily(address)).u8(0).u16(0).u32(interfaceIndex).u16(nl.NUD_PERMANENT).u8(0).u8(0);
  batch.attribute(nl.NDA_DST, address).attribute(nl.NDA_LLADDR, mac).end();
}

export function dumpNeighbours(batch: RequestBatch): void {
  batch.begin(nl.RTM_GETNEIGH, nl.NLM_F_DUMP).u8(nl.AF_UNSPEC).u8(0).u16(0).u32(0).u16(0).u8(0).u8(0).end();
}

export function readNeighbour(message: Message): NeighbourObject | undefined {
  const { payload } = message;
  const attributes = attributesIn(payload, 12);
  const address = attributes.get(nl.NDA_DST);
  if (address === undefined || address.length * 8 !== bitsOf(familyOf(address))) return undefined;
  return {
    interfaceIndex: readU32(payload, 4),
    state: readU16(payload, 8),
    address: address.slice(),
    mac: attributes.get(nl.NDA_LLADDR)?.slice() ?? new Uint8Array(0),
  };
}

/**
 * How long the link waits before it answers an ARP request by proxy: `struct ndtmsg`. What
 * /proc/sys/net/ipv4/neigh/<link>/proxy_delay holds.
 */
export function setProxyDelay(batch: RequestBatch, interfaceIndex: number, milliseconds: number): void {
  batch.begin(nl.RTM_SETNEIGHTBL).u8(nl.AF_INET).u8(0).u16(0);
  batch.attributeText(nl.NDTA_NAME, "arp_cache");
  batch.nest(nl.NDTA_PARMS, () => {
    batch.attributeU32(nl.NDTPA_IFINDEX, interfaceIndex);
    batch.attribute(nl.NDTPA_PROXY_DELAY, new Uint8Array(new BigUint64Array([BigInt(milliseconds)]).buffer));
  });
  batch.end();
}
