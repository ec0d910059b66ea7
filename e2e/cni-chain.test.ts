/** Lists of plugins: Overland first and the reference plugins of Debian behind it, driven as libcni does. */
import { describe, expect } from "@jest/globals";
import { Chain, type ChainPlugin } from "./harness/chain.ts";
import { addressesOf, type CniResult, netnsPath, newSandbox, removeSandbox, type Sandbox } from "./harness/cni.ts";
import { must, run } from "./harness/command.ts";
import { type Footprint, footprint } from "./harness/footprint.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startIn } from "./harness/processes.ts";
import { NODE } from "./harness/program.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2echain", { racks: 1, nodes: 1, pods: 0 });
const node = () => lab.node("r1n1");
const now = (): Promise<Footprint> => footprint(lab.plan, node());

const MAC = "02:00:00:00:77:01";
const overland = (more: object = {}): ChainPlugin => {
  const { socket, stateDir } = node();
  return { type: "overland", socket, stateDir, ...more };
};

const SERVER = `require("node:http").createServer((_, answer) => answer.end("hello from the pod")).listen(8080, "::")`;

/** A web server in the pod for the time of the work. */
async function serving(sandbox: Sandbox, work: () => Promise<void>): Promise<void> {
  startIn(sandbox.netns, [NODE, "-e", SERVER], `${lab.plan.log}/server.log`);
  try {
    await work();
  } finally {
    await end(processIn(sandbox.netns, "createServer"));
  }
}

const fetched = async (from: string, url: string): Promise<string> =>
  (await run(["curl", "-s", "--max-time", "2", url], { netns: from })).stdout;

describe("overland, tuning, bandwidth, portmap, loopback", () => {
  const chain = () =>
    new Chain(
      node(),
      "chained",
      [
        overland({ capabilities: { ips: true } }),
        {
          ...{ type: "tuning", sysctl: { "net.ipv4.ip_unprivileged_port_start": "80" }, mac: MAC },
          dataDir: `${lab.plan.directory}/tuning`,
        },
        { type: "bandwidth", capabilities: { bandwidth: true } },
        { type: "portmap", snat: true, capabilities: { portMappings: true } },
        { type: "loopback" },
      ],
      {
        bandwidth: { ingressRate: 8_000_000, ingressBurst: 1_000_000 },
        portMappings: [{ hostPort: 18080, containerPort: 8080, protocol: "tcp" }],
      },
    );

  /** Debian's portmap 1.1.1 looks for the IPv4 rules of a pod with both families among the IPv6 ones, too. */
  const faults = async (sandbox: Sandbox, result: CniResult): Promise<string[]> =>
    (await chain().check(sandbox, result)).filter((fault) => !/^portmap: .*could not check ipv6 dnat/s.test(fault));

  lab.proof("all do their work, CHECK is content with each, and DEL through the chain leaves nothing", async () => {
    const before = await now();
    const sandbox = await newSandbox(lab.name, "chained");
    const result = await chain().add(sandbox);
    await reaches(lab.netns("vm1"), addressesOf(result));
    // tuning
    expect(await ip(sandbox.netns, "link", "show", "eth0")).toContain(MAC);
    expect(result.interfaces.find(({ sandbox: path }) => path === netnsPath(sandbox))?.mac).toBe(MAC);
    const setting = await must(["cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"], { netns: sandbox.netns });
    expect(setting.trim()).toBe("80");
    // bandwidth
    const hostInterface = result.interfaces[0]?.name ?? "";
    expect(await must(["tc", "qdisc", "show", "dev", hostInterface], { netns: node().netns })).toContain("tbf");
    // portmap
    await serving(sandbox, async () => {
      const [ipv4] = node().addresses;
      const url = `http://${ipv4}:18080/`;
      await eventually("the host port answers", 5, async () => {
        expect(await fetched(lab.netns("vm1"), url)).toBe("hello from the pod");
        return true;
      });
      expect(await fetched(node().netns, "http://127.0.0.1:18080/")).toBe("hello from the pod");
    });
    expect(await faults(sandbox, result)).toEqual([]);
    await ip(sandbox.netns, "route", "del", "default");
    expect(await faults(sandbox, result)).toEqual([expect.stringMatching(/^overland: .*no default route/)]);
    await chain().del(sandbox, result);
    await chain().del(sandbox, result);
    expect(await now()).toEqual(before);
    expect(await must(["iptables", "-t", "nat", "-S"], { netns: node().netns })).not.toContain("18080");
    await removeSandbox(sandbox);
  });

  lab.proof("a chain that breaks behind us is undone by DEL", async () => {
    const before = await now();
    const sandbox = await newSandbox(lab.name, "broken");
    const broken = new Chain(node(), "broken", [overland(), { type: "tuning", sysctl: { "net.no.such": "1" } }]);
    await expect(broken.add(sandbox)).rejects.toThrow(/net.no.such|no such file/);
    await broken.del(sandbox, undefined);
    expect(await now()).toEqual(before);
    await removeSandbox(sandbox);
  });
});

describe("capabilities of our own", () => {
  lab.proof("ips and mac give the pod what the runtime wants, reached from outside the rack", async () => {
    const sandbox = await newSandbox(lab.name, "wanted");
    const runtime = { ips: ["10.244.77.7/24", "fd00:244::77:7"], mac: "02:00:00:00:77:02" };
    const chain = new Chain(node(), "wanted", [overland({ capabilities: { ips: true, mac: true } })], runtime);
    const result = await chain.add(sandbox);
    expect(addressesOf(result)).toEqual(["10.244.77.7", "fd00:244::77:7"]);
    expect(result.interfaces[1]?.mac).toBe(runtime.mac);
    await reaches(lab.netns("vm1"), addressesOf(result), 10);
    expect(await chain.check(sandbox, result)).toEqual([]);
    const second = await newSandbox(lab.name, "wanted2");
    await expect(chain.add(second)).rejects.toThrow(/"code":11.*10\.244\.77\.7 is used by pod e2e\/wanted/);
    await chain.del(sandbox, result);
    for (const one of [sandbox, second]) await removeSandbox(one);
  });
});
