/** UPDATE messages from routes: as many prefixes in each as fit. */
import { type Family } from "../../ipam/net/address.ts";
import { type Prefix } from "../../ipam/net/prefix.ts";
import { afiOf } from "./capability.ts";
import { AttributeFlag, AttributeType, HEADER_LENGTH, MessageType, SAFI_UNICAST } from "./codes.ts";
import { encodeAttribute } from "./encode-attributes.ts";
import { frame } from "./framer.ts";
import { concat, octetsOfU16, putU16 } from "./octets.ts";

/** Header, and the two length fields of an UPDATE. */
const FIXED = HEADER_LENGTH + 4;
/** MP_REACH_NLRI's value without next hop and routes: AFI, SAFI, next-hop length, reserved. */
const REACH_FIXED = 5;
/** MP_UNREACH_NLRI's: AFI, SAFI. */
const UNREACH_FIXED = 3;
const LONG_OPTIONAL = AttributeFlag.Optional | AttributeFlag.ExtendedLength;

/** One message in the making: what stands before the prefixes, the prefixes, what stands behind them. */
interface Frame {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Fills in what depends on the octets of prefixes; returns the message's length, which it may have shortened. */
  finish(message: Uint8Array, nlriLength: number, length: number): number;
}

/**
 * Announces prefixes of one family. `attributes` is everything of the set but MP_REACH_NLRI, as it is sent. Undefined
 * when not even one prefix fits beside them: such a route has to be withdrawn from the peer (RFC 4271 9.2).
 */
export function encodeAnnouncements(
  family: Family,
  prefixes: readonly Prefix[],
  attributes: Uint8Array,
  nextHop: NextHop,
  maxLength: number,
): Uint8Array[] | undefined {
  if (family === 4) {
    const head = concat([new Uint8Array(2), octetsOfU16(attributes.length), attributes]);
    return pack(prefixes, maxLength, { head, tail: new Uint8Array(0), finish: (_message, _nlri, length) => length });
  }
  const hops = nextHop.linkLocal === undefined ? nextHop.address : concat([nextHop.address, nextHop.linkLocal]);
  const reach = Uint8Array.of(LONG_OPTIONAL, AttributeType.MpReach, 0, 0, 0, afiOf(family), SAFI_UNICAST, hops.length);
  const reachFixed = REACH_FIXED + hops.length;
  return pack(prefixes, maxLength, {
    // RFC 7606 5.1: MP_REACH_NLRI first, so that a receiver finds the routes whatever follows.
    head: concat([new Uint8Array(4), reach, hops, Uint8Array.of(0)]),
    tail: attributes,
    finish: (message, nlriLength, length) => finishMultiprotocol(message, reachFixed + nlriLength, length),
  });
}

export interface NextHop {
  readonly address: Uint8Array;
  readonly linkLocal: Uint8Array | undefined;
}

export function encodeWithdrawals(family: Family, prefixes: readonly Prefix[], maxLength: number): Uint8Array[] {
  const nothing = new Uint8Array(0);
  if (family === 4) {
    return pack(prefixes, maxLength, {
      head: new Uint8Array(2),
      tail: new Uint8Array(2),
      finish(message, nlriLength, length) {
        putU16(message, HEADER_LENGTH, nlriLength);
        return length;
      },
    }) as Uint8Array[];
  }
  const unreach = Uint8Array.of(LONG_OPTIONAL, AttributeType.MpUnreach, 0, 0, 0, afiOf(family), SAFI_UNICAST);
  return pack(prefixes, maxLength, {
    head: concat([new Uint8Array(4), unreach]),
    tail: nothing,
    finish: (message, nlriLength, length) => finishMultiprotocol(message, UNREACH_FIXED + nlriLength, length),
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

/**
 * The attribute at the front of the list gets its length, in one octet where that is enough: the long form is for
 * values over 255 octets (RFC 4271 4.3).
 */
function finishMultiprotocol(message: Uint8Array, valueLength: number, length: number): number {
  const short = valueLength <= 255;
  putU16(message, HEADER_LENGTH + 2, length - FIXED - (short ? 1 : 0));
  if (!short) {
    putU16(message, FIXED + 2, valueLength);
    return length;
  }
  message[FIXED] = AttributeFlag.Optional;
  message[FIXED + 2] = valueLength;
  message.copyWithin(FIXED + 3, FIXED + 4, length);
  return length - 1;
}

/** As many prefixes in each message as fit; undefined when one does not fit into a message of its own. */
function pack(prefixes: readonly Prefix[], maxLength: number, parts: Frame): Uint8Array[] | undefined {
  const { head, tail, finish } = parts;
  const messages: Uint8Array[] = [];
  const start = HEADER_LENGTH + head.length;
  const limit = maxLength - tail.length;
  if (start > limit) return undefined;
  const message = frame(MessageType.Update, new Uint8Array(maxLength - HEADER_LENGTH));
  let at = start;
  const flush = () => {
    message.set(head, HEADER_LENGTH);
    message.set(tail, at);
    const length = finish(message, at - start, at + tail.length);
    putU16(message, 16, length);
    messages.push(message.slice(0, length));
    at = start;
  };
  for (const { address, length } of prefixes) {
    const width = (length + 7) >> 3;
    if (at + 1 + width > limit) {
      if (at === start) return undefined;
      flush();
      if (at + 1 + width > limit) return undefined;
    }
    message[at] = length;
    for (let i = 0; i < width; i++) message[at + 1 + i] = address[i] as number;
    at += 1 + width;
  }
  if (at > start) flush();
  return messages;
}
