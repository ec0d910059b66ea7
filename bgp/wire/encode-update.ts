/** UPDATE messages from routes: as many prefixes in each as fit. */
import { type Family } from "../../ipam/net/address.ts";
import { type Prefix } from "../../ipam/net/prefix.ts";
import { afiOf } from "./capability.ts";
import { AttributeFlag, AttributeType, HEADER_LENGTH, MessageType, SAFI_UNICAST } from "./codes.ts";
import { encodeAttribute, encodeAttributes } from "./encode-attributes.ts";
import { frame } from "./framer.ts";
import { encodePrefix } from "./nlri.ts";
import { concat, octetsOfU16 } from "./octets.ts";
import type { PathAttributes } from "./path-attributes.ts";

export interface EncodeLimits {
  readonly asOctets: 2 | 4;
  /** Octets of a whole message, header included. */
  readonly maxLength: number;
}

/** Header, and the two length fields of an UPDATE. */
const FIXED = HEADER_LENGTH + 4;
/**
 * MP_REACH_NLRI around next hop and routes: attribute header with a long length, AFI, SAFI, next-hop length, reserved.
 */
const MP_REACH_FIXED = 4 + 2 + 1 + 1 + 1;
const MP_UNREACH_FIXED = 4 + 2 + 1;

/**
 * Announces prefixes of one family under one set of attributes. Undefined when not even one prefix fits beside the
 * attributes: such a route has to be withdrawn from the peer (RFC 4271 9.2).
 */
export function encodeAnnouncements(
  family: Family,
  prefixes: readonly Prefix[],
  attributes: PathAttributes,
  limits: EncodeLimits,
): Uint8Array[] | undefined {
  const common = encodeAttributes(attributes, limits.asOctets);
  if (family === 4) {
    return pack(prefixes, limits.maxLength - FIXED - common.length, (nlri) =>
      frame(MessageType.Update, concat([octetsOfU16(0), octetsOfU16(common.length), common, nlri])),
    );
  }
  const nextHop =
    attributes.linkLocalNextHop === undefined
      ? attributes.nextHop
      : concat([attributes.nextHop, attributes.linkLocalNextHop]);
  const head = Uint8Array.of(0, afiOf(family), SAFI_UNICAST, nextHop.length, ...nextHop, 0);
  const room = limits.maxLength - FIXED - common.length - MP_REACH_FIXED - nextHop.length;
  return pack(prefixes, room, (nlri) => {
    const reach = encodeAttribute(AttributeFlag.Optional, AttributeType.MpReach, concat([head, nlri]));
    // RFC 7606 5.1: MP_REACH_NLRI first, so that a receiver finds the routes whatever follows.
    const all = concat([reach, common]);
    return frame(MessageType.Update, concat([octetsOfU16(0), octetsOfU16(all.length), all]));
  });
}

export function encodeWithdrawals(family: Family, prefixes: readonly Prefix[], limits: EncodeLimits): Uint8Array[] {
  if (family === 4) {
    return pack(prefixes, limits.maxLength - FIXED, (nlri) =>
      frame(MessageType.Update, concat([octetsOfU16(nlri.length), nlri, octetsOfU16(0)])),
    ) as Uint8Array[];
  }
  const head = Uint8Array.of(0, afiOf(family), SAFI_UNICAST);
  return pack(prefixes, limits.maxLength - FIXED - MP_UNREACH_FIXED, (nlri) => {
    const unreach = encodeAttribute(AttributeFlag.Optional, AttributeType.MpUnreach, concat([head, nlri]));
    return frame(MessageType.Update, concat([octetsOfU16(0), octetsOfU16(unreach.length), unreach]));
  }) as Uint8Array[];
}

/** RFC 4724 2: an empty UPDATE for IPv4 unicast, an empty MP_UNREACH_NLRI for every other family. */
export function encodeEndOfRib(family: Family): Uint8Array {
  if (family === 4) return frame(MessageType.Update, new Uint8Array(4));
  const unreach = encodeAttribute(
    AttributeFlag.Optional,
    AttributeType.MpUnreach,
    Uint8Array.of(0, afiOf(family), SAFI_UNICAST),
  );
  return frame(MessageType.Update, concat([octetsOfU16(0), octetsOfU16(unreach.length), unreach]));
}

function pack(
  prefixes: readonly Prefix[],
  room: number,
  message: (nlri: Uint8Array) => Uint8Array,
): Uint8Array[] | undefined {
  const messages: Uint8Array[] = [];
  let parts: Uint8Array[] = [];
  let used = 0;
  for (const prefix of prefixes) {
    const octets = encodePrefix(prefix);
    if (octets.length > room) return undefined;
    if (used + octets.length > room) {
      messages.push(message(concat(parts)));
      parts = [];
      used = 0;
    }
    parts.push(octets);
    used += octets.length;
  }
  if (parts.length > 0) messages.push(message(concat(parts)));
  return messages;
}
