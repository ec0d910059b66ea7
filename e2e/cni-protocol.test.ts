/**
 * The CNI protocol as container runtimes speak it: results in the form of every version, ADD asked twice, a pod's new
 * sandbox before the old one is gone, CHECK that names what differs, GC, STATUS.
 */
import { describe, expect } from "@jest/globals";
import {
  add,
  addressesOf,
  type CniResult,
  cni,
  del,
  netnsPath,
  newSandbox,
  plugin,
  readError,
  removeSandbox,
  type Sandbox,
} from "./harness/cni.ts";
import { must } from "./harness/command.ts";
import { type Footprint, footprint, podInterfaces } from "./harness/footprint.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { answers, reaches } from "./harness/traffic.ts";

const lab = new ScenarioLab("e2ecni", { racks: 1, nodes: 1, pods: 0 });
const node = () => lab.node("r1n1");
const now = (): Promise<Footprint> => footprint(lab.plan, node());

const CHECK_FAILED = 103;
const MAC = /^([0-9a-f]{2}:){5}[0-9a-f]{2}$/;

/** A pod for the time of the work. */
async function withPod(name: string, work: (sandbox: Sandbox, result: CniResult) => Promise<void>): Promise<void> {
  const before = await now();
  const sandbox = await newSandbox(lab.name, name);
  await work(sandbox, await add(node(), sandbox));
  await del(node(), sandbox);
  expect(await now()).toEqual(before);
  await removeSandbox(sandbox);
}

const check = (sandbox: Sandbox, config: object = {}) => cni("CHECK", node(), sandbox, config);

describe("results", () => {
  for (const cniVersion of ["0.3.1", "0.4.0", "1.0.0", "1.1.0"]) {
    lab.proof(`have the form of version ${cniVersion}`, async () => {
      const sandbox = await newSandbox(lab.name, "version");
      const result = await add(node(), sandbox, { cniVersion });
      const old = cniVersion.startsWith("0.");
      const mtu = cniVersion === "1.1.0" ? { mtu: 1500 } : {};
      const path = netnsPath(sandbox);
      expect(result).toEqual({
        cniVersion,
        interfaces: [
          { name: expect.stringMatching(/^ovl[0-9a-f]{11}$/), mac: "ee:ee:ee:ee:ee:ee", ...mtu },
          { name: "eth0", mac: expect.stringMatching(MAC), sandbox: path, ...mtu },
        ],
        ips: [
          { address: expect.stringMatching(/^10\.244\..*\/32$/), gateway: "169.254.1.1", interface: 1 },
          { address: expect.stringMatching(/^fd00:244:.*\/128$/), gateway: "fe80::ecee:eeff:feee:eeee", interface: 1 },
        ].map((ip, i) => (old ? { ...ip, version: i === 0 ? "4" : "6" } : ip)),
        routes: [
          { dst: "0.0.0.0/0", gw: "169.254.1.1" },
          { dst: "::/0", gw: "fe80::ecee:eeff:feee:eeee" },
        ],
        dns: {},
      });
      await reaches(lab.netns("vm1"), addressesOf(result));
      await del(node(), sandbox);
      await removeSandbox(sandbox);
    });
  }

  lab.proof("have the DNS settings of the configuration", async () => {
    const sandbox = await newSandbox(lab.name, "dns");
    const dns = { nameservers: ["10.96.0.10"], search: ["cluster.local"] };
    expect((await add(node(), sandbox, { dns })).dns).toEqual(dns);
    await del(node(), sandbox);
    await removeSandbox(sandbox);
  });

  lab.proof("VERSION tells which versions are known", async () => {
    const { code, stdout } = await plugin(node(), { CNI_COMMAND: "VERSION" }, '{"cniVersion":"1.0.0"}');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      cniVersion: "1.0.0",
      supportedVersions: ["0.3.1", "0.4.0", "1.0.0", "1.1.0"],
    });
  });

  lab.proof("have one family alone where the configuration wants that", async () => {
    const sandbox = await newSandbox(lab.name, "single");
    const result = await add(node(), sandbox, {
      ipam: { type: "overland-ipam", assign_ipv4: false, assign_ipv6: true },
    });
    expect(addressesOf(result)).toEqual([expect.stringContaining("fd00:244:")]);
    await reaches(lab.netns("vm1"), addressesOf(result));
    await del(node(), sandbox);
    await removeSandbox(sandbox);
  });
});

describe("ADD", () => {
  lab.proof("asked twice for one container answers the same twice, and assigns once", async () => {
    await withPod("twice", async (sandbox, first) => {
      const once = await now();
      expect(await add(node(), sandbox)).toEqual(first);
      expect(await now()).toEqual(once);
    });
  });

  lab.proof("asked many times at once for one container assigns once", async () => {
    const before = await now();
    const sandbox = await newSandbox(lab.name, "many");
    const results = await Promise.all(Array.from({ length: 8 }, () => add(node(), sandbox)));
    for (const result of results) expect(result).toEqual(results[0]);
    expect((await now()).addresses).toHaveLength(before.addresses.length + 1);
    await Promise.all(Array.from({ length: 4 }, () => del(node(), sandbox)));
    expect(await now()).toEqual(before);
    await removeSandbox(sandbox);
  });

  lab.proof("for a pod's new sandbox before the old one's DEL: that DEL leaves the new one working", async () => {
    const before = await now();
    const [old, fresh] = [await newSandbox(lab.name, "reborn"), await newSandbox(lab.name, "reborn")];
    const first = await add(node(), old);
    const second = await add(node(), fresh);
    expect(second.interfaces[0]?.name).toBe(first.interfaces[0]?.name);
    for (const address of addressesOf(second)) expect(addressesOf(first)).not.toContain(address);
    await reaches(lab.netns("vm1"), addressesOf(second));
    await del(node(), old);
    await reaches(lab.netns("vm1"), addressesOf(second));
    expect((await check(fresh)).code).toBe(0);
    for (const address of addressesOf(first)) expect(await answers(lab.netns("vm1"), address)).toBe(false);
    await del(node(), fresh);
    expect(await now()).toEqual(before);
    for (const sandbox of [old, fresh]) await removeSandbox(sandbox);
  });

  lab.proof("for a pod's new sandbox, which is deleted before the old one: its interface goes with it", async () => {
    const before = await now();
    const [old, fresh] = [await newSandbox(lab.name, "stillborn"), await newSandbox(lab.name, "stillborn")];
    await add(node(), old);
    await add(node(), fresh);
    await del(node(), fresh);
    expect(await podInterfaces(node())).toEqual(before.interfaces);
    expect(readError(await check(old))).toMatchObject({
      code: CHECK_FAILED,
      details: expect.stringContaining("newer"),
    });
    await del(node(), old);
    expect(await now()).toEqual(before);
    for (const sandbox of [old, fresh]) await removeSandbox(sandbox);
  });
});

describe("CHECK", () => {
  lab.proof("is content with a pod as ADD made it, also when it is given ADD's result", async () => {
    await withPod("sound", async (sandbox, prevResult) => {
      expect(await check(sandbox)).toMatchObject({ code: 0, stdout: "" });
      expect(await check(sandbox, { prevResult })).toMatchObject({ code: 0, stdout: "" });
    });
  });

  lab.proof("fails for a container never seen", async () => {
    const sandbox = await newSandbox(lab.name, "unseen");
    expect(readError(await check(sandbox)).code).toBe(3);
    await removeSandbox(sandbox);
  });

  interface Damage {
    readonly how: (sandbox: Sandbox, hostInterface: string, addresses: readonly string[]) => Promise<unknown>;
    /** What CHECK must name. */
    readonly named: (hostInterface: string, addresses: readonly string[]) => string;
  }
  const damages: Record<string, Damage> = {
    "the default route in the pod is gone": {
      how: ({ netns }) => ip(netns, "route", "del", "default"),
      named: () => "no default route via 169.254.1.1",
    },
    "an IPv4 address in the pod is gone": {
      how: ({ netns }, _, [ipv4]) => ip(netns, "address", "del", `${ipv4}/32`, "dev", "eth0"),
      named: (_, [ipv4]) => `${ipv4}/32`,
    },
    "an IPv6 address in the pod is gone": {
      how: ({ netns }, _, [, ipv6]) => ip(netns, "address", "del", `${ipv6}/128`, "dev", "eth0"),
      named: (_, [, ipv6]) => `${ipv6}/128`,
    },
    "the pod's interface is down": {
      how: ({ netns }) => ip(netns, "link", "set", "eth0", "down"),
      named: () => "eth0 is down",
    },
    "the pod's interface is gone": {
      how: ({ netns }) => ip(netns, "link", "del", "eth0"),
      named: (hostInterface) => `${hostInterface} is missing`,
    },
    "the host's route is gone": {
      how: (_sandbox, hostInterface, [ipv4]) => ip(node().netns, "route", "del", `${ipv4}/32`, "dev", hostInterface),
      named: (hostInterface, [ipv4]) => `no route ${ipv4}/32 to ${hostInterface}`,
    },
    "the pod's way to its gateway is gone": {
      how: ({ netns }) => ip(netns, "neighbour", "del", "169.254.1.1", "dev", "eth0"),
      named: () => "no permanent neighbour 169.254.1.1",
    },
    "the host's interface has another MTU": {
      how: (_sandbox, hostInterface) => ip(node().netns, "link", "set", hostInterface, "mtu", "1400"),
      named: (hostInterface) => `${hostInterface} has mtu 1400 instead of 1500`,
    },
    "the host no longer forwards for the pod": {
      how: (_sandbox, hostInterface) =>
        must(["sh", "-c", `echo 0 > /proc/sys/net/ipv4/conf/${hostInterface}/forwarding`], { netns: node().netns }),
      named: (hostInterface) => `net.ipv4.conf.${hostInterface}.forwarding is 0 instead of 1`,
    },
    "the host's interface is down": {
      how: (_sandbox, hostInterface) => ip(node().netns, "link", "set", hostInterface, "down"),
      named: (hostInterface) => `${hostInterface} is down`,
    },
  };
  for (const [what, { how, named }] of Object.entries(damages)) {
    lab.proof(`says so when ${what}`, async () => {
      await withPod("damaged", async (sandbox, result) => {
        const [hostInterface = "", addresses] = [result.interfaces[0]?.name, addressesOf(result)];
        await how(sandbox, hostInterface, addresses);
        const error = readError(await check(sandbox));
        expect(error.code).toBe(CHECK_FAILED);
        expect(error.details).toContain(named(hostInterface, addresses));
      });
    });
  }
});

describe("GC", () => {
  lab.proof("removes what the runtime no longer knows, and nothing else", async () => {
    const before = await now();
    const names = ["known", "lost", "other"];
    const [known, lost, other] = await Promise.all(names.map((pod) => newSandbox(lab.name, pod)));
    if (known === undefined || lost === undefined || other === undefined) throw new Error("unreachable");
    const kept = addressesOf(await add(node(), known));
    await add(node(), other, { name: "another-network" });
    const wanted = await now();
    await add(node(), lost);
    const valid = { "cni.dev/valid-attachments": [{ containerID: known.containerID, ifname: "eth0" }] };
    expect(await cni("GC", node(), known, valid)).toMatchObject({ code: 0, stdout: "" });
    expect(await now()).toEqual(wanted);
    await reaches(lab.netns("vm1"), kept);
    expect(readError(await cni("GC", node(), known)).code).toBe(7);
    expect(await now()).toEqual(wanted);
    expect((await cni("GC", node(), known, { "cni.dev/valid-attachments": [] })).code).toBe(0);
    expect((await cni("GC", node(), other, { name: "another-network", "cni.dev/valid-attachments": [] })).code).toBe(0);
    expect(await now()).toEqual(before);
    for (const sandbox of [known, lost, other]) await removeSandbox(sandbox);
  });
});

describe("STATUS", () => {
  lab.proof("says nothing when the agent can serve pods", async () => {
    const { code, stdout } = await plugin(
      node(),
      { CNI_COMMAND: "STATUS" },
      JSON.stringify({ cniVersion: "1.1.0", name: "overland", type: "overland", socket: node().socket }),
    );
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  });
});
