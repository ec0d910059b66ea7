/** The node's own address found on its interfaces, followed when it changes, and refused when another node has it. */
import { describe, expect } from "@jest/globals";
import { agentView, established, statusText } from "./harness/agent.ts";
import { must } from "./harness/command.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2eaddr", { racks: 1, nodes: 2, pods: 1 });
const node = () => lab.node("r1n1");
const CHANGE_S = 20;

/** The agent's file gives addresses; flags win. */
async function restart(name: string, ...flags: readonly string[]): Promise<void> {
  const { netns } = lab.node(name);
  const former = processIn(netns, "agent", "--config");
  await end(former, "SIGTERM");
  const fileEnd = former.command.indexOf("--config") + 2;
  startAgain({ ...former, command: former.command.slice(0, fileEnd) }, `${lab.plan.log}/${name}-again.log`, ...flags);
}

interface NodeResource {
  readonly spec: { readonly bgp?: { readonly ipv4Address?: string; readonly ipv6Address?: string } };
}

async function registered(name: string): Promise<NodeResource["spec"]["bgp"]> {
  const { stdout } = await lab.overland(["get", "node", name, "-o", "json"]);
  return (JSON.parse(stdout) as NodeResource).spec.bgp;
}

const becomes = (name: string, bgp: object) =>
  eventually(`${name} is registered with ${JSON.stringify(bgp)}`, CHANGE_S, async () => {
    expect(await registered(name)).toEqual(bgp);
    return true;
  });

describe("the node's address", () => {
  lab.proof("is the one towards a destination; a family that is not wanted is left out", async () => {
    await restart(
      "r1n1",
      "--ipv4-address",
      "autodetect",
      "--ipv4-autodetection-method",
      "can-reach=10.10.1.1",
      "--ipv6-address",
      "none",
    );
    await becomes("r1n1", { ipv4Address: "10.10.1.11/24" });
    await restart(
      "r1n1",
      "--ipv4-address",
      "autodetect",
      "--ipv4-autodetection-method",
      "can-reach=192.168.250.1",
      "--ipv6-address",
      "none",
    );
    await eventually("towards etcd it is another", CHANGE_S, async () => {
      return (await registered("r1n1"))?.ipv4Address?.startsWith("192.168.250.");
    });
  });

  lab.proof(
    "that is on an interface by name or in a range is registered in both families, and sessions come up",
    async () => {
      await restart(
        "r1n1",
        "--ipv4-address",
        "autodetect",
        "--ipv4-autodetection-method",
        "cidr=10.10.0.0/16",
        "--ipv6-address",
        "autodetect",
        "--ipv6-autodetection-method",
        "interface=^eth0$",
      );
      await becomes("r1n1", { ipv4Address: "10.10.1.11/24", ipv6Address: "fd00:10:1::11/64" });
      for (const name of ["tor1", "mesh/r1n2"]) await established(node(), name, 30);
      const [pod, other] = lab.plan.pods;
      await reaches(pod?.netns ?? "", other?.addresses ?? [], 20);
    },
  );

  lab.proof("that changes on the interface changes in the Node resource, and sessions are made from it", async () => {
    const { netns } = node();
    await must(["sysctl", "-qw", "net.ipv4.conf.eth0.promote_secondaries=1"], { netns });
    await ip(netns, "address", "add", "10.10.1.77/24", "dev", "eth0");
    await ip(netns, "address", "del", "10.10.1.11/24", "dev", "eth0");
    await becomes("r1n1", { ipv4Address: "10.10.1.77/24", ipv6Address: "fd00:10:1::11/64" });
    await eventually("the other node has its session with the new address", 30, async () => {
      const { peers } = await agentView(lab.node("r1n2"));
      const mesh = peers.find(({ name }) => name === "mesh/r1n1");
      return mesh?.state === "Established" && mesh.address === "10.10.1.77";
    });
    const [pod, other] = lab.plan.pods;
    await reaches(other?.netns ?? "", pod?.addresses ?? [], 20);
  });

  lab.proof(
    "that is gone stays registered, and a problem says so; a new one takes its place",
    async () => {
      const { netns } = node();
      const before = await ip(netns, "-4", "route", "show", "default");
      await ip(netns, "address", "del", "10.10.1.77/24", "dev", "eth0");
      await eventually("the agent says so", CHANGE_S, async () => {
        return (await agentView(node())).problems.some((problem) => problem.includes("not found by cidr=10.10.0.0/16"));
      });
      expect(await registered("r1n1")).toMatchObject({ ipv4Address: "10.10.1.77/24" });
      await ip(netns, "address", "add", "10.10.1.11/24", "dev", "eth0");
      await ip(
        netns,
        "route",
        "replace",
        ...before
          .trim()
          .split(/\s+/)
          .filter((word) => word !== ""),
      );
      await becomes("r1n1", { ipv4Address: "10.10.1.11/24", ipv6Address: "fd00:10:1::11/64" });
      for (const name of ["tor1", "mesh/r1n2"]) await established(node(), name, 40);
      expect((await agentView(node())).problems).toEqual([]);
    },
    120,
  );

  lab.proof(
    "that another node has is refused, with both names",
    async () => {
      await restart("r1n2", "--ipv4-address", "10.10.1.11/24");
      await eventually("it is not ready, and says why", 30, async () => {
        const { ready, notReady } = await agentView(lab.node("r1n2"));
        expect({ ready, why: notReady.join() }).toEqual({
          ready: false,
          why: expect.stringMatching(
            /^node r1n2 cannot be registered: .*10\.10\.1\.11\/24 is the address of node r1n1 already/,
          ),
        });
        return true;
      });
      expect(await statusText(lab.node("r1n2"))).toContain("is the address of node r1n1 already");
      await restart("r1n2");
      await eventually("with its own it is ready", 40, async () => (await agentView(lab.node("r1n2"))).ready);
    },
    120,
  );
});
