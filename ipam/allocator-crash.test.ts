/**
 * A process dies at every call it makes to the store, in every way the call can end for it; another one of the same
 * node takes over. Nothing is given twice, nothing is lost: at the end the pools hold as many addresses as ever.
 */
import { describe, expect, it } from "@jest/globals";
import type { Allocator, AssignRequest } from "./allocator.ts";
import { handlesRoot } from "./keys.ts";
import { type Interference, MemoryStore } from "./memory-store.ts";
import { addressOf, type Family } from "./net/address.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf, texts } from "./world-for-tests.ts";

const capacity = 8;
const pools = [poolOf("v4", "192.0.2.0/29", 30), poolOf("v6", "fd00::/125", 126)];
/** Longer than a released address rests. */
const restMs = 60_000;

/** What becomes of the last call of a process, and when: before the next process asks for anything, or after. */
const fates = {
  "never arrives": { kind: "lose-request", late: false },
  "is done, unheard": { kind: "lose-reply", late: false },
  "arrives late": { kind: "delay-request", late: false },
  "arrives after the next process has asked": { kind: "delay-request", late: true },
} satisfies Record<string, { kind: Interference; late: boolean }>;

interface World {
  readonly store: MemoryStore;
  readonly clock: Clock;
  readonly neighbour: Allocator;
}

/** How a node comes by an address: each makes the world in which that is so. */
const ways: Record<string, (world: World) => Promise<unknown>> = {
  "from a block that it claims": async () => {},
  "from a block of its own": ({ store, clock }) => allocatorOn(store, "n1", pools, clock).assign(requestOf("mine")),
  "from another node's block": async ({ neighbour }) => {
    // One more than a block holds: both blocks of each pool are the neighbour's then, and the last address of each is
    // free.
    for (let i = 0; i < 5; i++) await neighbour.assign(requestOf(`fills${i}`));
    await neighbour.release("fills3");
  },
};

const familySets: (readonly Family[])[] = [[4], [6], [4, 6]];
const requests = (families: readonly Family[]): Record<string, AssignRequest> => ({
  any: requestOf("h", families),
  exactly: requestOf("h", [], {
    addresses: families.map((family) => addressOf(family === 4 ? "192.0.2.7" : "fd00::7")),
  }),
});

type Work = (node: Allocator) => Promise<unknown>;

/** Runs until the n-th call, which is the last; false: there are not so many. */
async function diesAt(n: number, kind: Interference, world: World, work: Work): Promise<boolean> {
  const client = world.store.anotherClient();
  let died = false;
  const death = new Promise<void>((resolve) => {
    client.interfere = ({ number }) => {
      if (number < n) return undefined;
      if (number === n) {
        died = true;
        setImmediate(resolve);
        return kind;
      }
      return new Promise(() => {});
    };
  });
  await Promise.race([work(allocatorOn(client, "n1", pools, world.clock)).catch(() => {}), death]);
  return died;
}

async function newWorld(way: (world: World) => Promise<unknown>): Promise<World> {
  const [store, clock] = [new MemoryStore(), new Clock()];
  const world = { store, clock, neighbour: allocatorOn(store, "n0", pools, clock) };
  await way(world);
  return world;
}

async function everythingHeld({ store, clock }: World): Promise<Map<string, string[]>> {
  const observer = allocatorOn(store, "observer", pools, clock);
  const handles = (await store.listKeys(handlesRoot)).map((key) => decodeURIComponent(key.slice(handlesRoot.length)));
  const held = new Map<string, string[]>();
  for (const handle of handles) held.set(handle, texts(await observer.assignmentsOf(handle)));
  const all = [...held.values()].flat();
  expect(new Set(all).size).toBe(all.length);
  return held;
}

/** All is released; then every address of both pools can be given out once, and no more. */
async function nothingIsLost(world: World): Promise<void> {
  const { store, clock } = world;
  const node = allocatorOn(store, "n1", pools, clock);
  for (const handle of (await everythingHeld(world)).keys()) await node.release(handle);
  expect(await everythingHeld(world)).toEqual(new Map());
  clock.ms += restMs;
  const given: string[] = [];
  for (let i = 0; i < capacity; i++) given.push(...texts(await node.assign(requestOf(`again${i}`))));
  expect(new Set(given).size).toBe(2 * capacity);
  for (const family of [4, 6] as const) {
    await expect(node.assign(requestOf("more", [family]))).rejects.toMatchObject({ code: "pool-full" });
  }
  expect(await auditOf(store)).toEqual([]);
}

/** For every n, until there is no n-th call; more than one, else nothing was proved. */
async function forEveryCall(life: (n: number) => Promise<boolean>): Promise<void> {
  let n = 1;
  while (await life(n)) n++;
  expect(n).toBeGreaterThan(1);
}

const cases = Object.entries(ways).flatMap(([way, prepare]) =>
  Object.entries(fates).map(([fate, { kind, late }]) => ({ way, fate, prepare, kind, late })),
);

describe.each(cases)("an address $way; the last call $fate", ({ prepare, kind, late }) => {
  const each = familySets.flatMap((families) =>
    Object.entries(requests(families)).map(([what, request]) => [families.join("+"), what, request] as const),
  );

  it.each(each)("assign (%s, %s): the next process is asked again", async (_families, _what, request) => {
    await forEveryCall(async (n) => {
      const world = await newWorld(prepare);
      const others = await everythingHeld(world);
      const died = await diesAt(n, kind, world, (node) => node.assign(request));
      if (!late) world.store.deliverDelayed();
      const answer = texts(await allocatorOn(world.store, "n1", pools, world.clock).assign(request));
      world.store.deliverDelayed();
      expect(await everythingHeld(world)).toEqual(new Map([...others, ["h", answer]]));
      expect(await auditOf(world.store)).toEqual([]);
      await nothingIsLost(world);
      return died;
    });
  });

  it.each(each)("assign (%s, %s): the runtime cleans up", async (_families, _what, request) => {
    await forEveryCall(async (n) => {
      const world = await newWorld(prepare);
      const others = await everythingHeld(world);
      const died = await diesAt(n, kind, world, (node) => node.assign(request));
      if (!late) world.store.deliverDelayed();
      const next = allocatorOn(world.store, "n1", pools, world.clock);
      await next.release("h");
      world.store.deliverDelayed();
      expect(await auditOf(world.store)).toEqual([]);
      // What a dead process wrote after its runtime cleaned up, nobody can know of: the next DEL, or the reclaim.
      if (late) await next.release("h");
      expect(await everythingHeld(world)).toEqual(others);
      await nothingIsLost(world);
      return died;
    });
  });

  it.each(each)("release (%s, %s): the next process is asked again", async (_families, _what, request) => {
    await forEveryCall(async (n) => {
      const world = await newWorld(prepare);
      const others = await everythingHeld(world);
      await allocatorOn(world.store, "n1", pools, world.clock).assign(request);
      const died = await diesAt(n, kind, world, (node) => node.release("h"));
      if (!late) world.store.deliverDelayed();
      const next = allocatorOn(world.store, "n1", pools, world.clock);
      await next.release("h");
      // At once somebody else may be given what was freed: a late release must not take it away.
      world.clock.ms += restMs;
      const answer = texts(await world.neighbour.assign(requestOf("next")));
      world.store.deliverDelayed();
      expect(await everythingHeld(world)).toEqual(new Map([...others, ["next", answer]]));
      expect(await auditOf(world.store)).toEqual([]);
      await nothingIsLost(world);
      return died;
    });
  });

  it.each(each)("release (%s, %s): the container is added again", async (_families, _what, request) => {
    await forEveryCall(async (n) => {
      const world = await newWorld(prepare);
      const others = await everythingHeld(world);
      await allocatorOn(world.store, "n1", pools, world.clock).assign(request);
      const died = await diesAt(n, kind, world, (node) => node.release("h"));
      if (!late) world.store.deliverDelayed();
      world.clock.ms += restMs;
      const answer = texts(await allocatorOn(world.store, "n1", pools, world.clock).assign(request));
      world.store.deliverDelayed();
      expect(await everythingHeld(world)).toEqual(new Map([...others, ["h", answer]]));
      expect(await auditOf(world.store)).toEqual([]);
      await nothingIsLost(world);
      return died;
    });
  });
});
