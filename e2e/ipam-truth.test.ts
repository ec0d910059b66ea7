/**
 * A hundred pods, sixteen at a time, while agents are killed: no address is ever anybody's twice, what a runtime was
 * told is
 * what etcd holds, and when all are deleted nothing is left.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect } from "@jest/globals";
import type { NodeStatus } from "../src/lab/status.ts";
import { agentView, settled } from "./harness/agent.ts";
import { addressesOf, cni, newSandbox, readError, readResult, type Sandbox } from "./harness/cni.ts";
import { handles } from "./harness/etcd.ts";
import { podInterfaces, podRoutes } from "./harness/footprint.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2eipam", { racks: 1, nodes: 2, pods: 0 });

const PODS = 100;
const AT_ONCE = 16;

interface Pod {
  readonly node: NodeStatus;
  readonly sandbox: Sandbox;
  addresses: readonly string[];
}

/** Who has an address, from the answer of ADD to the call of DEL. */
const owners = new Map<string, string>();
const pods: Pod[] = [];
let refusals = 0;

/** As kubelet does: a failed ADD is followed by DEL, and tried again. Every other time in a new sandbox. */
async function run(node: NodeStatus, name: string): Promise<void> {
  let sandbox = await newSandbox(lab.name, name);
  for (let attempt = 1; ; attempt++) {
    const answer = await cni("ADD", node, sandbox);
    if (answer.code === 0) {
      const addresses = addressesOf(readResult(answer));
      for (const address of addresses) {
        if (owners.has(address)) throw new Error(`${address} is given to ${name}, and ${owners.get(address)} has it`);
        owners.set(address, name);
      }
      pods.push({ node, sandbox, addresses });
      return;
    }
    expect(readError(answer).code).toBe(11);
    if (attempt > 100) throw new Error(`${name}: ADD still fails: ${answer.stdout}`);
    refusals++;
    await remove(node, sandbox);
    if (attempt % 2 === 0) sandbox = await newSandbox(lab.name, name);
    await sleep(50);
  }
}

async function remove(node: NodeStatus, sandbox: Sandbox): Promise<void> {
  await eventually(`DEL of ${sandbox.pod} succeeds`, 20, async () => {
    const { code, stdout } = await cni("DEL", node, sandbox);
    if (code !== 0) throw new Error(stdout);
    return true;
  });
}

/** So many at a time; `after` runs beside the others when its number of pieces is done. */
async function inParallel(
  work: readonly (() => Promise<void>)[],
  after: Readonly<Record<number, () => Promise<void>>>,
): Promise<void> {
  const queue = [...work];
  const beside: Promise<void>[] = [];
  let done = 0;
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      await next();
      const event = after[++done];
      if (event !== undefined) beside.push(event());
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await Promise.all(beside);
}

async function killAndRestart(node: NodeStatus): Promise<void> {
  const agent = processIn(node.netns, "agent", "--config");
  await end(agent);
  startAgain(agent, `${lab.plan.log}/agent-again.log`);
}

const nodeOf = (index: number): NodeStatus => lab.plan.nodes[index % 2] as NodeStatus;

describe("a hundred pods, sixteen at a time, while agents are killed with -9", () => {
  lab.proof("never get an address that another one has", async () => {
    const work = Array.from({ length: PODS }, (_, i) => () => run(nodeOf(i), `pod${i}`));
    await inParallel(work, {
      20: () => killAndRestart(nodeOf(0)),
      45: () => killAndRestart(nodeOf(1)),
      70: () => Promise.all(lab.plan.nodes.map(killAndRestart)).then(() => {}),
    });
    expect(pods).toHaveLength(PODS);
    expect(owners.size).toBe(2 * PODS);
    // Else nothing was proved: some requests must have met a dead agent.
    expect(refusals).toBeGreaterThan(0);
  });

  lab.proof("have in etcd what their runtimes were told, and the records agree", async () => {
    await Promise.all(lab.plan.nodes.map((node) => settled(node)));
    await eventually("DELs that were written down are finished", 10, async () => {
      const told = pods.map(({ sandbox, addresses }) => `overland.${sandbox.containerID}.eth0 ${addresses.join(" ")}`);
      const held = [...(await handles(lab.plan))].map(([handle, addresses]) => `${handle} ${addresses.join(" ")}`);
      expect(held.sort()).toEqual(told.sort());
      return true;
    });
    await recordsAgree(2 * PODS);
    for (const node of lab.plan.nodes) {
      expect(await podInterfaces(node)).toHaveLength(PODS / 2);
      expect(await podRoutes(node)).toHaveLength(PODS);
    }
  });

  lab.proof("are reached from the VM, each of them", async () => {
    await Promise.all(
      Array.from({ length: 4 }, async (_, part) => {
        for (const { addresses } of pods.filter((_one, i) => i % 4 === part)) {
          await reaches(lab.netns("vm1"), addresses);
        }
      }),
    );
  });

  lab.proof("leave nothing when they are deleted, sixteen at a time, while agents are killed again", async () => {
    const work = pods.map(({ node, sandbox, addresses }) => async () => {
      for (const address of addresses) owners.delete(address);
      await remove(node, sandbox);
    });
    await inParallel(work, { 20: () => killAndRestart(nodeOf(1)), 60: () => killAndRestart(nodeOf(0)) });
    await eventually("nothing is left", 20, async () => {
      expect([...(await handles(lab.plan)).keys()]).toEqual([]);
      for (const node of lab.plan.nodes) {
        expect(await podInterfaces(node)).toEqual([]);
        expect(await podRoutes(node)).toEqual([]);
        expect((await agentView(node)).pods).toBe(0);
      }
      return true;
    });
    await recordsAgree(0);
  });
});

async function recordsAgree(inUse: number): Promise<void> {
  const { code, stdout } = await lab.overland(["ipam", "check", "-o", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ addressesInUse: inUse, findings: [] });
  expect(code).toBe(0);
}
