/** What a pod's wiring is, and how it can fail. */
import { createHash, randomBytes } from "node:crypto";
import { type Address, addressOf, familyOf } from "../../../ipam/net/address.ts";
import { parseMac } from "../netlink/link.ts";

export interface PodWiring {
  /** Path of the pod's network namespace. */
  readonly netns: string;
  /** Name inside the pod: "eth0". */
  readonly ifName: string;
  /** Name on the host: see {@link hostInterfaceName}. */
  readonly hostInterface: string;
  readonly mtu: number;
  /** The pod end's MAC address; a random one where absent. */
  readonly mac?: string;
  /** May the pod forward packets of others? Absent: left as it is. A new namespace has what the host has. */
  readonly forwarding?: boolean;
  readonly addresses: readonly Address[];
}

export interface WiredPod {
  readonly hostMac: string;
  readonly podMac: string;
  /** Index of the host end. */
  readonly hostIndex: number;
}

/**
 * - `invalid`: the wiring itself makes no sense (name, MTU, MAC, no address)
 * - `netns-missing`: no such file; `netns-invalid`: no network namespace, or the host's own
 * - `interface-taken`: the pod has an interface of this name already
 * - `kernel`: the kernel refused a step; `errno` says how
 */
export type WiringFaultCode = "invalid" | "netns-missing" | "netns-invalid" | "interface-taken" | "kernel";

/** Why a pod could not be wired; nothing of it is left. Test `code`. */
export class WiringFault extends Error {
  readonly code: WiringFaultCode;
  readonly errno: string | undefined;

  constructor(code: WiringFaultCode, message: string, errno?: string) {
    super(message);
    this.name = "WiringFault";
    this.code = code;
    this.errno = errno;
  }
}

export function checkWiring({ ifName, hostInterface, mtu, addresses }: PodWiring): void {
  for (const name of [ifName, hostInterface]) {
    if (!/^[^\s/:]{1,15}$/.test(name) || name === "." || name === "..") {
      throw new WiringFault(
        "invalid",
        `${JSON.stringify(name)} is no name for an interface: 1 to 15 characters, no / or :`,
      );
    }
  }
  if (addresses.length === 0) throw new WiringFault("invalid", `no address to give to ${ifName}`);
  checkMtu(mtu, addresses.some((address) => familyOf(address) === 6) ? 1280 : 68);
}

function checkMtu(mtu: number, least: number): void {
  if (Number.isInteger(mtu) && mtu >= least && mtu <= 65535) return;
  throw new WiringFault("invalid", `mtu ${mtu} is not between ${least} and 65535`);
}

export function macOf({ mac }: PodWiring): Uint8Array {
  if (mac === undefined) {
    const random = randomBytes(6);
    // Locally administered, unicast.
    random[0] = ((random[0] as number) & 0xfc) | 0x02;
    return random;
  }
  const octets = parseMac(mac);
  if (octets === undefined || ((octets[0] as number) & 1) === 1 || octets.every((octet) => octet === 0)) {
    throw new WiringFault("invalid", `${JSON.stringify(mac)} is no unicast MAC address such as 02:42:0a:f4:00:01`);
  }
  return octets;
}

/** Every host end has this MAC address, so that a pod's permanent neighbour entry is the same on every node. */
export const HOST_MAC = "ee:ee:ee:ee:ee:ee";
/** The pod's gateways: never assigned in IPv4 (the neighbour entry says where it is), the host end's own in IPv6. */
export const GATEWAY_IPV4 = addressOf("169.254.1.1");
export const GATEWAY_IPV6 = addressOf("fe80::ecee:eeff:feee:eeee");
/**
 * Metric of the host's route to a pod, in both families: tells it from what {@link KernelRoutes} writes, and is
 * preferred to a route of the same address learned from elsewhere.
 */
export const POD_ROUTE_METRIC = 64;

/**
 * The name of the host end: "ovl" and 11 hex digits. For eth0 of a named pod it depends on the pod alone, so that
 * operators and scripts find it; a second interface, or a container without a pod name, adds what tells it apart.
 */
export function hostInterfaceName(namespace: string, pod: string, ifName: string, containerID = ""): string {
  let identity = `${namespace}.${pod}`;
  if (pod === "") identity += `.${containerID}`;
  if (ifName !== "eth0") identity += `.${ifName}`;
  return `ovl${createHash("sha1").update(identity).digest("hex").slice(0, 11)}`;
}

export function hasFamily(wiring: PodWiring, family: 4 | 6): boolean {
  return wiring.addresses.some((address) => familyOf(address) === family);
}

/**
 * Metric of the routes in the pod. A second interface must not take the first one's default route, in which all the
 * pod's connections are; its own serves what is bound to it.
 */
export function podRouteMetric(ifName: string, index: number): number {
  return ifName === "eth0" ? 0 : SECOND_INTERFACES_METRIC + index;
}

/** Behind the 1024 that IPv6 makes of 0. */
const SECOND_INTERFACES_METRIC = 2048;
