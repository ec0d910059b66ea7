/** Whole messages out of octets as they arrive, read in place except where a message crosses two chunks. */
import { HEADER, read16 } from "./message.ts";

/** A message lies in the octets from … to (excluded), and only until the call returns. */
export type OnMessage = (octets: Uint8Array, from: number, to: number) => void;

export class MessageStream {
  readonly #onMessage: OnMessage;
  #rest = new Uint8Array(0);

  constructor(onMessage: OnMessage) {
    this.#onMessage = onMessage;
  }

  push(chunk: Uint8Array): void {
    let octets = chunk;
    if (this.#rest.length > 0) {
      octets = new Uint8Array(this.#rest.length + chunk.length);
      octets.set(this.#rest);
      octets.set(chunk, this.#rest.length);
    }
    let at = 0;
    while (at + HEADER <= octets.length) {
      const length = read16(octets, at + 16);
      if (length < HEADER) throw new Error(`the device sent a message of ${length} octets`);
      if (at + length > octets.length) break;
      this.#onMessage(octets, at, at + length);
      at += length;
    }
    this.#rest = octets.slice(at);
  }
}
