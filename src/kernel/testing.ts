/** For tests on the real kernel: network namespaces of their own, and iproute2 as a second opinion. */
import { execFileSync } from "node:child_process";

let made = 0;

export interface TestNetns {
  readonly name: string;
  readonly path: string;
}

/** A namespace with lo up; remove it with {@link removeTestNetns}. */
export function makeTestNetns(): TestNetns {
  if (process.getuid?.() !== 0) throw new Error("these tests make network namespaces: run them as root");
  const name = `ovt-${process.pid}-${made++}`;
  execFileSync("ip", ["netns", "add", name]);
  execFileSync("ip", ["-n", name, "link", "set", "lo", "up"]);
  return { name, path: `/run/netns/${name}` };
}

export function removeTestNetns(netns: TestNetns): void {
  execFileSync("ip", ["netns", "del", netns.name]);
}

/** Runs `ip` in the namespace; the arguments as one would type them. */
export function ip(netns: TestNetns, command: string): string {
  return execFileSync("ip", ["-n", netns.name, ...command.split(" ")], { encoding: "utf8" });
}

/** What `ip -j` shows, parsed. */
export function ipJson(netns: TestNetns, command: string): Record<string, unknown>[] {
  const text = ip(netns, `-d -j ${command}`).trim();
  return text === "" ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

/** Two namespaces joined by a veth pair "left" and "right" with addresses on each end. */
export function joinTestNetns(a: TestNetns, b: TestNetns, addressesA: string[], addressesB: string[]): void {
  // Ends of equal index (the first link of two new namespaces) fool the kernel's link watch, which then takes a second.
  ip(a, `link add left index 1000 type veth peer name right netns ${b.name}`);
  for (const [netns, link, addresses] of [
    [a, "left", addressesA],
    [b, "right", addressesB],
  ] as const) {
    for (const address of addresses)
      ip(netns, `addr add ${address} dev ${link}${address.includes(":") ? " nodad" : ""}`);
    ip(netns, `link set ${link} up`);
  }
}

/** True when the address answers a ping sent from the namespace. */
export function pings(netns: TestNetns, address: string): boolean {
  try {
    execFileSync("ip", ["netns", "exec", netns.name, "ping", "-c", "1", "-W", "2", address], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** Waits until the condition holds; throws after the given milliseconds. */
export async function until(what: string, condition: () => boolean, ms = 3000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
