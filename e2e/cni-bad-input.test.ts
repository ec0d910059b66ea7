/**
 * What bad input gets from the CNI plugin: a CNI error object on standard output, an exit code that is not 0, and not
 * an
 * interface, an address or a route left behind. DEL of what failed succeeds.
 */
import { writeFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import {
  add,
  cni,
  cniEnvironment,
  del,
  imaginarySandbox,
  networkConfiguration,
  newSandbox,
  plugin,
  readError,
  removeSandbox,
} from "./harness/cni.ts";
import { handles } from "./harness/etcd.ts";
import { type Footprint, footprint } from "./harness/footprint.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { descriptors, processIn } from "./harness/processes.ts";
import { reaches } from "./harness/traffic.ts";

const lab = new ScenarioLab("e2ebad", { racks: 1, nodes: 1, pods: 1 });
const node = () => lab.node("r1n1");
const now = (): Promise<Footprint> => footprint(lab.plan, node());

/** CNI's codes, and Overland's own from 100 on. */
const Code = {
  incompatibleVersion: 1,
  unknownContainer: 3,
  invalidEnvironment: 4,
  ioFailure: 5,
  undecodable: 6,
  invalidConfig: 7,
  noAddress: 101,
  wiring: 102,
} as const;

interface Bad {
  readonly stdin?: string | ((good: string) => string);
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly code: number;
  /** Words the message must have. */
  readonly says: string;
}

/** ADD with something wrong about it is refused with that code and leaves nothing; then DEL of the sandbox succeeds. */
async function refused({ stdin, environment = {}, code, says }: Bad): Promise<void> {
  const sandbox = await newSandbox(lab.name, "bad");
  const before = await now();
  const good = networkConfiguration(node());
  const input = typeof stdin === "function" ? stdin(good) : (stdin ?? good);
  const error = readError(await plugin(node(), cniEnvironment("ADD", sandbox, environment), input));
  expect({ code: error.code, msg: error.msg }).toEqual({ code, msg: expect.stringContaining(says) });
  expect(await now()).toEqual(before);
  await del(node(), sandbox);
  expect(await now()).toEqual(before);
  expect(await ip(sandbox.netns, "-o", "link")).not.toContain("eth0");
  await removeSandbox(sandbox);
}

const without = (field: string) => (good: string) => JSON.stringify({ ...JSON.parse(good), [field]: undefined });
const having = (change: object) => (good: string) => JSON.stringify({ ...JSON.parse(good), ...change });

describe("a network configuration that makes no sense", () => {
  const { incompatibleVersion, undecodable, invalidConfig, noAddress, ioFailure, wiring } = Code;
  const cases: Record<string, Bad> = {
    "that is empty": { stdin: "", code: undecodable, says: "empty" },
    "of white space alone": { stdin: " \n\t", code: undecodable, says: "empty" },
    "that is not JSON": { stdin: "{socket", code: undecodable, says: "JSON" },
    "that is an array": { stdin: "[]", code: undecodable, says: "object" },
    "that is a number": { stdin: "17", code: undecodable, says: "object" },
    "that is null": { stdin: "null", code: undecodable, says: "object" },
    "that is cut off": { stdin: (good) => good.slice(0, -1), code: undecodable, says: "JSON" },
    "without a cniVersion": { stdin: without("cniVersion"), code: incompatibleVersion, says: "cniVersion" },
    "of an unknown cniVersion": { stdin: having({ cniVersion: "9.9.9" }), code: incompatibleVersion, says: "9.9.9" },
    "whose cniVersion is a number": { stdin: having({ cniVersion: 1 }), code: incompatibleVersion, says: "1" },
    "without a name": { stdin: without("name"), code: invalidConfig, says: "name" },
    "whose name has a slash": { stdin: having({ name: "../x" }), code: invalidConfig, says: "name" },
    "with an mtu of the wrong kind": { stdin: having({ mtu: "big" }), code: invalidConfig, says: "mtu" },
    "with an mtu too small for IPv6": { stdin: having({ mtu: 1000 }), code: wiring, says: "1280" },
    "of 17 megabytes": { stdin: having({ more: "x".repeat(17 << 20) }), code: ioFailure, says: "octets" },
    "with another's IPAM": { stdin: having({ ipam: { type: "host-local" } }), code: invalidConfig, says: "host-local" },
    "with an address that is none": {
      stdin: having({ runtimeConfig: { ips: ["10.244.0"] } }),
      code: invalidConfig,
      says: "runtimeConfig.ips[0]",
    },
    "with an address that no pool has": {
      stdin: having({ args: { cni: { ips: ["192.0.2.1"] } } }),
      code: noAddress,
      says: "192.0.2.1",
    },
    "with a MAC address for groups": {
      stdin: having({ runtimeConfig: { mac: "01:00:5e:00:00:01" } }),
      code: invalidConfig,
      says: "runtimeConfig.mac",
    },
    "with a prevResult that is none": { stdin: having({ prevResult: 7 }), code: invalidConfig, says: "prevResult" },
    "with a pool nobody made": {
      stdin: having({ ipam: { type: "overland-ipam", assign_ipv4: true, ipv4_pools: ["nowhere"] } }),
      code: noAddress,
      says: "nowhere",
    },
  };
  for (const [what, bad] of Object.entries(cases)) {
    lab.proof(`one ${what} is refused with code ${bad.code}`, () => withSocket(bad));
  }
});

/** An unreadable configuration cannot say where the agent is; on a node it is where the plugin looks by itself. */
const withSocket = (bad: Bad) =>
  refused({ ...bad, environment: { OVERLAND_SOCKET: node().socket, ...bad.environment } });

describe("CNI variables that make no sense", () => {
  const { invalidEnvironment, unknownContainer, wiring } = Code;
  const cases: Record<string, Bad> = {
    "no CNI_COMMAND": { environment: { CNI_COMMAND: undefined }, code: invalidEnvironment, says: "CNI_COMMAND" },
    "an unknown CNI_COMMAND": { environment: { CNI_COMMAND: "FLY" }, code: invalidEnvironment, says: "CNI_COMMAND" },
    "no CNI_CONTAINERID": { environment: { CNI_CONTAINERID: undefined }, code: 4, says: "CNI_CONTAINERID" },
    "a CNI_CONTAINERID that is a path": { environment: { CNI_CONTAINERID: "../../etc" }, code: 4, says: "etc" },
    "no CNI_NETNS": { environment: { CNI_NETNS: undefined }, code: 4, says: "CNI_NETNS" },
    "no CNI_IFNAME": { environment: { CNI_IFNAME: undefined }, code: 4, says: "CNI_IFNAME" },
    "an interface name of 16 characters": { environment: { CNI_IFNAME: "e".repeat(16) }, code: 4, says: "CNI_IFNAME" },
    "an interface name with a slash": { environment: { CNI_IFNAME: "et/h0" }, code: 4, says: "CNI_IFNAME" },
    "an address that is none": { environment: { CNI_ARGS: "IP=all" }, code: invalidEnvironment, says: "CNI_ARGS IP" },
    "a network namespace that does not exist": {
      environment: { CNI_NETNS: "/run/netns/ovl-e2ebad-gone" },
      code: unknownContainer,
      says: "does not exist",
    },
    "the host's own network namespace": { environment: { CNI_NETNS: "/proc/self/ns/net" }, code: wiring, says: "own" },
  };
  for (const [what, bad] of Object.entries(cases)) {
    lab.proof(`${what} is refused with code ${bad.code}`, () => refused(bad));
  }

  lab.proof("a plain file in place of a network namespace is refused", async () => {
    const file = `${lab.plan.directory}/plain-file`;
    writeFileSync(file, "no namespace");
    await refused({ environment: { CNI_NETNS: file }, code: Code.wiring, says: file });
  });

  lab.proof("an interface name that is taken in the pod is refused, and what was there stays", async () => {
    const sandbox = await newSandbox(lab.name, "taken");
    await ip(sandbox.netns, "link", "add", "eth0", "type", "bridge");
    const before = await now();
    const error = readError(await cni("ADD", node(), sandbox));
    expect(error.code).toBe(Code.wiring);
    expect(error.msg).toContain("eth0");
    await del(node(), sandbox);
    expect(await now()).toEqual(before);
    expect(await ip(sandbox.netns, "-d", "link", "show", "eth0")).toContain("bridge");
    await removeSandbox(sandbox);
  });
});

describe("DEL", () => {
  lab.proof("succeeds for a container never seen", () => del(node(), imaginarySandbox(lab.name, "never")));

  lab.proof("succeeds a second time, and without the network namespace", async () => {
    const before = await now();
    const sandbox = await newSandbox(lab.name, "twice");
    await add(node(), sandbox);
    await removeSandbox(sandbox);
    await del(node(), sandbox);
    await del(node(), sandbox);
    expect(await now()).toEqual(before);
  });

  lab.proof("succeeds without CNI_NETNS, as a runtime calls it after a reboot", async () => {
    const before = await now();
    const sandbox = await newSandbox(lab.name, "reboot");
    await add(node(), sandbox);
    const environment = cniEnvironment("DEL", sandbox, { CNI_NETNS: undefined });
    const { code, stdout } = await plugin(node(), environment, networkConfiguration(node()));
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
    expect(await now()).toEqual(before);
    await removeSandbox(sandbox);
  });
});

describe("after all that", () => {
  lab.proof("a hundred pods more, in and out, leave no open files in the agent", async () => {
    const agent = processIn(node().netns, "agent", "--config");
    const before = await now();
    const open = descriptors(agent);
    const sandbox = await newSandbox(lab.name, "often");
    for (let i = 0; i < 100; i++) {
      await add(node(), { ...sandbox, containerID: `often-${i}` });
      await del(node(), { ...sandbox, containerID: `often-${i}` });
    }
    await removeSandbox(sandbox);
    expect(await now()).toEqual(before);
    // A few are opened once and kept for the next time.
    expect(descriptors(agent)).toBeLessThan(open + 10);
  });

  lab.proof("the pod that was there is still reached, the agent is ready, and the records agree", async () => {
    const [pod] = lab.plan.pods;
    await reaches(lab.netns("vm1"), pod?.addresses ?? []);
    const { code, stdout } = await lab.overland(["ipam", "check"]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("No problem was found.") });
    expect([...(await handles(lab.plan)).values()]).toEqual([pod?.addresses]);
  });
});
