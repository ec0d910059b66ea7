/**
 * What arrives while the clock runs is only copied and stamped with its time; what it means is worked out when the
 * wire is quiet. So the generator costs little more than the copy, and the moment at which the last prefix became
 * right is known exactly all the same.
 */

export interface Chunk {
  readonly session: number;
  /** ms, of performance.now() */
  readonly time: number;
  readonly bytes: Uint8Array;
}

const SEGMENT = 8 << 20;

export class Recording {
  lastArrival = 0;
  /** Octets not read yet. */
  waiting = 0;
  #chunks: Chunk[] = [];
  #next = 0;
  readonly #segments: Buffer[] = [];
  #segment = 0;
  #used = 0;

  /** Memory for so many octets, touched now so that it costs no page faults later. */
  reserve(octets: number): void {
    while (this.#segments.length * SEGMENT < octets) this.#segments.push(Buffer.alloc(SEGMENT, 1));
  }

  add(session: number, source: Uint8Array, from: number, to: number): void {
    const length = to - from;
    if (this.#used + length > SEGMENT) {
      this.#segment++;
      this.#used = 0;
    }
    const segment = (this.#segments[this.#segment] ??= Buffer.allocUnsafeSlow(SEGMENT));
    const bytes = segment.subarray(this.#used, this.#used + length);
    bytes.set(source.subarray(from, to));
    this.#used += length;
    this.waiting += length;
    this.lastArrival = performance.now();
    this.#chunks.push({ session, time: this.lastArrival, bytes });
  }

  /** The next chunk in order of arrival; it is valid until the next call. */
  next(): Chunk | undefined {
    const chunk = this.#chunks[this.#next++];
    if (chunk !== undefined) {
      this.waiting -= chunk.bytes.length;
      return chunk;
    }
    this.#chunks = [];
    this.#next = this.#segment = this.#used = 0;
    return undefined;
  }
}
