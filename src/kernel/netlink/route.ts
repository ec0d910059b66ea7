/** Routes: `struct rtmsg` and its attributes. */
import { type Address, familyOf } from "../../../ipam/net/address.ts";
import type { Prefix } from "../../../ipam/net/prefix.ts";
import { addressFamily } from "./address.ts";
import type { RequestBatch } from "./batch.ts";
import * as nl from "./constants.ts";
import { attributesIn, type Message, readU16, readU32 } from "./reader.ts";

/** Where packets go next: a gateway, a link, or a gateway on a link. */
export interface NextHop {
  readonly gateway?: Address;
  readonly interfaceIndex?: number;
}

export type RouteTarget =
  | { readonly kind: "unicast"; readonly nextHops: readonly NextHop[] }
  | { readonly kind: "blackhole" };

/** A route as the kernel lists it. `other`: local, unreachable, throw… which we never make. */
export interface KernelRoute {
  readonly prefix: Prefix;
  readonly target: RouteTarget | { readonly kind: "other" };
  /** Who made it: 201 overland, 2 kernel, 3 boot, 4 static, 186 BGP daemons… */
  readonly protocol: number;
  readonly metric: number;
  readonly table: number;
  /** RT_SCOPE_ number; always 0 for IPv6. */
  readonly scope: number;
  /** Preferred source of what this machine sends by the route. */
  readonly source?: Address;
  /** True when a next hop's link is down or has no carrier: the kernel keeps the route but may not use it. */
  readonly interfaceDown?: boolean;
}

/** What identifies and marks a route of ours, beside prefix and next hops. */
export interface RouteMarks {
  readonly protocol: number;
  readonly metric: number;
}

const RTMSG_LENGTH = 12;
const RTNEXTHOP_LENGTH = 8;

function header(batch: RequestBatch, prefix: Prefix, protocol: number, scope: number, type: number, flags = 0): void {
  batch.u8(addressFamily(prefix.address)).u8(prefix.length).u8(0).u8(0);
  batch.u8(nl.RT_TABLE_MAIN).u8(protocol).u8(scope).u8(type).u32(flags);
  batch.attribute(nl.RTA_DST, prefix.address);
}

/**
 * Adds the route, or replaces the one of the same prefix and metric as a whole. NLM_F_REPLACE also for IPv6, where a
 * plain "create" of a second gateway is appended to the next hops that are there.
 */
export function replaceRoute(batch: RequestBatch, prefix: Prefix, target: RouteTarget, marks: RouteMarks): void {
  const nextHops = target.kind === "unicast" ? target.nextHops : [];
  const direct = nextHops.length > 0 && nextHops.every((hop) => hop.gateway === undefined);
  batch.begin(nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_REPLACE);
  // A next hop that is the link itself reaches neighbours only; the kernel refuses it with any wider scope than "link".
  const scope = direct && familyOf(prefix.address) === 4 ? nl.RT_SCOPE_LINK : nl.RT_SCOPE_UNIVERSE;
  header(batch, prefix, marks.protocol, scope, target.kind === "unicast" ? nl.RTN_UNICAST : nl.RTN_BLACKHOLE);
  batch.attributeU32(nl.RTA_PRIORITY, marks.metric);
  const [only] = nextHops;
  if (nextHops.length > 1) batch.nest(nl.RTA_MULTIPATH, () => multipath(batch, nextHops), true);
  else if (only !== undefined) {
    if (only.gateway !== undefined) batch.attribute(nl.RTA_GATEWAY, only.gateway);
    if (only.interfaceIndex !== undefined) batch.attributeU32(nl.RTA_OIF, only.interfaceIndex);
  }
  batch.end();
}

function multipath(batch: RequestBatch, nextHops: readonly NextHop[]): void {
  for (const { gateway, interfaceIndex } of nextHops) {
    const start = batch.length;
    batch
      .u16(0)
      .u8(0)
      .u8(0)
      .u32(interfaceIndex ?? 0);
    if (gateway !== undefined) batch.attribute(nl.RTA_GATEWAY, gateway);
    batch.closeLength(start);
  }
}

/** Removes the route of this prefix with our protocol and metric, whatever its next hops; no other. */
export function removeRoute(batch: RequestBatch, prefix: Prefix, marks: RouteMarks): void {
  batch.begin(nl.RTM_DELROUTE);
  header(batch, prefix, marks.protocol, nl.RT_SCOPE_NOWHERE, nl.RTN_UNSPEC);
  batch.attributeU32(nl.RTA_PRIORITY, marks.metric).end();
}

export function dumpRoutes(batch: RequestBatch, family: number): void {
  batch.begin(nl.RTM_GETROUTE, nl.NLM_F_DUMP).u8(family).u8(0).u8(0).u8(0);
  batch.u8(nl.RT_TABLE_MAIN).u8(0).u8(0).u8(0).u32(0).end();
}

/** Asks for the route the kernel would take to the address, as it stands in the table. */
export function getRoute(batch: RequestBatch, address: Address): void {
  batch.begin(nl.RTM_GETROUTE);
  header(batch, { address, length: address.length * 8 }, 0, 0, 0, nl.RTM_F_FIB_MATCH);
  batch.end();
}

/** Reads RTM_NEWROUTE; undefined for families other than IPv4 and IPv6. */
export function readRoute(message: Message): KernelRoute | undefined {
  const { payload } = message;
  const family = payload[0];
  if (family !== nl.AF_INET && family !== nl.AF_INET6) return undefined;
  const attributes = attributesIn(payload, RTMSG_LENGTH);
  const u32 = (type: number) => {
    const value = attributes.get(type);
    return value === undefined ? undefined : readU32(value, 0);
  };
  const octets = new Uint8Array(family === nl.AF_INET ? 4 : 16);
  octets.set(attributes.get(nl.RTA_DST) ?? []);
  const source = attributes.get(nl.RTA_PREFSRC);
  const { target, down } = readTarget(payload, attributes, u32(nl.RTA_OIF));
  return {
    prefix: { address: octets, length: payload[1] as number },
    target,
    protocol: payload[5] as number,
    metric: u32(nl.RTA_PRIORITY) ?? 0,
    table: u32(nl.RTA_TABLE) ?? (payload[4] as number),
    scope: payload[6] as number,
    ...(source === undefined ? {} : { source: source.slice() }),
    ...(down ? { interfaceDown: true } : {}),
  };
}

const DOWN = nl.RTNH_F_DEAD | nl.RTNH_F_LINKDOWN;

function readTarget(
  payload: Uint8Array,
  attributes: Map<number, Uint8Array>,
  interfaceIndex: number | undefined,
): { target: KernelRoute["target"]; down: boolean } {
  const type = payload[7];
  if (type === nl.RTN_BLACKHOLE) return { target: { kind: "blackhole" }, down: false };
  if (type !== nl.RTN_UNICAST) return { target: { kind: "other" }, down: false };
  const set = attributes.get(nl.RTA_MULTIPATH);
  if (set !== undefined) return readMultipath(set);
  const hop = nextHop(attributes.get(nl.RTA_GATEWAY), interfaceIndex);
  return { target: { kind: "unicast", nextHops: [hop] }, down: (readU32(payload, 8) & DOWN) !== 0 };
}

function readMultipath(set: Uint8Array): { target: RouteTarget; down: boolean } {
  const nextHops: NextHop[] = [];
  let down = false;
  let at = 0;
  while (at + RTNEXTHOP_LENGTH <= set.length) {
    const length = readU16(set, at);
    if (length < RTNEXTHOP_LENGTH) break;
    const attributes = attributesIn(set.subarray(at, at + length), RTNEXTHOP_LENGTH);
    nextHops.push(nextHop(attributes.get(nl.RTA_GATEWAY), readU32(set, at + 4)));
    if (((set[at + 2] as number) & DOWN) !== 0) down = true;
    at += (length + 3) & ~3;
  }
  return { target: { kind: "unicast", nextHops }, down };
}

function nextHop(gateway: Uint8Array | undefined, interfaceIndex: number | undefined): NextHop {
  return {
    ...(gateway === undefined ? {} : { gateway: gateway.slice() }),
    ...(interfaceIndex === undefined ? {} : { interfaceIndex }),
  };
}
