/**
 * Gives a pod its network: a veth pair whose pod end is born in the pod's namespace, addresses, routes, neighbours.
 * Four sends to the kernel and a few settings.
 */
import type { Address } from "../../../ipam/net/address.ts";
import { hostPrefix, prefixOf } from "../../../ipam/net/prefix.ts";
import { close, open } from "../ffi.ts";
import { addAddress, addPermanentNeighbour, setProxyDelay } from "../netlink/address.ts";
import { RequestBatch } from "../netlink/batch.ts";
import { IPV4_DEVCONF_FORWARDING, IPV4_DEVCONF_PROXY_ARP, RTPROT_STATIC } from "../netlink/constants.ts";
import * as links from "../netlink/link.ts";
import { replaceRoute } from "../netlink/route.ts";
import type { Netlink } from "../netlink/socket.ts";
import { inNetns, netnsInode, withNetns } from "../netns.ts";
import { ROUTE_PROTOCOL } from "../routes.ts";
import { ensureSysctl } from "../sysctl.ts";
import { hostSettings, KERNEL_HAS_IPV6, setPodForwarding } from "./settings.ts";
import {
  checkWiring,
  GATEWAY_IPV4,
  GATEWAY_IPV6,
  HOST_MAC,
  hasFamily,
  macOf,
  POD_ROUTE_METRIC,
  type PodWiring,
  podRouteMetric,
  type WiredPod,
  WiringFault,
} from "./wiring.ts";

/** The host's side of the work, and how to reach into a pod. */
export interface HostSide {
  readonly netlink: Netlink;
  /** Path of the host's namespace; absent: the process's own. */
  readonly netns: string | undefined;
  /** See {@link netnsInode}. */
  readonly inode: string;
  /** In the namespace at the path, or in the one the thread is in. */
  openSocket(netns: string | undefined): Netlink;
}

const HOST_MAC_OCTETS = links.parseMac(HOST_MAC) as Uint8Array;
const LOOPBACK_INDEX = 1;

/** A pair that stands, both ends set up, to which the host has no route yet: nothing reaches it. */
export interface Pair {
  /** Throws a {@link WiringFault} and leaves nothing behind. */
  complete(): WiredPod;
}

/** Makes the pair, or throws a {@link WiringFault} and leaves nothing behind. */
export function makePair(host: HostSide, wiring: PodWiring): Pair {
  checkWiring(wiring);
  const podMac = macOf(wiring);
  const pod = enterPod(host, wiring);
  try {
    createPair(host, pod, wiring, podMac);
    const hostIndex = orRemoved(host, wiring, () => setUp(host, pod, wiring));
    const wired = { hostMac: HOST_MAC, podMac: links.formatMac(podMac), hostIndex };
    return {
      complete: () =>
        orRemoved(host, wiring, () => {
          run(host.netlink, "on the host", (batch) => routeToPod(batch, hostIndex, wiring));
          return wired;
        }),
    };
  } finally {
    pod.close();
  }
}

function orRemoved<T>(host: HostSide, { hostInterface }: PodWiring, work: () => T): T {
  try {
    return work();
  } catch (error) {
    removePair(host, hostInterface);
    throw asFault(error);
  }
}

/** Gives the index of the host's end. */
function setUp(host: HostSide, pod: Netlink, wiring: PodWiring): number {
  const podIndex = enableIPv6(pod, wiring);
  const hostEnd = found(linkOf(host.netlink, wiring.hostInterface), wiring.hostInterface);
  run(pod, "in the pod", (batch) => podSteps(batch, podIndex, wiring));
  const settings = hostSettings(wiring, hostEnd.ipv6);
  if (settings.length > 0) {
    inNetns(host.netns, () => {
      for (const [path, value] of settings) ensureSysctl(path, value);
    });
  }
  run(host.netlink, "on the host", (batch) => hostSteps(batch, hostEnd.index, wiring));
  return hostEnd.index;
}

function enterPod(host: HostSide, wiring: PodWiring): Netlink {
  try {
    if (netnsInode(wiring.netns) === host.inode) {
      throw new WiringFault("netns-invalid", `${wiring.netns} is the host's own network namespace`);
    }
    return withNetns(wiring.netns, () => {
      const socket = host.openSocket(undefined);
      try {
        if (wiring.forwarding !== undefined) setPodForwarding(wiring.forwarding);
      } catch (error) {
        socket.close();
        throw error;
      }
      return socket;
    });
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") {
      throw new WiringFault("netns-missing", `the network namespace ${wiring.netns} does not exist`, code);
    }
    if (code === "EINVAL") throw new WiringFault("netns-invalid", `${wiring.netns} is no network namespace`, code);
    throw asFault(error);
  }
}

/**
 * Runtimes may switch IPv6 off in new namespaces; a pod with an IPv6 address wants it on. Returns the link's index.
 */
function enableIPv6(pod: Netlink, wiring: PodWiring): number {
  const [link, loopback] = linksOf(pod, [{ name: wiring.ifName }, { index: LOOPBACK_INDEX }]);
  const { index } = found(loopback && link, wiring.ifName);
  const off = [link, loopback].some((one) => one?.ipv6?.disabled !== false);
  if (off && hasFamily(wiring, 6)) {
    withNetns(wiring.netns, () => {
      for (const name of ["default", "lo", wiring.ifName]) ensureSysctl(`net/ipv6/conf/${name}/disable_ipv6`, 0);
    });
  }
  return index;
}

/**
 * An end of this name left on the host by a pod that is gone is ours, and removed, and so is a whole pair between the
 * two: an agent was killed before it could record it. Any other link of that name in the pod is a fault.
 */
function createPair(host: HostSide, pod: Netlink, wiring: PodWiring, podMac: Uint8Array): void {
  const netnsFd = open(wiring.netns);
  const ends = {
    host: { name: wiring.hostInterface, mac: HOST_MAC_OCTETS },
    pod: { name: wiring.ifName, mac: podMac },
  };
  const create = () =>
    run(host.netlink, `creating ${wiring.hostInterface}`, (batch) =>
      links.createVeth(batch, ends.host, ends.pod, wiring.mtu, netnsFd),
    );
  try {
    create();
  } catch (error) {
    const fault = asFault(error);
    if (fault.errno !== "EEXIST") throw fault;
    const [there, here] = [linkOf(pod, wiring.ifName), linkOf(host.netlink, wiring.hostInterface)];
    const pair = there?.peer === here?.index && here?.peer === there?.index;
    if (there !== undefined && !pair) {
      throw new WiringFault("interface-taken", `the pod already has an interface ${wiring.ifName}`, fault.errno);
    }
    removePair(host, wiring.hostInterface);
    create();
  } finally {
    close(netnsFd);
  }
}

function podSteps(batch: RequestBatch, index: number, wiring: PodWiring): void {
  links.setLinkUp(batch, { index: LOOPBACK_INDEX });
  if (KERNEL_HAS_IPV6) links.setNoGeneratedAddress(batch, index);
  if (wiring.forwarding !== undefined) {
    links.setIPv4Settings(batch, index, new Map([[IPV4_DEVCONF_FORWARDING, wiring.forwarding ? 1 : 0]]));
  }
  links.setLinkUp(batch, { index });
  for (const address of wiring.addresses) addAddress(batch, index, hostPrefix(address));
  const marks = { protocol: RTPROT_STATIC, metric: podRouteMetric(wiring.ifName, index) };
  const direct = { kind: "unicast", nextHops: [{ interfaceIndex: index }] } as const;
  const gateway = (address: Address) =>
    ({ kind: "unicast", nextHops: [{ gateway: address, interfaceIndex: index }] }) as const;
  if (hasFamily(wiring, 4)) {
    replaceRoute(batch, hostPrefix(GATEWAY_IPV4), direct, marks);
    replaceRoute(batch, prefixOf("0.0.0.0/0"), gateway(GATEWAY_IPV4), marks);
    addPermanentNeighbour(batch, index, GATEWAY_IPV4, HOST_MAC_OCTETS);
  }
  if (hasFamily(wiring, 6)) {
    replaceRoute(batch, hostPrefix(GATEWAY_IPV6), direct, marks);
    replaceRoute(batch, prefixOf("::/0"), gateway(GATEWAY_IPV6), marks);
    addPermanentNeighbour(batch, index, GATEWAY_IPV6, HOST_MAC_OCTETS);
  }
}

function hostSteps(batch: RequestBatch, index: number, wiring: PodWiring): void {
  if (KERNEL_HAS_IPV6) links.setNoGeneratedAddress(batch, index);
  const settings = new Map([
    [IPV4_DEVCONF_FORWARDING, 1],
    [IPV4_DEVCONF_PROXY_ARP, 1],
  ]);
  links.setIPv4Settings(batch, index, settings);
  // Else a pod that asks for its gateway waits up to 0.8 s for the answer.
  setProxyDelay(batch, index, 0);
  links.setLinkUp(batch, { index });
  if (hasFamily(wiring, 6)) addAddress(batch, index, { address: GATEWAY_IPV6, length: 64 });
}

function routeToPod(batch: RequestBatch, index: number, wiring: PodWiring): void {
  const marks = { protocol: ROUTE_PROTOCOL, metric: POD_ROUTE_METRIC };
  for (const address of wiring.addresses) {
    replaceRoute(batch, hostPrefix(address), { kind: "unicast", nextHops: [{ interfaceIndex: index }] }, marks);
  }
}

function run(netlink: Netlink, where: string, steps: (batch: RequestBatch) => void): void {
  const batch = new RequestBatch();
  steps(batch);
  const [refused] = netlink.execute(batch);
  if (refused === undefined) return;
  const reason = refused.text === "" ? "" : `: ${refused.text}`;
  throw new WiringFault(
    "kernel",
    `the kernel refused step ${refused.index + 1} ${where} with ${refused.errno}${reason}`,
    refused.errno,
  );
}

interface FoundLink extends Pick<links.LinkObject, "index" | "peer"> {
  readonly ipv6: links.IPv6Settings | undefined;
}

function found(link: FoundLink | undefined, name: string): FoundLink {
  if (link === undefined) throw new WiringFault("kernel", `no link ${name}`);
  return link;
}

function linkOf(netlink: Netlink, name: string): FoundLink | undefined {
  return linksOf(netlink, [{ name }])[0];
}

/** In the order asked; without those that are not there. */
function linksOf(netlink: Netlink, names: readonly links.LinkName[]): FoundLink[] {
  const answers: FoundLink[] = [];
  const batch = new RequestBatch();
  for (const name of names) links.getLink(batch, name);
  netlink.ask(batch, (message) => {
    answers.push({ ...links.readEnd(message), ipv6: links.readIPv6Settings(message) });
  });
  return answers;
}

/** Blocks for some 20 ms, which only failures and left-overs cost. */
function removePair(host: HostSide, name: string): void {
  const batch = new RequestBatch();
  links.deleteLink(batch, { name });
  host.netlink.execute(batch);
}

function asFault(error: unknown): WiringFault {
  if (error instanceof WiringFault) return error;
  const { message, code } = error as { message: string; code?: string };
  return new WiringFault("kernel", message, code);
}
