/**
 * Nothing is leaked: not by an agent that is killed in the middle of ADDs, nor by pods, blocks and nodes that are gone
 * without a word.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "@jest/globals";
import type { NodeStatus } from "../src/lab/status.ts";
import { agentView, settled } from "./harness/agent.ts";
import { add, addressesOf, cni, del, newSandbox, readResult, removeSandbox, type Sandbox } from "./harness/cni.ts";
import { handles, records } from "./harness/etcd.ts";
import { podInterfaces } from "./harness/footprint.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { end, processesIn, processIn, startAgain, startIn } from "./harness/processes.ts";
import { OVERLAND } from "./harness/program.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2ereclaim", { racks: 1, nodes: 2, pods: 0 });

const AT_ONCE = 16;
const TIMES = ["--reclaim-grace", "2s", "--reclaim-interval", "2s", "--block-idle", "5s"];

const node = (): NodeStatus => lab.node("r1n1");
const other = (): NodeStatus => lab.node("r1n2");
const logOf = (name: string): string => `${lab.plan.log}/${name}-again.log`;
const logged = (name: string, words: string): Record<string, unknown>[] =>
  readFileSync(logOf(name), "utf8")
    .split("\n")
    .filter((line) => line.includes(words))
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const handleOf = ({ containerID }: Sandbox): string => `overland.${containerID}.eth0`;

/** Pods whose ADD succeeded, and that were not deleted. */
const pods = new Map<string, Sandbox>();

/** Many ADDs at once; the agent is killed when so many milliseconds have passed. What failed the runtime forgets. */
async function addsCutShort(round: number, afterMs: number): Promise<void> {
  const sandboxes = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => newSandbox(lab.name, `r${round}p${i}`)),
  );
  const adds = sandboxes.map(async (sandbox) => ({ sandbox, answer: await cni("ADD", node(), sandbox) }));
  await sleep(afterMs);
  await end(processIn(node().netns, "agent", "--config"));
  for (const { sandbox, answer } of await Promise.all(adds)) {
    if (answer.code === 0) pods.set(handleOf(sandbox), sandbox);
    else await removeSandbox(sandbox);
  }
}

async function recordsAgree(inUse: number): Promise<void> {
  const { code, stdout } = await lab.overland(["ipam", "check", "-o", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ addressesInUse: inUse, findings: [] });
  expect(code).toBe(0);
}

/** Etcd, the kernel and the agent have these pods and no others. */
const accounted = (seconds: number): Promise<unknown> =>
  eventually("what etcd and the kernel have is what the runtime has", seconds, async () => {
    expect([...(await handles(lab.plan)).keys()].sort()).toEqual([...pods.keys()].sort());
    expect(await podInterfaces(node())).toHaveLength(pods.size);
    expect((await agentView(node())).pods).toBe(pods.size);
    return true;
  });

describe("nothing is leaked", () => {
  lab.proof(
    "by an agent that is killed in the middle of ADDs whose runtime forgets them",
    async () => {
      const former = processIn(node().netns, "agent", "--config");
      let leaked = 0;
      for (let round = 0; leaked === 0; round++) {
        // Else nothing was proved.
        if (round === 25) throw new Error("no kill came between an address and its pod");
        await addsCutShort(round, 4 + 3 * (round % 12));
        leaked = (await handles(lab.plan)).size - pods.size;
        const again = leaked === 0 ? [] : TIMES;
        startAgain(former, logOf("r1n1"), ...again);
        await settled(node());
      }
      expect(leaked).toBeGreaterThan(0);
      await accounted(20);
      await recordsAgree(2 * pods.size);
      // The kill came before the pod was written down, or only before the answer.
      const evidence = ["a leaked address is freed", "a pod that is gone is deleted"].flatMap((words) =>
        logged("r1n1", words),
      );
      expect(evidence.length).toBe(leaked);
      for (const line of evidence) expect(line).toMatchObject({ namespace: "e2e", why: expect.any(String) });
    },
    150,
  );

  lab.proof("by pods whose namespaces are gone, as after a reboot: no DEL came for them", async () => {
    while (pods.size < 3) {
      const sandbox = await newSandbox(lab.name, `reboot${pods.size}`);
      await add(node(), sandbox);
      pods.set(handleOf(sandbox), sandbox);
    }
    for (const [handle, sandbox] of [...pods].slice(0, 2)) {
      await removeSandbox(sandbox);
      pods.delete(handle);
    }
    await accounted(20);
    await recordsAgree(2 * pods.size);
  });

  lab.proof(
    "of a pool: a block goes back when it was not needed for a while, and its route with it; one stays",
    async () => {
      const pool = { cidr: "10.99.0.0/24", blockSize: 30, nodeSelector: "rack == 'rack-1'" };
      const spec = JSON.stringify({ ...pool, assignmentMode: "Automatic" });
      await lab.apply(`{apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: spare}, spec: ${spec}}`);
      const sandboxes = await Promise.all(Array.from({ length: 6 }, (_, i) => newSandbox(lab.name, `spare${i}`)));
      const ipam = { type: "overland-ipam", ipv4_pools: ["spare"] };
      await eventually("the agent knows the pool", 10, async () => {
        const [first] = sandboxes;
        return addressesOf(readResult(await cni("ADD", node(), first as Sandbox, { ipam })));
      });
      for (const sandbox of sandboxes.slice(1)) await add(node(), sandbox, { ipam });
      const blocks = async () => (await agentView(node())).blocks.filter((block) => block.startsWith("10.99."));
      const atOther = async () =>
        (await ip(other().netns, "-4", "route", "show", "proto", "201"))
          .split("\n")
          .flatMap((line) => /^10\.99\.\S+/.exec(line) ?? []);
      const had = await blocks();
      expect(had).toHaveLength(2);
      await eventually("the other node has routes to both blocks", 10, async () => {
        expect((await atOther()).sort()).toEqual([...had].sort());
        return true;
      });
      for (const sandbox of sandboxes) await del(node(), sandbox);
      await eventually("one block is left, at the other node too", 60, async () => {
        const left = await blocks();
        expect(left).toHaveLength(1);
        expect(await atOther()).toEqual(left);
        return true;
      });
      expect(logged("r1n1", "a block goes back to its pool")).toHaveLength(1);
      await recordsAgree(2 * pods.size);
    },
    120,
  );

  lab.proof(
    "by a node that is deleted: the active controller takes everything back, and when it dies the other one does",
    async () => {
      const sandboxes = await Promise.all(Array.from({ length: 5 }, (_, i) => newSandbox(lab.name, `gone${i}`)));
      for (const sandbox of sandboxes) await add(other(), sandbox);
      await end(processIn(other().netns, "agent", "--config"));
      const { netns, endpoints } = lab.plan.etcd;
      const controller = [...OVERLAND, "controller", "--etcd-endpoints", endpoints.join(",")];
      for (const name of ["first", "second"]) {
        startIn(netns, [...controller, "--grace", "2s", "--interval", "1s"], logOf(name));
        await eventually(`the ${name} controller runs`, 10, () => logged(name, "controller").length > 0);
        if (name === "first") await eventually("it is active", 10, () => logged(name, "is the active one").length > 0);
      }
      const once = await lab.overland(["controller", "--once", "--grace", "0"]);
      expect([once.code, once.stdout]).toEqual([1, ""]);
      expect(once.stderr).toContain("a controller is active already");
      expect(logged("second", "is the active one")).toEqual([]);
      const [first] = processesIn(netns, "controller", "--grace").sort((a, b) => a.pid - b.pid);
      await end(first as never);
      const { code, stderr } = await lab.overland(["delete", "node", other().name]);
      expect(code).toBe(0);
      expect(stderr).toContain(`node ${other().name} still holds 2 blocks and 10 addresses: \`overland controller\``);
      await accounted(40);
      await eventually("its blocks have gone back", 50, async () => {
        const left = [...(await records(lab.plan, "ipam/")).keys()].filter((key) => key.includes(other().name));
        expect(left).toEqual([]);
        return true;
      });
      await recordsAgree(2 * pods.size);
      expect(logged("second", "addresses of a departed node are freed")).toHaveLength(5);
      for (const one of processesIn(netns, "controller", "--grace")) await end(one, "SIGTERM");
    },
    150,
  );

  lab.proof("while two agents have one name: both say so, and no address is taken for a leak", async () => {
    const directory = `${lab.plan.directory}/twin`;
    const twin = ["--node-name", "r1n1", "--state-dir", directory, "--socket", `${lab.plan.directory}/twin.sock`];
    const command = [...OVERLAND, "agent", "--config", other().agentConfig, ...twin, ...TIMES];
    startIn(other().netns, command, logOf("twin"));
    await eventually("the node's agent says it", 20, async () => {
      expect((await agentView(node())).problems.join()).toContain("another agent runs under this node's name");
      return true;
    });
    await sleep(8000);
    expect([...(await handles(lab.plan)).keys()].sort()).toEqual([...pods.keys()].sort());
    expect(logged("twin", "another agent runs under this node's name").length).toBeGreaterThan(0);
    for (const one of processesIn(other().netns, "agent", "r1n1")) await end(one);
  });
});
