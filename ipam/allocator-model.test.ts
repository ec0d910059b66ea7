/**
 * Random lives of a small cluster: nodes assign and release at once on one store; its calls are late, fail or conflict;
 * processes die and start again. Afterwards the records must agree, hold exactly what was answered, and keep to the
 * cluster's rules.
 */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Allocator } from "./allocator.ts";
import { addressAt, type Block, decodeBlock } from "./block.ts";
import { blocksRoot, handlesRoot } from "./keys.ts";
import { type Interference, MemoryStore } from "./memory-store.ts";
import type { Family } from "./net/address.ts";
import { familyOfPrefix, prefixOf } from "./net/prefix.ts";
import { Reservations } from "./reservations.ts";
import { type Rules, usualRules } from "./rules.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf, texts } from "./world-for-tests.ts";

const pools = [poolOf("v4", "192.0.2.0/28", 30), poolOf("v6", "fd00::/120", 122)];
const nodeNames = ["n1", "n2", "n3"];
const handles = Array.from({ length: 12 }, (_, i) => `h${i}`);

interface Act {
  readonly node: number;
  readonly kind: "assign" | "release";
  readonly families: readonly Family[];
}

type Turn =
  | { readonly kind: "work"; readonly acts: readonly (Act | undefined)[] }
  | { readonly kind: "crash" | "twin"; readonly node: number; readonly acts: readonly (Act | undefined)[] }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "deliver" };

interface Running {
  readonly name: string;
  readonly client: MemoryStore;
  readonly allocator: Allocator;
}

/** What the answers so far say of a handle; undefined: nothing certain. */
type Belief = readonly string[] | undefined;

class Cluster {
  readonly store = new MemoryStore();
  readonly clock = new Clock();
  readonly #faults: readonly (Interference | undefined)[];
  readonly #delays: readonly number[];
  #calls = 0;
  #running: Running[] = [];
  readonly #beliefs = new Map<string, Belief>(handles.map((handle) => [handle, []]));
  /** Handles whose failed request is known to one process only, by that process. */
  readonly #failedAt = new Map<string, Allocator>();
  readonly #rules: Rules;
  /** How many processes each node has had. */
  readonly #processes = new Map<string, number>();

  readonly #adrift = new Set<string>();

  constructor(rules: Rules, faults: readonly (Interference | undefined)[], delays: readonly number[]) {
    this.#rules = rules;
    this.#faults = faults;
    this.#delays = delays;
    this.#running = nodeNames.map((name) => this.#start(name));
  }

  async take(turn: Turn): Promise<void> {
    if (turn.kind === "deliver") return this.store.deliverDelayed();
    if (turn.kind === "pass") {
      this.clock.ms += turn.ms;
      return;
    }
    const work = Promise.all(turn.acts.map((act, i) => act && this.#act(act, handles[i] as string)));
    if (turn.kind === "crash") await this.#crash(turn.node);
    // Started beside the old one, under the same name: the two write the same records for a while.
    if (turn.kind === "twin") this.#running.push(this.#start(nodeNames[turn.node % nodeNames.length] as string));
    await work;
    for (let i = 0; i < 10; i++) await turnOfTheLoop();
  }

  /** Without faults from here on: what is in the store is what was answered. */
  async check(): Promise<void> {
    for (const { allocator, client } of this.#running) {
      client.interfere = () => undefined;
      await allocator.release("nobody");
    }
    this.store.deliverDelayed();
    expect(await auditOf(this.store)).toEqual([]);
    const observer = allocatorOn(this.store, "observer", pools);
    for (const [handle, belief] of this.#beliefs) {
      if (belief !== undefined) expect([handle, texts(await observer.assignmentsOf(handle))]).toEqual([handle, belief]);
    }
    const { entries } = await this.store.list(handlesRoot);
    expect(entries.length).toBeLessThanOrEqual(handles.length);
    const blocks = (await this.store.list(blocksRoot)).entries.map(({ value }) => decodeBlock(value) as Block);
    for (const block of blocks) this.#checkBlock(block);
    for (const node of nodeNames) for (const family of [4, 6] as const) this.#checkLimit(blocks, node, family);
  }

  #checkBlock(block: Block): void {
    const { strictAffinity, reserved } = this.#rules;
    expect(reserved.cover(block.cidr)).toBe(false);
    for (const [ordinal, { node }] of block.allocations) {
      expect(reserved.has(addressAt(block, ordinal))).toBe(false);
      if (strictAffinity) expect(node).toBeUndefined();
    }
  }

  /** Exact for a node with one process; another one may not know yet what the one before had under way. */
  #checkLimit(blocks: readonly Block[], node: string, family: Family): void {
    const { maxBlocksPerHost } = this.#rules;
    if (maxBlocksPerHost === 0) return;
    const own = blocks.filter((block) => block.node === node && familyOfPrefix(block.cidr) === family);
    expect(own.length).toBeLessThanOrEqual(maxBlocksPerHost * (this.#processes.get(node) ?? 0));
  }

  async #act({ node, kind, families }: Act, handle: string): Promise<void> {
    const { allocator } = this.#running[node % this.#running.length] as Running;
    const before = this.#beliefs.get(handle);
    this.#beliefs.set(handle, undefined);
    try {
      const request = requestOf(handle, families);
      const after = kind === "assign" ? texts(await allocator.assign(request)) : (await allocator.release(handle), []);
      if (!this.#lives(allocator)) return;
      this.#beliefs.set(handle, after);
      this.#adrift.delete(handle);
      this.#failedAt.delete(handle);
    } catch (error) {
      expect(["STORE_UNAVAILABLE", "busy", "pool-full", "block-limit"]).toContain((error as { code: string }).code);
      if (kind === "release" || !this.#lives(allocator)) return;
      // Failed in two processes, each takes it for the other's and leaves it to the runtime's DEL.
      if ((this.#failedAt.get(handle) ?? allocator) !== allocator) this.#adrift.add(handle);
      this.#failedAt.set(handle, allocator);
      // A request that failed leaves things as they were, once its process has put them in order.
      // Of a handle that holds something nothing is taken back: it may have got the family that it asked for on top.
      const grown = before !== undefined && before.length > 0 && before.length < families.length;
      const other = before?.length === 1 && families.length === 1 && before[0]?.includes(":") !== (families[0] === 6);
      if (!this.#adrift.has(handle) && !grown && !other) this.#beliefs.set(handle, before);
    }
  }

  async #crash(node: number): Promise<void> {
    const place = node % this.#running.length;
    const dead = this.#running[place] as Running;
    await turnOfTheLoop();
    await dead.client.close();
    this.#running[place] = this.#start(dead.name);
    // What the dead process would have put in order, nobody does: the belief that it holds nothing is gone with it.
    for (const [handle, allocator] of this.#failedAt) {
      if (allocator !== dead.allocator) continue;
      this.#adrift.add(handle);
      this.#beliefs.set(handle, undefined);
    }
  }

  #lives(allocator: Allocator): boolean {
    return this.#running.some((one) => one.allocator === allocator);
  }

  #start(name: string): Running {
    this.#processes.set(name, (this.#processes.get(name) ?? 0) + 1);
    const client = this.store.anotherClient();
    client.interfere = async () => {
      const call = this.#calls++;
      for (let i = this.#delays[call % this.#delays.length] ?? 0; i > 0; i--) await turnOfTheLoop();
      return this.#faults[call % this.#faults.length];
    };
    return { name, client, allocator: allocatorOn(client, name, pools, this.clock, this.#rules) };
  }
}

function turnOfTheLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const node = fc.integer({ min: 0, max: 5 });
const act = fc.record<Act>({
  node,
  kind: fc.constantFrom("assign", "assign", "release"),
  families: fc.constantFrom<readonly Family[]>([4], [6], [4, 6], [4, 6]),
});
const acts = fc.array(fc.option(act, { nil: undefined }), { minLength: 1, maxLength: handles.length });
const work = { weight: 6, arbitrary: fc.record({ kind: fc.constant("work" as const), acts }) };
const restart = {
  weight: 2,
  arbitrary: fc.record({ kind: fc.constantFrom("crash" as const, "twin" as const), node, acts }),
};
const twin = { weight: 1, arbitrary: fc.record({ kind: fc.constant("twin" as const), node, acts }) };
const pass = {
  weight: 2,
  arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.constantFrom(100, 3000, 40_000) }),
};
const deliver = { weight: 2, arbitrary: fc.constant({ kind: "deliver" as const }) };
const faultOf = (...kinds: Interference[]) => fc.option(fc.constantFrom(...kinds), { freq: 3, nil: undefined });
const delays = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 7 });

const rules = fc.record<Rules>({
  strictAffinity: fc.boolean(),
  maxBlocksPerHost: fc.constantFrom(0, 0, 1, 2),
  restMs: fc.constantFrom(usualRules.restMs, 0, 1000),
  reserved: fc
    .subarray(["192.0.2.0/30", "192.0.2.5/32", "192.0.2.8/31", "fd00::/121", "fd00::c1/128"], { minLength: 0 })
    .map((texts) => new Reservations(texts.map(prefixOf))),
});

/** Always the same lives, unless a number of new ones is asked for. */
const runs = process.env["OVERLAND_FUZZ_RUNS"];

const lives = {
  "whatever fails and dies": {
    turn: fc.oneof<fc.WeightedArbitrary<Turn>[]>(work, restart, pass),
    fault: faultOf("lose-request", "lose-reply", "refuse", "conflict"),
  },
  // No process dies here: of a dead one's write that arrives late only the runtime's DEL, or the reclaim, can know.
  "whatever arrives late": {
    turn: fc.oneof<fc.WeightedArbitrary<Turn>[]>(work, twin, pass, deliver),
    fault: faultOf("delay-request", "delay-request", "lose-reply", "conflict"),
  },
};

it.each(Object.entries(lives))(
  "%s, records agree and answers hold",
  async (_, { turn, fault }) => {
    const turns = fc.array(turn, { minLength: 1, maxLength: 12 });
    const faults = fc.array(fault, { minLength: 1, maxLength: 31 });
    await fc.assert(
      fc.asyncProperty(rules, turns, faults, delays, async (rules, turns, faults, delayed) => {
        const cluster = new Cluster(rules, faults, delayed);
        for (const next of turns) await cluster.take(next);
        await cluster.check();
      }),
      runs === undefined ? { numRuns: 100, seed: 1 } : { numRuns: Number(runs) },
    );
  },
  600_000,
);
