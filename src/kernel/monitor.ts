/** What the kernel changes by itself or at somebody else's hand: links, addresses, routes. */
import * as nl from "./netlink/constants.ts";
import { type EventStreamOptions, streamEvents } from "./netlink/event-stream.ts";
import { readLinkName } from "./netlink/link.ts";
import { readNextHop } from "./netlink/nexthop.ts";
import type { Message } from "./netlink/reader.ts";
import { readU32 } from "./netlink/reader.ts";
import { RouteView } from "./netlink/route-view.ts";

export interface LinkEvent {
  readonly index: number;
  readonly name: string;
  /** Set up by the administrator. */
  readonly up: boolean;
  /** Able to carry packets: up, and the other side too. */
  readonly carrier: boolean;
  readonly gone: boolean;
}

/**
 * - `new`: it is there now, whether it was before or not.
 * - `replaced`: the same, and took the place of one with the same prefix, metric and type of service.
 * - `gone`: of an IPv6 route with several next hops, those the event names.
 */
export type RouteEventKind = "new" | "replaced" | "gone";

/**
 * Not everything is told: when a link goes down, its last address goes or a nexthop object is deleted, IPv4 routes are
 * gone without an event; when carrier comes or goes, routes are marked without one.
 */
export interface KernelListener {
  link?(event: LinkEvent): void;
  addressGone?(interfaceIndex: number): void;
  /** An address came, or one that is there has changed. */
  addressNew?(interfaceIndex: number): void;
  /** The view is valid during the call. */
  route?(kind: RouteEventKind, route: RouteView): void;
  /** A nexthop object is gone, and with it every route that used it; or it leads elsewhere, and they with it. */
  nextHopChanged?(kind: "new" | "gone", id: number): void;
  /** Events were lost, or may have been: read everything again. */
  doubt(): void;
}

/** Tells one event after the other, in the kernel's order. Gives the function that stops it. */
export function watchKernel(listener: KernelListener, options: EventStreamOptions = {}): () => void {
  let groups = 0;
  if (listener.link !== undefined) groups |= nl.RTMGRP_LINK;
  if ((listener.addressGone ?? listener.addressNew) !== undefined)
    groups |= nl.RTMGRP_IPV4_IFADDR | nl.RTMGRP_IPV6_IFADDR;
  if (listener.route !== undefined) groups |= nl.RTMGRP_IPV4_ROUTE | nl.RTMGRP_IPV6_ROUTE;
  if (listener.nextHopChanged !== undefined) groups |= nl.RTMGRP_NEXTHOP;
  const view = new RouteView();
  const message = (type: number, flags: number, octets: Uint8Array, start: number, end: number) => {
    switch (type) {
      case nl.RTM_NEWROUTE:
      case nl.RTM_DELROUTE:
        if (!view.read(octets, start, end)) return;
        return listener.route?.(routeEventKind(type, flags), view);
      case nl.RTM_NEWLINK:
      case nl.RTM_DELLINK:
        // A family: what a bridge or another protocol has to say of one of its ports.
        if (octets[start] !== nl.AF_UNSPEC) return;
        return listener.link?.(readLinkEvent(type, octets, start, end));
      case nl.RTM_NEWADDR:
        return listener.addressNew?.(readU32(octets, start + 4));
      case nl.RTM_DELADDR:
        return listener.addressGone?.(readU32(octets, start + 4));
      case nl.RTM_NEWNEXTHOP:
      case nl.RTM_DELNEXTHOP: {
        const { id } = readNextHop(octets.subarray(start, end));
        return listener.nextHopChanged?.(type === nl.RTM_NEWNEXTHOP ? "new" : "gone", id);
      }
    }
  };
  return streamEvents(groups >>> 0, { message, doubt: () => listener.doubt() }, options);
}

function routeEventKind(type: number, flags: number): RouteEventKind {
  if (type === nl.RTM_DELROUTE) return "gone";
  return (flags & nl.NLM_F_REPLACE) === 0 ? "new" : "replaced";
}

function readLinkEvent(type: number, octets: Uint8Array, start: number, end: number): LinkEvent {
  const flags = readU32(octets, start + 8);
  return {
    index: readU32(octets, start + 4),
    name: readLinkName(octets.subarray(start, end)),
    up: (flags & nl.IFF_UP) !== 0,
    carrier: (flags & nl.IFF_LOWER_UP) !== 0,
    gone: type === nl.RTM_DELLINK,
  };
}

export interface MessageListener {
  /** The messages of one datagram; payloads are valid during the call. */
  messages(messages: readonly Message[]): void;
  doubt(): void;
}

/** The messages of the multicast groups (RTMGRP_ bits) themselves. Gives the function that stops it. */
export function watchMessages(
  groups: number,
  listener: MessageListener,
  options: Pick<EventStreamOptions, "netns" | "onlyTypes"> = {},
): () => void {
  const message = (type: number, flags: number, octets: Uint8Array, start: number, end: number) => {
    listener.messages([{ type, flags, sequence: 0, payload: octets.subarray(start, end) }]);
  };
  return streamEvents(groups, { message, doubt: () => listener.doubt() }, options);
}
