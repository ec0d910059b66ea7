/** Links: `struct ifinfomsg` and its attributes. */

import type { RequestBatch } from "./batch.ts";
import * as nl from "./constants.ts";
import { attributeIn, attributesIn, type Message, readText, readU32 } from "./reader.ts";

/** A link as the kernel lists it. */
export interface LinkObject {
  readonly index: number;
  readonly flags: number;
  readonly name: string;
  readonly mtu: number;
  /** `ee:ee:ee:ee:ee:ee`; empty for a link without one. */
  readonly mac: string;
  /** "veth", "bridge"…; absent for physical links and lo. */
  readonly kind: string | undefined;
  /** 0: the default group. */
  readonly group: number;
  /** Of a veth: the index of its other end, wherever that is; 0 for a link without one. */
  readonly peer: number;
}

/** Which link a request means: its index, or its name. */
export type LinkName = { readonly index: number } | { readonly name: string };

const IFINFOMSG_LENGTH = 16;

/** Header octets and, where the link is named, the name. `flags` and `change` are IFF_ bits. */
function header(batch: RequestBatch, link: LinkName, flags = 0, change = 0): void {
  batch.u8(nl.AF_UNSPEC).u8(0).u16(0);
  batch
    .u32("index" in link ? link.index : 0)
    .u32(flags)
    .u32(change);
  if ("name" in link) batch.attributeText(nl.IFLA_IFNAME, link.name);
}

export function getLink(batch: RequestBatch, link: LinkName): void {
  batch.begin(nl.RTM_GETLINK);
  header(batch, link);
  batch.attributeU32(nl.IFLA_EXT_MASK, nl.RTEXT_FILTER_SKIP_STATS).end();
}

export function dumpLinks(batch: RequestBatch): void {
  batch.begin(nl.RTM_GETLINK, nl.NLM_F_DUMP);
  header(batch, { index: 0 });
  batch.attributeU32(nl.IFLA_EXT_MASK, nl.RTEXT_FILTER_SKIP_STATS).end();
}

export function deleteLink(batch: RequestBatch, link: LinkName): void {
  batch.begin(nl.RTM_DELLINK);
  header(batch, link);
  batch.end();
}

/** Deletes every link of the group in one go: the group must be nobody else's. */
export function deleteLinkGroup(batch: RequestBatch, group: number): void {
  batch.begin(nl.RTM_DELLINK);
  header(batch, { index: 0 });
  batch.attributeU32(nl.IFLA_GROUP, group).end();
}

export function setLinkGroup(batch: RequestBatch, link: LinkName, group: number): void {
  batch.begin(nl.RTM_SETLINK);
  header(batch, link);
  batch.attributeU32(nl.IFLA_GROUP, group).end();
}

export function setLinkUp(batch: RequestBatch, link: LinkName): void {
  batch.begin(nl.RTM_SETLINK);
  header(batch, link, nl.IFF_UP, nl.IFF_UP);
  batch.end();
}

/**
 * No link-local address of the kernel's own making: no duplicate address detection, no MLD. A request of its own before
 * the one that sets the link up, since within one request the flags act first.
 */
export function setNoGeneratedAddress(batch: RequestBatch, index: number): void {
  batch.begin(nl.RTM_SETLINK);
  header(batch, { index });
  batch
    .nest(nl.IFLA_AF_SPEC, () =>
      batch.nest(nl.AF_INET6, () => batch.attributeU8(nl.IFLA_INET6_ADDR_GEN_MODE, nl.IN6_ADDR_GEN_MODE_NONE)),
    )
    .end();
}

/** IPv4 settings of a link, by IPV4_DEVCONF_ number: what /proc/sys/net/ipv4/conf/<link> holds, without the files. */
export function setIPv4Settings(batch: RequestBatch, index: number, settings: ReadonlyMap<number, number>): void {
  batch.begin(nl.RTM_SETLINK);
  header(batch, { index });
  batch
    .nest(nl.IFLA_AF_SPEC, () =>
      batch.nest(nl.AF_INET, () =>
        batch.nest(nl.IFLA_INET_CONF, () => {
          for (const [setting, value] of settings) batch.attributeU32(setting, value);
        }),
      ),
    )
    .end();
}

/** What /proc/sys/net/ipv6/conf/<link> holds of the settings that matter for a pod's link. */
export interface IPv6Settings {
  readonly forwarding: boolean;
  /** 0: none, 1: unless the link forwards, 2: always. */
  readonly acceptRouterAdvertisements: number;
  readonly disabled: boolean;
}

/** Reads them out of RTM_NEWLINK; undefined for a link without IPv6. */
export function readIPv6Settings({ payload }: Message): IPv6Settings | undefined {
  const families = attributeIn(payload, IFINFOMSG_LENGTH, nl.IFLA_AF_SPEC);
  const ipv6 = families && attributeIn(families, 0, nl.AF_INET6);
  const values = ipv6 && attributeIn(ipv6, 0, nl.IFLA_INET6_CONF);
  if (values === undefined) return undefined;
  const value = (place: number) => readU32(values, 4 * place);
  return {
    forwarding: value(nl.DEVCONF_FORWARDING) !== 0,
    acceptRouterAdvertisements: value(nl.DEVCONF_ACCEPT_RA),
    disabled: value(nl.DEVCONF_DISABLE_IPV6) !== 0,
  };
}

export interface VethEnd {
  readonly name: string;
  readonly mac: Uint8Array;
}

/**
 * A veth pair whose peer is born in the namespace behind the descriptor: moving an end later costs 16 to 24 ms under
 * the kernel's lock. One queue on each end, else the kernel shrinks its queue array with two RCU grace periods.
 */
export function createVeth(batch: RequestBatch, host: VethEnd, pod: VethEnd, mtu: number, podNetnsFd: number): void {
  const end = (veth: VethEnd) => {
    batch.attributeText(nl.IFLA_IFNAME, veth.name).attribute(nl.IFLA_ADDRESS, veth.mac);
    batch.attributeU32(nl.IFLA_MTU, mtu);
    batch.attributeU32(nl.IFLA_NUM_TX_QUEUES, 1).attributeU32(nl.IFLA_NUM_RX_QUEUES, 1);
  };
  batch.begin(nl.RTM_NEWLINK, nl.NLM_F_CREATE | nl.NLM_F_EXCL);
  header(batch, { index: 0 });
  end(host);
  batch.nest(nl.IFLA_LINKINFO, () => {
    batch.attributeText(nl.IFLA_INFO_KIND, "veth");
    batch.nest(nl.IFLA_INFO_DATA, () => {
      const peer = () => {
        header(batch, { index: 0 });
        end(pod);
        batch.attributeU32(nl.IFLA_NET_NS_FD, podNetnsFd);
      };
      batch.nest(nl.VETH_INFO_PEER, peer, true);
    });
  });
  batch.end();
}

/** Reads RTM_NEWLINK and RTM_DELLINK. */
export function readLink(message: Message): LinkObject {
  const { payload } = message;
  const attributes = attributesIn(payload, IFINFOMSG_LENGTH);
  const text = (type: number) => readText(attributes.get(type) ?? new Uint8Array(0));
  const mtu = attributes.get(nl.IFLA_MTU);
  const group = attributes.get(nl.IFLA_GROUP);
  const peer = attributes.get(nl.IFLA_LINK);
  const info = attributes.get(nl.IFLA_LINKINFO);
  const kind = info === undefined ? undefined : attributesIn(info, 0).get(nl.IFLA_INFO_KIND);
  return {
    index: readU32(payload, 4),
    flags: readU32(payload, 8),
    name: text(nl.IFLA_IFNAME),
    mtu: mtu === undefined ? 0 : readU32(mtu, 0),
    mac: formatMac(attributes.get(nl.IFLA_ADDRESS) ?? new Uint8Array(0)),
    kind: kind === undefined ? undefined : readText(kind),
    group: group === undefined ? 0 : readU32(group, 0),
    peer: peer === undefined ? 0 : readU32(peer, 0),
  };
}

/** The index of a pair's end, and of the other one in its own namespace; 0: it has none. */
export function readEnd({ payload }: Message): Pick<LinkObject, "index" | "peer"> {
  const peer = attributeIn(payload, IFINFOMSG_LENGTH, nl.IFLA_LINK);
  return { index: readU32(payload, 4), peer: peer === undefined ? 0 : readU32(peer, 0) };
}

/** The name alone, of the same messages. */
export function readLinkName(payload: Uint8Array): string {
  return readText(attributeIn(payload, IFINFOMSG_LENGTH, nl.IFLA_IFNAME) ?? new Uint8Array(0));
}

const HEXADECIMAL = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

export function formatMac(octets: Uint8Array): string {
  return Array.from(octets, (octet) => HEXADECIMAL[octet]).join(":");
}

/** Reads six octets written as `ee:ee:ee:ee:ee:ee`; undefined for anything else. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2}){5}$/.test(text)) return undefined;
  return Uint8Array.from(text.split(":"), (part) => Number.parseInt(part, 16));
}
