/**
 * Kernel settings under /proc/sys, by the path below it: `net/ipv4/conf/eth0/proxy_arp`. Synchronous on purpose: what
 * /proc/sys/net shows depends on the network namespace of the calling thread, and only this one goes visiting.
 */
import { readFileSync, writeFileSync } from "node:fs";

export function readSysctl(path: string): string {
  return readFileSync(`/proc/sys/${path}`, "utf8").trim();
}

export function writeSysctl(path: string, value: string | number): void {
  writeFileSync(`/proc/sys/${path}`, `${value}`);
}

/** Writes only when the value differs; false when the kernel has no such setting (IPv6 switched off at boot). */
export function ensureSysctl(path: string, value: string | number): boolean {
  try {
    if (readSysctl(path) !== `${value}`) writeSysctl(path, value);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}

/**
 * What a node needs to pass packets on, once at start: forwarding in both families, for links to come too. A node whose
 * own uplink learns its default route from router advertisements keeps accepting them (accept_ra 2) where it did
 * before.
 */
export function enableForwarding(uplinks: readonly string[] = []): void {
  for (const link of uplinks) {
    const path = `net/ipv6/conf/${link}/accept_ra`;
    try {
      if (readSysctl(path) === "1") writeSysctl(path, 2);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }
  ensureSysctl("net/ipv4/ip_forward", 1);
  ensureSysctl("net/ipv6/conf/all/forwarding", 1);
}
