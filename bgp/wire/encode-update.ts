/** UPDATE messages from routes: as many prefixes in each as fit, one message behind the other in one array. */
import { type Family } from "../../ipam/net/address.ts";
import { afiOf } from "./capability.ts";
import { AttributeFlag, AttributeType, HEADER_LENGTH, MessageType, SAFI_UNICAST } from "./codes.ts";
import { encodeAttribute } from "./encode-attributes.ts";
import { frame } from "./framer.ts";
import { concat, octetsOfU16, putU16, putU32 } from "./octets.ts";

/** Header, and the two length fields of an UPDATE. */
const FIXED = HEADER_LENGTH + 4;
const FIRST_CAPACITY = 64 * 1024;

/** Where prefixes are read from: a table that knows them by number. */
export interface NlriTable {
  /** Octets of the prefix's NLRI. */
  nlriLength(id: number): number;
  /** Writes it; returns where it ends. */
  write(id: number, octets: Uint8Array, at: number): number;
}

const NOTHING = new Uint8Array(0);

/**
 * Whether a prefix of so many octets of NLRI, path identifier included, fits into a message beside these attributes.
 * One
 * that does not has to be withdrawn from the peer (RFC 4271 9.2, RFC 8654 4).
 */
export function fits(
  attributesLength: number,
  nextHop: Uint8Array | undefined,
  nlriLength: number,
  maxLength: number,
): boolean {
  const reach = nextHop === undefined ? 0 : 5 + nextHop.length + (5 + nextHop.length + nlriLength > 255 ? 4 : 3);
  return FIXED + attributesLength + reach + nlriLength <= maxLength;
}

export class UpdateWriter {
  readonly #maxLength: number;
  #octets = new Uint8Array(FIRST_CAPACITY);
  #position = 0;
  /** What the messages of one run have in common. */
  #family: Family = 4;
  /** In MP_REACH_NLRI or MP_UNREACH_NLRI. */
  #multiprotocol = false;
  #withdraws = false;
  /** Of MP_REACH_NLRI. */
  #nextHop: Uint8Array = NOTHING;
  #attributes: Uint8Array = NOTHING;
  #attributesStart = 0;
  #attributesEnd = 0;
  #tailLength = 0;
  /** Of the message being written: where it starts, where its prefixes start and go on; -1: none is being written. */
  #start = -1;
  #nlriStart = 0;
  #at = 0;
  #messages = 0;

  constructor(maxLength: number) {
    this.#maxLength = maxLength;
  }

  /** Messages since the last {@link take}; what is being written is ended first. */
  get messages(): number {
    this.#flush();
    return this.#messages;
  }

  /** Octets of whole messages so far; what is being written is ended first. */
  get position(): number {
    this.#flush();
    return this.#position;
  }

  /**
   * From now on prefixes are announced with these attributes: everything of the set but MP_REACH_NLRI, as it is sent.
   * `nextHop`: goes into MP_REACH_NLRI; undefined: IPv4 routes in the message's own field.
   */
  announce(
    family: Family,
    nextHop: Uint8Array | undefined,
    attributes: Uint8Array,
    attributesStart: number,
    attributesEnd: number,
  ): void {
    this.#flush();
    this.#family = family;
    this.#multiprotocol = nextHop !== undefined;
    this.#withdraws = false;
    this.#nextHop = nextHop ?? NOTHING;
    this.#attributes = attributes;
    this.#attributesStart = attributesStart;
    this.#attributesEnd = attributesEnd;
    this.#tailLength = this.#multiprotocol ? attributesEnd - attributesStart : 0;
  }

  /** From now on prefixes are withdrawn. */
  withdraw(family: Family): void {
    this.#flush();
    this.#family = family;
    this.#multiprotocol = family === 6;
    this.#withdraws = true;
    this.#nextHop = NOTHING;
    this.#attributes = NOTHING;
    this.#attributesStart = 0;
    this.#attributesEnd = 0;
    this.#tailLength = this.#multiprotocol ? 0 : 2;
  }

  /** After {@link announce} or {@link withdraw}. */
  add(table: NlriTable, id: number, pathId: number | undefined): void {
    const length = table.nlriLength(id) + (pathId === undefined ? 0 : 4);
    if (this.#start >= 0 && this.#at + length + this.#tailLength - this.#start > this.#maxLength) this.#flush();
    if (this.#start < 0) this.#begin();
    if (pathId !== undefined) {
      putU32(this.#octets, this.#at, pathId);
      this.#at += 4;
    }
    this.#at = table.write(id, this.#octets, this.#at);
  }

  endOfRib(family: Family): void {
    this.#flush();
    const message = encodeEndOfRib(family);
    this.#reserve(message.length);
    this.#octets.set(message, this.#position);
    this.#position += message.length;
    this.#messages++;
  }

  /** The messages, in an array of their own. */
  take(): Uint8Array {
    const octets = this.#octets.slice(0, this.position);
    this.#position = 0;
    this.#messages = 0;
    return octets;
  }

  #begin(): void {
    const withdraws = this.#withdraws;
    const nextHop = this.#nextHop;
    this.#reserve(this.#maxLength);
    const octets = this.#octets;
    const start = this.#position;
    octets.fill(0xff, start, start + 16);
    octets[start + 18] = MessageType.Update;
    this.#start = start;
    let at = start + HEADER_LENGTH;
    putU16(octets, at, 0);
    at += 2;
    if (this.#multiprotocol) {
      // RFC 7606 5.1: first of all, so that a receiver finds the routes whatever follows.
      octets[at + 2] = AttributeFlag.Optional | AttributeFlag.ExtendedLength;
      octets[at + 3] = withdraws ? AttributeType.MpUnreach : AttributeType.MpReach;
      at += 6;
      octets[at++] = 0;
      octets[at++] = afiOf(this.#family);
      octets[at++] = SAFI_UNICAST;
      if (!withdraws) {
        octets[at++] = nextHop.length;
        for (let i = 0; i < nextHop.length; i++) octets[at++] = nextHop[i] as number;
        octets[at++] = 0;
      }
    } else if (!withdraws) {
      putU16(octets, at, this.#attributesEnd - this.#attributesStart);
      at = this.#putAttributes(at + 2);
    }
    this.#nlriStart = at;
    this.#at = at;
  }

  /** Ends the message being written. */
  #flush(): void {
    const start = this.#start;
    if (start < 0) return;
    const octets = this.#octets;
    if (this.#multiprotocol) {
      this.#finishMultiprotocol();
      this.#at = this.#putAttributes(this.#at);
      putU16(octets, start + FIXED - 2, this.#at - start - FIXED);
    } else if (this.#withdraws) {
      putU16(octets, start + HEADER_LENGTH, this.#at - this.#nlriStart);
      putU16(octets, this.#at, 0);
      this.#at += 2;
    }
    putU16(octets, start + 16, this.#at - start);
    this.#position = this.#at;
    this.#start = -1;
    this.#messages++;
  }

  #putAttributes(at: number): number {
    const octets = this.#octets;
    const attributes = this.#attributes;
    const end = this.#attributesEnd;
    for (let i = this.#attributesStart; i < end; i++) octets[at++] = attributes[i] as number;
    return at;
  }

  /**
   * The attribute at the front of the list gets its length, in one octet where that is enough: the long form is for
   * values over 255 octets (RFC 4271 4.3).
   */
  #finishMultiprotocol(): void {
    const octets = this.#octets;
    const attribute = this.#start + FIXED;
    const length = this.#at - attribute - 4;
    if (length > 255) {
      putU16(octets, attribute + 2, length);
      return;
    }
    octets[attribute] = AttributeFlag.Optional;
    octets[attribute + 2] = length;
    octets.copyWithin(attribute + 3, attribute + 4, this.#at);
    this.#at--;
  }

  #reserve(more: number): void {
    const needed = this.#position + more;
    if (needed <= this.#octets.length) return;
    const octets = new Uint8Array(Math.max(this.#octets.length * 2, needed));
    octets.set(this.#octets.subarray(0, this.#position));
    this.#octets = octets;
  }
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
