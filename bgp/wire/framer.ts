/** Cuts a TCP stream into BGP messages (RFC 4271 4.1, checks of 6.1). */
import { ErrorCode, HEADER_LENGTH, MAX_MESSAGE_LENGTH, MessageType } from "./codes.ts";
import { type Fault, resetFault } from "./fault.ts";
import { octetsOfU16, putU16, u16 } from "./octets.ts";

/** Never longer than 4096 octets, whatever was agreed (RFC 8654 4). */
const ALWAYS_SHORT: readonly number[] = [MessageType.Open, MessageType.Keepalive];

/** One message as it came: `body` is what follows the header, a view into the stream's own chunk where possible. */
export interface RawMessage {
  readonly type: number;
  readonly body: Uint8Array;
}

/** Least length of each type, header included. */
const MIN_LENGTH: Readonly<Record<number, number>> = {
  [MessageType.Open]: 29,
  [MessageType.Update]: 23,
  [MessageType.Notification]: 21,
  [MessageType.Keepalive]: 19,
  [MessageType.RouteRefresh]: 23,
};

export class Framer {
  /** Longest message the peer may send: more once both sides said so (RFC 8654). */
  maxLength = MAX_MESSAGE_LENGTH;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** Chunks behind #chunk that do not make its message whole yet: joined once they do. */
  #more: Uint8Array[] = [];
  #moreLength = 0;

  push(chunk: Uint8Array): void {
    // A plain Uint8Array over the same memory: slice() of a subclass (Node's Buffer) would share it instead of copying.
    const octets = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    const rest = this.#chunk.length - this.#at;
    if (rest === 0 && this.#more.length === 0) {
      this.#chunk = octets;
      this.#at = 0;
      return;
    }
    this.#more.push(octets);
    this.#moreLength += octets.length;
    const wanted = rest >= HEADER_LENGTH ? u16(this.#chunk, this.#at + 16) : 0;
    if (rest + this.#moreLength >= wanted) this.#join();
  }

  #join(): void {
    const rest = this.#chunk.length - this.#at;
    const joined = new Uint8Array(rest + this.#moreLength);
    joined.set(this.#chunk.subarray(this.#at), 0);
    let at = rest;
    for (const octets of this.#more) {
      joined.set(octets, at);
      at += octets.length;
    }
    this.#chunk = joined;
    this.#at = 0;
    this.#more = [];
    this.#moreLength = 0;
  }

  /** The next whole message; undefined when more octets are needed; a fault when the stream cannot be read on. */
  next(): RawMessage | Fault | undefined {
    const start = this.#at;
    const available = this.#chunk.length - start;
    // The marker is checked as far as it has come: garbage is answered without waiting for a whole header.
    for (let i = 0; i < Math.min(16, available); i++) {
      if (this.#chunk[start + i] !== 0xff) return resetFault(ErrorCode.Header, 1, "the marker is not all ones");
    }
    if (available < HEADER_LENGTH) return undefined;
    const length = u16(this.#chunk, start + 16);
    const type = this.#chunk[start + 18] as number;
    const fault = headerFault(length, type, this.maxLength);
    if (fault !== undefined) return fault;
    if (available < length) return undefined;
    this.#at = start + length;
    return { type, body: this.#chunk.subarray(start + HEADER_LENGTH, start + length) };
  }
}

function headerFault(length: number, type: number, maxLength: number): Fault | undefined {
  const most = ALWAYS_SHORT.includes(type) ? MAX_MESSAGE_LENGTH : maxLength;
  if (length < HEADER_LENGTH || length > most) {
    return resetFault(ErrorCode.Header, 2, `message length ${length} is out of range`, octetsOfU16(length));
  }
  const least = MIN_LENGTH[type];
  if (least === undefined) {
    return resetFault(ErrorCode.Header, 3, `message type ${type} is unknown`, Uint8Array.of(type));
  }
  const exact = type === MessageType.Keepalive;
  if (length < least || (exact && length !== least)) {
    return resetFault(ErrorCode.Header, 2, `message of type ${type} has length ${length}`, octetsOfU16(length));
  }
  return undefined;
}

/** A whole message: header and body. */
export function frame(type: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_LENGTH + body.length);
  message.fill(0xff, 0, 16);
  putU16(message, 16, message.length);
  message[18] = type;
  message.set(body, HEADER_LENGTH);
  return message;
}

export function encodeKeepalive(): Uint8Array {
  return frame(MessageType.Keepalive, new Uint8Array(0));
}
