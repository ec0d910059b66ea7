/** One controller after another on an API server and a store in memory: what custom resources come to. */
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { allocatorOn, Clock, poolOf, requestOf } from "../../ipam/world-for-tests.ts";
import { ClusterError, EVENTS } from "../cluster/port.ts";
import { originOf } from "../config/managed.ts";
import { readManifests } from "../config/manifest.ts";
import { applyResources, deleteResources, listResources } from "../config/resource-store.ts";
import { CustomResourceWatch } from "./custom-resource-watch.ts";
import { type Condition, type CustomResource, type ReflectedKind, typeOf } from "./custom-resources.ts";
import { KubectlForTests } from "./kubectl-for-tests.ts";
import { Reflection } from "./reflection.ts";

async function world() {
  const kubectl = new KubectlForTests();
  await kubectl.install();
  const store = new MemoryStore();
  const controller = () => {
    const watch = new CustomResourceWatch(kubectl.cluster, () => undefined);
    const reflection = new Reflection(kubectl.cluster, watch, store, () => Date.UTC(2026, 0, 1));
    return { watch, pass: () => reflection.pass(), stop: () => watch.stop() };
  };
  const one = controller();
  await settled();
  const held = async (kind: ReflectedKind) => {
    const { resources, damaged } = await listResources(store, kind);
    expect(damaged).toEqual([]);
    return resources;
  };
  const names = async (kind: ReflectedKind) => (await held(kind)).map(({ metadata }) => metadata.name);
  return { kubectl, store, controller, held, names, ...one };
}

/** What was told in this turn has arrived. */
const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

const POOL = { cidr: "10.244.0.0/24", blockSize: 28 };
const peer = (filters?: string[]) => ({ peerIP: "192.0.2.1", asNumber: 64513, ...(filters && { filters }) });
const FILTER = { exportV4: [{ action: "Accept" }] };

it("writes what is in order, says so once, and writes only what changed", async () => {
  const { kubectl, store, pass, held } = await world();
  await kubectl.apply("IPPool", "pods", POOL, { tier: "a" });
  await kubectl.apply("BGPPeer", "tor", peer());
  expect((await pass()).written).toEqual(["IPPool/pods", "BGPPeer/tor"]);
  const [pool] = await held("IPPool");
  expect(pool).toMatchObject({
    metadata: {
      name: "pods",
      labels: { tier: "a" },
      annotations: { "overland.dev/managed-by": "kubernetes", "overland.dev/kubernetes-generation": "1" },
    },
    spec: { cidr: "10.244.0.0/24", natOutgoing: false },
  });
  expect(await kubectl.accepted("IPPool", "pods")).toEqual({
    type: "Accepted",
    status: "True",
    reason: "Accepted",
    message: "generation 1 is in force",
    observedGeneration: 1,
    lastTransitionTime: "2026-01-01T00:00:00Z",
  });
  expect((await kubectl.get("IPPool", "pods"))?.metadata.finalizers).toEqual(["overland.dev/ippool"]);
  expect((await kubectl.get("BGPPeer", "tor"))?.metadata.finalizers).toBeUndefined();
  const { calls } = store;
  const [before] = await kubectl.all("IPPool");
  await pass();
  expect((await pass()).written).toEqual([]);
  expect((await kubectl.all("IPPool"))[0]).toEqual(before);
  await kubectl.apply("BGPPeer", "tor", { ...peer(), asNumber: 64514 });
  expect((await pass()).written).toEqual(["BGPPeer/tor"]);
  expect(store.calls).toBeGreaterThan(calls);
  expect(await kubectl.condition("BGPPeer", "tor")).toBe("True Accepted: generation 2 is in force");
  expect(await kubectl.events()).toEqual([]);
});

it("refuses what makes no sense: field and cure in the condition, one event, and the last good one goes on", async () => {
  const { kubectl, pass, held } = await world();
  await kubectl.apply("BGPPeer", "tor", peer());
  await pass();
  await kubectl.apply("BGPPeer", "tor", { ...peer(), asNumber: 64514, keepOriginalNextHop: "yes" });
  await kubectl.apply("BGPPeer", "new", { peerIP: "192.0.2.999", asNumber: 64513 });
  for (let i = 0; i < 3; i++) await pass();
  expect(await kubectl.condition("BGPPeer", "tor")).toMatch(
    /^False Invalid: spec\.keepOriginalNextHop: .*; generation 1 stays in force$/,
  );
  expect(await kubectl.condition("BGPPeer", "new")).toMatch(
    /^False Invalid: spec\.peerIP: "192.0.2.999" .*; nothing of it is in force$/,
  );
  expect((await kubectl.accepted("BGPPeer", "tor"))?.observedGeneration).toBe(2);
  expect(await kubectl.events()).toHaveLength(2);
  expect((await held("BGPPeer")).map(({ spec }) => spec)).toEqual([expect.objectContaining({ asNumber: 64513 })]);
  await kubectl.apply("BGPPeer", "tor", { ...peer(), asNumber: 64515 });
  await pass();
  expect(await kubectl.condition("BGPPeer", "tor")).toBe("True Accepted: generation 3 is in force");
});

it("takes a peer as soon as its filter is there, and lets a filter go with the last peer that names it", async () => {
  const { kubectl, pass, names } = await world();
  await kubectl.apply("BGPPeer", "tor", peer(["edge"]));
  await pass();
  expect(await kubectl.condition("BGPPeer", "tor")).toMatch(
    /^False FilterNotFound: spec\.filters\[0\]: there is no BGPFilter "edge"; .*nothing of it is in force$/,
  );
  await kubectl.apply("BGPFilter", "edge", FILTER);
  expect((await pass()).written).toEqual(["BGPFilter/edge", "BGPPeer/tor"]);
  expect(await kubectl.condition("BGPPeer", "tor")).toBe("True Accepted: generation 1 is in force");
  await kubectl.delete("BGPFilter", "edge");
  const { waiting } = await pass();
  expect([...waiting]).toEqual([["BGPFilter/edge", expect.stringContaining("BGPPeer tor uses it")]]);
  expect(await names("BGPFilter")).toEqual(["edge"]);
  expect(await kubectl.condition("BGPPeer", "tor")).toMatch(/^False FilterNotFound: .*generation 1 stays in force$/);
  await kubectl.apply("BGPPeer", "tor", peer());
  await pass();
  expect([await names("BGPFilter"), await kubectl.condition("BGPPeer", "tor")]).toEqual([
    [],
    "True Accepted: generation 2 is in force",
  ]);
});

it("gives a range to the older pool, and to the other one when that is gone", async () => {
  const { kubectl, pass, names } = await world();
  await kubectl.apply("IPPool", "z", POOL);
  await kubectl.apply("IPPool", "a", { cidr: "10.244.0.0/16" });
  await kubectl.apply("IPPool", "other", { cidr: "fd00::/64" });
  await pass();
  expect(await names("IPPool")).toEqual(["other", "z"]);
  expect(await kubectl.condition("IPPool", "a")).toMatch(/^False Conflict: spec.cidr: .* overlaps pool z/);
  await kubectl.delete("IPPool", "z");
  await pass();
  expect(await names("IPPool")).toEqual(["a", "other"]);
  expect(await kubectl.get("IPPool", "z")).toBeUndefined();
});

it("holds a pool until its addresses are free: kubectl waits, no new ones are given out, and the condition says why", async () => {
  const { kubectl, store, pass, held, names } = await world();
  await kubectl.apply("IPPool", "pods", POOL);
  await pass();
  const node = allocatorOn(store, "n1", [poolOf("pods", POOL.cidr, 28)], new Clock());
  await node.assign(requestOf("a", [4]));
  await kubectl.delete("IPPool", "pods");
  expect((await pass()).waiting.size).toBe(1);
  expect((await held("IPPool"))[0]?.spec).toMatchObject({ disabled: true });
  expect(await kubectl.condition("IPPool", "pods")).toMatch(
    /^False InUse: is being deleted, no new address of it is given out; .*1 address is in use \(n1: 1.*such as 10\.244\.0\.64 \(default\/pod-a on n1\)/,
  );
  await pass();
  expect(await kubectl.events()).toHaveLength(1);
  await node.release("a");
  await pass();
  expect([await names("IPPool"), await kubectl.get("IPPool", "pods")]).toEqual([[], undefined]);
});

it("leaves what `overland apply` made alone, but for what is the same", async () => {
  const { kubectl, store, pass, held } = await world();
  const text = (name: string, as: number) =>
    `apiVersion: overland.dev/v1\nkind: BGPPeer\nmetadata: {name: ${name}}\nspec: {peerIP: 192.0.2.1, asNumber: ${as}}\n`;
  const apply = (yaml: string) => applyResources(store, readManifests(yaml, "f.yaml").sourced);
  await apply(`${text("same", 64513)}---\n${text("differs", 64999)}`);
  await kubectl.apply("BGPPeer", "same", peer());
  await kubectl.apply("BGPPeer", "differs", peer());
  await pass();
  expect(await kubectl.condition("BGPPeer", "same")).toBe("True Accepted: generation 1 is in force");
  expect(await kubectl.condition("BGPPeer", "differs")).toMatch(
    /^False NotManaged: the BGPPeer of this name was made by `overland apply` and differs; .*until then that one is in force$/,
  );
  expect((await held("BGPPeer")).map((resource) => originOf(resource)?.generation)).toEqual([undefined, 1]);
  expect(await apply(text("same", 64513))).toMatchObject({ outcomes: [{ outcome: "unchanged" }] });
  expect(await apply(text("same", 1))).toMatchObject({
    faults: [{ message: "BGPPeer same is managed by Kubernetes; change it with kubectl" }],
  });
  expect(await deleteResources(store, [{ kind: "BGPPeer", name: "same" }])).toEqual({
    refusals: ["BGPPeer same is managed by Kubernetes; delete it with kubectl"],
  });
  await kubectl.delete("BGPPeer", "differs");
  await pass();
  expect(await held("BGPPeer")).toHaveLength(2);
  await kubectl.apply("BGPPeer", "differs", peer());
  await deleteResources(store, [{ kind: "BGPPeer", name: "differs" }]);
  await pass();
  expect(await kubectl.condition("BGPPeer", "differs")).toBe("True Accepted: generation 1 is in force");
});

it("keeps everything when definitions are removed, and when another API server knows nothing of it", async () => {
  const { kubectl, store, pass, names } = await world();
  await kubectl.apply("IPPool", "pods", POOL);
  await kubectl.apply("BGPPeer", "tor", peer());
  await pass();
  await kubectl.uninstall("BGPPeer");
  await kubectl.uninstall("IPPool");
  const { deleted, troubles } = await pass();
  expect([deleted, troubles.map(String).sort()]).toEqual([
    [],
    [
      expect.stringContaining("bgppeers.overland.dev is being removed"),
      expect.stringContaining("ippools.overland.dev"),
    ],
  ]);
  // Its finalizer is off: the definition can go.
  expect(await kubectl.all("IPPool")).toEqual([]);
  for (const kind of ["BGPPeer", "IPPool"] as const) await kubectl.finishUninstall(kind);
  await pass();
  expect([await names("IPPool"), await names("BGPPeer")]).toEqual([["pods"], ["tor"]]);

  const fresh = new KubectlForTests();
  await fresh.cluster.create({ ...EVENTS }, { metadata: { name: "x", namespace: "default" } });
  await fresh.install();
  for (const kind of ["BGPPeer", "IPPool"] as const) await fresh.install([kind]);
  const watch = new CustomResourceWatch(fresh.cluster, () => undefined);
  const reflection = new Reflection(fresh.cluster, watch, store);
  await settled();
  // Their definitions have identities of their own.
  const { orphans } = await reflection.pass();
  expect([...orphans.values()]).toEqual(Array(2).fill(expect.stringContaining("this API server never had it")));
  expect([await names("IPPool"), await names("BGPPeer")]).toEqual([["pods"], ["tor"]]);
  await fresh.apply("BGPPeer", "tor", peer());
  await reflection.pass();
  await fresh.delete("BGPPeer", "tor");
  await reflection.pass();
  expect([await names("IPPool"), await names("BGPPeer")]).toEqual([["pods"], []]);
});

it("is not deceived by a watch that is behind when a definition is removed and made anew", async () => {
  const { kubectl, pass, controller, names } = await world();
  await kubectl.apply("BGPPeer", "tor", peer());
  await pass();
  const behind = controller();
  await settled();
  behind.stop();
  await kubectl.uninstall("BGPPeer");
  await kubectl.install(["BGPPeer"]);
  // It believes the peer to be one of the new definition; were it marked so, its absence would be its deletion.
  expect(await behind.pass()).toMatchObject({ written: [], deleted: [], troubles: [expect.any(Error)] });
  expect([...(await pass()).orphans.keys()]).toEqual(["BGPPeer/tor"]);
  expect(await names("BGPPeer")).toEqual(["tor"]);
  await kubectl.apply("BGPPeer", "tor", peer());
  await pass();
  await kubectl.delete("BGPPeer", "tor");
  expect((await pass()).deleted).toEqual(["BGPPeer/tor"]);
});

it("never goes back: what the store has of a later generation is asked for", async () => {
  const { kubectl, pass, controller, held } = await world();
  await kubectl.apply("BGPPeer", "tor", peer());
  await pass();
  // A second controller that is told nothing any more.
  const behind = controller();
  await settled();
  behind.stop();
  await kubectl.apply("BGPPeer", "tor", { ...peer(), asNumber: 64600 });
  await pass();
  expect((await behind.pass()).written).toEqual([]);
  await kubectl.apply("BGPPeer", "later", peer());
  await pass();
  expect((await behind.pass()).deleted).toEqual([]);
  expect((await held("BGPPeer")).map(({ spec }) => spec)).toEqual([
    expect.objectContaining({ asNumber: 64513 }),
    expect.objectContaining({ asNumber: 64600 }),
  ]);
});

it("brings a thousand to the store in few transactions", async () => {
  const { kubectl, store, pass, names } = await world();
  for (let i = 0; i < 1000; i++)
    await kubectl.apply("BGPPeer", `p${i}`, { ...peer(["edge"]), peerIP: `10.0.${i >> 8}.${i & 255}` });
  await kubectl.apply("BGPFilter", "edge", FILTER);
  let commits = 0;
  store.interfere = ({ kind }) => {
    if (kind === "commit") commits++;
    return undefined;
  };
  await pass();
  expect((await names("BGPPeer")).length).toBe(1000);
  expect(commits).toBeLessThanOrEqual(11);
  expect(await kubectl.condition("BGPPeer", "p999")).toBe("True Accepted: generation 1 is in force");
}, 60_000);

it("says nothing of what it could not write, and says it once it could", async () => {
  const { kubectl, store, pass } = await world();
  await kubectl.apply("BGPPeer", "tor", peer());
  store.interfere = ({ kind }) => (kind === "commit" ? "conflict" : undefined);
  const { troubles, written } = await pass();
  expect([troubles.length, written]).toEqual([1, []]);
  expect(await kubectl.accepted("BGPPeer", "tor")).toBeUndefined();
  store.interfere = () => undefined;
  await pass();
  expect(await kubectl.condition("BGPPeer", "tor")).toBe("True Accepted: generation 1 is in force");
});

it("is stopped by one object that cannot be written to no more than at that one", async () => {
  const { kubectl, pass, names } = await world();
  await kubectl.apply("IPPool", "a", POOL);
  await kubectl.apply("IPPool", "b", { cidr: "10.245.0.0/16" });
  const patch = kubectl.cluster.patch.bind(kubectl.cluster);
  kubectl.cluster.patch = (ref, how) => (ref.name === "a" ? Promise.reject(new Error("no")) : patch(ref, how));
  expect((await pass()).troubles).toHaveLength(1);
  expect([await names("IPPool"), await kubectl.condition("IPPool", "b")]).toEqual([
    ["b"],
    "True Accepted: generation 1 is in force",
  ]);
  kubectl.cluster.patch = patch;
  await pass();
  expect(await names("IPPool")).toEqual(["a", "b"]);
});

it("keeps conditions of others, and annotations that mean nothing here out of etcd", async () => {
  const { kubectl, pass, held } = await world();
  await kubectl.apply("BGPPeer", "tor", peer());
  const { type, ...rest } = { type: typeOf("BGPPeer"), ...((await kubectl.get("BGPPeer", "tor")) as CustomResource) };
  const other: Condition = { type: "Reachable", status: "True", reason: "Ping", message: "" };
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": "{}", "overland.dev/note": "mine" };
  kubectl.cluster.put(type, {
    ...rest,
    metadata: { ...rest.metadata, annotations },
    status: { conditions: [other] },
  } as never);
  await settled();
  await pass();
  expect((await kubectl.get("BGPPeer", "tor"))?.status?.conditions?.map((one) => one.type)).toEqual([
    "Reachable",
    "Accepted",
  ]);
  const [resource] = await held("BGPPeer");
  expect(
    Object.keys(resource?.metadata.annotations ?? {}).filter((key) => !key.startsWith("overland.dev/kubernetes")),
  ).toEqual(["overland.dev/note", "overland.dev/managed-by"]);
});

it("says in the status what it may not say as an event, and tries an event again that was lost", async () => {
  const { kubectl, pass } = await world();
  await kubectl.apply("BGPPeer", "tor", peer(["none"]));
  const create = kubectl.cluster.create.bind(kubectl.cluster);
  kubectl.cluster.create = () => Promise.reject(new ClusterError("no answer", 0));
  expect((await pass()).troubles).toHaveLength(1);
  expect(await kubectl.accepted("BGPPeer", "tor")).toBeUndefined();
  kubectl.cluster.create = () => Promise.reject(new ClusterError("may not create events", 403, "Forbidden"));
  expect((await pass()).troubles).toHaveLength(1);
  expect(await kubectl.condition("BGPPeer", "tor")).toContain("False FilterNotFound");
  kubectl.cluster.create = create;
  await kubectl.apply("BGPPeer", "tor", peer(["nowhere"]));
  expect((await pass()).troubles).toEqual([]);
  expect(await kubectl.events()).toEqual([expect.stringContaining('there is no BGPFilter "nowhere"')]);
});
