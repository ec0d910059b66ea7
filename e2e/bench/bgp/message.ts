/** The few messages the generator needs, written by hand: nothing here shares code with the speaker it measures. */

export const HEADER = 19;
export const LONGEST = 4096;
export const TYPE = { open: 1, update: 2, notification: 3, keepalive: 4 };

const AS_TRANS = 23456;

/** Marker, length and type (RFC 4271 section 4.1). */
export function writeHeader(target: Uint8Array, at: number, length: number, type: number): void {
  target.fill(0xff, at, at + 16);
  target[at + 16] = length >>> 8;
  target[at + 17] = length & 0xff;
  target[at + 18] = type;
}

export function write32(target: Uint8Array, at: number, value: number): number {
  target[at] = value >>> 24;
  target[at + 1] = (value >>> 16) & 0xff;
  target[at + 2] = (value >>> 8) & 0xff;
  target[at + 3] = value & 0xff;
  return at + 4;
}

export function read16(source: Uint8Array, at: number): number {
  return ((source[at] as number) << 8) | (source[at + 1] as number);
}

export function read32(source: Uint8Array, at: number): number {
  return ((read16(source, at) << 16) | read16(source, at + 2)) >>> 0;
}

export function keepalive(): Uint8Array {
  const message = new Uint8Array(HEADER);
  writeHeader(message, 0, HEADER, TYPE.keepalive);
  return message;
}

/** IPv4 unicast, route refresh, four-octet AS numbers. */
export function open(terms: { asNumber: number; holdTime: number; routerId: number }): Uint8Array {
  const capabilities = [1, 4, 0, 1, 0, 1, 2, 0, 65, 4, 0, 0, 0, 0];
  const message = new Uint8Array(HEADER + 12 + capabilities.length);
  writeHeader(message, 0, message.length, TYPE.open);
  const short = terms.asNumber > 0xffff ? AS_TRANS : terms.asNumber;
  message.set([4, short >>> 8, short & 0xff, terms.holdTime >>> 8, terms.holdTime & 0xff], HEADER);
  write32(message, HEADER + 5, terms.routerId);
  message.set([capabilities.length + 2, 2, capabilities.length, ...capabilities], HEADER + 9);
  write32(message, message.length - 4, terms.asNumber);
  return message;
}

/** RFC 4724: an UPDATE that says nothing. */
export function endOfRib(): Uint8Array {
  const message = new Uint8Array(HEADER + 4);
  writeHeader(message, 0, message.length, TYPE.update);
  return message;
}

/** What a NOTIFICATION says, for people. */
export function describeNotification(message: Uint8Array): string {
  return `NOTIFICATION ${message[HEADER] ?? "?"}/${message[HEADER + 1] ?? "?"}`;
}
