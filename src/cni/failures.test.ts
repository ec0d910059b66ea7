/** Whatever fails in ADD and DEL, once or from then on: interfaces, records and addresses agree when it is over. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { type Asked, cleanSandbox, TestNode } from "./node-for-tests.ts";

let node: TestNode;
let sandbox: TestNetns;

beforeAll(() => {
  sandbox = makeTestNetns();
});
afterAll(() => removeTestNetns(sandbox));
beforeEach(() => {
  node = new TestNode();
});
afterEach(() => {
  node.close();
  cleanSandbox(sandbox);
});

type Failing = "once" | "from then on";

/** Runs the work with the n-th of its effects failing; true when it had so many. */
async function failingAt(n: number, how: Failing, work: () => Promise<unknown>): Promise<boolean> {
  let count = 0;
  node.fails = () => {
    count += 1;
    return how === "once" ? count === n : count >= n;
  };
  try {
    await work();
  } finally {
    node.fails = () => false;
  }
  return count >= n;
}

async function agreement(): Promise<void> {
  expect(await node.audit()).toEqual([]);
  expect(await node.allocations()).toEqual(node.attached());
  const wired = node.context.attachments.all().map(({ hostInterface }) => hostInterface);
  expect(node.interfaces()).toEqual(wired.filter((name) => name !== "").sort());
}

const asked = (command: string, plugin: "overland" | "overland-ipam"): Asked => ({
  ...{ command, plugin, containerID: "c1", netns: sandbox.path },
});

describe.each(["overland", "overland-ipam"] as const)("%s", (plugin) => {
  it.each<Failing>(["once", "from then on"])("ADD, the n-th effect failing %s, for every n", async (how) => {
    let effects = 0;
    for (let n = 1; ; n++) {
      const more = await failingAt(n, how, () => node.ask(asked("ADD", plugin)));
      if (!more) break;
      effects = n;
      expect(await node.finishPending()).toBe(0);
      await agreement();
      const again = await node.ask(asked("ADD", plugin));
      expect(again).toMatchObject({ ok: true });
      await agreement();
      expect(await node.ask(asked("CHECK", plugin))).toEqual({ ok: true, said: "" });
      expect((await node.ask(asked("DEL", plugin))).ok).toBe(true);
      expect([...(await node.allocations()), ...node.interfaces(), ...node.attached()]).toEqual([]);
    }
    expect(effects).toBeGreaterThanOrEqual(plugin === "overland" ? 20 : 2);
  });

  it.each<Failing>(["once", "from then on"])("DEL, the n-th effect failing %s, for every n", async (how) => {
    let effects = 0;
    for (let n = 1; ; n++) {
      expect((await node.ask(asked("ADD", plugin))).ok).toBe(true);
      const more = await failingAt(n, how, () => node.ask(asked("DEL", plugin)));
      // As a runtime does when DEL failed; a DEL that succeeded is finished without one.
      if (node.attached().length > 0) expect((await node.ask(asked("DEL", plugin))).ok).toBe(true);
      expect(await node.finishPending()).toBe(0);
      expect([...(await node.allocations()), ...node.interfaces(), ...node.attached()]).toEqual([]);
      await agreement();
      if (!more) break;
      effects = n;
    }
    expect(effects).toBeGreaterThanOrEqual(2);
  });
});

it("GC goes on past what cannot be removed, and says what that was", async () => {
  for (const containerID of ["c1", "c2", "c3"]) {
    expect((await node.ask({ ...asked("ADD", "overland-ipam"), containerID })).ok).toBe(true);
  }
  const gc: Asked = { command: "GC", plugin: "overland-ipam", config: { "cni.dev/valid-attachments": [] } };
  // The second effect is the first one's record: its file cannot be removed.
  let effects = 0;
  node.fails = () => ++effects === 2;
  expect(await node.ask(gc)).toMatchObject({
    ok: false,
    said: {
      code: 5,
      msg: "1 attachments could not be removed",
      details: expect.stringContaining("eth0 of c1: no space"),
    },
  });
  expect(node.attached()).toHaveLength(1);
  expect(await node.ask(gc)).toEqual({ ok: true, said: "" });
  expect([...node.attached(), ...(await node.allocations())]).toEqual([]);
});

it("ADD of a pod's next sandbox that gets no address leaves the former one its link", async () => {
  const next = makeTestNetns();
  try {
    expect((await node.ask(asked("ADD", "overland"))).ok).toBe(true);
    node.etcdIsAway = true;
    const refused = await node.ask({ ...asked("ADD", "overland"), containerID: "c2", netns: next.path });
    expect(refused).toMatchObject({ ok: false, said: { code: 11 } });
    expect(await node.ask(asked("CHECK", "overland"))).toEqual({ ok: true, said: "" });
    node.etcdIsAway = false;
    await agreement();
  } finally {
    removeTestNetns(next);
  }
});
