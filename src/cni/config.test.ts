import { describe, expect, it } from "@jest/globals";
import { formatAddress } from "../../ipam/net/address.ts";
import type { CniFault } from "./fault.ts";
import { type CniRequest, readRequest } from "./request.ts";

const CONFIG = { cniVersion: "1.1.0", name: "net", type: "overland" };

function read(config: object, args = "", command = "ADD"): CniRequest {
  const variables = [
    `CNI_COMMAND=${command}`,
    "CNI_CONTAINERID=c",
    "CNI_NETNS=/n",
    "CNI_IFNAME=eth0",
    `CNI_ARGS=${args}`,
  ];
  const text = `${variables.map((one) => `${one}\0`).join("")}\0${JSON.stringify({ ...CONFIG, ...config })}`;
  return readRequest(new TextEncoder().encode(text));
}

function faultOf(config: object, args = "", command = "ADD"): string {
  try {
    read(config, args, command);
    return "fine";
  } catch (error) {
    const { code, message, details } = error as CniFault;
    return `${code}: ${message}${details === "" ? "" : ` (${details})`}`;
  }
}

const askedFor = (config: object, args?: string): unknown => {
  const { addresses, mac } = read(config, args).config.askedFor;
  return [...addresses.map(formatAddress), ...(mac === undefined ? [] : [mac])];
};

describe("what is asked for by name", () => {
  it.each<[string, object, string, string[]]>([
    ["nothing", {}, "", []],
    [
      "the capabilities ips and mac",
      { runtimeConfig: { ips: ["10.0.0.7/24", "fd00::7"], mac: "02:AA:00:00:00:01" } },
      "",
      ["10.0.0.7", "fd00::7", "02:aa:00:00:00:01"],
    ],
    [
      "args.cni",
      { args: { cni: { ips: ["10.0.0.7"], mac: "02:aa:00:00:00:01" } } },
      "",
      ["10.0.0.7", "02:aa:00:00:00:01"],
    ],
    ["CNI_ARGS", {}, "IP=10.0.0.7,fd00::7;MAC=02:aa:00:00:00:01", ["10.0.0.7", "fd00::7", "02:aa:00:00:00:01"]],
    [
      "the capability before args.cni before CNI_ARGS",
      { runtimeConfig: { ips: ["10.0.0.1"] }, args: { cni: { ips: ["10.0.0.2"], mac: "02:aa:00:00:00:02" } } },
      "IP=10.0.0.3;MAC=02:aa:00:00:00:03",
      ["10.0.0.1", "02:aa:00:00:00:02"],
    ],
    ["the same address twice", { runtimeConfig: { ips: ["10.0.0.1/24", "10.0.0.1"] } }, "", ["10.0.0.1"]],
    [
      "what is for plugins behind us",
      { runtimeConfig: { portMappings: [{ hostPort: 80 }], bandwidth: { ingressRate: 1 } } },
      "",
      [],
    ],
    ["empty values", { runtimeConfig: { ips: [], mac: "" }, args: null }, "IP=;MAC=", []],
  ])("is read from %s", (_name, config, args, expected) => {
    expect(askedFor(config, args)).toEqual(expected);
  });

  it.each<[string, object, string, string]>([
    [
      "a word",
      { runtimeConfig: { ips: ["10.0.0.1", "big"] } },
      "",
      '7: runtimeConfig.ips[1] "big" is no IP address (write',
    ],
    ["a number", { args: { cni: { ips: [7] } } }, "", "7: args.cni.ips[0] 7 is no IP address"],
    ["a single text for a list", { runtimeConfig: { ips: "10.0.0.1" } }, "", "7: runtimeConfig.ips is not a list"],
    [
      "two of one family",
      { runtimeConfig: { ips: ["10.0.0.1", "10.0.0.2"] } },
      "",
      "7: runtimeConfig.ips has 2 IPv4 addresses (a pod has one of each)",
    ],
    [
      "a multicast address",
      { runtimeConfig: { ips: ["ff02::1"] } },
      "",
      "7: runtimeConfig.ips[0] ff02::1 is no address that a pod can have",
    ],
    ["a word in the environment", {}, "IP=big", '4: CNI_ARGS IP "big" is no IP address'],
    [
      "a MAC that is none",
      { runtimeConfig: { mac: "02:00" } },
      "",
      '7: runtimeConfig.mac "02:00" is no MAC address (write',
    ],
    [
      "a multicast MAC",
      { runtimeConfig: { mac: "01:00:5e:00:00:01" } },
      "",
      "7: runtimeConfig.mac 01:00:5e:00:00:01 is no MAC address that an",
    ],
    ["a MAC in the environment", {}, "MAC=x", '4: CNI_ARGS MAC "x" is no MAC address'],
    ["runtimeConfig as a list", { runtimeConfig: [] }, "", "7: runtimeConfig is not an object"],
  ])("is refused by its field: %s", (_name, config, args, fault) => {
    expect(faultOf(config, args)).toContain(fault);
  });
});

describe("the network configuration", () => {
  it("passes DNS settings on, the capability's before its own", () => {
    const dns = { nameservers: ["10.0.0.53"], domain: "x.test", search: ["y.test"], options: ["ndots:2"], more: 1 };
    expect(read({ dns }).config.dns).toEqual({ ...dns, more: undefined });
    expect(read({ dns, runtimeConfig: { dns: { servers: ["::1"], searches: ["z.test"] } } }).config.dns).toEqual({
      ...{ nameservers: ["::1"], domain: "x.test", search: ["z.test"], options: ["ndots:2"] },
    });
    expect(faultOf({ dns: { nameservers: "10.0.0.53" } })).toBe("7: dns.nameservers is not a list");
  });

  it("has Calico's container_settings", () => {
    expect(read({}).config.allowForwarding).toBe(false);
    expect(read({ container_settings: { allow_ip_forwarding: true } }).config.allowForwarding).toBe(true);
    expect(faultOf({ container_settings: { allow_ip_forwarding: 1 } })).toBe(
      "7: container_settings.allow_ip_forwarding 1 is not true or false",
    );
  });

  it.each<[string, object, string]>([
    ["a subnet with host bits", { subnets: ["10.0.0.1/24"] }, '7: ipam.subnets[0] "10.0.0.1/24" is no subnet'],
    ["two subnets of a family", { subnets: ["10.0.0.0/24", "10.0.1.0/24"] }, "7: ipam.subnets has 2 IPv4 subnets"],
    [
      "a gateway elsewhere",
      { subnets: ["10.0.0.0/24"], gateways: ["10.0.1.1"] },
      "7: ipam.gateways: 10.0.1.1 is in none of ipam.subnets (subnets: 10.0.0.0/24",
    ],
    [
      "a gateway alone",
      { gateways: ["10.0.1.1"] },
      "7: ipam.gateways: 10.0.1.1 is in none of ipam.subnets (subnets: none",
    ],
    ["a route to nowhere", { routes: [{ gw: "10.0.0.1" }] }, "7: ipam.routes[0].dst undefined is no prefix"],
    ["a route via a word", { routes: [{ dst: "0.0.0.0/0", gw: "up" }] }, '7: ipam.routes[0].gw "up" is no IP address'],
  ])("is refused for a delegate with %s", (_name, ipam, fault) => {
    expect(faultOf({ ipam })).toContain(fault);
  });

  it("does not keep a pod from being removed, whatever became of it", () => {
    const spoilt = { mtu: "big", ipam: { type: "other" }, runtimeConfig: 7, prevResult: 7, dns: 7 };
    expect(faultOf(spoilt)).not.toBe("fine");
    expect(faultOf(spoilt, "IP=big", "DEL")).toBe("fine");
  });

  it.each<[string, string, object, string]>([
    ["CHECK", "0.3.1", { prevResult: {} }, "1: cniVersion 0.3.1 has no CHECK (it came with version 0.4.0)"],
    ["CHECK", "0.4.0", { prevResult: {} }, "fine"],
    ["CHECK", "1.1.0", {}, "7: prevResult is missing: CHECK needs the result of ADD"],
    ["CHECK", "1.1.0", { prevResult: { ips: {} } }, "7: prevResult.ips is not a list"],
    ["STATUS", "1.0.0", {}, "1: cniVersion 1.0.0 has no STATUS (it came with version 1.1.0)"],
    ["GC", "1.0.0", {}, "1: cniVersion 1.0.0 has no GC (it came with version 1.1.0)"],
    ["STATUS", "1.1.0", {}, "fine"],
    [
      "GC",
      "1.1.0",
      { "cni.dev/valid-attachments": [{ containerID: "c" }] },
      "7: cni.dev/valid-attachments is not a list of {con",
    ],
  ])("%s of version %s", (command, cniVersion, config, fault) => {
    expect(faultOf({ ...config, cniVersion }, "", command)).toContain(fault);
  });
});
