/** A route-netlink socket: batches of requests with their failures, and dumps. Synchronous; bound to its namespace. */
import {
  bind,
  close,
  errnoName,
  localName,
  receive,
  receiveIfAny,
  send,
  sendManyFromPool,
  setSocketOption,
  socket,
} from "../ffi.ts";
import { inNetns } from "../netns.ts";
import { HOST_IS_LITTLE, type RequestBatch } from "./batch.ts";
import { AF_NETLINK, NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR } from "./constants.ts";
import { isError, type Message, messagesIn, readError, readU32, visitMessages } from "./reader.ts";

const SOCK_RAW = 3;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVTIMEO = 20;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

// The kernel answers within the send; ten seconds is "something is badly wrong", not a wait anybody will see.
const RECEIVE_TIMEOUT = new Uint8Array(BigInt64Array.of(10n, 0n).buffer);
const NAME_LENGTH = 12;
const PORT_OFFSET = 4;
/** A refusal takes a kilobyte of it, and each of the requests sent at once may be refused. */
const ANSWERS_BUFFER = 32 << 20;
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

/** Requests laid out one after the other. */
export interface Requests {
  readonly count: number;
  /** Where datagrams end, if they are too many for one. */
  readonly ends?: readonly number[];
  /** Numbers them from the sequence on, has the last acknowledged, and gives the octets. */
  seal(firstSequence: number): Uint8Array;
}

/** What the wiring code asks of a socket; tests put one that fails in its place. */
export interface Netlink {
  execute(batch: Requests): readonly Refused[];
  ask(batch: RequestBatch, visit: (message: Message) => void): Refused | undefined;
  close(): void;
}

/** `struct sockaddr_nl`: port 0 leaves the choice to the kernel; groups are RTMGRP_ bits. */
export function netlinkName(groups: number): Uint8Array {
  const name = new Uint8Array(NAME_LENGTH);
  const view = new DataView(name.buffer);
  view.setUint16(0, AF_NETLINK, HOST_IS_LITTLE);
  view.setUint32(8, groups, HOST_IS_LITTLE);
  return name;
}

/** Opens a raw route socket in the namespace (the process's own if none is named), with room for many answers. */
export function openRouteSocket(netns: string | undefined, receiveBuffer: number): number {
  const fd = inNetns(netns, () => socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
  setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, receiveBuffer);
  return fd;
}

/** One buffer for all sockets: each reads synchronously to the end of its answer before another may. */
const RECEIVE_BUFFER = new Uint8Array(1 << 18);

/** Gets the payload of one message: octets between two offsets, to be read during the call. */
export type MessageVisit = (octets: Uint8Array, start: number, end: number) => void;

export class NetlinkSocket implements Netlink {
  #fd: number;
  /** The kernel's events say which port asked for the change: this one's. */
  readonly port: number;
  #sequence = 1;

  private constructor(fd: number) {
    this.#fd = fd;
    bind(fd, netlinkName(0));
    this.port = readU32(localName(fd, NAME_LENGTH), PORT_OFFSET);
  }

  /** `strict`: dumps list no more than was asked for; a request with what the kernel does not know is refused. */
  static open(netns?: string, { strict = false } = {}): NetlinkSocket {
    const fd = openRouteSocket(netns, ANSWERS_BUFFER);
    setSocketOption(fd, SOL_SOCKET, SO_SNDBUFFORCE, 4 << 20);
    setSocketOption(fd, SOL_SOCKET, SO_RCVTIMEO, RECEIVE_TIMEOUT);
    setSocketOption(fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
    setSocketOption(fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
    if (strict) setSocketOption(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
    return new NetlinkSocket(fd);
  }

  close(): void {
    close(this.#fd);
    // The number may be another one's file in a moment: whoever still asks is refused.
    this.#fd = -1;
  }

  /** Sends the requests in one datagram and gives those the kernel refused. It goes on after a refused one. */
  execute(batch: Requests): readonly Refused[] {
    if (batch.count === 0) return [];
    const first = this.#number(batch);
    send(this.#fd, batch.seal(first));
    return this.#outcome(first, batch.count);
  }

  /**
   * As {@link execute}, while the kernel's work sleeps on a pool thread. One at a time per socket. Rejects when it is
   * not known what was done.
   */
  async executeFromPool(batch: Requests): Promise<readonly Refused[]> {
    const first = this.#number(batch);
    const octets = batch.seal(first);
    const sent = await sendManyFromPool(this.#fd, octets, batch.ends ?? [octets.length]);
    if (!sent) throw refusalError("send", { index: 0, errno: "EIO", text: "not every datagram went out" });
    return this.#outcome(first, batch.count);
  }

  /**
   * Sends requests for single objects, or one with NLM_F_DUMP for all of a kind, and hands over each message of the
   * answer. Returns the first that was refused. A dump the kernel says was disturbed by a change is not repeated here:
   * see {@link dump}.
   */
  ask(batch: RequestBatch, visit: (message: Message) => void): Refused | undefined {
    const first = this.#number(batch);
    const last = batch.count - 1;
    let refused: Refused | undefined;
    send(this.#fd, batch.seal(first));
    for (;;) {
      for (const message of this.#receive()) {
        const index = message.sequence - first;
        if (index < 0 || index > last) continue;
        if (isError(message)) {
          refused ??= refusal(message, index);
          if (index === last) return refused;
        } else if (message.type === NLMSG_DONE) return refused;
        else visit(message);
      }
    }
  }

  /**
   * Asks for a dump and reads it in steps of one datagram, some hundred objects, between which other work may be done.
   * The last step gives the refusal, or whether the dump was disturbed by a change.
   */
  *steps(batch: RequestBatch, visit: MessageVisit): Generator<void, Refused | "disturbed" | "whole"> {
    const sequence = this.#number(batch);
    send(this.#fd, batch.seal(sequence));
    const state: { outcome: Refused | "disturbed" | "whole"; done: boolean } = { outcome: "whole", done: false };
    for (;;) {
      // To its end before the next step: the buffer is everybody's.
      visitMessages(RECEIVE_BUFFER, receive(this.#fd, RECEIVE_BUFFER), (type, flags, numbered, start, end) => {
        if (numbered !== sequence) return;
        if ((flags & NLM_F_DUMP_INTR) !== 0) state.outcome = "disturbed";
        if (type === NLMSG_DONE) state.done = true;
        else if (type === NLMSG_ERROR) {
          state.done = true;
          const payload = RECEIVE_BUFFER.subarray(start, end);
          state.outcome = refusal({ type, flags, sequence, payload }, 0) ?? state.outcome;
        } else visit(RECEIVE_BUFFER, start, end);
      });
      if (state.done) return state.outcome;
      yield;
    }
  }

  #number(batch: Requests): number {
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

  #receive(): Message[] {
    try {
      return messagesIn(RECEIVE_BUFFER.subarray(0, receive(this.#fd, RECEIVE_BUFFER)));
    } catch (error) {
      this.#empty();
      throw error;
    }
  }

  /** After an overflow the kernel goes on dropping answers until the old ones are read. */
  #empty(): void {
    try {
      while (receiveIfAny(this.#fd, RECEIVE_BUFFER) > 0);
    } catch {
      // Another error is one more reason to give up this answer, which the caller does anyway.
    }
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
