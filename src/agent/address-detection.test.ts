import { describe, expect, it } from "@jest/globals";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { readDetectionMethod } from "../config/detection-method.ts";
import type { Link } from "../kernel/links.ts";
import { type DetectionPorts, detect, KERNEL_PORTS } from "./address-detection.ts";

const link = (index: number, name: string, addresses: readonly string[], up = true): Link => ({
  index,
  name,
  up,
  carrier: up,
  mtu: 1500,
  mac: "02:00:00:00:00:01",
  addresses: addresses.map((text) => ({ address: addressOf(text), length: text.includes(":") ? 64 : 24 })),
});

const LINKS = [
  link(1, "lo", ["127.0.0.1", "::1", "10.9.0.5"]),
  link(2, "docker0", ["172.17.0.1"]),
  link(3, "eth1", ["10.0.1.5"], false),
  link(6, "eth3", ["10.0.3.5"]),
  link(5, "eth2", ["169.254.7.7", "10.0.2.5", "fe80::1", "fd00::5"]),
  link(4, "ovl0123456789a", ["169.254.1.1", "10.9.0.6"]),
];

const PORTS: DetectionPorts = {
  links: () => LINKS,
  addressTowards: async (destination, family) => {
    if (destination === "nowhere") throw new Error("no route to host");
    return addressOf(family === 4 ? "10.0.3.5" : "fd00::5");
  },
  internalAddresses: () => ["fd00::5", "10.77.0.1", "10.0.2.5"],
};

async function found(method: string, family: 4 | 6 = 4, ports = PORTS): Promise<string | undefined> {
  const read = readDetectionMethod(method);
  if ("error" in read) throw new Error(read.error);
  const address = await detect({ kind: "detected", method: read }, family, ports);
  return address && formatPrefix(address);
}

describe("the node's address", () => {
  it("is none that the machine does not speak from, as those that pods dial", async () => {
    const dialed = { address: addressOf("fd00::179"), length: 128, deprecated: true } as const;
    const [lo, ...others] = LINKS as [Link, ...Link[]];
    const ports = { ...PORTS, links: () => [{ ...lo, addresses: [...lo.addresses, dialed] }, ...others] };
    expect(await found("cidr=fd00::/16", 6, ports)).toBe("fd00::5/64");
  });

  it.each([
    ["first-found", 4, "10.0.2.5/24"],
    ["first-found", 6, "fd00::5/64"],
    ["skip-interface=eth2", 4, "10.0.3.5/24"],
    ["interface=eth3,nothing", 4, "10.0.3.5/24"],
    // By the kernel's order of interfaces, not by that of the expressions; any part of the name counts.
    ["interface=th3,th2", 4, "10.0.2.5/24"],
    ["interface=^lo$", 4, "10.9.0.5/24"],
    ["interface=docker", 4, "172.17.0.1/24"],
    ["cidr=10.0.3.0/24,10.9.0.0/16", 4, "10.9.0.5/24"],
    ["cidr=fd00::/16", 6, "fd00::5/64"],
    ["can-reach=192.0.2.1", 4, "10.0.3.5/24"],
    ["kubernetes-internal-ip", 6, "fd00::5/64"],
    // Kubernetes knows one that no interface has.
    ["kubernetes-internal-ip", 4, "10.77.0.1/32"],
  ] as const)("by %s of IPv%i is %s", async (method, family, expected) => {
    expect(await found(method, family)).toBe(expected);
  });

  it.each([
    ["interface=eth1", "no interface has such an address"],
    ["skip-interface=eth", "no interface has such an address"],
    ["cidr=10.55.0.0/16", "no interface has such an address"],
    ["can-reach=nowhere", "no route to host"],
  ])("by %s cannot be found, and words say so", async (method, why) => {
    await expect(found(method)).rejects.toThrow(why);
  });

  it("is none when nothing was asked for and nothing is there, or none is wanted", async () => {
    const bare = { ...PORTS, links: () => LINKS.slice(0, 2) };
    expect(await found("first-found", 4, bare)).toBeUndefined();
    expect(await detect({ kind: "none" }, 4, PORTS)).toBeUndefined();
  });

  it("that was given without its length has that of its interface", async () => {
    const given = async (text: string) => {
      const address = await detect({ kind: "given", address: addressOf(text) }, 4, PORTS);
      return address && formatPrefix(address);
    };
    expect([await given("10.0.3.5"), await given("10.1.1.1")]).toEqual(["10.0.3.5/24", "10.1.1.1/32"]);
  });

  it("towards a destination is what the kernel would send from", async () => {
    expect(formatAddress(await KERNEL_PORTS.addressTowards("127.0.0.1", 4))).toBe("127.0.0.1");
    await expect(KERNEL_PORTS.addressTowards("no such name", 4)).rejects.toThrow();
  });

  it("is one that Kubernetes knows", async () => {
    const only4 = { ...PORTS, internalAddresses: () => ["10.0.2.5"] };
    await expect(found("kubernetes-internal-ip", 6, only4)).rejects.toThrow("no InternalIP of IPv6");
  });
});
