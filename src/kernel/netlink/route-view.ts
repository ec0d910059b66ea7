/**
 * A route as it lies in the kernel's message, read in place: of half a million in a listing most are only looked at.
 */
import { type Address, sameAddress } from "../../../ipam/net/address.ts";
import * as nl from "./constants.ts";
import { readU16, readU32 } from "./reader.ts";
import type { KernelRoute, NextHop } from "./route.ts";

const ABSENT = -1;
const DOWN = nl.RTNH_F_DEAD | nl.RTNH_F_LINKDOWN;
const ATTRIBUTE_HEADER = 4;
/** rtvia_family stands before the address. */
const VIA_HEADER = 2;

export class RouteView {
  #octets: Uint8Array = new Uint8Array(0);
  family: 4 | 6 = 4;
  /** Of the prefix, in bits. */
  length = 0;
  tos = 0;
  table = 0;
  protocol = 0;
  /** RT_SCOPE_ number; always 0 for IPv6. */
  scope = 0;
  /** RTN_ number. */
  type = 0;
  metric = 0;
  /** Number of the nexthop object that other routes share; 0: none. */
  nextHopId = 0;
  #flags = 0;
  #interfaceIndex = ABSENT;
  #destination = ABSENT;
  #destinationEnd = 0;
  #gateway = ABSENT;
  #gatewayEnd = 0;
  #source = ABSENT;
  #sourceEnd = 0;
  #multipath = ABSENT;
  #multipathEnd = 0;

  /** Looks at the payload between the offsets; false for families other than IPv4 and IPv6, and cached clones. */
  read(octets: Uint8Array, start: number, end: number): boolean {
    const family = octets[start];
    if (family !== nl.AF_INET && family !== nl.AF_INET6) return false;
    this.#octets = octets;
    this.family = family === nl.AF_INET ? 4 : 6;
    this.length = octets[start + 1] as number;
    this.tos = octets[start + 3] as number;
    this.table = octets[start + 4] as number;
    this.protocol = octets[start + 5] as number;
    this.scope = octets[start + 6] as number;
    this.type = octets[start + 7] as number;
    this.#flags = readU32(octets, start + 8);
    this.metric = 0;
    this.nextHopId = 0;
    this.#interfaceIndex = this.#destination = this.#gateway = this.#source = this.#multipath = ABSENT;
    this.#readAttributes(start + nl.RTMSG_LENGTH, end);
    return (this.#flags & nl.RTM_F_CLONED) === 0;
  }

  #readAttributes(start: number, end: number): void {
    const octets = this.#octets;
    for (let at = start; at + ATTRIBUTE_HEADER <= end; ) {
      const length = readU16(octets, at);
      if (length < ATTRIBUTE_HEADER || at + length > end) return;
      this.#readAttribute(readU16(octets, at + 2) & nl.NLA_TYPE_MASK, at + ATTRIBUTE_HEADER, at + length);
      at += (length + 3) & ~3;
    }
  }

  #readAttribute(type: number, value: number, end: number): void {
    switch (type) {
      case nl.RTA_DST:
        this.#destination = value;
        this.#destinationEnd = end;
        break;
      case nl.RTA_GATEWAY:
      case nl.RTA_VIA:
        this.#gateway = type === nl.RTA_VIA ? value + VIA_HEADER : value;
        this.#gatewayEnd = end;
        break;
      case nl.RTA_OIF:
        this.#interfaceIndex = readU32(this.#octets, value);
        break;
      case nl.RTA_PRIORITY:
        this.metric = readU32(this.#octets, value);
        break;
      case nl.RTA_TABLE:
        this.table = readU32(this.#octets, value);
        break;
      case nl.RTA_PREFSRC:
        this.#source = value;
        this.#sourceEnd = end;
        break;
      case nl.RTA_MULTIPATH:
        this.#multipath = value;
        this.#multipathEnd = end;
        break;
      case nl.RTA_NH_ID:
        this.nextHopId = readU32(this.#octets, value);
        break;
    }
  }

  /** The prefix's address into an array of 4 or 16 octets. */
  copyAddress(into: Uint8Array): void {
    into.fill(0);
    if (this.#destination === ABSENT) return;
    const end = Math.min(this.#destinationEnd, this.#destination + into.length);
    for (let at = this.#destination, i = 0; at < end; at++, i++) into[i] = this.#octets[at] as number;
  }

  get address(): Address {
    const address = new Uint8Array(this.family === 4 ? 4 : 16);
    this.copyAddress(address);
    return address;
  }

  get isBlackhole(): boolean {
    return this.type === nl.RTN_BLACKHOLE;
  }

  /** True when exactly these are its next hops, in any order. */
  goesBy(nextHops: readonly NextHop[]): boolean {
    if (this.type !== nl.RTN_UNICAST) return false;
    if (this.#multipath !== ABSENT) {
      const found = this.nextHops();
      return found.length === nextHops.length && found.every((hop) => nextHops.some((other) => sameHop(other, hop)));
    }
    const [only] = nextHops;
    if (nextHops.length !== 1 || only === undefined) return false;
    const { gateway, interfaceIndex } = only;
    if (interfaceIndex !== undefined && interfaceIndex !== this.#interfaceIndex) return false;
    if (gateway === undefined || this.#gateway === ABSENT) return gateway === undefined && this.#gateway === ABSENT;
    if (gateway.length !== this.#gatewayEnd - this.#gateway) return false;
    for (let i = 0; i < gateway.length; i++) if (gateway[i] !== this.#octets[this.#gateway + i]) return false;
    return true;
  }

  /** True when a next hop's link is down or has no carrier: the kernel keeps the route but may not use it. */
  get interfaceDown(): boolean {
    if (this.type !== nl.RTN_UNICAST) return false;
    if (this.#multipath === ABSENT) return (this.#flags & DOWN) !== 0;
    let down = false;
    this.#eachHop((at) => {
      if (((this.#octets[at + 2] as number) & DOWN) !== 0) down = true;
    });
    return down;
  }

  nextHops(): NextHop[] {
    if (this.type !== nl.RTN_UNICAST) return [];
    if (this.#multipath === ABSENT) return [this.#nextHop(this.#gateway, this.#gatewayEnd, this.#interfaceIndex)];
    const hops: NextHop[] = [];
    this.#eachHop((at, end) => {
      this.#gateway = ABSENT;
      this.#readAttributes(at + nl.RTNEXTHOP_LENGTH, end);
      hops.push(this.#nextHop(this.#gateway, this.#gatewayEnd, readU32(this.#octets, at + 4)));
    });
    return hops;
  }

  #eachHop(visit: (start: number, end: number) => void): void {
    for (let at = this.#multipath; at + nl.RTNEXTHOP_LENGTH <= this.#multipathEnd; ) {
      const length = readU16(this.#octets, at);
      if (length < nl.RTNEXTHOP_LENGTH) return;
      visit(at, Math.min(at + length, this.#multipathEnd));
      at += (length + 3) & ~3;
    }
  }

  #nextHop(gateway: number, gatewayEnd: number, interfaceIndex: number): NextHop {
    return {
      ...(gateway === ABSENT ? {} : { gateway: this.#octets.slice(gateway, gatewayEnd) }),
      ...(interfaceIndex === ABSENT ? {} : { interfaceIndex }),
    };
  }

  get target(): KernelRoute["target"] {
    if (this.type === nl.RTN_UNICAST) return { kind: "unicast", nextHops: this.nextHops() };
    return { kind: this.isBlackhole ? "blackhole" : "other" };
  }

  /** The same as a value that lasts. */
  toRoute(): KernelRoute {
    const { target, interfaceDown, length, protocol, metric, table, scope } = this;
    const route = { prefix: { address: this.address, length }, target, protocol, metric, table, scope };
    return {
      ...route,
      ...(this.#source === ABSENT ? {} : { source: this.#octets.slice(this.#source, this.#sourceEnd) }),
      ...(interfaceDown ? { interfaceDown } : {}),
    };
  }
}

function sameHop(wanted: NextHop, found: NextHop): boolean {
  if (wanted.interfaceIndex !== undefined && wanted.interfaceIndex !== found.interfaceIndex) return false;
  if (wanted.gateway === undefined || found.gateway === undefined) return wanted.gateway === found.gateway;
  return sameAddress(wanted.gateway, found.gateway);
}
