/**
 * libc, called in process. The only file that imports koffi: node:ffi or an addon can take its place here.
 *
 * Every call that fails throws a SystemError that carries the name of the errno ("EEXIST") and what was tried. Only
 * plain pointers are declared, no koffi struct types: type names are global to the process, and octets are ours to
 * lay out.
 */
import { constants } from "node:os";
import koffi from "koffi";

/** A libc call that failed. Outside this folder test `code`, as for every Node.js system error. */
export class SystemError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, what = "") {
    const code = errnoName(errno);
    super(`${syscall}${what === "" ? "" : ` ${what}`}: ${code}`);
    this.name = "SystemError";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

const NAMES = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

/** "ENODEV" for 19; the number itself where Node.js has no name for it. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

type Pointer = Uint8Array | null;

const libc = koffi.load(null);
const c = {
  socket: libc.func("int socket(int, int, int)") as (domain: number, type: number, protocol: number) => number,
  bind: libc.func("int bind(int, void *, uint32_t)") as (fd: number, address: Pointer, length: number) => number,
  listen: libc.func("int listen(int, int)") as (fd: number, backlog: number) => number,
  close: libc.func("int close(int)") as (fd: number) => number,
  open: libc.func("int open(const char *, int)") as (path: string, flags: number) => number,
  unshare: libc.func("int unshare(int)") as (flags: number) => number,
  setns: libc.func("int setns(int, int)") as (fd: number, type: number) => number,
  setsockopt: libc.func("int setsockopt(int, int, int, void *, uint32_t)") as (
    fd: number,
    level: number,
    option: number,
    value: Pointer,
    length: number,
  ) => number,
  getsockname: libc.func("int getsockname(int, void *, void *)") as (
    fd: number,
    to: Pointer,
    length: Pointer,
  ) => number,
  send: libc.func("int64_t send(int, void *, size_t, int)") as (
    fd: number,
    bytes: Pointer,
    length: number,
    flags: number,
  ) => number,
  sendmmsg: libc.func("int sendmmsg(int, void *, uint32_t, int)") as {
    async(
      fd: number,
      messages: Pointer,
      count: number,
      flags: number,
      done: (error: unknown, sent: number) => void,
    ): void;
  },
  recv: libc.func("int64_t recv(int, void *, size_t, int)") as (
    fd: number,
    bytes: Pointer,
    length: number,
    flags: number,
  ) => number,
};

/** glibc's alone; musl gives back by itself. */
const mallocTrim = optional("int malloc_trim(size_t)") as ((keep: number) => number) | undefined;

function optional(declaration: string): unknown {
  try {
    return libc.func(declaration);
  } catch {
    return undefined;
  }
}

export const O_RDONLY = 0;
export const O_CLOEXEC = 0o2000000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;

/** Throws with the errno of the call just made when it answered -1. */
function checked(answer: number, syscall: string, what?: string): number {
  if (answer < 0) throw new SystemError(syscall, koffi.errno(), what);
  return answer;
}

/** What was freed goes back to the system, from the middle of the heap too: freeing alone gives back only its end. */
export function trimMalloc(): void {
  mallocTrim?.(0);
}

export function socket(domain: number, type: number, protocol: number): number {
  return checked(c.socket(domain, type | SOCK_CLOEXEC, protocol), "socket");
}

export function bind(fd: number, address: Uint8Array, what?: string): void {
  checked(c.bind(fd, address, address.length), "bind", what);
}

/** The socket's own address as the kernel keeps it, at most so many octets of it. */
export function localName(fd: number, octets: number): Uint8Array {
  const name = new Uint8Array(octets);
  checked(c.getsockname(fd, name, new Uint8Array(Uint32Array.of(octets).buffer)), "getsockname");
  return name;
}

export function listen(fd: number, backlog: number): void {
  checked(c.listen(fd, backlog), "listen");
}

export function close(fd: number): void {
  checked(c.close(fd), "close");
}

export function open(path: string): number {
  return checked(c.open(path, O_RDONLY | O_CLOEXEC), "open", path);
}

export function setns(fd: number, type: number): void {
  checked(c.setns(fd, type), "setns");
}

export function unshare(flags: number): void {
  checked(c.unshare(flags), "unshare");
}

/** The value is an int as the kernel reads it, or the octets of a structure. */
export function setSocketOption(fd: number, level: number, option: number, value: number | Uint8Array): void {
  const octets = typeof value === "number" ? new Uint8Array(Int32Array.of(value).buffer) : value;
  checked(c.setsockopt(fd, level, option, octets, octets.length), "setsockopt", `${level}/${option}`);
}

/** Sends one datagram. Netlink's work is done, and its answer waits to be read, when this returns. */
export function send(fd: number, bytes: Uint8Array): void {
  checked(c.send(fd, bytes, bytes.length, 0), "send");
}

const MMSGHDR_LENGTH = 64;
const IOVEC_LENGTH = 16;
const IOV_OFFSET = 16;
const IOVLEN_OFFSET = 24;

/**
 * As {@link send}, sleeping on a thread of the pool instead of this one; one datagram after the other, each of which
 * ends where `ends` says. The errno is lost: read the kernel's reply.
 */
export function sendManyFromPool(fd: number, bytes: Uint8Array, ends: readonly number[]): Promise<boolean> {
  // `struct mmsghdr` for each, then `struct iovec` for each, as they are where pointers have 64 bits.
  const headers = new Uint8Array(ends.length * (MMSGHDR_LENGTH + IOVEC_LENGTH));
  const iovecs = ends.length * MMSGHDR_LENGTH;
  const words = new BigUint64Array(headers.buffer);
  for (const [i, end] of ends.entries()) {
    const start = i === 0 ? 0 : (ends[i - 1] as number);
    const header = i * MMSGHDR_LENGTH;
    const iovec = iovecs + i * IOVEC_LENGTH;
    words[(header + IOV_OFFSET) / 8] = koffi.address(headers) + BigInt(iovec);
    words[(header + IOVLEN_OFFSET) / 8] = 1n;
    words[iovec / 8] = koffi.address(bytes) + BigInt(start);
    words[iovec / 8 + 1] = BigInt(end - start);
  }
  return new Promise((resolve) => {
    // The closure keeps both alive for as long as the other thread reads them.
    c.sendmmsg.async(fd, headers, ends.length, 0, (error, sent) => {
      resolve(error === null && sent === ends.length && bytes.length > 0);
    });
  });
}

/** Octets received into the buffer. */
export function receive(fd: number, buffer: Uint8Array, flags = 0): number {
  for (;;) {
    const received = c.recv(fd, buffer, buffer.length, flags);
    if (received >= 0 || koffi.errno() !== constants.errno.EINTR) return checked(received, "recv");
  }
}

const MSG_DONTWAIT = 0x40;

/** As {@link receive}, without waiting: 0 when there is nothing. */
export function receiveIfAny(fd: number, buffer: Uint8Array): number {
  const received = c.recv(fd, buffer, buffer.length, MSG_DONTWAIT);
  if (received < 0 && koffi.errno() === constants.errno.EAGAIN) return 0;
  return checked(received, "recv");
}

const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;

/** Gives the socket a filter of classic BPF: the octets of its `struct sock_filter`. The kernel copies them. */
export function attachFilter(fd: number, program: Uint8Array): void {
  // `struct sock_fprog`: the number of instructions, then the pointer to them.
  const words = new BigUint64Array(2);
  new Uint16Array(words.buffer)[0] = program.length / 8;
  words[1] = koffi.address(program);
  setSocketOption(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(words.buffer));
}
