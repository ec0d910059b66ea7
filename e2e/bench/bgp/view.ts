/**
 * What the receivers hold, prefix by prefix, and in how many places that differs from what they should hold.
 *
 * A place is right when the path has the length of the shortest on offer (and the device's own hop before it), and
 * came from a sender that offers just that; or when there is none and none is wanted.
 */
import { senderByAddress, senderByAs } from "./addresses.ts";
import { HEADER, read16, read32, TYPE } from "./message.ts";
import { MessageStream } from "./message-stream.ts";
import { EVERYONE, type Routes } from "./routes.ts";

const [NONE, BAD] = [0, 255];
const AS_PATH = 2;
const NEXT_HOP = 3;
const EXTENDED_LENGTH = 0x10;

export interface Receiver {
  readonly session: number;
  /** As a sender it does not receive its own prefixes. */
  readonly sender: number | undefined;
}

export interface Terms {
  readonly routes: Routes;
  readonly receivers: readonly Receiver[];
  /** The device's AS number, which it puts in front; undefined where it adds none. */
  readonly prepended: number | undefined;
  /** Senders are told apart by next hop, not by the AS path. */
  readonly internal: boolean;
}

export class View {
  /** Places that are not right. */
  wrong = 0;
  readonly counts = { updates: 0, announced: 0, withdrawn: 0, unknown: 0 };
  /** When the first prefix arrived, ms. */
  firstRoute: number | undefined;
  readonly #terms: Terms;
  /** By prefix: hops + 1, or {@link NONE}. */
  #wanted: Uint8Array;
  readonly #held = new Map<number, Held>();
  readonly #streams = new Map<number, MessageStream>();
  #now = 0;

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#wanted = new Uint8Array(terms.routes.count);
    for (const { session, sender } of terms.receivers) {
      const held: Held = { hops: new Uint8Array(terms.routes.count), sender: sender ?? EVERYONE };
      this.#held.set(session, held);
      this.#streams.set(session, new MessageStream((octets, from, to) => this.#message(held, octets, from, to)));
    }
  }

  /** From now on this is right: the hops of each prefix's path as the senders offer it; undefined: no prefix at all. */
  want(hops: Uint8Array | undefined): void {
    this.#wanted = hops?.map((count) => count + 1) ?? new Uint8Array(this.#terms.routes.count);
    this.wrong = 0;
    const { ownerOf } = this.#terms.routes;
    for (const held of this.#held.values()) {
      for (let i = 0; i < ownerOf.length; i++) {
        if (held.hops[i] !== this.#wanted[i] && !isOwn(held, ownerOf[i] as number)) this.wrong++;
      }
    }
  }

  read(session: number, bytes: Uint8Array, time: number): void {
    this.#now = time;
    this.#streams.get(session)?.push(bytes);
  }

  #message(held: Held, octets: Uint8Array, from: number, to: number): void {
    if (octets[from + 18] !== TYPE.update) return;
    this.counts.updates++;
    const withdrawnEnd = from + HEADER + 2 + read16(octets, from + HEADER);
    const attributesEnd = withdrawnEnd + 2 + read16(octets, withdrawnEnd);
    this.#set(held, octets, from + HEADER + 2, withdrawnEnd, NONE);
    if (attributesEnd === to) return;
    this.firstRoute ??= this.#now;
    const { hops, sender } = this.#path(octets, withdrawnEnd + 2, attributesEnd);
    this.#set(held, octets, attributesEnd, to, hops + 1, sender);
  }

  /** Hops as the sender announced them, and who it was. */
  #path(octets: Uint8Array, from: number, to: number): { hops: number; sender: number } {
    let hops = 0;
    let sender = -1;
    for (let at = from; at < to; ) {
      const extended = ((octets[at] as number) & EXTENDED_LENGTH) !== 0;
      const type = octets[at + 1];
      const length = extended ? read16(octets, at + 2) : (octets[at + 2] as number);
      at += extended ? 4 : 3;
      if (type === NEXT_HOP && this.#terms.internal) sender = senderByAddress(read32(octets, at));
      if (type === AS_PATH && length > 0) {
        // One segment: no device has a reason to make more of the one sequence that it gets.
        const own = this.#terms.prepended === undefined ? 0 : 1;
        hops = (octets[at + 1] as number) - own;
        const whole = length === 2 + 4 * (hops + own) && hops > 0;
        const prepended = own === 0 || read32(octets, at + 2) === this.#terms.prepended;
        if (whole && prepended) sender = senderByAs(read32(octets, at + 2 + 4 * own));
      }
      at += length;
    }
    return { hops, sender };
  }

  #set(held: Held, octets: Uint8Array, from: number, to: number, hops: number, sender = -1): void {
    const { index, setOf, ownerOf } = this.#terms.routes;
    for (let at = from; at < to; ) {
      const length = octets[at++] as number;
      let address = 0;
      for (let shift = 24; shift > 24 - length; shift -= 8) address |= (octets[at++] as number) << shift;
      const prefix = index.get(address >>> 0, length);
      if (prefix < 0) {
        this.counts.unknown++;
        continue;
      }
      if (hops === NONE) this.counts.withdrawn++;
      else this.counts.announced++;
      if (isOwn(held, ownerOf[prefix] as number)) continue;
      const offered = hops === NONE || this.#terms.routes.hops(sender, setOf[prefix] as number) === hops - 1;
      const [before, wanted] = [held.hops[prefix] as number, this.#wanted[prefix] as number];
      const after = offered ? hops : BAD;
      this.wrong += (before === wanted ? 1 : 0) - (after === wanted ? 1 : 0);
      held.hops[prefix] = after;
    }
  }
}

interface Held {
  readonly hops: Uint8Array;
  readonly sender: number;
}

function isOwn(held: Held, owner: number): boolean {
  return owner === held.sender && owner !== EVERYONE;
}
