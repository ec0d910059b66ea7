/** Compares a pod's wiring as it should be with what the kernel says, for CHECK: each difference in words. */
import { type Address, formatAddress, sameAddress } from "../../../ipam/net/address.ts";
import { formatPrefix, hostPrefix, samePrefix } from "../../../ipam/net/prefix.ts";
import { type Link, readLinks } from "../links.ts";
import { dumpAddresses, dumpNeighbours, readLinkAddress, readNeighbour } from "../netlink/address.ts";
import { RequestBatch } from "../netlink/batch.ts";
import { AF_UNSPEC, NUD_PERMANENT, RT_TABLE_MAIN } from "../netlink/constants.ts";
import { formatMac, getLink, type IPv6Settings, readIPv6Settings, readLink } from "../netlink/link.ts";
import { dumpRoutes, getRoute, type KernelRoute, readRoute } from "../netlink/route.ts";
import { dump, type Netlink } from "../netlink/socket.ts";
import { inNetns } from "../netns.ts";
import { readSysctl } from "../sysctl.ts";
import { hostSettings } from "./settings.ts";
import type { HostSide } from "./wire.ts";
import { GATEWAY_IPV4, GATEWAY_IPV6, HOST_MAC, hasFamily, type PodWiring } from "./wiring.ts";

const IFF_UP = 1;

/**
 * What differs; empty when all is as it should be.
 * @param learned the kernel forgot the pod's permanent neighbours when its MAC address was changed: they may be learned
 */
export function check(host: HostSide, wiring: PodWiring, learned = false): string[] {
  return [...checkHost(host, wiring), ...checkPodSide(host, wiring, learned)];
}

function checkHost(host: HostSide, wiring: PodWiring): string[] {
  const name = wiring.hostInterface;
  const batch = new RequestBatch();
  getLink(batch, { name });
  let link: ReturnType<typeof readLink> | undefined;
  let ipv6: IPv6Settings | undefined;
  host.netlink.ask(batch, (message) => {
    link = readLink(message);
    ipv6 = readIPv6Settings(message);
  });
  if (link === undefined) return [`the host interface ${name} is missing`];
  const found = link;
  const faults: string[] = [];
  if (found.kind !== "veth") faults.push(`the host interface ${name} is no veth but ${found.kind ?? "something else"}`);
  if ((found.flags & IFF_UP) === 0) faults.push(`the host interface ${name} is down`);
  if (found.mtu !== wiring.mtu) faults.push(`the host interface ${name} has mtu ${found.mtu} instead of ${wiring.mtu}`);
  if (found.mac !== HOST_MAC) faults.push(`the host interface ${name} has MAC ${found.mac} instead of ${HOST_MAC}`);
  for (const address of wiring.addresses) {
    if (!routesTo(host.netlink, address, found.index)) {
      faults.push(`the host has no route ${formatPrefix(hostPrefix(address))} to ${name}`);
    }
  }
  if (hasFamily(wiring, 6) && !hasGatewayAddress(host.netlink, found.index)) {
    faults.push(`the host interface ${name} lacks the pod's gateway ${formatAddress(GATEWAY_IPV6)}`);
  }
  return [...faults, ...checkHostSettings(host, wiring, ipv6)];
}

function hasGatewayAddress(netlink: Netlink, interfaceIndex: number): boolean {
  const addresses = dump(netlink, () => requestOf(dumpAddresses), readLinkAddress);
  return addresses.some((one) => one.interfaceIndex === interfaceIndex && sameAddress(one.address, GATEWAY_IPV6));
}

/** Asks for the one route, since the host's table may hold half a million. */
function routesTo(netlink: Netlink, address: Address, interfaceIndex: number): boolean {
  const batch = new RequestBatch();
  getRoute(batch, address);
  let route: KernelRoute | undefined;
  netlink.ask(batch, (message) => {
    route = readRoute(message);
  });
  const target = route?.target;
  return (
    route !== undefined &&
    samePrefix(route.prefix, hostPrefix(address)) &&
    target?.kind === "unicast" &&
    target.nextHops.some((hop) => hop.interfaceIndex === interfaceIndex && hop.gateway === undefined)
  );
}

function checkHostSettings(host: HostSide, wiring: PodWiring, ipv6: IPv6Settings | undefined): string[] {
  const link = wiring.hostInterface;
  const wanted: [string, number][] = [
    [`net/ipv4/conf/${link}/forwarding`, 1],
    [`net/ipv4/conf/${link}/proxy_arp`, 1],
    [`net/ipv4/neigh/${link}/proxy_delay`, 0],
    ...hostSettings(wiring, ipv6),
  ];
  return inNetns(host.netns, () =>
    wanted.flatMap(([path, value]) => {
      const found = readOrMissing(path);
      return found === `${value}` ? [] : [`${path.replaceAll("/", ".")} is ${found} instead of ${value}`];
    }),
  );
}

function readOrMissing(path: string): string {
  try {
    return readSysctl(path);
  } catch (error) {
    return `unreadable (${(error as { code?: string }).code})`;
  }
}

function checkPodSide(host: HostSide, wiring: PodWiring, learned: boolean): string[] {
  let pod: Netlink;
  try {
    pod = host.openSocket(wiring.netns);
  } catch (error) {
    return [`the network namespace ${wiring.netns} cannot be entered: ${(error as { code?: string }).code}`];
  }
  try {
    const links = readLinks(pod);
    const link = links.find(({ name }) => name === wiring.ifName);
    const faults = links.some(({ name, up }) => name === "lo" && up) ? [] : ["lo is down in the pod"];
    if (link === undefined) return [...faults, `the pod has no interface ${wiring.ifName}`];
    return [...faults, ...checkPodLink(link, wiring), ...checkWays(pod, link, wiring, learned)];
  } finally {
    pod.close();
  }
}

function checkPodLink(link: Link, { ifName, mtu, mac, addresses }: PodWiring): string[] {
  const faults: string[] = [];
  if (!link.up) faults.push(`${ifName} is down in the pod`);
  if (link.mtu !== mtu) faults.push(`${ifName} has mtu ${link.mtu} instead of ${mtu} in the pod`);
  if (mac !== undefined && link.mac !== mac.toLowerCase()) {
    faults.push(`${ifName} has MAC ${link.mac} instead of ${mac} in the pod`);
  }
  for (const wanted of addresses) {
    const bits = hostPrefix(wanted).length;
    if (!link.addresses.some(({ address, length }) => length === bits && sameAddress(address, wanted))) {
      faults.push(`${ifName} lacks the address ${formatAddress(wanted)}/${bits} in the pod`);
    }
  }
  return faults;
}

/** The default routes, and the gateways' neighbour entries that make them work. */
function checkWays(pod: Netlink, link: Link, wiring: PodWiring, learned: boolean): string[] {
  const routes = dump(pod, () => requestOf((batch) => dumpRoutes(batch, AF_UNSPEC)), readRoute);
  const neighbours = dump(pod, () => requestOf(dumpNeighbours), readNeighbour);
  const gateways = ([4, 6] as const)
    .filter((family) => hasFamily(wiring, family))
    .map((family) => (family === 4 ? GATEWAY_IPV4 : GATEWAY_IPV6));
  return gateways.flatMap((gateway) => {
    const faults: string[] = [];
    const text = formatAddress(gateway);
    if (!routes.some((route) => isDirect(route, gateway, link.index))) {
      faults.push(`the pod has no route ${text} on ${link.name}`);
    }
    if (!routes.some((route) => isDefaultVia(route, gateway, link.index))) {
      faults.push(`the pod has no default route via ${text} on ${link.name}`);
    }
    const entry = neighbours.find((n) => n.interfaceIndex === link.index && sameAddress(n.address, gateway));
    const permanent = entry !== undefined && (entry.state & NUD_PERMANENT) !== 0 && formatMac(entry.mac) === HOST_MAC;
    if (!permanent && !learned) {
      faults.push(`the pod has no permanent neighbour ${text} with MAC ${HOST_MAC}`);
    }
    return faults;
  });
}

function isDirect({ prefix, table, target }: KernelRoute, gateway: Address, interfaceIndex: number): boolean {
  return (
    table === RT_TABLE_MAIN &&
    samePrefix(prefix, hostPrefix(gateway)) &&
    target.kind === "unicast" &&
    target.nextHops.some((hop) => hop.interfaceIndex === interfaceIndex && hop.gateway === undefined)
  );
}

function isDefaultVia({ prefix, table, target }: KernelRoute, gateway: Address, interfaceIndex: number): boolean {
  return (
    table === RT_TABLE_MAIN &&
    prefix.length === 0 &&
    target.kind === "unicast" &&
    target.nextHops.some(
      (hop) => hop.interfaceIndex === interfaceIndex && hop.gateway !== undefined && sameAddress(hop.gateway, gateway),
    )
  );
}

function requestOf(build: (batch: RequestBatch) => void): RequestBatch {
  const batch = new RequestBatch();
  build(batch);
  return batch;
}
