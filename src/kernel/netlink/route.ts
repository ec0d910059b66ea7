/** Routes: `struct rtmsg` and its attributes. */
import { type Address, familyOf } from "../../../ipam/net/address.ts";
import type { Prefix } from "../../../ipam/net/prefix.ts";
import { addressFamily } from "./address.ts";
import type { RequestBatch } from "./batch.ts";
import * as nl from "./constants.ts";
import type { Message } from "./reader.ts";
import { RouteView } from "./route-view.ts";

/** Where packets go next: a gateway, a link, or a gateway on a link. IPv4 may go by an IPv6 gateway (RFC 8950). */
export interface NextHop {
  readonly gateway?: Address;
  readonly interfaceIndex?: number;
}

export type RouteTarget =
  | { readonly kind: "unicast"; readonly nextHops: readonly NextHop[] }
  | { readonly kind: "blackhole" };

/** As {@link RouteTarget}; or the number of a nexthop object that says where to. */
export type WrittenTarget = RouteTarget | { readonly kind: "object"; readonly id: number };

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
  /** The main table unless named. */
  readonly table?: number;
}

const LARGEST_TABLE_IN_HEADER = 255;

interface RouteHeader {
  readonly table?: number;
  readonly protocol?: number;
  readonly scope?: number;
  readonly type?: number;
  readonly flags?: number;
}

/** `struct rtmsg` and the destination, which is the first attribute. A table above 255 comes as an attribute. */
function header(batch: RequestBatch, prefix: Prefix, header: RouteHeader): void {
  const { table = nl.RT_TABLE_MAIN, protocol = 0, scope = 0, type = 0, flags = 0 } = header;
  const inHeader = table <= LARGEST_TABLE_IN_HEADER;
  batch.u8(addressFamily(prefix.address)).u8(prefix.length).u8(0).u8(0);
  batch
    .u8(inHeader ? table : nl.RT_TABLE_UNSPEC)
    .u8(protocol)
    .u8(scope)
    .u8(type)
    .u32(flags);
  batch.attribute(nl.RTA_DST, prefix.address);
  if (!inHeader) batch.attributeU32(nl.RTA_TABLE, table);
}

/**
 * Adds the route, or replaces the one of the same prefix and metric as a whole. NLM_F_REPLACE also for IPv6, where a
 * plain "create" of a second gateway is appended to the next hops that are there.
 */
export function replaceRoute(batch: RequestBatch, prefix: Prefix, target: WrittenTarget, marks: RouteMarks): void {
  const nextHops = target.kind === "unicast" ? target.nextHops : [];
  const direct = nextHops.length > 0 && nextHops.every((hop) => hop.gateway === undefined);
  batch.begin(nl.RTM_NEWROUTE, nl.NLM_F_CREATE | nl.NLM_F_REPLACE);
  // A next hop that is the link itself reaches neighbours only; the kernel refuses it with any wider scope than "link".
  const scope = direct && familyOf(prefix.address) === 4 ? nl.RT_SCOPE_LINK : nl.RT_SCOPE_UNIVERSE;
  header(batch, prefix, { ...marks, scope, type: target.kind === "blackhole" ? nl.RTN_BLACKHOLE : nl.RTN_UNICAST });
  batch.attributeU32(nl.RTA_PRIORITY, marks.metric);
  const [only] = nextHops;
  if (target.kind === "object") batch.attributeU32(nl.RTA_NH_ID, target.id);
  else if (nextHops.length > 1) batch.nest(nl.RTA_MULTIPATH, () => multipath(batch, prefix, nextHops), true);
  else if (only !== undefined) {
    gatewayAttribute(batch, prefix, only.gateway);
    if (only.interfaceIndex !== undefined) batch.attributeU32(nl.RTA_OIF, only.interfaceIndex);
  }
  batch.end();
}

/** RTA_GATEWAY, or RTA_VIA where the gateway is of another family than the destination. */
function gatewayAttribute(batch: RequestBatch, { address }: Prefix, gateway: Address | undefined): void {
  if (gateway === undefined) return;
  if (gateway.length === address.length) batch.attribute(nl.RTA_GATEWAY, gateway);
  else batch.nest(nl.RTA_VIA, () => batch.u16(addressFamily(gateway)).octets(gateway), true);
}

function multipath(batch: RequestBatch, prefix: Prefix, nextHops: readonly NextHop[]): void {
  for (const { gateway, interfaceIndex } of nextHops) {
    const start = batch.length;
    batch
      .u16(0)
      .u8(0)
      .u8(0)
      .u32(interfaceIndex ?? 0);
    gatewayAttribute(batch, prefix, gateway);
    batch.closeLength(start);
  }
}

/** Removes the route of this prefix with our protocol and metric, whatever its next hops; no other. */
export function removeRoute(batch: RequestBatch, prefix: Prefix, marks: RouteMarks): void {
  batch.begin(nl.RTM_DELROUTE);
  header(batch, prefix, { ...marks, scope: nl.RT_SCOPE_NOWHERE });
  batch.attributeU32(nl.RTA_PRIORITY, marks.metric).end();
}

/** With a table, on a socket that checks strictly, that table alone is listed; else every table. */
export function dumpRoutes(batch: RequestBatch, family: number, table = nl.RT_TABLE_UNSPEC): void {
  const inHeader = table <= LARGEST_TABLE_IN_HEADER;
  batch.begin(nl.RTM_GETROUTE, nl.NLM_F_DUMP).u8(family).u8(0).u8(0).u8(0);
  batch
    .u8(inHeader ? table : nl.RT_TABLE_UNSPEC)
    .u8(0)
    .u8(0)
    .u8(0)
    .u32(0);
  if (!inHeader) batch.attributeU32(nl.RTA_TABLE, table);
  batch.end();
}

/** Asks for the route the kernel would take to the address, as it stands in the table. */
export function getRoute(batch: RequestBatch, address: Address): void {
  batch.begin(nl.RTM_GETROUTE);
  header(batch, { address, length: address.length * 8 }, { flags: nl.RTM_F_FIB_MATCH });
  batch.end();
}

/** Reads RTM_NEWROUTE; undefined for families other than IPv4 and IPv6. */
export function readRoute({ payload }: Message): KernelRoute | undefined {
  const view = new RouteView();
  return view.read(payload, 0, payload.length) ? view.toRoute() : undefined;
}
