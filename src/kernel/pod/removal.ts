/**
 * Removes host ends, many at a time.
 *
 * Deleting a link ends in a barrier of about 20 ms in the kernel, which serves any number of links at once. So the
 * names that wait together are put into a link group of our own and the group is deleted in one request, which sleeps
 * on a pool thread. Each removal is answered when the kernel says that the link is gone, well before its barrier ends.
 */

import { watchMessages } from "../monitor.ts";
import { RequestBatch } from "../netlink/batch.ts";
import { RTM_DELLINK, RTMGRP_LINK } from "../netlink/constants.ts";
import { deleteLinkGroup, readLink, setLinkGroup } from "../netlink/link.ts";
import { NetlinkSocket, type Refused, refusalError } from "../netlink/socket.ts";

/** With four, back-to-back single deletes were held up by the barriers of those before. */
const MAX_IN_FLIGHT = 12;
/** "ov" in front: groups 0x6f760000 to 0x6f76ffff are ours. A group that anybody shares would be deleted with it. */
const GROUP_BASE = 0x6f760000;

interface Waiter {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

export class PodRemoval {
  readonly #netns: string | undefined;
  readonly #control: NetlinkSocket;
  readonly #idle: NetlinkSocket[] = [];
  readonly #waiters = new Map<string, Waiter>();
  #queue: string[] = [];
  #inFlight = 0;
  #scheduled = false;
  #groups = 0;
  #unwatch: (() => void) | undefined;
  #closed = false;

  constructor(netns: string | undefined) {
    this.#netns = netns;
    this.#control = NetlinkSocket.open(netns);
  }

  /** Resolves when the link is gone; at once when there was none. */
  remove(name: string): Promise<void> {
    const waiting = this.#waiters.get(name);
    if (waiting !== undefined) return waiting.promise;
    this.#unwatch ??= this.#watch();
    const waiter: Waiter = Promise.withResolvers<void>();
    this.#waiters.set(name, waiter);
    this.#queue.push(name);
    this.#schedule();
    return waiter.promise;
  }

  /** Lets go of the sockets once what is in flight is done. */
  close(): void {
    this.#closed = true;
    this.#unwatch?.();
    if (this.#inFlight > 0) return;
    this.#control.close();
    for (const socket of this.#idle) socket.close();
  }

  #watch(): () => void {
    const listener = {
      messages: (messages: readonly { type: number; payload: Uint8Array }[]) => {
        for (const message of messages) {
          // Family 0: a bridge says DELLINK of a port that merely left it, with family 7.
          if (message.type !== RTM_DELLINK || message.payload[0] !== 0) continue;
          this.#done(readLink({ flags: 0, sequence: 0, ...message }).name);
        }
      },
      // What was missed is answered when its delete returns.
      doubt: () => undefined,
    };
    return watchMessages(RTMGRP_LINK, listener, this.#netns === undefined ? {} : { netns: this.#netns });
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight >= MAX_IN_FLIGHT || this.#queue.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush().catch(() => undefined);
    });
  }

  async #flush(): Promise<void> {
    const group = GROUP_BASE + (this.#groups++ & 0xffff);
    const names = this.#gather(group);
    if (names.length === 0) return;
    this.#inFlight++;
    const socket = this.#idle.pop() ?? NetlinkSocket.open(this.#netns);
    const batch = new RequestBatch();
    deleteLinkGroup(batch, group);
    try {
      const [refused] = await socket.executeFromPool(batch);
      for (const name of names) this.#done(name, refused);
    } catch (error) {
      for (const name of names) this.#done(name, { index: 0, errno: (error as { code: string }).code, text: "" });
    }
    this.#inFlight--;
    this.#idle.push(socket);
    if (this.#closed) this.close();
    else this.#schedule();
  }

  /** Puts the links of the queue into the group; those that cannot be are answered. Gives the others. */
  #gather(group: number): string[] {
    const names = this.#queue;
    this.#queue = [];
    const batch = new RequestBatch();
    for (const name of names) setLinkGroup(batch, { name }, group);
    const refused = new Map(this.#control.execute(batch).map((refusal) => [refusal.index, refusal]));
    for (const [i, name] of names.entries()) if (refused.has(i)) this.#done(name, refused.get(i));
    return names.filter((_, i) => !refused.has(i));
  }

  #done(name: string, refused?: Refused): void {
    const waiter = this.#waiters.get(name);
    if (waiter === undefined) return;
    this.#waiters.delete(name);
    // ENODEV: there is no such link, which is what was wanted.
    if (refused === undefined || refused.errno === "ENODEV") waiter.resolve();
    else waiter.reject(refusalError(`removing ${name}`, refused));
  }
}
