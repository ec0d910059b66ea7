import { setImmediate } from "node:timers/promises";
import { describe, expect, it } from "@jest/globals";
import { Allocator } from "./allocator.ts";
import { MemoryStore } from "./memory-store.ts";
import { randomFrom, requestOf, smallPools } from "./world-for-tests.ts";

/** A node whose time stands still, and which is told when its waits are over. */
function nodeOn(store: MemoryStore) {
  const clock = { now: 1_000_000, waits: [] as (() => void)[] };
  const allocator = new Allocator("n1", {
    store,
    now: () => clock.now,
    random: randomFrom(1),
    wait: () => new Promise((resolve) => clock.waits.push(resolve)),
  });
  allocator.setPools(smallPools);
  return { allocator, clock };
}

const assignAll = (allocator: Allocator, handles: readonly string[]) =>
  handles.map((handle) => allocator.assign(requestOf(handle)));

/** One after the other, each in a turn of its own. */
async function assignInTurns(allocator: Allocator, handles: readonly string[]): Promise<Promise<unknown>[]> {
  const requests: Promise<unknown>[] = [];
  for (const handle of handles) {
    requests.push(...assignAll(allocator, [handle]));
    await setImmediate();
  }
  return requests;
}

describe("requests that come after several were answered together", () => {
  it("wait for as many, and go in one transaction", async () => {
    const store = new MemoryStore();
    const { allocator } = nodeOn(store);
    await allocator.load();
    await Promise.all(assignAll(allocator, ["a", "b", "c"]));
    const before = store.calls;
    await Promise.all(await assignInTurns(allocator, ["d", "e", "f"]));
    expect(store.calls - before).toBe(1);
  });

  it("wait no longer than a moment for those who do not come", async () => {
    const store = new MemoryStore();
    const { allocator, clock } = nodeOn(store);
    await allocator.load();
    await Promise.all(assignAll(allocator, ["a", "b", "c"]));
    const before = store.calls;
    const requests = await assignInTurns(allocator, ["d", "e"]);
    expect(store.calls - before).toBe(0);
    for (const over of clock.waits) over();
    await Promise.all(requests);
    expect(store.calls - before).toBe(1);
  });

  it.each([
    ["that comes after a while", ["a", "b", "c"], 1_000],
    ["that comes after one that came alone", ["a"], 0],
  ])("one %s waits for nobody", async (_, former, later) => {
    const store = new MemoryStore();
    const { allocator, clock } = nodeOn(store);
    await allocator.load();
    await Promise.all(assignAll(allocator, former));
    clock.now += later;
    await allocator.assign(requestOf("d"));
    expect(clock.waits).toEqual([]);
  });
});
