/**
 * Whatever happens to custom resources, to calls and to controllers: once it is quiet the store has exactly what is in
 * order, the last good of what is not, and every status says the truth.
 */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { type Interference, MemoryStore } from "../../ipam/memory-store.ts";
import { prefixesOverlap, prefixOf } from "../../ipam/net/prefix.ts";
import { type Cluster, ClusterError } from "../cluster/port.ts";
import { originOf, withoutOrigin } from "../config/managed.ts";
import type { Resource } from "../config/resource.ts";
import { listResources } from "../config/resource-store.ts";
import { CustomResourceWatch } from "./custom-resource-watch.ts";
import { REFLECTED, type ReflectedKind, readCustomResource } from "./custom-resources.ts";
import { KubectlForTests } from "./kubectl-for-tests.ts";
import { Leadership } from "./leader.ts";
import { Reflection } from "./reflection.ts";

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

type Fault = "before" | "after";

/** The cluster as one controller has it: calls are lost before they arrive, or their answers are. */
function troubled(cluster: Cluster, next: () => Fault | undefined): Cluster {
  const lost = () => new ClusterError("no answer", 0);
  const call = <A extends unknown[], R>(work: (...given: A) => Promise<R>) => {
    return async (...given: A): Promise<R> => {
      const fault = next();
      if (fault === "before") throw lost();
      const answer = await work(...given);
      if (fault === "after") throw lost();
      return answer;
    };
  };
  const lossy = new Set<string | symbol>(["get", "list", "create", "replace", "patch", "delete"]);
  return new Proxy(cluster, {
    get: (target, name) => {
      const found: unknown = Reflect.get(target, name);
      if (typeof found !== "function") return found;
      const bound = found.bind(target) as (...given: unknown[]) => Promise<unknown>;
      return lossy.has(name) ? call(bound) : bound;
    },
  });
}

class Controller {
  readonly store: MemoryStore;
  readonly leader: Leadership;
  readonly #reflection: Reflection;
  readonly watch: CustomResourceWatch;
  clusterFault: () => Fault | undefined = () => undefined;

  constructor(kubectl: KubectlForTests, store: MemoryStore) {
    this.store = store.anotherClient();
    this.leader = new Leadership(this.store);
    const cluster = troubled(kubectl.cluster, () => this.clusterFault());
    this.watch = new CustomResourceWatch(cluster, () => undefined);
    this.#reflection = new Reflection(cluster, this.watch, this.leader.store, () => Date.UTC(2026, 0, 1));
  }

  /** Elected from outside, as by a Lease: true, if nothing was left to be done again. */
  async pass(elected: boolean): Promise<boolean> {
    try {
      await this.leader.beat(0, elected);
      return (await this.#reflection.pass()).troubles.length === 0;
    } catch (error) {
      expect(["ClusterError", "StoreUnavailable"]).toContain((error as Error).name);
      return false;
    }
  }

  calm(): void {
    this.clusterFault = () => undefined;
    this.store.interfere = () => undefined;
  }
}

const POOLS: readonly unknown[] = [
  { cidr: "10.0.0.0/24" },
  { cidr: "10.0.0.0/16" },
  { cidr: "10.1.0.0/24" },
  { cidr: "10.1.0.0/24", natOutgoing: true },
  { cidr: "10.0.0.1/24" },
  { cidr: "fd00::/64", blockSize: 10 },
];
const peerSpec = (...filters: string[]) => ({ peerIP: "192.0.2.1", asNumber: 64513, filters });
const SPECS: readonly (readonly [ReflectedKind, readonly unknown[]])[] = [
  ["BGPFilter", [{ exportV4: [{ action: "Accept" }] }, { exportV4: [{ action: "Reject" }] }, { exportV4: "x" }]],
  ["BGPPeer", [peerSpec(), peerSpec("a"), peerSpec("a", "b"), { ...peerSpec(), asNumber: -1 }]],
  ["IPPool", POOLS],
  ["BGPConfiguration", [{ asNumber: 64512 }, { asNumber: 64999 }, { asNumber: "none" }]],
];

type Act =
  | { readonly do: "apply"; readonly kind: ReflectedKind; readonly name: string; readonly spec: unknown }
  | { readonly do: "delete"; readonly kind: ReflectedKind; readonly name: string }
  | { readonly do: "pass"; readonly who: 0 | 1; readonly elected: boolean }
  | { readonly do: "both" | "told" };

type Definition =
  | { readonly do: "uninstall"; readonly kind: ReflectedKind }
  | { readonly do: "install"; readonly kind: ReflectedKind };

const ofKind = fc.constantFrom(...SPECS);
const acts: fc.Arbitrary<Act> = fc.oneof(
  { weight: 6, arbitrary: ofKind.chain(([kind, specs]) => applyOf(kind, specs)) },
  { weight: 3, arbitrary: ofKind.chain(([kind]) => nameOf(kind).map((name): Act => ({ do: "delete", kind, name }))) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("pass" as const), who: fc.constantFrom(0, 1), elected: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.constantFrom<Act>({ do: "both" }, { do: "told" }) },
);

function nameOf(kind: ReflectedKind): fc.Arbitrary<string> {
  return kind === "BGPConfiguration" ? fc.constantFrom("default", "wrong") : fc.constantFrom("a", "b", "c");
}

function applyOf(kind: ReflectedKind, specs: readonly unknown[]): fc.Arbitrary<Act> {
  return fc
    .record({ name: nameOf(kind), spec: fc.constantFrom(...specs) })
    .map((rest) => ({ do: "apply", kind, ...rest }));
}

async function act(kubectl: KubectlForTests, controllers: readonly [Controller, Controller], one: Act): Promise<void> {
  if (one.do === "apply") await kubectl.apply(one.kind, one.name, one.spec);
  else if (one.do === "delete") await kubectl.delete(one.kind, one.name);
  else if (one.do === "told") await settled();
  else if (one.do === "pass") await controllers[one.who].pass(one.elected);
  else await Promise.all(controllers.map((controller) => controller.pass(true)));
}

/** Passes of one controller until nothing is left to do. */
async function quiet(controller: Controller): Promise<void> {
  controller.calm();
  let clean = 0;
  for (let i = 0; i < 20 && clean < 2; i++) {
    await settled();
    clean = (await controller.pass(true)) ? clean + 1 : 0;
  }
  expect(clean).toBe(2);
}

async function theTruth(kubectl: KubectlForTests, store: MemoryStore): Promise<void> {
  const held = new Map<string, Resource>();
  for (const kind of REFLECTED) {
    const { resources, damaged } = await listResources(store, kind);
    expect(damaged).toEqual([]);
    for (const resource of resources) held.set(`${kind}/${resource.metadata.name}`, resource);
  }
  const seen = new Set<string>();
  const accepted = new Set<string>();
  for (const kind of REFLECTED) {
    for (const object of await kubectl.all(kind)) {
      const ref = `${kind}/${object.metadata.name}`;
      seen.add(ref);
      const resource = held.get(ref);
      const condition = await kubectl.accepted(kind, object.metadata.name);
      const { generation } = object.metadata;
      expect([ref, condition?.observedGeneration]).toEqual([ref, generation]);
      const inForce = resource && originOf(resource)?.generation;
      const read = readCustomResource(kind, object, "");
      if (condition?.status === "True") {
        accepted.add(ref);
        expect(condition.message).toBe(`generation ${generation} is in force`);
        if (!("item" in read)) throw new Error(`${ref} is accepted and no document`);
        const { uid: _, creationTimestamp: __, ...metadata } = withoutOrigin(resource as Resource).metadata;
        expect({ ...withoutOrigin(resource as Resource), metadata }).toEqual(withoutOrigin(read.item.resource));
        expect(inForce).toBe(generation);
      } else {
        const said = inForce === undefined ? "nothing of it is in force" : `generation ${inForce} stays in force`;
        expect(condition?.message).toContain(said);
        expect(inForce ?? 0).toBeLessThanOrEqual(generation as number);
        if ("item" in read) expect(reasonsAgainst(read.item.resource, held, accepted)).not.toEqual([]);
        else expect(condition?.reason).toBe("Invalid");
      }
    }
  }
  for (const [ref, resource] of held) {
    if (seen.has(ref)) continue;
    // A filter that the last good version of a peer names, though its custom resource is gone.
    const users = [...held.values()].filter(
      (one) => one.kind === "BGPPeer" && one.spec.filters?.includes(resource.metadata.name),
    );
    expect([ref, resource.kind, users.length > 0]).toEqual([ref, "BGPFilter", true]);
  }
}

/** Why a document that is in order may be refused: worked out another way than the program does. */
function reasonsAgainst(
  resource: Resource,
  held: ReadonlyMap<string, Resource>,
  accepted: ReadonlySet<string>,
): string[] {
  if (resource.kind === "BGPPeer")
    return (resource.spec.filters ?? []).filter((name) => !accepted.has(`BGPFilter/${name}`));
  if (resource.kind !== "IPPool") return [];
  const { cidr } = resource.spec;
  return [...held.values()].flatMap((other) => {
    if (other.kind !== "IPPool") return [];
    if (other.metadata.name === resource.metadata.name)
      return other.spec.cidr === cidr ? [] : ["its range cannot change"];
    return prefixesOverlap(prefixOf(cidr), prefixOf(other.spec.cidr)) ? [other.metadata.name] : [];
  });
}

/** At every moment: what a status says is in force, is. */
async function nothingIsSaidTooEarly(kubectl: KubectlForTests, store: MemoryStore): Promise<void> {
  for (const kind of REFLECTED) {
    const { resources } = await listResources(store, kind);
    for (const { metadata, status } of await kubectl.all(kind)) {
      const condition = status?.conditions?.find(({ type }) => type === "Accepted");
      if (condition?.status !== "True" || metadata.deletionTimestamp !== undefined) continue;
      const origin = resources.filter((one) => one.metadata.name === metadata.name).map(originOf)[0];
      expect([kind, metadata.name, origin?.uid]).toEqual([kind, metadata.name, metadata.uid]);
      expect(origin?.generation).toBeGreaterThanOrEqual(condition.observedGeneration as number);
    }
  }
}

async function fresh() {
  const kubectl = new KubectlForTests();
  await kubectl.install();
  const store = new MemoryStore();
  const controllers = [new Controller(kubectl, store), new Controller(kubectl, store)] as const;
  await settled();
  return { kubectl, store, controllers };
}

it("converges, whatever is applied and deleted, by two controllers, whatever becomes of their calls", async () => {
  const clusterFaults = fc.array(fc.option(fc.constantFrom<Fault>("before", "after"), { freq: 3, nil: undefined }), {
    minLength: 1,
    maxLength: 13,
  });
  const storeFaults = fc.array(
    fc.option(fc.constantFrom<Interference>("lose-request", "lose-reply", "refuse", "conflict"), {
      freq: 4,
      nil: undefined,
    }),
    { minLength: 1, maxLength: 11 },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(acts, { minLength: 3, maxLength: 30 }),
      clusterFaults,
      storeFaults,
      async (story, ofCluster, ofStore) => {
        const { kubectl, store, controllers } = await fresh();
        let [calls, storeCalls] = [0, 0];
        for (const controller of controllers) {
          controller.clusterFault = () => ofCluster[calls++ % ofCluster.length];
          controller.store.interfere = () => ofStore[storeCalls++ % ofStore.length];
        }
        for (const one of story) {
          await act(kubectl, controllers, one);
          await nothingIsSaidTooEarly(kubectl, store);
        }
        await quiet(controllers[0]);
        await theTruth(kubectl, store);
        // Nobody has anything to change any more, the other one neither.
        const objects = JSON.stringify(await Promise.all(REFLECTED.map((kind) => kubectl.all(kind))));
        await quiet(controllers[1]);
        await theTruth(kubectl, store);
        expect(JSON.stringify(await Promise.all(REFLECTED.map((kind) => kubectl.all(kind))))).toBe(objects);
      },
    ),
    { numRuns: 150, seed: 5 },
  );
}, 240_000);

it("deletes nothing but what was deleted, whatever becomes of definitions", async () => {
  const kinds = fc.constantFrom(...SPECS.map(([kind]) => kind));
  const definitions: fc.Arbitrary<Definition> = fc.tuple(kinds, fc.boolean()).map(([kind, away]) => {
    return { do: away ? "uninstall" : "install", kind };
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof({ weight: 5, arbitrary: acts }, { weight: 1, arbitrary: definitions }), {
        minLength: 5,
        maxLength: 40,
      }),
      async (story) => {
        const { kubectl, store, controllers } = await fresh();
        const [everHeld, deleted] = [new Set<string>(), new Set<string>()];
        const heldNow = async () => {
          const lists = await Promise.all(REFLECTED.map(async (kind) => (await listResources(store, kind)).resources));
          return lists.flat().map(({ kind, metadata }) => `${kind}/${metadata.name}`);
        };
        for (const one of story) {
          if (one.do === "uninstall") await kubectl.uninstall(one.kind);
          else if (one.do === "install") await kubectl.install([one.kind]);
          else await act(kubectl, controllers, one);
          if (one.do === "delete") deleted.add(`${one.kind}/${one.name}`);
          for (const ref of await heldNow()) everHeld.add(ref);
        }
        await kubectl.install();
        await quiet(controllers[0]);
        const held = new Set(await heldNow());
        for (const ref of everHeld) if (!deleted.has(ref)) expect([...held]).toContain(ref);
        // A pool whose definition went is no more held by its finalizer.
        for (const { metadata } of await kubectl.all("IPPool")) expect(metadata.deletionTimestamp).toBeUndefined();
      },
    ),
    { numRuns: 150, seed: 7 },
  );
}, 240_000);

it("goes on from wherever a controller dies: at the n-th call, for every n", async () => {
  const story = async (kubectl: KubectlForTests) => {
    await kubectl.apply("BGPPeer", "a", peerSpec("a"));
    await kubectl.apply("BGPFilter", "a", { exportV4: [{ action: "Accept" }] });
    await kubectl.apply("IPPool", "a", { cidr: "10.0.0.0/24" });
    await kubectl.apply("IPPool", "b", { cidr: "10.0.0.0/16" });
  };
  const changed = async (kubectl: KubectlForTests) => {
    await kubectl.delete("IPPool", "a");
    await kubectl.apply("BGPPeer", "a", peerSpec());
    await kubectl.delete("BGPFilter", "a");
    await kubectl.apply("BGPConfiguration", "default", { asNumber: 0 });
  };
  for (const steps of [[story], [story, changed]]) {
    for (let n = 1, died = true; died; n++) {
      const { kubectl, store, controllers } = await fresh();
      const [first, second] = controllers;
      let calls = 0;
      died = false;
      const dead = () => {
        calls++;
        died ||= calls >= n;
        return calls >= n;
      };
      for (const [i, step] of steps.entries()) {
        await step(kubectl);
        await settled();
        if (i < steps.length - 1) {
          await quiet(first);
          continue;
        }
        first.clusterFault = () => (dead() ? "before" : undefined);
        first.store.interfere = () => (dead() ? "lose-request" : undefined);
        for (let i = 0; i < 3; i++) await first.pass(true);
      }
      await quiet(second);
      await theTruth(kubectl, store);
    }
  }
}, 240_000);
