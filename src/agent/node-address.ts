/** The node's own addresses when nobody gave them, looked for as Calico does. */
import {
  type Address,
  bitsOf,
  type Family,
  familyOf,
  isLinkLocal,
  isLoopback,
  sameAddress,
} from "../../ipam/net/address.ts";
import { type AddressWithLength, containsAddress } from "../../ipam/net/prefix.ts";
import type { DetectionMethod } from "../config/detection-method.ts";
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

type ByLink = Exclude<DetectionMethod, { readonly kind: "can-reach" | "kubernetes-internal-ip" }>;

/** The first address that fits, of the first interface that fits, in the kernel's order. */
export function addressOnLinks(
  links: readonly Link[],
  family: Family,
  method: DetectionMethod,
): AddressWithLength | undefined {
  for (const link of [...links].sort((a, b) => a.index - b.index)) {
    if (!link.up || !isCandidate(link.name, method as ByLink)) continue;
    const found = link.addresses.find(
      ({ address, deprecated }) => deprecated !== true && familyOf(address) === family && fits(address, method),
    );
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Who is named outright is taken whatever it is: an address on lo or on a bridge may be the node's. */
function isCandidate(name: string, method: ByLink): boolean {
  switch (method.kind) {
    case "interface":
      return method.names.some((one) => one.test(name));
    case "cidr":
      return !isPodInterface(name);
    case "skip-interface":
      return !NOT_THE_NODE.test(name) && !method.names.some((one) => one.test(name));
    default:
      return !NOT_THE_NODE.test(name);
  }
}

function fits(address: Address, method: DetectionMethod): boolean {
  if (isLinkLocal(address) || isLoopback(address)) return false;
  return method.kind !== "cidr" || method.prefixes.some((prefix) => containsAddress(prefix, address));
}

/** With the length it has on its interface; alone where no interface has it. */
export function withLength(links: readonly Link[], address: Address): AddressWithLength {
  const found = links.flatMap(({ addresses }) => addresses).find((one) => sameAddress(one.address, address));
  return found ?? { address, length: bitsOf(familyOf(address)) };
}
