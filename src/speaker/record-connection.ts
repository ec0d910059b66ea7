/**
 * What a recording keeps of a connection once its octets are forgotten: how it was opened, and how much is missing.
 *
 * The opening is everything up to the peer's first KEEPALIVE, which makes the session Established: without it the rest
 * could not be replayed. Behind it octets go by whole messages, so that what is left begins with a message.
 */
import type { Fact } from "../../bgp/facts.ts";
import { HEADER_LENGTH, MessageType } from "../../bgp/wire/codes.ts";
import { u16 } from "../../bgp/wire/octets.ts";

/** Follows the messages in a stream of octets, wherever it was cut. */
class MessageBounds {
  readonly #header = new Uint8Array(HEADER_LENGTH);
  #have = 0;
  #left = 0;

  get midMessage(): boolean {
    return this.#have > 0;
  }

  /** Type of the message whose end was found last. */
  get type(): number {
    return this.#header[HEADER_LENGTH - 1] as number;
  }

  /** Where the message that begins or goes on at `at` ends; undefined: not within these octets. */
  next(octets: Uint8Array, at: number): number | undefined {
    let position = at;
    for (; this.#have < HEADER_LENGTH; position++) {
      if (position >= octets.length) return undefined;
      this.#header[this.#have++] = octets[position] as number;
      if (this.#have === HEADER_LENGTH) this.#left = Math.max(0, u16(this.#header, 16) - HEADER_LENGTH);
    }
    const taken = Math.min(this.#left, octets.length - position);
    this.#left -= taken;
    if (this.#left > 0) return undefined;
    this.#have = 0;
    return position + taken;
  }

  copy(): MessageBounds {
    const copy = new MessageBounds();
    copy.#header.set(this.#header);
    copy.#have = this.#have;
    copy.#left = this.#left;
    return copy;
  }
}

type Opened = Extract<Fact, { kind: "connected" | "accepted" }>;

export class ConnectionPast {
  /** The peer that this speaker dialled; undefined: the other side opened the connection. */
  readonly dialled: string | undefined;
  /** Undefined while dialling. */
  opened: Opened | undefined;
  congested = false;
  missing = { messages: 0, octets: 0 };
  #opening: Uint8Array[] = [];
  #inOpening = true;
  #bounds = new MessageBounds();

  constructor(dialled: string | undefined, opened?: Opened) {
    this.dialled = dialled;
    this.opened = opened;
  }

  /** Octets up to the first KEEPALIVE, as far as they have been forgotten. */
  get opening(): readonly Uint8Array[] {
    return this.#opening;
  }

  /** Octets that come next in the stream are to be forgotten. */
  forget(octets: Uint8Array): void {
    for (let at = 0; at < octets.length; ) {
      if (!this.#inOpening && !this.#bounds.midMessage) {
        at = this.#forgetWhole(octets, at);
        if (at === octets.length) return;
      }
      const end = this.#bounds.next(octets, at);
      const stop = end ?? octets.length;
      if (this.#inOpening) this.#opening.push(octets.slice(at, stop));
      else this.missing.octets += stop - at;
      if (end !== undefined && !this.#inOpening) this.missing.messages++;
      if (end !== undefined && this.#bounds.type === MessageType.Keepalive) this.#inOpening = false;
      at = stop;
    }
  }

  /** Whole messages in a row, which is nearly all there is; returns where the first starts that is not whole. */
  #forgetWhole(octets: Uint8Array, start: number): number {
    let at = start;
    while (at + HEADER_LENGTH <= octets.length) {
      const end = at + Math.max(HEADER_LENGTH, u16(octets, at + 16));
      if (end > octets.length) break;
      this.missing.messages++;
      at = end;
    }
    this.missing.octets += at - start;
    return at;
  }

  /** The rest of a message whose front is forgotten already goes too; returns how many of the octets those are. */
  forgetRestOfMessage(octets: Uint8Array): number {
    if (this.#inOpening || !this.#bounds.midMessage) return 0;
    const end = this.#bounds.next(octets, 0);
    this.missing.octets += end ?? octets.length;
    if (end !== undefined) this.missing.messages++;
    return end ?? octets.length;
  }

  copy(): ConnectionPast {
    const copy = new ConnectionPast(this.dialled, this.opened);
    copy.congested = this.congested;
    copy.missing = { ...this.missing };
    copy.#opening = [...this.#opening];
    copy.#inOpening = this.#inOpening;
    copy.#bounds = this.#bounds.copy();
    return copy;
  }
}
