/** The links of a network namespace and their addresses. */
import type { AddressWithLength } from "../../ipam/net/prefix.ts";
import { dumpAddresses, readLinkAddress } from "./netlink/address.ts";
import { RequestBatch } from "./netlink/batch.ts";
import { IFF_LOWER_UP, IFF_UP } from "./netlink/constants.ts";
import { dumpLinks, readLink } from "./netlink/link.ts";
import { dump, type Netlink, NetlinkSocket } from "./netlink/socket.ts";

export interface Link {
  readonly index: number;
  readonly name: string;
  /** Set up by the administrator. */
  readonly up: boolean;
  /** Able to carry packets: up, and the other side too. */
  readonly carrier: boolean;
  readonly mtu: number;
  readonly mac: string;
  /** "veth", "bridge", "vlan"…; absent for physical links and lo. */
  readonly kind?: string;
  readonly addresses: readonly LinkAddress[];
}

export interface LinkAddress extends AddressWithLength {
  /** Not to be spoken from (RFC 4862 5.5.4). */
  readonly deprecated?: true;
}

/** Lists the links of the namespace at the path, or of the process's own. */
export function listLinks(netns?: string): Link[] {
  const netlink = NetlinkSocket.open(netns);
  try {
    return readLinks(netlink);
  } finally {
    netlink.close();
  }
}

/** As {@link listLinks}, through a socket that is open already. */
export function readLinks(netlink: Netlink): Link[] {
  const addresses = dump(netlink, () => requestOf(dumpAddresses), readLinkAddress);
  const links = dump(netlink, () => requestOf(dumpLinks), readLink);
  const byLink = Map.groupBy(addresses, ({ interfaceIndex }) => interfaceIndex);
  return links.map(({ index, name, flags, mtu, mac, kind }) => ({
    index,
    name,
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    mtu,
    mac,
    ...(kind === undefined ? {} : { kind }),
    addresses: (byLink.get(index) ?? []).map(({ address, length, deprecated }) => ({
      address,
      length,
      ...(deprecated && { deprecated }),
    })),
  }));
}

function requestOf(build: (batch: RequestBatch) => void): RequestBatch {
  const batch = new RequestBatch();
  build(batch);
  return batch;
}
