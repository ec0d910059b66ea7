/**
 * Removes host ends, many at a time.
 *
 * Deleting a link ends in a barrier of about 20 ms in the kernel, which serves any number of links at once. So the
 * names that wait together are put into a link group of our own and the group is deleted, all in one datagram. It
 * sleeps on a pool thread, where it also waits for the kernel's lock, which the removal before it may have. Each one is
 * answered when the kernel says that the link is gone, well before its barrier ends.
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
  readonly name: string;
  readonly promise: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

export class PodRemoval {
  readonly #netns: string | undefined;
  readonly #idle: NetlinkSocket[] = [];
  /** By name; nothing has been asked of the kernel yet. */
  #queue = new Map<string, Waiter>();
  /** By group, then name: a name alone may come again while the end of its last link is still being told. */
  readonly #inFlight = new Map<number, Map<string, Waiter>>();
  #scheduled = false;
  #groups = 0;
  #unwatch: (() => void) | undefined;
  #closed = false;

  constructor(netns: string | undefined) {
    this.#netns = netns;
  }

  /** Resolves when the link is gone; at once when there was none. */
  remove(name: string): Promise<void> {
    const queued = this.#queue.get(name);
    if (queued !== undefined) return queued.promise;
    this.#unwatch ??= this.#watch();
    const waiter: Waiter = { name, ...Promise.withResolvers<void>() };
    this.#queue.set(name, waiter);
    this.#schedule();
    return waiter.promise;
  }

  /** Lets go of the sockets once what is in flight is done. */
  close(): void {
    this.#closed = true;
    this.#unwatch?.();
    if (this.#inFlight.size > 0) return;
    for (const socket of this.#idle) socket.close();
  }

  #watch(): () => void {
    const listener = {
      messages: (messages: readonly { type: number; payload: Uint8Array }[]) => {
        for (const message of messages) {
          // Family 0: a bridge says DELLINK of a port that merely left it, with family 7.
          if (message.payload[0] !== 0) continue;
          const { name, group } = readLink({ flags: 0, sequence: 0, ...message });
          settle(this.#inFlight.get(group)?.get(name));
        }
      },
      // What was missed is answered when its delete returns.
      doubt: () => undefined,
    };
    const where = this.#netns === undefined ? {} : { netns: this.#netns };
    return watchMessages(RTMGRP_LINK, listener, { ...where, onlyTypes: [RTM_DELLINK] });
  }

  #schedule(): void {
    if (this.#scheduled || this.#inFlight.size >= MAX_IN_FLIGHT || this.#queue.size === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush().catch(() => undefined);
    });
  }

  async #flush(): Promise<void> {
    const waiters = this.#queue;
    this.#queue = new Map();
    const group = GROUP_BASE + (this.#groups++ & 0xffff);
    this.#inFlight.set(group, waiters);
    const socket = this.#idle.pop() ?? NetlinkSocket.open(this.#netns);
    const names = [...waiters.keys()];
    const batch = new RequestBatch();
    for (const name of names) setLinkGroup(batch, { name }, group);
    deleteLinkGroup(batch, group);
    let refusals: readonly Refused[];
    try {
      refusals = await socket.executeFromPool(batch);
    } catch (error) {
      refusals = [{ index: names.length, errno: (error as { code: string }).code, text: "" }];
    }
    for (const refusal of refusals) settle(waiters.get(names[refusal.index] ?? ""), refusal);
    const ofGroup = refusals.find(({ index }) => index === names.length);
    for (const waiter of waiters.values()) settle(waiter, ofGroup);
    this.#inFlight.delete(group);
    this.#idle.push(socket);
    if (this.#closed) this.close();
    else this.#schedule();
  }
}

/** Settling once more changes nothing. */
function settle(waiter: Waiter | undefined, refused?: Refused): void {
  // ENODEV: there is no such link, which is what was wanted.
  if (refused === undefined || refused.errno === "ENODEV") waiter?.resolve();
  else waiter?.reject(refusalError(`removing ${waiter.name}`, refused));
}
