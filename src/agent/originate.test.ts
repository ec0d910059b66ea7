import { describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { Link } from "../kernel/links.ts";
import { uplinkMtu } from "./configuration.ts";
import { originate } from "./originate.ts";

const POOL = { cidr: prefixOf("10.244.0.0/16"), disableBGPExport: false };

function announced(blocks: string[], pods: string[], pools = [POOL]) {
  const { networks, blackholes } = originate(
    blocks.map((cidr) => ({ cidr: prefixOf(cidr) })),
    pods.map(addressOf),
    pools,
  );
  return { networks: networks.map(formatPrefix), blackholes: blackholes.map(formatPrefix) };
}

describe("what a node announces", () => {
  it("is its blocks, and not the pods in them", () => {
    expect(announced(["10.244.0.0/26"], ["10.244.0.1", "10.244.0.2"])).toEqual({
      networks: ["10.244.0.0/26"],
      blackholes: ["10.244.0.0/26"],
    });
  });

  it("is also a borrowed address, alone", () => {
    expect(announced(["10.244.0.0/26"], ["10.244.7.1"]).networks).toEqual(["10.244.0.0/26", "10.244.7.1/32"]);
  });

  it("is nothing of a pool with disableBGPExport, which is blackholed all the same", () => {
    expect(announced(["10.244.0.0/26"], ["10.244.7.1"], [{ ...POOL, disableBGPExport: true }])).toEqual({
      networks: [],
      blackholes: ["10.244.0.0/26"],
    });
  });

  it("a block of one address is no blackhole", () => {
    expect(announced(["10.244.0.1/32"], []).blackholes).toEqual([]);
  });
});

const link = (index: number, name: string, addresses: string[], rest: Partial<Link> = {}): Link => ({
  index,
  name,
  up: true,
  carrier: true,
  mtu: 1500,
  mac: "02:00:00:00:00:01",
  addresses: addresses.map((text) => {
    const { address } = prefixOf(`${text}/${text.includes(":") ? 128 : 32}`);
    return { address, length: 24 };
  }),
  ...rest,
});

describe("the MTU of pods", () => {
  const links = [
    link(1, "lo", ["127.0.0.1", "::1"]),
    link(2, "docker0", ["172.17.0.1"]),
    link(3, "eth1", ["10.0.1.5"], { up: false }),
    link(5, "eth2", ["10.0.2.5", "fe80::1", "fd00::5"], { mtu: 9000 }),
    link(4, "ovl0123456789a", ["169.254.1.1"]),
  ];

  it("is that of the link with the node's address", () => {
    expect(uplinkMtu(links, [{ address: addressOf("10.0.2.5"), length: 24 }])).toBe(9000);
    expect(uplinkMtu(links, [])).toBe(1500);
  });

  it("is, where that address is on lo, the least of the ways out", () => {
    expect(uplinkMtu(links, [{ address: addressOf("127.0.0.1"), length: 8 }])).toBe(1500);
    expect(uplinkMtu([links[0] as Link, links[3] as Link], [{ address: addressOf("127.0.0.1"), length: 8 }])).toBe(
      9000,
    );
  });
});
