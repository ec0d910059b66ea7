/** `overland lab run --once`: the main job proves itself, and says so with its exit code. */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { must } from "./harness/command.ts";
import { type MachineState, machineState } from "./harness/machine.ts";
import { overland } from "./harness/program.ts";
import { TURN_LIMIT_MS, takeTurn } from "./harness/turns.ts";
import { eventually } from "./harness/wait.ts";
import { labsThatAreUp, prove } from "./harness/watch.ts";

const [NAME, BROKEN] = ["e2emain", "e2ebroken"];

let before: MachineState;
let giveTurn: () => Promise<void> = async () => {};

beforeAll(async () => {
  giveTurn = await takeTurn();
  before = await machineState();
}, TURN_LIMIT_MS);

afterAll(async () => {
  for (const name of [NAME, BROKEN]) await overland(["lab", "down", "--name", name]);
  await giveTurn();
}, 60_000);

const proof = (sentence: string, work: () => Promise<void>, seconds: number): void =>
  prove({ sentence, work, seconds, labs: () => labsThatAreUp([NAME, BROKEN]) });

const runOnce = (name: string, ...size: readonly string[]) =>
  overland(["lab", "run", "--once", "--name", name, ...size]);

const REACHABILITY = [
  "→ \\d+ pods?, ping",
  "pods? → vm1, ping",
  "→ \\d+ pods?, HTTP, seen as itself",
  "HTTP, seen as themselves",
];
const DRAMA = [
  "every ToR keeps its routes",
  "restarted: nothing lost",
  "a new pod gets an address nobody has",
  "traffic went on all the time",
  "the routes of r1n\\d leave every ToR",
  "the cable is back",
  "nobody else noticed",
];

const proved = (what: string) => new RegExp(`proved +.*${what}`);

describe("the main job", () => {
  proof(
    "is proved with two racks, two nodes each and two pods per node: every proof is named, exit code 0",
    async () => {
      const { code, stdout } = await runOnce(NAME);
      const places = [
        "pod → pod on one node",
        "pod → pod in one rack",
        "pod → pod across racks",
        "bare packets on the tor1",
      ];
      for (const what of [...REACHABILITY, ...places, ...DRAMA]) expect(stdout).toMatch(proved(what));
      expect(stdout).not.toMatch(/NOT SO/);
      expect(stdout).toMatch(/Every proof held\./);
      expect(code).toBe(0);
      expect(await machineState()).toEqual(before);
    },
    110,
  );

  proof(
    "is proved on a ring of three racks; beside it a lab with a firewall in its VM fails, with the proof named",
    async () => {
      const [ring, broken] = await Promise.all([
        runOnce(NAME, "--racks", "3", "--nodes", "1", "--pods", "1"),
        runBroken(),
      ]);
      for (const what of [...REACHABILITY, "vm3 →", "across racks", ...DRAMA])
        expect(ring.stdout).toMatch(proved(what));
      expect(ring.stdout).not.toMatch(/NOT SO/);
      expect(ring.code).toBe(0);
      expect(broken.stdout).toMatch(/NOT SO +1 pod → vm1, ping/);
      expect(broken.stdout).toMatch(/NOT SO +vm1 → 1 pod, ping/);
      expect(broken.stdout).toMatch(/proofs did not hold: .*1 pod → vm1, ping/);
      expect(broken.stdout).not.toMatch(/Every proof held/);
      expect(broken.code).toBe(1);
      await evidenceIsKept(broken.stdout);
      expect(await machineState()).toEqual(before);
    },
    140,
  );
});

/** The VM drops pings as soon as it exists, as a machine with a firewall does. */
async function runBroken() {
  const run = runOnce(BROKEN, "--racks", "1", "--nodes", "1", "--pods", "1");
  const rules =
    "table inet e2e { chain in { type filter hook input priority 0; meta l4proto { icmp, ipv6-icmp } drop; }; }";
  await eventually("the VM of the lab is there", 20, () =>
    must(["nft", rules], { netns: `ovl-${BROKEN}-vm1` }).then(() => true),
  );
  return await run;
}

/** A lab that failed is removed like any other; what explains the failure is not. */
async function evidenceIsKept(said: string): Promise<void> {
  const [, directory = ""] = /evidence .*: (\/\S+)/.exec(said) ?? [];
  expect(await must(["ls", `${directory}/log`])).toMatch(/r1n1-agent\.log[^]*tor1-bird\.log/);
  expect(await must(["cat", `${directory}/status.json`])).toContain('"Established"');
  rmSync(directory, { recursive: true });
}
