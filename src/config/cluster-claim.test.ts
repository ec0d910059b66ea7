/** Two clusters that come to one store, in any order and at one time: one has it, and the other one says whose it is. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { CLUSTER_KEY, ClusterClaim, recordedCluster } from "./cluster-claim.ts";

const DENIED = new Error("cannot get namespace kube-system: not allowed");

function of(store: MemoryStore, identity: () => Promise<string | undefined>) {
  const said: string[] = [];
  const claim = new ClusterClaim({
    store: store.anotherClient(),
    by: "the agent of r1n1",
    identity,
    isDenied: (error) => error === DENIED,
    error: (problem) => said.push(problem),
    patienceMs: 20,
    retryMs: 5,
  });
  return { claim, said };
}

it("the first one has it, whoever of it comes later too; another one is refused until it is forgotten", async () => {
  const store = new MemoryStore();
  const first = of(store, async () => "a");
  await first.claim.settle();
  expect(first.claim).toMatchObject({ state: "free", problem: undefined });
  expect(await recordedCluster(store)).toMatchObject({ uid: "a", by: "the agent of r1n1" });
  await of(store, async () => "a").claim.settle();
  const other = of(store, async () => "b");
  await other.claim.look();
  await other.claim.look();
  expect(other.claim.state).toBe("another's");
  expect(other.said).toEqual([
    expect.stringMatching(
      /another Kubernetes cluster: .* is a \(recorded by the agent of r1n1, .*\), here it is b\. Give/,
    ),
  ]);
  await store.commit({ expect: [], put: [], delete: [CLUSTER_KEY] });
  await other.claim.settle();
  expect(other.claim).toMatchObject({ state: "free", problem: undefined });
  expect(await recordedCluster(store)).toMatchObject({ uid: "b" });
});

it("of two that come at one moment one has it", async () => {
  const store = new MemoryStore();
  const both = ["a", "b"].map((uid) => of(store, async () => uid).claim);
  await Promise.all(both.map((claim) => claim.look()));
  expect(both.map(({ state }) => state).sort()).toEqual(["another's", "free"]);
});

it.each([
  ["no namespace kube-system", async () => undefined, "free", []],
  ["no right to read it", () => Promise.reject(DENIED), "free", [expect.stringContaining("not allowed")]],
  ["an API server that refuses", () => Promise.reject(new Error("HTTP 500")), "not known", []],
  ["an API server that is silent", () => new Promise<never>(() => undefined), "not known", []],
])("%s holds nobody up and records nothing", async (_, identity, state, said) => {
  const store = new MemoryStore();
  const one = of(store, identity);
  await one.claim.settle();
  one.claim.stop();
  expect(one.claim.state).toBe(state);
  expect(one.said).toEqual(said);
  expect(await store.get([CLUSTER_KEY])).toEqual([undefined]);
});

it("that is found out late is said, and over when it is put right", async () => {
  const store = new MemoryStore();
  await of(store, async () => "a").claim.settle();
  let uid: string | undefined;
  const late = of(store, () => (uid === undefined ? Promise.reject(new Error("HTTP 500")) : Promise.resolve(uid)));
  await late.claim.settle();
  expect(late.claim).toMatchObject({ state: "not known", problem: undefined });
  uid = "b";
  await eventually(() => late.claim.state === "another's");
  uid = "a";
  await eventually(() => late.claim.state === "free");
  expect([late.claim.problem, late.said.length]).toEqual([undefined, 1]);
});

it("waits for an etcd that is away, and says so", async () => {
  const store = new MemoryStore();
  const { claim, said } = of(store, async () => "a");
  const client = store.anotherClient();
  client.interfere = () => "refuse";
  const waiting = new ClusterClaim({
    ...{ store: client, by: "the agent of r1n1", identity: async () => "a", isDenied: () => false, retryMs: 5 },
    error: (problem) => said.push(problem),
  });
  const settled = waiting.settle();
  await eventually(() => said.length === 1);
  expect([waiting.state, said[0]]).toEqual(["not known", expect.stringContaining("etcd does not answer")]);
  client.interfere = () => undefined;
  await settled;
  expect(waiting).toMatchObject({ state: "free", problem: undefined });
  claim.stop();
});

async function eventually(what: () => boolean): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(5)) if (what()) return;
  throw new Error(`not in time: ${String(what)}`);
}

it.each(["", "[]", "null", '{"uid": 5}'])("what is recorded as %j is nobody's own", async (value) => {
  const store = new MemoryStore();
  await store.commit({ expect: [], put: [{ key: CLUSTER_KEY, value }], delete: [] });
  const { claim } = of(store, async () => "a");
  await claim.look();
  expect(claim.state).toBe("another's");
  expect(claim.problem).toContain("is unreadable");
});
