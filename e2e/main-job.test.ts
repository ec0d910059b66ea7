/** `overland lab run --once`: the main job, with every proof named, and an exit code that can be relied on. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { must, run } from "./harness/command.ts";
import { OVERLAND, overland } from "./harness/program.ts";
import { rootOf } from "./harness/root.ts";
import { TURN_LIMIT_MS, takeTurn } from "./harness/turns.ts";
import { eventually } from "./harness/wait.ts";

const NAME = "e2emain";

describe("overland lab run --once", () => {
  let giveTurn: () => Promise<void> = async () => {};
  beforeAll(async () => {
    giveTurn = await takeTurn();
  }, TURN_LIMIT_MS);
  afterAll(async () => {
    await overland(["lab", "down", "--name", NAME]);
    await giveTurn();
  }, 60_000);

  it("proves the main job, exits 0 and leaves nothing behind", async () => {
    const before = await rootOf(NAME);
    const { code, stdout, stderr } = await overland(["lab", "run", "--once", "--name", NAME]);
    expect({ code, stderr, not: notSo(stdout) }).toEqual({ code: 0, stderr: "", not: [] });
    for (const proof of [
      /proved +vm1 → \d+ pods, ping/,
      /proved +\d+ pods → vm2, HTTP, seen as themselves/,
      /proved +pod → pod across racks.*ping/,
      /proved +bare packets on the tor1–tor2 link/,
      /proved +agent \w+ restarted: nothing lost/,
      /proved +traffic went on all the time +\(.* 0 lost/,
      /proved +the routes of \w+ leave every ToR +\(tor1 after [\d.]+ s/,
    ]) {
      expect(stdout).toMatch(proof);
    }
    expect(await rootOf(NAME)).toEqual(before);
  }, 115_000);

  it("works in other sizes", async () => {
    const size = ["--racks", "3", "--nodes", "1", "--pods", "1"];
    const { code, stdout } = await overland(["lab", "run", "--once", "--name", NAME, ...size]);
    expect({ code, not: notSo(stdout) }).toEqual({ code: 0, not: [] });
    expect(stdout).toMatch(/tor3 has all 6 pod blocks/);
  }, 115_000);

  it("names a proof that does not hold and exits 1: here a firewall on the VM drops its pings", async () => {
    const netns = `ovl-${NAME}-vm1`;
    const running = run([...OVERLAND, "lab", "run", "--once", "--name", NAME], { timeoutMs: 110_000 });
    await eventually("the VM's namespace is there", 20, async () => {
      const rules = "add table inet f; add chain inet f out { type filter hook output priority 0; }";
      await must(["nft", `${rules}; add rule inet f out icmp type echo-request drop`], {
        netns,
      });
      return true;
    });
    const { code, stdout } = await running;
    expect(code).toBe(1);
    expect(notSo(stdout).join("\n")).toMatch(/vm1 → \d+ pods, ping/);
    expect(stdout).toMatch(/\d+ proofs? did not hold: .*vm1 → \d+ pods, ping/);
    expect(stdout).not.toMatch(/NOT SO +bare packets/);
  }, 115_000);
});

function notSo(stdout: string): string[] {
  return stdout.split("\n").filter((line) => line.includes("NOT SO"));
}
