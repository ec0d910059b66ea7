import { renameSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { type Address, addressOf, addressPlus, formatAddress } from "../../ipam/net/address.ts";
import { allocatorOn, requestOf, texts } from "../../ipam/world-for-tests.ts";
import { ip, ipJson, makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { type Answer, type Asked, cleanSandbox, POOLS, TestNode } from "./node-for-tests.ts";

let node: TestNode;
let sandbox: TestNetns;

beforeAll(() => {
  sandbox = makeTestNetns();
});
afterAll(() => removeTestNetns(sandbox));
beforeEach(() => {
  node = new TestNode();
});
afterEach(() => {
  node.close();
  cleanSandbox(sandbox);
});

const ask = (command: string, more: Partial<Asked> = {}): Promise<Answer> =>
  node.ask({ command, containerID: "c1", netns: sandbox.path, ...more });

const delegate = (command: string, config: object = {}, more: Partial<Asked> = {}): Promise<Answer> =>
  ask(command, { plugin: "overland-ipam", config: { type: "bridge", ...config }, ...more });

describe("addresses and MAC asked for by name", () => {
  it("are given, and refused when another pod has them or no pool", async () => {
    const config = { runtimeConfig: { ips: ["10.244.0.77/24", "fd00:244::77"], mac: "02:42:0A:F4:00:4D" } };
    const { said } = await ask("ADD", { config });
    expect(said.ips.map(({ address }: { address: string }) => address)).toEqual(["10.244.0.77/32", "fd00:244::77/128"]);
    expect(said.interfaces[1].mac).toBe("02:42:0a:f4:00:4d");
    expect(await ask("ADD", { config })).toMatchObject({ ok: true, said: { ips: said.ips } });
    expect(await ask("ADD", { args: "IP=10.244.0.78" })).toMatchObject({
      said: {
        code: 102,
        msg: expect.stringContaining("with other addresses"),
        details: expect.stringContaining("0.78"),
      },
    });
    expect(await ask("CHECK")).toEqual({ ok: true, said: "" });
    const other = { containerID: "c2", pod: "other" };
    expect(await ask("ADD", { ...other, args: "IP=10.244.0.77" })).toMatchObject({ said: { code: 11 } });
    expect(await ask("ADD", { ...other, args: "IP=192.0.2.1" })).toMatchObject({
      said: { code: 101, msg: expect.stringContaining("address 192.0.2.1 is in no ") },
    });
    expect(await node.allocations()).toEqual(node.attached());
  });

  it("may be of one family; the other is any", async () => {
    const { said } = await ask("ADD", { args: "IP=fd00:244::99" });
    expect(said.ips[0].address).toBe("fd00:244::99/128");
    expect(said.ips).toHaveLength(2);
  });
});

interface Shown {
  readonly address: string;
}

describe("an address that another node took a moment before", () => {
  it("is on no link in the end: the pod has the one that was written", async () => {
    const first = await ask("ADD", { containerID: "c0", pod: "first" });
    cleanSandbox(sandbox);
    // The next ones of the node's blocks, which it still believes free.
    const after = (places: number): Address[] =>
      first.said.ips.map(({ address }: Shown) => addressPlus(addressOf(address.split("/")[0] as string), places));
    const taken = after(1);
    const request = requestOf("borrowed", [4, 6], { addresses: taken });
    expect(texts(await allocatorOn(node.store, "n2", POOLS).assign(request))).toEqual(taken.map(formatAddress));
    const planned: string[] = [];
    const begin = node.network.begin.bind(node.network);
    node.network.begin = (wiring) => {
      planned.push(...wiring.addresses.map(formatAddress));
      return begin(wiring);
    };
    const { ok, said } = await ask("ADD");
    expect(ok).toBe(true);
    const next = after(2).map(formatAddress);
    expect(said.ips.map(({ address }: Shown) => address)).toEqual([`${next[0]}/32`, `${next[1]}/128`]);
    expect(planned).toEqual([...taken.map(formatAddress), ...next]);
    const shown = ipJson(sandbox, "addr show dev eth0").flatMap((link) => link["addr_info"] as { local: string }[]);
    expect(shown.map(({ local }) => local).sort()).toEqual(next);
    expect(node.routes()).not.toContain(taken.map(formatAddress)[0]);
    expect(await ask("CHECK")).toEqual({ ok: true, said: "" });
    expect(await node.audit()).toEqual([]);
  });
});

describe("a plugin before us in the chain", () => {
  it("keeps its part of the result, with ours after it", async () => {
    const prevResult = {
      interfaces: [{ name: "lo", sandbox: sandbox.path, socketPath: "/run/x" }],
      ips: [{ address: "127.0.0.1/8", interface: 0 }],
      routes: [{ dst: "192.0.2.0/24", priority: 7, scope: 0 }],
      dns: { nameservers: ["10.0.0.1"], domain: "before.test" },
    };
    const { said } = await ask("ADD", { config: { prevResult, dns: { nameservers: ["10.0.0.53"] } } });
    expect(said.interfaces.map(({ name }: { name: string }) => name)).toEqual([
      "lo",
      expect.stringMatching(/^ovl/),
      "eth0",
    ]);
    expect(said.interfaces[0]).toEqual(prevResult.interfaces[0]);
    expect(said.ips.map((one: { interface: number }) => one.interface)).toEqual([0, 2, 2]);
    expect(said.routes[0]).toEqual(prevResult.routes[0]);
    expect(said.dns).toEqual({ nameservers: ["10.0.0.53"], domain: "before.test" });
    expect(await ask("CHECK", { config: { prevResult: said } })).toEqual({ ok: true, said: "" });
  });
});

describe("CHECK", () => {
  it("takes the MAC address that the chain's result names for the pod's", async () => {
    const { said } = await ask("ADD");
    ip(sandbox, "link set eth0 address 02:00:00:00:00:99");
    const prevResult = structuredClone(said);
    expect(await ask("CHECK", { config: { prevResult } })).toMatchObject({
      said: { code: 103, details: expect.stringContaining("has MAC 02:00:00:00:00:99 instead of") },
    });
    prevResult.interfaces[1].mac = "02:00:00:00:00:99";
    expect(await ask("CHECK", { config: { prevResult } })).toEqual({ ok: true, said: "" });
  });

  it("names an address that etcd does not hold for the pod, and goes on without etcd", async () => {
    await ask("ADD");
    const [held = ""] = node.attached();
    await node.allocator.release("net.c1.eth0");
    node.etcdIsAway = true;
    expect(await ask("CHECK")).toEqual({ ok: true, said: "" });
    node.etcdIsAway = false;
    const ipv4 = held.split(" ")[1];
    expect(await ask("CHECK")).toMatchObject({
      said: { code: 103, details: expect.stringContaining(`${ipv4} is not held by net.c1.eth0 in etcd`) },
    });
    const families = [4 as const];
    const addresses = [addressOf("10.244.0.200")];
    const workload = { handle: "net.c1.eth0", containerID: "c1", ifName: "eth0" };
    await node.allocator.assign({ workload, families, addresses });
    expect(await ask("CHECK")).toMatchObject({
      said: { details: expect.stringContaining("holds 10.244.0.200 in etcd as well") },
    });
  });
});

describe("overland-ipam", () => {
  const segment = {
    ipam: {
      ...{ type: "overland-ipam", assign_ipv4: true, ipv4_pools: ["segment"] },
      ...{ subnets: ["10.60.0.0/24"], gateways: ["10.60.0.2"] },
    },
  };

  it("answers addresses in their subnet, never the gateway's or the network's own", async () => {
    const answers = [];
    for (const containerID of ["a", "b", "c", "d"]) {
      const { said } = await delegate("ADD", segment, { containerID });
      expect(said).toEqual({
        cniVersion: "1.1.0",
        ips: [{ address: expect.stringMatching(/^10\.60\.0\.\d+\/24$/), gateway: "10.60.0.2" }],
        routes: [{ dst: "0.0.0.0/0" }],
        dns: {},
      });
      answers.push(said.ips[0].address.split("/")[0]);
    }
    expect(new Set(answers).size).toBe(4);
    for (const reserved of ["10.60.0.0", "10.60.0.2", "10.60.0.255"]) expect(answers).not.toContain(reserved);
    expect(await node.allocations()).toEqual(node.attached());
    expect(node.recorded()).toEqual(node.attached());
    expect(node.interfaces()).toEqual([]);
    expect(ipJson(sandbox, "link show")).toHaveLength(1);
  });

  it("without a subnet answers addresses alone, both families, in the form of the version", async () => {
    const { said } = await delegate("ADD", { cniVersion: "0.4.0", ipam: { routes: [{ dst: "10.0.0.0/8" }] } });
    expect(said).toEqual({
      cniVersion: "0.4.0",
      ips: [
        { version: "4", address: expect.stringMatching(/\/32$/) },
        { version: "6", address: expect.stringMatching(/\/128$/) },
      ],
      routes: [{ dst: "10.0.0.0/8" }],
      dns: {},
    });
  });

  it("says that a pool lies outside of the subnet, and keeps nothing", async () => {
    const ipam = { ...segment.ipam, subnets: ["10.61.0.0/24"], gateways: ["10.61.0.1"] };
    expect(await delegate("ADD", { ipam })).toMatchObject({
      said: { code: 101, msg: expect.stringContaining("is outside of ipam.subnets 10.61.0.0/24") },
    });
    expect(await node.allocations()).toEqual([]);
  });

  it("answers the same again, checks, frees once, and collects what the runtime lost", async () => {
    const first = await delegate("ADD");
    expect(await delegate("ADD")).toEqual(first);
    expect(await delegate("CHECK", { prevResult: first.said })).toEqual({ ok: true, said: "" });
    const wrong = { ips: [{ address: "192.0.2.1/32" }] };
    expect(await delegate("CHECK", { prevResult: wrong })).toMatchObject({ said: { code: 103 } });
    await delegate("ADD", {}, { containerID: "lost" });
    const valid = { "cni.dev/valid-attachments": [{ containerID: "c1", ifname: "eth0" }] };
    expect((await delegate("GC", valid)).ok).toBe(true);
    expect(await node.allocations()).toHaveLength(1);
    for (let i = 0; i < 2; i++) expect(await delegate("DEL")).toEqual({ ok: true, said: "" });
    expect(await node.allocations()).toEqual([]);
    expect(await delegate("CHECK")).toMatchObject({ said: { code: 3 } });
  });

  it("frees later what etcd could not be told", async () => {
    await delegate("ADD");
    node.etcdIsAway = true;
    expect((await delegate("DEL")).ok).toBe(true);
    expect(node.files("pending-del")).toEqual(["c1-eth0"]);
    expect(await delegate("ADD")).toMatchObject({ said: { code: 11 } });
    node.etcdIsAway = false;
    expect(await node.finishPending()).toBe(0);
    expect(await node.allocations()).toEqual([]);
  });

  it("and the main plugin leave each other's interface of one name alone", async () => {
    const wired = await ask("ADD");
    expect(await delegate("ADD")).toMatchObject({
      said: { code: 102, msg: expect.stringContaining("by overland itself") },
    });
    expect((await delegate("DEL")).ok).toBe(true);
    expect(await ask("CHECK", { config: { prevResult: wired.said } })).toEqual({ ok: true, said: "" });
    expect((await delegate("GC", { "cni.dev/valid-attachments": [] })).ok).toBe(true);
    expect(await node.allocations()).toHaveLength(1);
    await ask("DEL");
    await delegate("ADD");
    expect(await ask("ADD")).toMatchObject({ said: { code: 102, msg: expect.stringContaining("another plugin") } });
    expect((await ask("DEL")).ok).toBe(true);
    expect(await node.allocations()).toHaveLength(1);
  });
});

describe("files of before", () => {
  it("of an interface with a dash are found under their new name", async () => {
    await ask("ADD", { ifName: "net-1" });
    expect(node.files("attachments")).toEqual(["c1-net:1.json"]);
    renameSync(`${node.stateDir}/attachments/c1-net:1.json`, `${node.stateDir}/attachments/c1-net-1.json`);
    expect(node.recorded()).toEqual(node.attached());
    expect(node.files("attachments")).toEqual(["c1-net:1.json"]);
  });
});
