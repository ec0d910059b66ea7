/**
 * The agent is killed or told to stop while a node's pods start and end by the dozen: every request comes to an end,
 * says honestly how, and what is asked for again succeeds. No address is lost, none is given twice.
 */
import { readdirSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { describe, expect } from "@jest/globals";
import { settled } from "./harness/agent.ts";
import {
  add,
  addressesOf,
  type CniAnswer,
  cni,
  del,
  newSandbox,
  readError,
  readResult,
  removeSandbox,
  type Sandbox,
} from "./harness/cni.ts";
import { footprint } from "./harness/footprint.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, frozen, processIn, startAgain } from "./harness/processes.ts";
import { reaches } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2edies", { racks: 1, nodes: 1, pods: 0 });
const node = () => lab.node("r1n1");
const now = () => footprint(lab.plan, node());
const recorded = () => readdirSync(`${node().stateDir}/pending-del`);

const PODS = 100;
const AT_ONCE = 10;
/** CNI's "try again later". */
const TRY_AGAIN = 11;

async function sandboxes(): Promise<readonly Sandbox[]> {
  const made: Sandbox[] = [];
  for (let i = 0; i < PODS; i++) made.push(await newSandbox(lab.name, `n${i}`));
  return made;
}

/** A node's runtime has only so many requests under way. */
async function each<T>(all: readonly Sandbox[], work: (sandbox: Sandbox) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let i = next++; i < all.length; i = next++) results[i] = await work(all[i] as Sandbox);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

async function endedAndBack(name: "SIGKILL" | "SIGTERM"): Promise<void> {
  const former = processIn(node().netns, "agent", "--config");
  await end(former, name);
  await sleep(200);
  startAgain(former, `${lab.plan.log}/r1n1-agent-again.log`);
  await settled(node());
}

/** A third of the requests is answered when the agent is ended; it starts again a moment later. */
async function during(
  name: "SIGKILL" | "SIGTERM",
  all: readonly Sandbox[],
  command: "ADD" | "DEL",
): Promise<readonly CniAnswer[]> {
  let answered = 0;
  let back: Promise<void> | undefined;
  const answers = await each(all, async (sandbox) => {
    const answer = await cni(command, node(), sandbox);
    answered++;
    if (answered === Math.ceil(PODS / 3)) back = endedAndBack(name);
    return answer;
  });
  await back;
  return answers;
}

describe("an agent that goes away in the middle of its work", () => {
  lab.proof(
    "killed between a pod's wiring and its record: the same ADD asked again is done, and so is its DEL",
    async () => {
      const before = await now();
      const sandbox = await newSandbox(lab.name, "unrecorded");
      const first = await add(node(), sandbox);
      const former = processIn(node().netns, "agent", "--config");
      await end(former);
      rmSync(`${dirname(node().socket)}/attachments/${sandbox.containerID}-eth0.json`);
      startAgain(former, `${lab.plan.log}/r1n1-agent-again.log`);
      await settled(node());
      const again = await add(node(), sandbox);
      expect(addressesOf(again)).toEqual(addressesOf(first));
      expect((await now()).interfaces).toHaveLength(before.interfaces.length + 1);
      expect(await cni("CHECK", node(), sandbox)).toMatchObject({ code: 0 });
      await reaches(lab.netns("vm1"), addressesOf(again));
      await del(node(), sandbox);
      expect(await now()).toEqual(before);
      await removeSandbox(sandbox);
    },
  );

  lab.proof(
    "frozen until the runtime gave a pod up with a DEL: the ADD of which nobody awaits the end is not done",
    async () => {
      const before = await now();
      const sandbox = await newSandbox(lab.name, "given-up");
      await frozen(processIn(node().netns, "agent", "--config"), async () => {
        expect(readError(await cni("ADD", node(), sandbox)).code).toBe(TRY_AGAIN);
        expect(await cni("DEL", node(), sandbox)).toMatchObject({ code: 0 });
      });
      await eventually("the DEL that was written down is done", 15, () => recorded().length === 0);
      await eventually("all is as it was", 5, async () => {
        expect(await now()).toEqual(before);
        return true;
      });
      await always("nothing comes after", 3, async () => isDeepStrictEqual(await now(), before));
      await removeSandbox(sandbox);
    },
  );

  for (const name of ["SIGKILL", "SIGTERM"] as const) {
    lab.proof(
      `by ${name}: each of 100 ADDs is done or refused for now, and one asked again is done`,
      async () => {
        const before = await now();
        const all = await sandboxes();
        const first = await during(name, all, "ADD");
        const refused = all.filter((_, i) => first[i]?.code !== 0);
        for (const answer of first.filter(({ code }) => code !== 0)) expect(readError(answer).code).toBe(TRY_AGAIN);
        expect(refused.length).toBeGreaterThan(0);
        // A runtime that got no result may ask again straight away, or say DEL first: both, in turn.
        const again = await each(refused, async (sandbox) => {
          if (refused.indexOf(sandbox) % 2 === 0) expect(await cni("DEL", node(), sandbox)).toMatchObject({ code: 0 });
          return await cni("ADD", node(), sandbox);
        });
        const results = [...first.filter(({ code }) => code === 0), ...again].map(readResult);
        const addresses = results.flatMap(addressesOf);
        expect(new Set(addresses).size).toBe(2 * PODS);
        expect((await now()).addresses).toHaveLength(before.addresses.length + PODS);
        expect((await now()).interfaces).toHaveLength(before.interfaces.length + PODS);
        const checks = await each(all, (sandbox) => cni("CHECK", node(), sandbox));
        expect(checks.filter(({ code }) => code !== 0)).toEqual([]);
        for (const result of [results[0], results.at(-1)])
          await reaches(lab.netns("vm1"), result === undefined ? [] : addressesOf(result));

        const ended = await during(name, all, "DEL");
        expect(ended.filter(({ code }) => code !== 0)).toEqual([]);
        await eventually("what was written down is done", 15, () => recorded().length === 0);
        expect(await now()).toEqual(before);
        expect(await lab.overland(["ipam", "check"])).toMatchObject({ code: 0 });
        for (const sandbox of all) await removeSandbox(sandbox);
      },
      120,
    );
  }
});
