/**
 * Where a recording lies while it is only remembered: entries one after the other in segments of octets.
 *
 * Octets from a socket are copied here, 64 kB in some microseconds, and not kept by reference: a chunk that is kept
 * outlives the young generation of the heap, costs a whole collection to get rid of, and is not ours alone. An entry of
 * the segments makes no object. What is not octets (peers, networks) is kept as the value it is, by number.
 */

/** Segments are filled and forgotten as a whole. */
export const SEGMENT_OCTETS = 128 * 1024;
/** Kind, time, connection or number of a value, length of the octets. */
const HEADER_OCTETS = 17;

export const EntryKind = { Received: 1, Value: 2, Worked: 3 } as const;

export interface Entry {
  kind: number;
  /** Milliseconds on the speaker's clock. */
  time: number;
  /** Of `Received`: the connection. Of `Value`: what {@link Segment.values} has it under. */
  number: number;
  /** Of `Received`; in place, so good until the segment is forgotten. */
  octets: Uint8Array;
}

const NOTHING = new Uint8Array(0);

export class Segment {
  readonly octets = new Uint8Array(SEGMENT_OCTETS);
  readonly #view = new DataView(this.octets.buffer);
  readonly values: unknown[] = [];
  /** Octets that the values take, guessed. */
  weight = 0;
  used = 0;

  /** How many octets of a chunk still fit; 0: no entry does. */
  room(): number {
    return Math.max(0, SEGMENT_OCTETS - this.used - HEADER_OCTETS);
  }

  addOctets(time: number, connection: number, octets: Uint8Array): void {
    this.#addHeader(EntryKind.Received, time, connection, octets.length);
    this.octets.set(octets, this.used);
    this.used += octets.length;
  }

  addValue(time: number, value: unknown, weight: number): void {
    this.#addHeader(EntryKind.Value, time, this.values.length, 0);
    this.values.push(value);
    this.weight += weight;
  }

  addWorked(time: number): void {
    this.#addHeader(EntryKind.Worked, time, 0, 0);
  }

  /** The same entry object each time. */
  *entries(): IterableIterator<Readonly<Entry>> {
    const entry: Entry = { kind: 0, time: 0, number: 0, octets: NOTHING };
    for (let at = 0; at < this.used; ) {
      const start = at + HEADER_OCTETS;
      const length = this.#view.getUint32(at + 13);
      entry.kind = this.octets[at] as number;
      entry.time = this.#view.getFloat64(at + 1);
      entry.number = this.#view.getUint32(at + 9);
      entry.octets = this.octets.subarray(start, start + length);
      at = start + length;
      yield entry;
    }
  }

  /** As it is now, whatever is added later. */
  copy(): Segment {
    const copy = new Segment();
    copy.octets.set(this.octets.subarray(0, this.used));
    copy.values.push(...this.values);
    copy.used = this.used;
    return copy;
  }

  clear(): void {
    this.used = 0;
    this.weight = 0;
    this.values.length = 0;
  }

  #addHeader(kind: number, time: number, number: number, length: number): void {
    const at = this.used;
    this.octets[at] = kind;
    this.#view.setFloat64(at + 1, time);
    this.#view.setUint32(at + 9, number);
    this.#view.setUint32(at + 13, length);
    this.used += HEADER_OCTETS;
  }
}
