/**
 * The lab's address plan. IPv4 and IPv6 say the same thing in the same digits, so that a person can read one from the
 * other:
 *
 *   rack i        10.10.i.0/24    fd00:10:i::/64    ToR .1 / ::1, nodes .11 / ::11 and up
 *   VMs of rack i 10.20.i.0/24    fd00:20:i::/64    ToR .1 / ::1, VM .10 / ::10
 *   ToR link x    10.0.x.0/30     fd00:0:x::/64     .1 and .2
 *   management    192.168.250.0/24 fd99:250::/64    etcd .1, nodes from .11 on
 *   pods          10.244.0.0/16   fd00:244::/48     blocks of 64 addresses each
 *   services      10.96.0.0/16    fd00:96::/112     and 198.18.0.0/16, fd00:98::/112 from outside: where there are any
 */

export interface DualAddress {
  readonly ipv4: string;
  readonly ipv6: string;
}

export const NODE_AS_NUMBER = 64512;
export const HOLD_TIME_SECONDS = 9;

export const POD_POOLS = {
  ipv4: { cidr: "10.244.0.0/16", blockSize: 26 },
  ipv6: { cidr: "fd00:244::/48", blockSize: 122 },
} as const;

/** Where services may have their addresses; routers take them from nodes, as they take the prefixes of pods. */
export const SERVICE_RANGES = {
  ipv4: ["10.96.0.0/16", "198.18.0.0/16"],
  ipv6: ["fd00:96::/112", "fd00:98::/112"],
} as const;

/** What routers announce to nodes and to each other besides pods: racks and VM subnets. */
export const FABRIC_SUBNETS = {
  ipv4: ["10.10.0.0/16", "10.20.0.0/16"],
  ipv6: ["fd00:10::/32", "fd00:20::/32"],
} as const;

export const PREFIX_LENGTH = {
  rack: { ipv4: 24, ipv6: 64 },
  vm: { ipv4: 24, ipv6: 64 },
  fabric: { ipv4: 30, ipv6: 64 },
  management: { ipv4: 24, ipv6: 64 },
} as const;

export const torAsNumber = (rack: number): number => 65000 + rack;

/** Host `host` (1..254, written in decimal digits in both families) in a rack's node or VM subnet. */
export function hostAddress(subnet: "rack" | "vm", rack: number, host: number): DualAddress {
  const net = subnet === "rack" ? 10 : 20;
  return { ipv4: `10.${net}.${rack}.${host}`, ipv6: `fd00:${net}:${rack}::${host}` };
}

export const torAddress = (rack: number): DualAddress => hostAddress("rack", rack, 1);

export const fabricAddress = (link: number, end: 1 | 2): DualAddress => ({
  ipv4: `10.0.${link}.${end}`,
  ipv6: `fd00:0:${link}::${end}`,
});

/** Index 0 is etcd, nodes follow from 1. At most 180 nodes: it fits a /24. */
export const managementAddress = (index: number): DualAddress => {
  const host = index === 0 ? 1 : 10 + index;
  return { ipv4: `192.168.250.${host}`, ipv6: `fd99:250::${host}` };
};

export const addresses = (dual: DualAddress): string[] => [dual.ipv4, dual.ipv6];
