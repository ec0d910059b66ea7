/** Settings of a pod's links and namespace that netlink cannot make: files of /proc/sys, written only where needed. */
import { existsSync } from "node:fs";
import type { IPv6Settings } from "../netlink/link.ts";
import { ensureSysctl, readSysctl } from "../sysctl.ts";
import { hasFamily, type PodWiring } from "./wiring.ts";

export const KERNEL_HAS_IPV6 = existsSync("/proc/sys/net/ipv6");
/** Whether a new namespace begins with the host's IPv6 settings; usually it begins with the kernel's own. */
const IPV6_AS_ON_HOST = inheritsIPv6();

function inheritsIPv6(): boolean {
  try {
    return readSysctl("net/core/devconf_inherit_init_net") === "1";
  } catch {
    return false;
  }
}

/**
 * Each file of a new namespace takes the kernel a millisecond to find where there are a thousand of them. That IPv4
 * forwards nothing is said of the link instead, see podSteps; IPv6 does not where the host's settings do not go over.
 */
export function setPodForwarding(on: boolean): void {
  if (on) ensureSysctl("net/ipv4/ip_forward", 1);
  if (KERNEL_HAS_IPV6 && (on || IPV6_AS_ON_HOST)) ensureSysctl("net/ipv6/conf/all/forwarding", on ? 1 : 0);
}

/**
 * Settings of the host end that netlink cannot make, as far as they are not right already: a file of /proc/sys each.
 * Router advertisements of a pod are not for the host; one that forwards takes none unless it is told to.
 */
export function hostSettings(wiring: PodWiring, found?: IPv6Settings): [path: string, value: number][] {
  if (!KERNEL_HAS_IPV6) return [];
  const path = `net/ipv6/conf/${wiring.hostInterface}`;
  const settings: [string, number][] = [];
  if (hasFamily(wiring, 6)) {
    if (found?.disabled !== false) settings.push([`${path}/disable_ipv6`, 0]);
    if (found?.forwarding !== true) settings.push([`${path}/forwarding`, 1]);
  }
  const accepted = found?.acceptRouterAdvertisements ?? 2;
  if (accepted > 1 || (accepted === 1 && found?.forwarding !== true)) settings.push([`${path}/accept_ra`, 0]);
  return settings;
}
