/**
 * A node is taken from the network and back, seen from a BIRD and an FRR beside it: first it is a last resort, then
 * nothing, then gone with words; whatever need not stop goes on all the time.
 */
import { describe, expect } from "@jest/globals";
import type { NodeStatus } from "../src/lab/status.ts";
import { agentView, peerOf, settled, statusText } from "./harness/agent.ts";
import { add, addressesOf, del, newSandbox, removeSandbox } from "./harness/cni.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { overland } from "./harness/program.ts";
import { birdc, routerPrefixes, vtysh } from "./harness/routers.ts";
import { answers, reaches, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2edrain", { racks: 2, nodes: 1, pods: 1 });
const one = () => lab.node("r1n1");
const two = () => lab.node("r2n1");
const bird = () => lab.router("tor1");
const frr = () => lab.router("tor2");

const podOf = ({ name }: NodeStatus) => {
  const pod = lab.plan.pods.find(({ node }) => node === name);
  if (pod === undefined) throw new Error(`no pod on ${name}`);
  return pod;
};
const node = (what: string, on: NodeStatus, ...words: readonly string[]) =>
  overland(["node", what, ...words, "--socket", on.socket], { timeoutMs: 60_000 });

/** Blocks of a node, with whether they are a last resort, as BIRD heard them. */
async function heardByBird(blocks: readonly string[]): Promise<string[]> {
  const text = await birdc(bird(), "show route all protocol r1n1");
  return text
    .split(/^(?=\S+\/\d+ )/m)
    .filter((route) => blocks.some((block) => route.startsWith(`${block} `)))
    .map((route) => `${route.split(" ", 1)[0]} ${/community:.*\(65535,\s?0\)/.test(route) ? "last resort" : "wanted"}`)
    .sort();
}

const as = (blocks: readonly string[], what: string) => blocks.map((block) => `${block} ${what}`).sort();

describe("a node beside a BIRD", () => {
  lab.proof(
    "that is drained is a last resort while it has pods, then nothing; its neighbour hears why, and others lose nothing",
    async () => {
      await Promise.all(lab.plan.nodes.map((each) => settled(each)));
      const { blocks } = await agentView(one());
      const [own, other] = [podOf(one()), podOf(two())];
      await reaches(lab.netns("vm1"), [...own.addresses, ...other.addresses], 20);
      const toOther = await stream(lab.netns("vm1"), other.addresses);
      const toOwn = await stream(lab.netns("vm1"), own.addresses);
      const drained = node("drain", one(), "r1n1", "--message", "new RAM", "--prefer-others", "1s", "--pods", "50s");
      await eventually("BIRD hears of a last resort", 5, async () => {
        expect(await heardByBird(blocks)).toEqual(as(blocks, "last resort"));
        return true;
      });
      await always(
        "it stays one while the pod is there",
        4,
        async () => (await heardByBird(blocks)).length === blocks.length,
      );
      expect(await statusText(one())).toMatch(/Drained \(waiting, waits for .*\), by operator: new RAM/);
      await toOwn.lostNothing();
      await del(one(), { containerID: own.containerID, netns: own.netns, pod: own.name });
      await eventually("nothing is announced", 5, async () => (await heardByBird(blocks)).length === 0);
      expect((await peerOf(one(), "tor1")).state).toBe("Established");
      const { code, stdout, stderr } = await drained;
      expect({ code, stdout }).toEqual({ code: 0, stdout: "node r1n1 is drained\n" });
      expect(stderr).toMatch(
        /prefer other ways\n.*waiting for 1 pod to leave: .*\n.*everything is withdrawn.*\n.*shut down/,
      );
      expect(await birdc(bird(), "show protocols all r1n1")).toMatch(/Administrative shutdown\s+Message:\s+new RAM/);
      await always("the sessions stay down", 8, async () =>
        (await agentView(one())).peers.every(({ state }) => state !== "Established"),
      );
      await toOther.lostNothing();
    },
    120,
  );

  lab.proof("comes back when it is undrained, with everything as before", async () => {
    const { code, stdout } = await node("undrain", one());
    expect({ code, stdout }).toEqual({ code: 0, stdout: "node r1n1 is in the network\n" });
    const { blocks } = await settled(one());
    await eventually("BIRD has its blocks", 10, async () => {
      expect(await heardByBird(blocks)).toEqual(as(blocks, "wanted"));
      return true;
    });
    const sandbox = await newSandbox(lab.name, "after");
    const addresses = addressesOf(await add(one(), sandbox));
    await reaches(lab.netns("vm1"), addresses, 10);
    await del(one(), sandbox);
    await removeSandbox(sandbox);
  });
});

describe("a node beside an FRR", () => {
  lab.proof("cuts pods off when their time is over, and a restart of the agent takes it back", async () => {
    const pod = podOf(two());
    const { blocks } = await agentView(two());
    await reaches(lab.netns("vm1"), pod.addresses, 10);
    const drained = node(
      "drain",
      two(),
      "--message",
      "rack move",
      "--prefer-others",
      "2s",
      "--pods",
      "4s",
      "-o",
      "json",
    );
    await eventually("FRR hears of a last resort", 5, async () =>
      /graceful-shutdown|65535:0/i.test(
        await vtysh(frr(), `show bgp ipv4 unicast ${blocks.find((one) => one.includes("."))}`),
      ),
    );
    expect(await answers(lab.netns("vm1"), pod.addresses[0] ?? "")).toBe(true);
    const { code, stdout } = await drained;
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ node: "r2n1", phase: "down", by: "operator", podsLeft: 1 });
    expect((await routerPrefixes(frr())).filter((prefix) => blocks.includes(prefix))).toEqual([]);
    const summary = await vtysh(frr(), "show bgp neighbors json");
    expect(summary).toMatch(/rack move|Administrative Shutdown/);
    const former = processIn(two().netns, "agent", "--config");
    await end(former, "SIGTERM");
    startAgain(former, `${lab.plan.log}/agent-again.log`);
    await settled(two());
    await reaches(lab.netns("vm1"), pod.addresses, 20);
  });
});

describe("asked wrongly", () => {
  lab.proof("nothing happens, and the reason is said", async () => {
    for (const [words, expected] of [
      [
        ["r9n9"],
        /is that of node r1n1, not of r9n9; run this on r9n9, or: kubectl annotate node r9n9 overland.dev\/drain/,
      ],
      [["--pods", "soon"], /--pods soon is no duration such as 10s or 5m/],
      [["--message", "m".repeat(256)], /message has 256 octets; peers take 255 \(RFC 9003\)/],
    ] as const) {
      const { code, stderr } = await node("drain", one(), ...words);
      expect(code).toBe(2);
      expect(stderr).toMatch(expected);
    }
    expect((await agentView(one())).peers.every(({ state }) => state === "Established")).toBe(true);
    const nobody = await overland(["node", "drain", "--socket", "/run/overland/none.sock"]);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringMatching(/no agent runs here/) });
  });
});
