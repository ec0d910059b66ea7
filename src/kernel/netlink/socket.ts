/** A route-netlink socket: batches of requests with their failures, and dumps. Synchronous; bound to its namespace. */
import { close, errnoName, receive, send, sendFromPool, setSocketOption, socket } from "../ffi.ts";
import { inNetns } from "../netns.ts";
import type { RequestBatch } from "./batch.ts";
import { AF_NETLINK, NLM_F_DUMP_INTR, NLMSG_DONE } from "./constants.ts";
import { isError, type Message, messagesIn, readError } from "./reader.ts";

const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;

// The kernel answers within the send; ten seconds is "something is badly wrong", not a wait anybody will see.
const RECEIVE_TIMEOUT = new Uint8Array(BigInt64Array.of(10n, 0n).buffer);
const MAX_DUMP_ATTEMPTS = 10;

/**
 * A request the kernel refused: which of the batch (from 0), the errno's name, and the kernel's reason if it gave
 * one.
 */
export interface Refused {
  readonly index: number;
  readonly errno: string;
  readonly text: string;
}

/** What the wiring code asks of a socket; tests put one that fails in its place. */
export interface Netlink {
  execute(batch: RequestBatch): readonly Refused[];
  ask(batch: RequestBatch, visit: (message: Message) => void): Refused | undefined;
  close(): void;
}

/** Opens a raw route socket in the namespace (the process's own if none is named), with room for many answers. */
export function openRouteSocket(netns: string | undefined, receiveBuffer: number): number {
  const fd = inNetns(netns, () => socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer);
  return fd;
}

/** One buffer for all sockets: each reads synchronously to the end of its answer before another may. */
const RECEIVE_BUFFER = new Uint8Array(1 << 18);

export class NetlinkSocket implements Netlink {
  readonly #fd: number;
  #sequence = 1;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static open(netns?: string): NetlinkSocket {
    const fd = openRouteSocket(netns, 8 << 20);
    setSocketOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20);
    setSocketOption(fd, SOL_SOCKET, SO_RCVTIMEO, RECEIVE_TIMEOUT);
    setSocketOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setSocketOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    return new NetlinkSocket(fd);
  }

  close(): void {
    close(this.#fd);
  }

  /** Sends the requests in one datagram and gives those the kernel refused. It goes on after a refused one. */
  execute(batch: RequestBatch): readonly Refused[] {
    if (batch.count === 0) return [];
    const first = this.#number(batch);
    send(this.#fd, batch.seal(first));
    return this.#outcome(first, batch.count);
  }

  /** As {@link execute}, while the kernel's work sleeps on a pool thread. One at a time per socket. */
  async executeFromPool(batch: RequestBatch): Promise<readonly Refused[]> {
    const first = this.#number(batch);
    if (!(await sendFromPool(this.#fd, batch.seal(first)))) return [{ index: 0, errno: "EIO", text: "send failed" }];
    return this.#outcome(first, batch.count);
  }

  /**
   * Sends one request and hands over each message of the answer: a single object, or with NLM_F_DUMP all of them. A
   * dump the kernel says was disturbed by a change is not repeated here: see {@link dump}.
   */
  ask(batch: RequestBatch, visit: (message: Message) => void): Refused | undefined {
    const sequence = this.#number(batch);
    send(this.#fd, batch.seal(sequence));
    for (;;) {
      for (const message of this.#receive()) {
        if (message.sequence !== sequence) continue;
        if (isError(message)) return refusal(message, 0);
        if (message.type === NLMSG_DONE) return undefined;
        visit(message);
      }
    }
  }

  #number(batch: RequestBatch): number {
    const first = this.#sequence;
    this.#sequence = (this.#sequence + batch.count) & 0x7fffffff;
    return first;
  }

  #outcome(first: number, count: number): readonly Refused[] {
    const refused: Refused[] = [];
    for (;;) {
      for (const message of this.#receive()) {
        const index = message.sequence - first;
        if (!isError(message) || index < 0 || index >= count) continue;
        const failed = refusal(message, index);
        if (failed !== undefined) refused.push(failed);
        if (index === count - 1) return refused;
      }
    }
  }

  #receive(): Generator<Message> {
    return messagesIn(RECEIVE_BUFFER.subarray(0, receive(this.#fd, RECEIVE_BUFFER)));
  }
}

function refusal(message: Message, index: number): Refused | undefined {
  const { errno, text } = readError(message);
  return errno === 0 ? undefined : { index, errno: errnoName(errno), text };
}

/**
 * Collects the objects of a dump. When the table changed while it was read the kernel marks the answer as doubtful
 * (NLM_F_DUMP_INTR) and the dump is made again.
 */
export function dump<T>(netlink: Netlink, request: () => RequestBatch, read: (message: Message) => T | undefined): T[] {
  for (let attempt = 1; ; attempt++) {
    const objects: T[] = [];
    let disturbed = false;
    const refused = netlink.ask(request(), (message) => {
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) disturbed = true;
      const object = read(message);
      if (object !== undefined) objects.push(object);
    });
    if (refused !== undefined) throw refusalError("dump", refused);
    // A table that changes without end must not hold us for ever: its change events make the caller read again anyway.
    if (!disturbed || attempt === MAX_DUMP_ATTEMPTS) return objects;
  }
}

/** The refusal as an error to throw. */
export function refusalError(what: string, refused: Refused): Error & { code: string } {
  const reason = refused.text === "" ? refused.errno : `${refused.errno} (${refused.text})`;
  return Object.assign(new Error(`${what}: ${reason}`), { code: refused.errno });
}
