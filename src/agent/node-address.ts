/**
 * The node's own addresses when nobody gave them: Calico's "first-found", the first usable address of the first
 * interface that is not a container's or a tunnel's.
 */
import { type Family, familyOf, isLinkLocal, isLoopback } from "../../ipam/net/address.ts";
import type { AddressWithLength } from "../../ipam/net/prefix.ts";
import type { Link } from "../kernel/links.ts";

/** Calico's list, and our own interfaces. */
const NOT_THE_NODE = new RegExp(
  `^(${[
    ...["docker", "cbr", "dummy", "podman", "virbr", "lxcbr", "veth", "lo$", "br-", "cali", "ovl", "tunl", "flannel"],
    ...["kube-ipvs", "cni", "vxlan", "wireguard", "nodelocaldns"],
  ].join("|")})`,
);

/** The host end of a pod of ours. */
export function isPodInterface(name: string): boolean {
  return /^ovl[0-9a-f]{11}$/.test(name);
}

export function firstFound(links: readonly Link[], family: Family): AddressWithLength | undefined {
  for (const link of [...links].sort((a, b) => a.index - b.index)) {
    if (!link.up || NOT_THE_NODE.test(link.name)) continue;
    const found = link.addresses.find(
      ({ address }) => familyOf(address) === family && !isLinkLocal(address) && !isLoopback(address),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}
