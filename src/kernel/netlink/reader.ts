/** What the kernel answers, read in place: messages of a datagram and attributes of a message. Pure code. */
import { HEADER_LENGTH, HOST_IS_LITTLE } from "./batch.ts";
import { NLA_TYPE_MASK, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLMSG_ERROR } from "./constants.ts";

/** One message: its header and the octets behind it, still in the receive buffer. */
export interface Message {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

export function messagesIn(datagram: Uint8Array): Message[] {
  const messages: Message[] = [];
  visitMessages(datagram, datagram.length, (type, flags, sequence, start, end) => {
    messages.push({ type, flags, sequence, payload: datagram.subarray(start, end) });
  });
  return messages;
}

/** The messages in the first `length` octets, each as its header's fields and where its payload starts and ends. */
export function visitMessages(
  octets: Uint8Array,
  length: number,
  visit: (type: number, flags: number, sequence: number, start: number, end: number) => void,
): void {
  for (let at = 0; at + HEADER_LENGTH <= length; ) {
    const size = readU32(octets, at);
    if (size < HEADER_LENGTH || at + size > length) return;
    visit(readU16(octets, at + 4), readU16(octets, at + 6), readU32(octets, at + 8), at + HEADER_LENGTH, at + size);
    at += (size + 3) & ~3;
  }
}

/**
 * Attributes by type, from the offset to the end; values are views. The last of a repeated type wins, as in the
 * kernel.
 */
export function attributesIn(bytes: Uint8Array, offset: number): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  visitAttributes(bytes, offset, (type, start, end) => {
    attributes.set(type, bytes.subarray(start, end));
  });
  return attributes;
}

/** The first attribute of the type, where the others are of no interest. */
export function attributeIn(bytes: Uint8Array, offset: number, wanted: number): Uint8Array | undefined {
  let found: Uint8Array | undefined;
  visitAttributes(bytes, offset, (type, start, end) => {
    if (type === wanted) found ??= bytes.subarray(start, end);
    return found !== undefined;
  });
  return found;
}

/** Until one says true. */
function visitAttributes(
  bytes: Uint8Array,
  offset: number,
  visit: (type: number, start: number, end: number) => unknown,
): void {
  for (let at = offset; at + 4 <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < 4 || at + length > bytes.length) return;
    if (visit(readU16(bytes, at + 2) & NLA_TYPE_MASK, at + 4, at + length) === true) return;
    at += (length + 3) & ~3;
  }
}

export function readU16(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  const second = bytes[at + 1] as number;
  return HOST_IS_LITTLE ? first | (second << 8) : (first << 8) | second;
}

export function readU32(bytes: Uint8Array, at: number): number {
  return HOST_IS_LITTLE
    ? (readU16(bytes, at) | (readU16(bytes, at + 2) << 16)) >>> 0
    : ((readU16(bytes, at) << 16) | readU16(bytes, at + 2)) >>> 0;
}

const UTF8 = new TextDecoder();

/** A name as the kernel writes it: text up to the NUL. */
export function readText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return UTF8.decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** What an NLMSG_ERROR message says: errno 0 is the acknowledgement; text where the kernel gives a reason. */
export function readError(message: Message): { readonly errno: number; readonly text: string } {
  const errno = -(readU32(message.payload, 0) | 0);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno, text: "" };
  const repeated = (message.flags & NLM_F_CAPPED) === 0 ? readU32(message.payload, 4) : HEADER_LENGTH;
  const text = attributesIn(message.payload, 4 + ((repeated + 3) & ~3)).get(1);
  return { errno, text: text === undefined ? "" : readText(text) };
}

export function isError(message: Message): boolean {
  return message.type === NLMSG_ERROR;
}
