/** Who has a node's name: one agent, two of them, one after the other. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { NodeHolder, readIdentity } from "./node-holder.ts";

const terms = { ownMs: 60, foreignMs: 300 };

describe("the name of a node", () => {
  const store = () => new MemoryStore();

  it("that nobody had is the agent's at once", async () => {
    const holder = new NodeHolder(store(), "n1", "a", terms);
    expect(holder.isSole(0)).toBe(false);
    await holder.look(0);
    expect(holder.isSole(0)).toBe(true);
    expect(holder.problems(0)).toEqual([]);
  });

  it("is its own again soon after a restart, and later after another machine had it", async () => {
    const shared = store();
    await new NodeHolder(shared, "n1", "a", terms).look(0);
    const again = new NodeHolder(shared, "n1", "a", terms);
    await again.look(1000);
    expect([again.isSole(1059), again.isSole(1060)]).toEqual([false, true]);
    const other = new NodeHolder(shared, "n1", "b", terms);
    await other.look(2000);
    await other.look(2200);
    expect([other.isSole(2299), other.isSole(2300)]).toEqual([false, true]);
    expect([again.problems(3000), other.problems(3000)]).toEqual([[], []]);
  });

  it("that two agents have at a time is neither's, and both say so", async () => {
    const shared = store();
    const [a, b] = [new NodeHolder(shared, "n1", "a", terms), new NodeHolder(shared, "n1", "b", terms)];
    await a.look(0);
    expect(a.isSole(0)).toBe(true);
    for (let now = 100; now < 2000; now += 100) {
      await b.look(now);
      await a.look(now + 50);
      if (now > 100) expect([a.isSole(now + 50), b.isSole(now + 50)]).toEqual([false, false]);
    }
    for (const holder of [a, b])
      expect(holder.problems(2000)[0]).toContain("another agent runs under this node's name");
    // One ends: the other has the name again, and the problem goes.
    await a.look(2100);
    for (let now = 2200; now <= 2500; now += 100) await a.look(now);
    expect([a.isSole(2500), a.problems(2501)]).toEqual([true, []]);
  });
});

describe("an identity", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(`${tmpdir()}/overland-identity-`);
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("is made once for a state directory, with the interfaces that stood then", () => {
    const first = readIdentity(directory, () => ["ovl0"]);
    expect(first).toMatchObject({ made: true, spared: ["ovl0"] });
    expect(readIdentity(directory, () => ["ovl1"])).toEqual({ ...first, made: false });
  });

  it("whose file is damaged is made anew", () => {
    writeFileSync(`${directory}/identity.json`, "{");
    expect(readIdentity(directory, () => [])).toMatchObject({ made: true, spared: [] });
  });
});
