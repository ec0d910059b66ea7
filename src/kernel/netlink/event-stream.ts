/**
 * What the kernel tells whoever listens: the messages of multicast groups.
 *
 * Neither net.Socket nor UDP takes a netlink descriptor, but libuv's pipe handle reads any descriptor that polls: 12 µs
 * from the change to the callback, and none of 40,000 events lost, where a thread blocked in recv lost half. The handle
 * only says that there is something; the rest of a burst is read here, at a third of the cost.
 */
import { createServer, Socket } from "node:net";
import { attachFilter, bind, close, receiveIfAny } from "../ffi.ts";
import { HOST_IS_LITTLE } from "./batch.ts";
import { visitMessages } from "./reader.ts";
import { netlinkName, openRouteSocket } from "./socket.ts";

export interface EventStreamListener {
  /** One message; the octets are valid during the call. */
  message(type: number, flags: number, octets: Uint8Array, start: number, end: number): void;
  /** Messages were lost, or may have been: read everything again. */
  doubt(): void;
}

export interface EventStreamOptions {
  /** Path of a namespace; the process's own if absent. */
  readonly netns?: string;
  /** What was done at the request of these netlink ports is not told: we know, and it may be half a million. */
  readonly withoutPorts?: readonly number[];
  /** Only messages of these types (RTM_) are told; all if absent. Not beside `withoutPorts`: there is one filter. */
  readonly onlyTypes?: readonly number[];
}

/** What the kernel keeps for us while we are busy: some 80,000 routes. */
const RECEIVE_BUFFER = 32 << 20;
/** One message, or a few: the kernel sends none larger unless it was asked. */
const LARGEST_DATAGRAM = 1 << 16;
/** Messages read in one go, before the loop turns. */
const BURST = 1000;
const REOPEN_MS = 1000;

/** Listens to the groups (RTMGRP_ bits). Gives the function that stops it. Keeps no process alive. */
export function streamEvents(
  groups: number,
  listener: EventStreamListener,
  options: EventStreamOptions = {},
): () => void {
  const life = { stopped: false };
  const datagram = new Uint8Array(LARGEST_DATAGRAM);
  const hear = (octets: Uint8Array, length: number) => {
    visitMessages(octets, length, (type, flags, _sequence, start, end) => {
      if (!life.stopped) listener.message(type, flags, octets, start, end);
    });
  };
  const open = (): Socket => {
    const fd = subscribe(groups, options);
    const opened = socketOf(fd, (length, octets) => {
      hear(octets, length);
      try {
        for (let read = 1; read < BURST && !life.stopped; read++) {
          const next = receiveIfAny(fd, datagram);
          if (next === 0) break;
          hear(datagram, next);
        }
      } catch {
        // ENOBUFS again, told here: the stream goes on, what was said is lost.
        listener.doubt();
      }
      return !life.stopped;
    });
    // ENOBUFS: the kernel had more to say than the buffer holds. The stream is over; what was said is lost.
    opened.on("error", () => undefined);
    opened.on("close", reopen);
    opened.unref();
    return opened;
  };
  const reopen = () => {
    if (life.stopped) return;
    try {
      stream = open();
    } catch {
      // Out of descriptors, most likely: that passes, and until then nothing is heard.
      setTimeout(reopen, REOPEN_MS).unref();
      return;
    }
    listener.doubt();
  };
  let stream = open();
  return () => {
    life.stopped = true;
    stream.destroy();
  };
}

function subscribe(groups: number, { netns, withoutPorts = [], onlyTypes = [] }: EventStreamOptions): number {
  const fd = openRouteSocket(netns, RECEIVE_BUFFER);
  try {
    if (withoutPorts.length > 0) attachFilter(fd, filter(NLMSG_PID, withoutPorts, "leave out"));
    else if (onlyTypes.length > 0) attachFilter(fd, filter(NLMSG_TYPE, onlyTypes, "keep"));
    bind(fd, netlinkName(groups), "to netlink groups");
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

const BPF_JUMP_IF_EQUAL = 0x15;
const BPF_RETURN = 0x06;
const ALL = 0xffffffff;

/** A field of `struct nlmsghdr`: the instruction that loads it, and where it is. */
const NLMSG_TYPE = { load: 0x28, offset: 4, octets: 2 } as const;
const NLMSG_PID = { load: 0x20, offset: 12, octets: 4 } as const;

/** "Load the field; if it is one of the values, leave the message out, or keep it alone." It reads in network order. */
function filter(
  { load, offset, octets }: typeof NLMSG_TYPE | typeof NLMSG_PID,
  values: readonly number[],
  those: "leave out" | "keep",
): Uint8Array {
  const program = new Uint8Array((values.length + 3) * 8);
  const view = new DataView(program.buffer);
  const instruction = (at: number, code: number, jumpIfTrue: number, value: number) => {
    view.setUint16(8 * at, code, HOST_IS_LITTLE);
    view.setUint8(8 * at + 2, jumpIfTrue);
    view.setUint32(8 * at + 4, value, HOST_IS_LITTLE);
  };
  const loaded = new DataView(new ArrayBuffer(4));
  instruction(0, load, 0, offset);
  for (const [i, value] of values.entries()) {
    if (octets === 2) loaded.setUint16(0, value, HOST_IS_LITTLE);
    else loaded.setUint32(0, value, HOST_IS_LITTLE);
    // Over the values that are left and over the first return.
    const network = octets === 2 ? loaded.getUint16(0) : loaded.getUint32(0);
    instruction(1 + i, BPF_JUMP_IF_EQUAL, values.length - i, network);
  }
  instruction(1 + values.length, BPF_RETURN, 0, those === "keep" ? 0 : ALL);
  instruction(2 + values.length, BPF_RETURN, 0, those === "keep" ? ALL : 0);
  return program;
}

interface PipeHandle {
  open(fd: number): void;
}
type PipeConstructor = new (type: number) => PipeHandle;

let Pipe: PipeConstructor | undefined;

/** libuv's pipe handle has no public constructor; a listening server's handle is one. Seen in Node.js 20 to 26. */
function pipeConstructor(): PipeConstructor {
  if (Pipe === undefined) {
    const server = createServer().listen(`\0overland-monitor-${process.pid}-${Date.now()}`);
    const { _handle: handle } = server as unknown as { _handle: PipeHandle };
    Pipe = handle.constructor as PipeConstructor;
    server.close();
  }
  return Pipe;
}

/** `onread` gets each datagram in the same buffer, which saves an allocation of 64 KiB for each. */
function socketOf(fd: number, callback: (length: number, octets: Uint8Array) => boolean): Socket {
  const handle = new (pipeConstructor())(0);
  handle.open(fd);
  const options = {
    handle,
    readable: true,
    writable: false,
    // No Buffer: what is kept of a message is a slice, and a Buffer's slice would change with the next one.
    onread: { buffer: new Uint8Array(LARGEST_DATAGRAM), callback },
  };
  const socket = new Socket(options as unknown as ConstructorParameters<typeof Socket>[0]);
  socket.resume();
  return socket;
}
