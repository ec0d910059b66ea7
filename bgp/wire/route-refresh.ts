/** ROUTE-REFRESH (RFC 2918 3; the subtype octet of RFC 7313 is zero for a plain request). */
import { type Family } from "../../ipam/net/address.ts";
import { afiOf, familyOfAfi } from "./capability.ts";
import { MessageType, SAFI_UNICAST } from "./codes.ts";
import { frame } from "./framer.ts";
import { u16 } from "./octets.ts";

/**
 * The family asked for; undefined for one we do not speak, or a subtype other than a plain request: both are ignored.
 */
export function decodeRouteRefresh(body: Uint8Array): Family | undefined {
  return body[2] === 0 ? familyOfAfi(u16(body, 0), body[3] as number) : undefined;
}

export function encodeRouteRefresh(family: Family): Uint8Array {
  return frame(MessageType.RouteRefresh, Uint8Array.of(0, afiOf(family), 0, SAFI_UNICAST));
}
