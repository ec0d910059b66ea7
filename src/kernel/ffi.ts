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
  send: libc.func("int64_t send(int, void *, size_t, int)") as ((
    fd: number,
    bytes: Pointer,
    length: number,
    flags: number,
  ) => number) & {
    async(
      fd: number,
      bytes: Pointer,
      length: number,
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

export const O_RDONLY = 0;
export const O_CLOEXEC = 0o2000000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOCK_NONBLOCK = 0o4000;

/** Throws with the errno of the call just made when it answered -1. */
function checked(answer: number, syscall: string, what?: string): number {
  if (answer < 0) throw new SystemError(syscall, koffi.errno(), what);
  return answer;
}

export function socket(domain: number, type: number, protocol: number): number {
  return checked(c.socket(domain, type | SOCK_CLOEXEC, protocol), "socket");
}

export function bind(fd: number, address: Uint8Array, what?: string): void {
  checked(c.bind(fd, address, address.length), "bind", what);
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

/**
 * As {@link send}, sleeping on a thread of the pool instead of this one. The errno is lost: read the kernel's reply.
 */
export function sendFromPool(fd: number, bytes: Uint8Array): Promise<boolean> {
  return new Promise((resolve) => {
    // The closure keeps the octets alive for as long as the other thread reads them.
    c.send.async(fd, bytes, bytes.length, 0, (error, sent) => resolve(error === null && sent === bytes.length));
  });
}

/** Octets received into the buffer. */
export function receive(fd: number, buffer: Uint8Array, flags = 0): number {
  return checked(c.recv(fd, buffer, buffer.length, flags), "recv");
}
