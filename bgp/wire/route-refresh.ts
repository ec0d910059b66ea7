/** ROUTE-REFRESH (RFC 2918 3), and the marks of where a refresh begins and ends (RFC 7313 4). */
import { type Family } from "../../ipam/net/address.ts";
import { afiOf, familyOfAfi } from "./capability.ts";
import { ErrorCode, HEADER_LENGTH, MessageType, SAFI_UNICAST } from "./codes.ts";
import { type Fault, resetFault } from "./fault.ts";
import { frame } from "./framer.ts";
import { concat, octetsOfU16, u16 } from "./octets.ts";

export type RefreshKind = "request" | "begin" | "end";

export interface RouteRefresh {
  readonly family: Family;
  readonly kind: RefreshKind;
}

const KINDS: readonly RefreshKind[] = ["request", "begin", "end"];
const LENGTH = 4;

/**
 * Undefined for what is ignored: a family we do not speak, an unknown subtype, and marks that were not agreed on
 * (RFC 2918 4, RFC 7313 5). A request may be longer: the filters of RFC 5291 behind it are not for us.
 */
export function decodeRouteRefresh(body: Uint8Array, enhanced: boolean): RouteRefresh | Fault | undefined {
  const kind = KINDS[body[2] as number];
  if (kind === undefined || (kind !== "request" && !enhanced)) return undefined;
  if (kind !== "request" && body.length !== LENGTH) {
    // RFC 7313 5: the whole message goes into the data.
    const head = new Uint8Array(HEADER_LENGTH).fill(0xff, 0, 16);
    head.set(octetsOfU16(HEADER_LENGTH + body.length), 16);
    head[18] = MessageType.RouteRefresh;
    return resetFault(ErrorCode.RouteRefresh, 1, `${kind} of refresh with ${body.length} octets`, concat([head, body]));
  }
  const family = familyOfAfi(u16(body, 0), body[3] as number);
  return family === undefined ? undefined : { family, kind };
}

export function encodeRouteRefresh(family: Family, kind: RefreshKind = "request"): Uint8Array {
  return frame(MessageType.RouteRefresh, Uint8Array.of(0, afiOf(family), KINDS.indexOf(kind), SAFI_UNICAST));
}
