/**
 * How late the device's keepalives come. A watcher offers a hold time of three seconds, so the device owes it a
 * KEEPALIVE at least every second (RFC 4271 section 10 lets it come up to a quarter earlier, never later). Several
 * watchers, dialled a part of a second apart, leave no moment unwatched.
 */
import { TYPE } from "./message.ts";
import { MessageStream } from "./message-stream.ts";

export const WATCHER_HOLD_TIME = 3;
const OWED_EVERY_MS = 1000;

export class KeepaliveWatch {
  #last: number | undefined;
  #longest = 0;
  readonly #stream = new MessageStream((octets, from) => this.#message(octets[from + 18] as number));

  push(octets: Uint8Array): void {
    this.#stream.push(octets);
  }

  /** The worst lateness so far in ms, what is owed at this moment included. */
  lateness(now: number): number {
    const waiting = this.#last === undefined ? 0 : now - this.#last;
    return Math.max(0, Math.max(this.#longest, waiting) - OWED_EVERY_MS);
  }

  /** Forgets what was before. */
  restart(): void {
    this.#longest = 0;
  }

  #message(type: number): void {
    if (type !== TYPE.keepalive) return;
    const now = performance.now();
    if (this.#last !== undefined) this.#longest = Math.max(this.#longest, now - this.#last);
    this.#last = now;
  }
}
