/**
 * All UPDATEs of one sender, encoded before the clock starts: one buffer that announces everything and one that
 * withdraws it. Every sender walks its attribute sets in an order of its own.
 */
import { AttributeWriter, type Terms } from "./attributes.ts";
import { Chance } from "./chance.ts";
import { endOfRib, HEADER, LONGEST, TYPE, writeHeader } from "./message.ts";
import type { Routes } from "./routes.ts";

const PURPOSE = 5;
/** Length octet and four octets of address. */
const LONGEST_NLRI = 5;

export interface Stream {
  readonly announce: Buffer;
  readonly withdraw: Buffer;
}

export function encodeStream(routes: Routes, senderNumber: number, terms: Terms): Stream {
  const { from, to } = routes.setsOf(senderNumber);
  const sets = Uint32Array.from({ length: to - from }, (_, i) => from + i);
  new Chance(terms.seed, PURPOSE, senderNumber).shuffle(sets);
  const announce = new Octets();
  const withdraw = new Octets();
  const attributes = new AttributeWriter(terms);
  for (const set of sets) {
    attributes.write(set, routes.hops(senderNumber, set));
    announceSet(announce, routes, set, attributes);
  }
  announce.append(endOfRib());
  withdrawSets(withdraw, routes, sets);
  return { announce: announce.take(), withdraw: withdraw.take() };
}

function announceSet(target: Octets, routes: Routes, set: number, attributes: AttributeWriter): void {
  const end = routes.setStart[set + 1] as number;
  for (let next = routes.setStart[set] as number; next < end; ) {
    const start = target.reserve(LONGEST);
    const { bytes } = target;
    bytes[start + HEADER] = 0;
    bytes[start + HEADER + 1] = 0;
    bytes[start + HEADER + 2] = attributes.length >>> 8;
    bytes[start + HEADER + 3] = attributes.length & 0xff;
    bytes.set(attributes.octets.subarray(0, attributes.length), start + HEADER + 4);
    let at = start + HEADER + 4 + attributes.length;
    while (next < end && at + LONGEST_NLRI <= start + LONGEST) at = writeNlri(bytes, at, routes, next++);
    writeHeader(bytes, start, at - start, TYPE.update);
    target.length = at;
  }
}

function withdrawSets(target: Octets, routes: Routes, sets: Uint32Array): void {
  let [start, at] = [0, 0];
  const finish = () => {
    const { bytes } = target;
    const length = at - start - HEADER - 2;
    bytes[start + HEADER] = length >>> 8;
    bytes[start + HEADER + 1] = length & 0xff;
    bytes[at] = 0;
    bytes[at + 1] = 0;
    writeHeader(bytes, start, at + 2 - start, TYPE.update);
    target.length = at + 2;
    at = 0;
  };
  for (const set of sets) {
    const end = routes.setStart[set + 1] as number;
    for (let i = routes.setStart[set] as number; i < end; i++) {
      if (at === 0) {
        start = target.reserve(LONGEST);
        at = start + HEADER + 2;
      }
      at = writeNlri(target.bytes, at, routes, i);
      if (at + LONGEST_NLRI + 2 > start + LONGEST) finish();
    }
  }
  if (at > 0) finish();
}

function writeNlri(bytes: Uint8Array, at: number, routes: Routes, prefix: number): number {
  const length = routes.lengths[prefix] as number;
  const address = routes.addresses[prefix] as number;
  bytes[at++] = length;
  for (let shift = 24; shift > 24 - length; shift -= 8) bytes[at++] = (address >>> shift) & 0xff;
  return at;
}

/** Octets that grow. */
class Octets {
  bytes = Buffer.allocUnsafeSlow(1 << 20);
  length = 0;

  /** Makes room and returns where it is. */
  reserve(octets: number): number {
    if (this.length + octets > this.bytes.length) {
      const bigger = Buffer.allocUnsafeSlow(this.bytes.length * 2);
      this.bytes.copy(bigger, 0, 0, this.length);
      this.bytes = bigger;
    }
    return this.length;
  }

  append(octets: Uint8Array): void {
    const at = this.reserve(octets.length);
    this.bytes.set(octets, at);
    this.length = at + octets.length;
  }

  take(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}
