/**
 * Socket options BGP needs and Node.js does not offer: sockaddr, MD5 signatures (RFC 2385), TTL security (RFC 5082).
 */
import { type Address, bitsOf, familyOf } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { setSocketOption } from "./ffi.ts";
import { HOST_IS_LITTLE } from "./netlink/batch.ts";
import { AF_INET, AF_INET6 } from "./netlink/constants.ts";

const IPPROTO_IP = 0;
const IPPROTO_TCP = 6;
const IPPROTO_IPV6 = 41;
const IP_TOS = 1;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPV6_UNICAST_HOPS = 16;
const IPV6_TCLASS = 67;
const IPV6_MINHOPCOUNT = 73;
const TCP_MD5SIG = 14;
const TCP_MD5SIG_EXT = 32;
const TCP_MD5SIG_FLAG_PREFIX = 1;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;

/** Internetwork control (RFC 4271 leaves it open; every BGP speaker sets it): sessions outlive congestion. */
const TRAFFIC_CLASS = 0xc0;
const MAX_KEY_OCTETS = 80;

/** `struct sockaddr_in` or `sockaddr_in6`. */
export function socketAddress(address: Address, port: number, scopeId = 0): Uint8Array {
  const ipv4 = familyOf(address) === 4;
  const octets = new Uint8Array(ipv4 ? 16 : 28);
  const view = new DataView(octets.buffer);
  view.setUint16(0, ipv4 ? AF_INET : AF_INET6, HOST_IS_LITTLE);
  view.setUint16(2, port);
  octets.set(address, ipv4 ? 4 : 8);
  if (!ipv4) view.setUint32(24, scopeId, HOST_IS_LITTLE);
  return octets;
}

/**
 * Signs segments to and from the peers with the key and drops those that are not so signed; without a key they go
 * unsigned again. Of several keys that fit a peer the one of the longest prefix counts. Throws ENOENT when a key that
 * was never set is taken away, and a RangeError for a key too long.
 */
export function setMd5Key(fd: number, peers: Prefix, key: string | undefined): void {
  const secret = new TextEncoder().encode(key ?? "");
  if (secret.length > MAX_KEY_OCTETS) throw new RangeError(`a TCP MD5 password has at most ${MAX_KEY_OCTETS} octets`);
  const one = peers.length === bitsOf(familyOf(peers.address));
  // struct tcp_md5sig: sockaddr_storage, u8 flags, u8 prefixlen, u16 keylen at 130, int ifindex, key at 136
  const request = new Uint8Array(136 + MAX_KEY_OCTETS);
  request.set(socketAddress(peers.address, 0));
  if (!one) {
    request[128] = TCP_MD5SIG_FLAG_PREFIX;
    request[129] = peers.length;
  }
  new DataView(request.buffer).setUint16(130, secret.length, HOST_IS_LITTLE);
  request.set(secret, 136);
  setSocketOption(fd, IPPROTO_TCP, one ? TCP_MD5SIG : TCP_MD5SIG_EXT, request);
}

export function setTtl(fd: number, family: 4 | 6, ttl: number): void {
  if (family === 4) setSocketOption(fd, IPPROTO_IP, IP_TTL, ttl);
  else setSocketOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

/** Sends with the highest TTL and drops what comes from more than the given number of hops (1: the same link). */
export function setTtlSecurity(fd: number, family: 4 | 6, hops: number): void {
  setTtl(fd, family, 255);
  if (family === 4) setSocketOption(fd, IPPROTO_IP, IP_MINTTL, 256 - hops);
  else setSocketOption(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, 256 - hops);
}

export function setControlTraffic(fd: number, family: 4 | 6): void {
  if (family === 4) setSocketOption(fd, IPPROTO_IP, IP_TOS, TRAFFIC_CLASS);
  else setSocketOption(fd, IPPROTO_IPV6, IPV6_TCLASS, TRAFFIC_CLASS);
}

export function bindToDevice(fd: number, device: string): void {
  setSocketOption(fd, SOL_SOCKET, SO_BINDTODEVICE, new TextEncoder().encode(`${device}\0`));
}

export function anyAddress(family: 4 | 6): Address {
  return new Uint8Array(bitsOf(family) / 8);
}
