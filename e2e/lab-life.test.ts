/** A lab comes up, tells what it is, is worked with, and goes without a trace, also when it crashed. */
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import type { LabStatus } from "../src/lab/status.ts";
import { must, run } from "./harness/command.ts";
import { NODE, OVERLAND, overland } from "./harness/program.ts";
import { rootOf } from "./harness/root.ts";
import { TURN_LIMIT_MS, takeTurn } from "./harness/turns.ts";

const ONE = "e2elife";
const TWO = "e2eother";
const SMALL = ["--racks", "1", "--nodes", "1", "--pods", "1"];
const ROOT = new URL("..", import.meta.url).pathname;

let giveTurn: () => Promise<void> = async () => {};
beforeAll(async () => {
  giveTurn = await takeTurn();
}, TURN_LIMIT_MS);
afterAll(async () => {
  for (const name of [ONE, TWO]) await overland(["lab", "down", "--name", name]);
  await giveTurn();
}, 60_000);

async function succeed(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await overland(["lab", ...args]);
  if (code !== 0) throw new Error(`overland lab ${args.join(" ")}: exit code ${code}: ${stderr || stdout}`);
  return stdout;
}

const statusOf = async (name: string): Promise<LabStatus> =>
  JSON.parse(await succeed("status", "--name", name, "-o", "json")) as LabStatus;

describe("a lab", () => {
  it("tells what it consists of, takes and gives back pods, runs commands inside, and goes without a trace", async () => {
    const before = await rootOf(ONE);
    await succeed("up", "--name", ONE, "--pods", "1");
    const { etcd, routers, nodes, vms, pods } = await statusOf(ONE);
    const text = expect.any(String);
    const two = [text, text];
    expect(etcd.endpoints).toEqual([expect.stringMatching(/^http:\/\//)]);
    expect(routers.map(({ daemon }) => daemon).sort()).toEqual(["bird", "frr"]);
    for (const router of routers) {
      expect(router).toMatchObject({ name: text, netns: text, asNumber: expect.any(Number) });
      expect(router.addresses.length).toBeGreaterThanOrEqual(2);
    }
    expect(nodes).toHaveLength(4);
    for (const node of nodes)
      expect(node).toMatchObject({ name: text, netns: text, asNumber: 64512, socket: text, addresses: two });
    for (const vm of vms) expect(vm).toMatchObject({ name: text, netns: text, addresses: two });
    for (const pod of pods) {
      expect(pod).toMatchObject({ name: text, node: text, netns: text, addresses: two });
      expect(pod.hostInterface).toMatch(/^ovl[0-9a-f]{11}$/);
    }
    await succeed("pod", "add", "r1n2", "web", "--name", ONE);
    const web = (await statusOf(ONE)).pods.find(({ name }) => name === "web");
    for (const address of web?.addresses ?? []) {
      await succeed("exec", "--name", ONE, "vm2", "--", "ping", "-c", "1", "-W", "2", address);
    }
    const inside = await succeed("exec", "--name", ONE, "web", "--", "ip", "-o", "address", "show", "dev", "eth0");
    expect(inside).toContain(`${web?.addresses[0]}/32`);
    await succeed("pod", "del", "web", "--name", ONE);
    expect((await statusOf(ONE)).pods.map(({ name }) => name)).not.toContain("web");
    await succeed("down", "--name", ONE);
    expect(await rootOf(ONE)).toEqual(before);
  }, 100_000);

  it("runs beside another one with the same addresses; one going does not disturb the other", async () => {
    await Promise.all([succeed("up", "--name", ONE, ...SMALL), succeed("up", "--name", TWO, ...SMALL)]);
    const [one, two] = [await statusOf(ONE), await statusOf(TWO)];
    expect(one.nodes[0]?.addresses).toEqual(two.nodes[0]?.addresses);
    expect(one.nodes[0]?.netns).not.toBe(two.nodes[0]?.netns);
    await succeed("down", "--name", ONE);
    const [pod] = two.pods;
    await succeed("exec", "--name", TWO, "vm1", "--", "ping", "-c", "1", "-W", "2", pod?.addresses[0] ?? "");
    await succeed("down", "--name", TWO);
    expect(await rootOf(TWO)).toMatchObject({ namespaces: [], processes: [], files: [] });
  }, 100_000);

  it.each([150, 700, 2500])(
    "killed with -9 after %i ms of coming up, is cleared away by down and by the next up",
    async (milliseconds) => {
      const before = await rootOf(ONE);
      const crash = async () => {
        const [file = "", ...args] = [...OVERLAND, "lab", "up", "--name", ONE, ...SMALL];
        const child = spawn(file, args, { stdio: "ignore" });
        await sleep(milliseconds);
        child.kill("SIGKILL");
      };
      await crash();
      await succeed("down", "--name", ONE);
      expect(await rootOf(ONE)).toEqual(before);
      await crash();
      await succeed("up", "--name", ONE, ...SMALL);
      expect((await statusOf(ONE)).pods).toHaveLength(1);
      await succeed("down", "--name", ONE);
      expect(await rootOf(ONE)).toEqual(before);
    },
    100_000,
  );

  it("that was never there goes as well, and says so", async () => {
    expect(await overland(["lab", "down", "--name", "e2enever"])).toMatchObject({ code: 0 });
    expect(await overland(["lab", "status", "--name", "e2enever"])).toMatchObject({
      code: expect.any(Number),
      stdout: "",
    });
  });
});

describe("asked wrongly, or on a machine that is not fit", () => {
  it.each([
    [["lab", "up", "--racks", "0"], /racks/],
    [["lab", "up", "--nodes", "many"], /nodes/],
    [["lab", "up", "--pods", "51"], /pods/],
    [["lab", "up", "--name", "No Good"], /name/],
    [["lab", "run", "--once", "--keep"], /--once.*--keep/],
    [["lab", "fly"], /fly/],
  ])("%j: one sentence, exit code 2", async (args, words) => {
    const { code, stderr } = await overland(args);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(words) });
  });

  it("not root: one sentence, what to do, exit code 2", async () => {
    const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const lab = await run([...nobody, ...OVERLAND, "lab", "up", "--name", ONE]);
    expect(lab).toMatchObject({ code: 2, stderr: expect.stringMatching(/root/) });
    const command = await run([...nobody, NODE, `${ROOT}src/setup/prepare.mjs`, "lab", "--", "--once"]);
    expect(command).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/run it as root, e\.g\. sudo npm run lab/),
    });
    expect(command.stderr.trim().split("\n")).toHaveLength(1);
    expect(await must(["ip", "netns", "list"])).not.toContain(`ovl-${ONE}-`);
  });
});
