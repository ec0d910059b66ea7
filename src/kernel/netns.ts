/**
 * Work in another network namespace.
 *
 * setns moves the calling thread only, so the window between going and coming back holds nothing but synchronous calls:
 * opening sockets (which stay in the namespace they were opened in) and synchronous /proc/sys/net access (which follows
 * the thread). A thread or child started inside the window would stay in the pod's namespace for good. libuv starts its
 * pool at the first asynchronous fs, dns or crypto call; therefore this module starts it before anybody can call it.
 */
import { statSync } from "node:fs";
import { stat } from "node:fs/promises";
import { close, open, setns, unshare } from "./ffi.ts";

const CLONE_NEWNET = 0x40000000;

// Group deletes of pod interfaces sleep about 20 ms each on a pool thread; four threads would not do.
process.env["UV_THREADPOOL_SIZE"] ??= "16";
await stat("/");

let current: number | undefined;

/** Descriptor of the namespace this thread is in. The first one asked for is home; it is never closed. */
function here(): number {
  current ??= open("/proc/thread-self/ns/net");
  return current;
}

/**
 * Comes back, whatever it takes: everything done from the wrong namespace would hit the pod's network, not the
 * node's.
 */
function comeBack(fd: number): void {
  try {
    setns(fd, CLONE_NEWNET);
  } catch {
    process.abort();
  }
  current = fd;
}

/**
 * Runs synchronous work in the network namespace at the path (`/run/netns/x`, `/proc/1/ns/net`) and comes back. May be
 * nested. Throws ENOENT when there is no such file and EINVAL when it is no network namespace.
 */
export function withNetns<T>(path: string, work: () => T): T {
  const before = here();
  const there = open(path);
  try {
    setns(there, CLONE_NEWNET);
  } catch (error) {
    close(there);
    throw error;
  }
  current = there;
  try {
    const answer = work();
    if (answer instanceof Promise) throw new Error("work inside a network namespace must be synchronous");
    return answer;
  } finally {
    comeBack(before);
    close(there);
  }
}

/** Device and inode: equal for paths to the same namespace. */
export function netnsInode(path = "/proc/thread-self/ns/net"): string {
  const { dev, ino } = statSync(path, { bigint: true });
  return `${dev}:${ino}`;
}

/** {@link withNetns}, or simply the work where no path is given. */
export function inNetns<T>(path: string | undefined, work: () => T): T {
  return path === undefined ? work() : withNetns(path, work);
}

/** A new, nameless network namespace: gone when closed, and with the process at the latest. */
export function scratchNetns(): { readonly path: string; close(): void } {
  const before = here();
  unshare(CLONE_NEWNET);
  try {
    const fd = open("/proc/thread-self/ns/net");
    return { path: `/proc/self/fd/${fd}`, close: () => close(fd) };
  } finally {
    comeBack(before);
  }
}
