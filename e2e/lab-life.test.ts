/**
 * The lab's own life: its parts by the command line, two side by side, and every way to end, after which nothing is
 * left.
 */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import type { LabStatus } from "../src/lab/status.ts";
import { run } from "./harness/command.ts";
import { type MachineState, machineState } from "./harness/machine.ts";
import { processesWith } from "./harness/processes.ts";
import { OVERLAND, overland } from "./harness/program.ts";
import { answers } from "./harness/traffic.ts";
import { TURN_LIMIT_MS, takeTurn } from "./harness/turns.ts";
import { labsThatAreUp, prove } from "./harness/watch.ts";

const NAME = "e2elife";
const TWIN = "e2etwin";
const SMALL = ["--racks", "1", "--nodes", "1", "--pods", "1"];

/** Inherited by every process that a lab of this scenario starts, in whatever namespace. */
const MARK = ["OVERLAND_E2E", randomBytes(8).toString("hex")] as const;
const environment = { [MARK[0]]: MARK[1] };
const marked = () => processesWith(MARK.join("="));

let before: MachineState;
let giveTurn: () => Promise<void> = async () => {};

beforeAll(async () => {
  giveTurn = await takeTurn();
  for (const name of [NAME, TWIN]) await lab("down", name);
  before = await machineState();
}, TURN_LIMIT_MS);

afterAll(async () => {
  for (const name of [NAME, TWIN]) await lab("down", name);
  await giveTurn();
}, 60_000);

const lab = (verb: string, name: string, ...rest: readonly string[]) => {
  const words = verb.split(" ");
  return overland(["lab", ...words, "--name", name, ...rest], { environment });
};

async function up(name: string, ...size: readonly string[]): Promise<void> {
  const { code, stdout, stderr } = await lab("up", name, ...size);
  if (code !== 0) throw new Error(`lab up: ${code}\n${stdout}${stderr}`);
}

async function status(name: string): Promise<LabStatus> {
  return JSON.parse((await lab("status", name, "-o", "json")).stdout) as LabStatus;
}

const proof = (sentence: string, work: () => Promise<void>, seconds: number): void =>
  prove({ sentence, work, seconds, labs: () => labsThatAreUp([NAME, TWIN]) });

async function nothingIsLeft(): Promise<void> {
  expect(marked()).toEqual([]);
  expect(await machineState()).toEqual(before);
}

describe("a lab", () => {
  proof(
    "comes up, and its status has everything a script needs",
    async () => {
      await up(NAME, "--racks", "2", "--nodes", "1", "--pods", "1");
      const text = expect.stringMatching(/./);
      const two = [expect.stringMatching(/^[\d.]+$/), expect.stringMatching(/^[\da-f:]+$/)];
      const all = await status(NAME);
      expect(all.etcd.endpoints).toEqual([expect.stringMatching(/^http:\/\/[\d.]+:2379$/)]);
      expect(all.routers.map(({ daemon }) => daemon)).toEqual(["bird", "frr"]);
      for (const router of all.routers) {
        expect(router).toMatchObject({ name: text, netns: text, asNumber: expect.any(Number) });
        expect(router.addresses).toEqual(expect.arrayContaining(two));
      }
      expect(all.nodes).toHaveLength(2);
      for (const { name, netns, asNumber, addresses, socket } of all.nodes) {
        expect({ name, netns, asNumber, addresses, socket }).toEqual({
          ...{ name: text, netns: text, asNumber: 64512, addresses: two },
          socket: expect.stringMatching(/^\/.*\.sock$/),
        });
      }
      expect(all.vms).toEqual([1, 2].map((rack) => ({ name: `vm${rack}`, netns: text, addresses: two })));
      expect(all.pods).toHaveLength(2);
      for (const { name, node, netns, addresses, hostInterface } of all.pods) {
        expect({ name, node, netns, addresses, hostInterface }).toEqual({
          ...{ name: text, node: text, netns: text, addresses: two },
          hostInterface: expect.stringMatching(/^ovl[\da-f]{11}$/),
        });
      }
      expect((await lab("status", NAME)).stdout).toMatch(/r1n1[^]*r2n1/);
    },
    90,
  );

  proof(
    "takes pods in and out by command, and runs commands inside",
    async () => {
      const added = await lab("pod add", NAME, "r2n1", "extra");
      expect(added).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^extra +10\.244\.\S+ +fd00:244:\S+ +ovl/),
      });
      const pod = (await status(NAME)).pods.find(({ name }) => name === "extra");
      const reached = await lab("exec", NAME, "vm1", "--", "ping", "-c", "1", "-W", "2", pod?.addresses[0] ?? "");
      expect(reached).toMatchObject({ code: 0, stdout: expect.stringContaining("1 received") });
      expect(await lab("exec", NAME, "extra", "--", "sh", "-c", "exit 7")).toMatchObject({ code: 7 });
      const asked = await lab("exec", NAME, "r2n1", "--", ...OVERLAND, "node", "status");
      expect(asked).toMatchObject({ code: 0, stdout: expect.stringContaining("Node r2n1, AS 64512") });
      expect(await lab("pod del", NAME, "extra")).toMatchObject({ code: 0 });
      expect((await status(NAME)).pods.map(({ name }) => name)).not.toContain("extra");
    },
    60,
  );

  proof(
    "stands beside another one with the same addresses, and neither notices the other",
    async () => {
      await up(TWIN, ...SMALL);
      const [one, other] = [await status(NAME), await status(TWIN)];
      expect(other.nodes[0]?.addresses).toEqual(one.nodes[0]?.addresses);
      const addressOf = ({ pods }: LabStatus) => pods.find(({ name }) => name === "r1n1-pod1")?.addresses[0];
      expect(addressOf(other)).toEqual(addressOf(one));
      const reaches = (which: LabStatus) => answers(which.vms[0]?.netns ?? "", addressOf(which) ?? "");
      expect(await Promise.all([reaches(one), reaches(other)])).toEqual([true, true]);
      expect(await lab("down", NAME)).toMatchObject({ code: 0 });
      expect(await reaches(other)).toBe(true);
      expect((await status(TWIN)).nodes[0]?.status?.ready).toBe(true);
    },
    60,
  );

  proof(
    "leaves the machine as it was after down, and a second down has nothing to do",
    async () => {
      expect(await lab("down", TWIN)).toMatchObject({ code: 0, stdout: expect.stringContaining("removed") });
      await nothingIsLeft();
      expect(await lab("down", TWIN)).toMatchObject({ code: 0, stdout: expect.stringContaining("nothing to remove") });
    },
    60,
  );
});

/** Starts the command, and sends the signal when a line of its output matches. Gives the exit code, or the signal. */
function interrupted(verb: string, line: RegExp, signal: NodeJS.Signals): Promise<number | string | null> {
  const [file = "", ...words] = [...OVERLAND, "lab", verb, "--name", NAME, ...SMALL];
  const child = spawn(file, words, { env: { ...process.env, ...environment }, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  let sent = false;
  child.stdout.on("data", (chunk: Buffer) => {
    text += String(chunk);
    if (!sent && line.test(text)) sent = child.kill(signal);
  });
  return new Promise((resolve) => child.on("close", (code, by) => resolve(by ?? code)));
}

describe("a lab that is killed with -9 while it comes up", () => {
  const moments: Record<string, RegExp> = {
    "its namespaces are made": / network /,
    "its routers and etcd run": / etcd /,
    "its agents run": / agents /,
    "its first pod is wired": / s +pod +/,
  };
  for (const [when, line] of Object.entries(moments)) {
    proof(
      `when ${when}: down removes everything`,
      async () => {
        expect(await interrupted("up", line, "SIGKILL")).toBe("SIGKILL");
        expect((await machineState()).namespaces).not.toEqual(before.namespaces);
        expect(await lab("down", NAME)).toMatchObject({ code: 0 });
        await nothingIsLeft();
      },
      60,
    );
  }

  proof(
    "makes way for the next one of its name",
    async () => {
      expect(await interrupted("up", / agents /, "SIGKILL")).toBe("SIGKILL");
      await up(NAME, ...SMALL);
      const { nodes, pods } = await status(NAME);
      expect(nodes[0]?.status?.ready).toBe(true);
      expect(pods).toHaveLength(1);
      expect(await lab("down", NAME)).toMatchObject({ code: 0 });
      await nothingIsLeft();
    },
    90,
  );

  proof(
    "or interrupted with Ctrl-C or SIGTERM cleans up by itself",
    async () => {
      expect(await interrupted("run", / agents /, "SIGINT")).toBe(130);
      await nothingIsLeft();
      expect(await interrupted("up", / etcd /, "SIGTERM")).toBe(143);
      await nothingIsLeft();
    },
    60,
  );
});

describe("what cannot be", () => {
  const sentence = /^overland lab: [^\n]+\n$/;

  proof(
    "is told in one sentence to whoever is not root, with exit code 2",
    async () => {
      const [file = "", main = ""] = OVERLAND;
      const nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
      // In a checkout that only root can read, root without its name is the nearest thing.
      const readable = (await run([...nobody, "cat", file, main])).code === 0;
      const as = readable ? nobody : ["unshare", "--user"];
      for (const verb of ["up", "run", "down"]) {
        const { code, stdout, stderr } = await run([...as, file, main, "lab", verb, "--name", NAME]);
        expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: expect.stringMatching(sentence) });
        expect(stderr).toMatch(/root/);
      }
      await nothingIsLeft();
    },
    30,
  );

  const wrong: readonly (readonly string[])[] = [
    ["up", "--racks", "0"],
    ["up", "--racks", "10"],
    ["up", "--nodes", "many"],
    ["up", "--pods", "-1"],
    ["up", "--pods", "1.5"],
    ["up", "--name", "Bad_Name"],
    ["up", "--name", "../x"],
    ["up", "--frobnicate"],
    ["up", "surplus"],
    ["run", "--once", "--keep"],
    ["status", "-o", "xml"],
    ["status", "--name", "e2eabsent"],
    ["pod", "add"],
    ["pod", "add", "r1n1", "--name", "e2eabsent"],
    ["pod", "del", "x", "--name", "e2eabsent"],
    ["exec", "vm1", "--name", "e2eabsent", "true"],
    ["dance"],
  ];
  proof(
    "is wrong usage: exit code 2, words on standard error, and nothing is made",
    async () => {
      const results = await Promise.all(
        wrong.map(async (words) => ({ words, ...(await overland(["lab", ...words])) })),
      );
      for (const { words, code, stdout, stderr } of results) {
        expect({ words, code, stdout }).toEqual({ words, code: 2, stdout: "" });
        expect(stderr).not.toBe("");
        expect(stderr).not.toMatch(/\n\s+at /);
      }
      await nothingIsLeft();
    },
    60,
  );
});
