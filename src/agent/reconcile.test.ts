/** A node after a crash, on the real kernel in namespaces of the tests' own and a store in memory. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { Writable } from "node:stream";
import { afterEach, beforeEach, expect, it } from "@jest/globals";
import { affinitiesRoot, blocksRoot, handlesRoot } from "../../ipam/keys.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { allocatorOn, auditOf, Clock, poolOf, requestOf } from "../../ipam/world-for-tests.ts";
import { type Attachment, Attachments } from "../cni/attachments.ts";
import type { CniContext } from "../cni/context.ts";
import { Locks } from "../cni/locks.ts";
import { PendingDeletes } from "../cni/pending-deletes.ts";
import { serveCni } from "../cni/serve.ts";
import { hostInterfaceName } from "../kernel/pod/wiring.ts";
import { PodNetwork } from "../kernel/pod-wiring.ts";
import { ipJson, makeTestNetns, removeTestNetns, type TestNetns, until } from "../kernel/testing.ts";
import { openLog } from "../telemetry/log.ts";
import { Reconciler } from "./reconcile.ts";

const pools = [poolOf("v4", "10.244.0.0/26", 28), poolOf("v6", "fd00:244::/120", 124)];
const terms = { graceMs: 60_000, intervalMs: 180_000, blockIdleMs: 300_000 };

let host: TestNetns;
let pod: TestNetns;
let network: PodNetwork;
let stateDir: string;
let store: MemoryStore;
let lines: string[];
let now: number;

beforeEach(() => {
  host = makeTestNetns();
  pod = makeTestNetns();
  network = PodNetwork.open({ netns: host.path });
  stateDir = mkdtempSync(`${tmpdir()}/overland-reconcile-`);
  store = new MemoryStore();
  lines = [];
  now = 0;
});

afterEach(() => {
  network.close();
  removeTestNetns(host);
  try {
    removeTestNetns(pod);
  } catch {
    // Some tests take it away.
  }
  rmSync(stateDir, { recursive: true });
});

/** A process of the agent: everything it knows comes from disk, kernel and store. */
function agent(name = "n1", clock = new Clock()) {
  const allocator = allocatorOn(store, name, pools, clock);
  const stream = new Writable({ write: (chunk, _, done) => (lines.push(String(chunk)), done()) });
  const log = openLog({ stream });
  const context: CniContext = {
    ...{ allocator, network, log, locks: new Locks() },
    attachments: Attachments.open(stateDir),
    pending: new PendingDeletes(stateDir),
    families: () => [4, 6],
    mtu: () => 1500,
    changed: () => {},
    unavailable: () => undefined,
  };
  const netns = host.path;
  const reconciler = new Reconciler({
    nodeName: name,
    stateDir,
    store,
    allocator,
    context,
    terms,
    log,
    netns,
    now: () => now,
    wall: () => 1e12 + now,
  });
  const cni = (command: string, containerID: string, podName = containerID) => {
    const env = [
      `CNI_COMMAND=${command}`,
      `CNI_CONTAINERID=${containerID}`,
      `CNI_NETNS=${pod.path}`,
      "CNI_IFNAME=eth0",
    ];
    const args = `CNI_ARGS=K8S_POD_NAMESPACE=default;K8S_POD_NAME=${podName}`;
    const config = JSON.stringify({ cniVersion: "1.1.0", name: "overland", type: "overland" });
    return serveCni(context, Buffer.from([...env, args, "", config].join("\0")));
  };
  return { allocator, context, reconciler, cni };
}

/** Looks every 20 s, as the agent does. */
async function pass(reconciler: Reconciler, ms: number): Promise<void> {
  for (const end = now + ms; now < end; now += 20_000) await reconciler.tick();
  await reconciler.tick();
}

const handles = () => store.listKeys(handlesRoot);
const links = () => ipJson(host, "link show").map(({ ifname }) => String(ifname));
const said = (words: string) => lines.filter((line) => line.includes(words));

it("frees what an ADD was given that a crash cut short, after the grace time, and logs the evidence", async () => {
  await agent().allocator.assign(requestOf("overland.c1.eth0", [4, 6], { workload: workload("c1") }));
  const { reconciler } = agent();
  await pass(reconciler, 40_000);
  expect(await handles()).toHaveLength(1);
  await pass(reconciler, 60_000);
  expect(await handles()).toEqual([]);
  expect(await auditOf(store)).toEqual([]);
  expect(reconciler.reclaimed).toEqual({ address: 2, block: 0, interface: 0, pod: 0 });
  const [line] = said("a leaked address is freed");
  expect(JSON.parse(line as string)).toMatchObject({
    addresses: ["10.244.0.0", "fd00:244::"].map(expect.stringContaining),
    ...{ handle: "overland.c1.eth0", containerID: "c1", namespace: "default", pod: "c1", since: expect.any(String) },
    why: expect.stringContaining("no attachment c1-eth0"),
  });
});

it("touches nothing of a pod that runs, of an ADD in flight, of another node", async () => {
  const { reconciler, cni, context, allocator } = agent();
  expect((await cni("ADD", "c1")).ok).toBe(true);
  await agent("n2").allocator.assign(requestOf("overland.c2.eth0", [4], { workload: workload("c2") }));
  // An ADD that waits for the kernel longer than anything should: it has its container's lock.
  const { promise, resolve } = Promise.withResolvers<void>();
  const inFlight = context.locks.run("c3-eth0", async () => {
    await allocator.assign(requestOf("overland.c3.eth0", [4], { workload: workload("c3") }));
    await promise;
    context.attachments.put({
      ...(context.attachments.all()[0] as Attachment),
      containerID: "c3",
      handle: "overland.c3.eth0",
    });
  });
  await reconciler.tick();
  now += terms.graceMs;
  const looking = reconciler.tick();
  await new Promise((go) => setTimeout(go, 20));
  resolve();
  await Promise.all([looking, inFlight]);
  expect(await handles()).toHaveLength(3);
  expect(links()).toContain(hostInterfaceName("default", "c1", "eth0"));
  expect(said("leaked")).toEqual([]);
});

it("removes an interface that no attachment has, then its allocation", async () => {
  await agent().reconciler.tick();
  const before = agent();
  await before.cni("ADD", "c1");
  // Cut short between the wiring and the record.
  rmSync(`${stateDir}/attachments`, { recursive: true });
  const { reconciler } = agent();
  await pass(reconciler, 80_000);
  expect(links()).not.toContain(hostInterfaceName("default", "c1", "eth0"));
  await pass(reconciler, 80_000);
  expect(await handles()).toEqual([]);
  expect(said("an interface of no pod is removed")).toHaveLength(1);
  expect(reconciler.reclaimed).toEqual({ address: 2, block: 0, interface: 1, pod: 0 });
});

it("leaves pods alone when the state directory was lost while they ran, and says so", async () => {
  const before = agent();
  await before.cni("ADD", "c1");
  rmSync(stateDir, { recursive: true });
  mkdirSync(stateDir);
  const { reconciler } = agent();
  await pass(reconciler, 400_000);
  expect(links()).toContain(hostInterfaceName("default", "c1", "eth0"));
  expect(await handles()).toHaveLength(1);
  expect(reconciler.problems()[0]).toContain("the state directory was new while pods ran");
  // The pod goes: so does what it had.
  await network.unwire(hostInterfaceName("default", "c1", "eth0"));
  await pass(reconciler, 260_000);
  expect([await handles(), reconciler.problems()]).toEqual([[], []]);
});

it("does the DEL that nobody sent when namespace and interface are gone", async () => {
  const before = agent();
  await before.cni("ADD", "c1");
  removeTestNetns(pod);
  // The kernel takes a namespace apart in its own time.
  await until("the interface is gone", () => links().length === 1);
  const { reconciler, context } = agent();
  await pass(reconciler, 80_000);
  expect([await handles(), context.attachments.all(), context.pending.list()]).toEqual([[], [], []]);
  expect(said("no DEL came for it")).toHaveLength(1);
  expect(reconciler.reclaimed).toEqual({ address: 0, block: 0, interface: 0, pod: 1 });
});

it("frees what it borrowed in another node's block", async () => {
  const lender = agent("n2").allocator;
  for (let i = 0; i < 4; i++) {
    for (let j = 0; j < 15; j++)
      await lender.assign(requestOf(`overland.l${i}-${j}.eth0`, [4], { workload: workload(`l${i}-${j}`) }));
  }
  await lender.assign(requestOf("overland.l.eth0", [4], { workload: workload("l") }));
  for (let i = 0; i < 3; i++)
    await lender.assign(requestOf(`overland.m${i}.eth0`, [4], { workload: workload(`m${i}`) }));
  await lender.release("overland.m0.eth0");
  const borrower = allocatorOn(store, "n1", pools, Object.assign(new Clock(), { ms: 2_000_000 }));
  await borrower.assign(requestOf("overland.c1.eth0", [4], { workload: workload("c1") }));
  expect(borrower.blocks()).toEqual([]);
  const { reconciler } = agent();
  await pass(reconciler, 80_000);
  expect(said("a leaked address is freed")).toHaveLength(1);
  expect((await handles()).filter((key) => key.includes("c1"))).toEqual([]);
  expect(await auditOf(store)).toEqual([]);
});

it("frees nothing while another agent runs under the node's name", async () => {
  const { reconciler } = agent();
  await reconciler.tick();
  const other = allocatorOn(store, "n1", pools, new Clock());
  await other.assign(requestOf("overland.x.eth0", [4], { workload: workload("x") }));
  for (let i = 0; i < 40; i++) {
    const [entry] = await store.get(["/overland/v1/agents/n1"]);
    const record = { id: "other", run: "other", host: "there", pid: 1 };
    const put = [{ key: "/overland/v1/agents/n1", value: JSON.stringify(record) }];
    await store.commit({
      expect: [{ key: "/overland/v1/agents/n1", modRevision: entry?.modRevision ?? 0n }],
      put,
      delete: [],
    });
    now += 20_000;
    await reconciler.tick();
  }
  expect(await handles()).toHaveLength(1);
  expect(reconciler.problems()[0]).toContain("another agent runs under this node's name, on host there");
  expect(said("another agent runs")).toHaveLength(1);
});

it("says which pod runs with addresses that somebody took back", async () => {
  const { reconciler, cni } = agent();
  await cni("ADD", "c1");
  await allocatorOn(store, "elsewhere", pools, new Clock()).release("overland.c1.eth0");
  await pass(reconciler, 260_000);
  expect(reconciler.problems()).toEqual([
    expect.stringContaining("pod default/c1 runs with addresses that etcd does not have"),
  ]);
});

it("leaves what is about a file that cannot be read, whatever etcd and kernel have", async () => {
  const before = agent();
  await before.cni("ADD", "c1");
  writeFileSync(`${stateDir}/attachments/c1-eth0.json`, "{");
  await network.unwire(hostInterfaceName("default", "c1", "eth0"));
  const { reconciler } = agent();
  await pass(reconciler, 300_000);
  expect(await handles()).toHaveLength(1);
});

it("goes on when the store was away, and gives back a block that no pool has any more", async () => {
  const clock = new Clock();
  const { reconciler, allocator } = agent("n1", clock);
  await allocator.assign(requestOf("overland.c1.eth0", [4], { workload: workload("c1") }));
  store.interfere = () => "refuse";
  await pass(reconciler, 80_000);
  expect(said("tried again").length).toBeGreaterThan(0);
  store.interfere = () => undefined;
  await pass(reconciler, 80_000);
  expect(await handles()).toEqual([]);
  allocator.setPools([]);
  await reconciler.tick();
  expect(await store.listKeys(blocksRoot)).toHaveLength(1);
  clock.ms += 31_000;
  await reconciler.tick();
  expect([...(await store.listKeys(blocksRoot)), ...(await store.listKeys(affinitiesRoot))]).toEqual([]);
  expect(said("a block goes back to its pool")).toHaveLength(1);
  expect(reconciler.reclaimed).toMatchObject({ address: 1, block: 1 });
});

function workload(containerID: string) {
  return {
    handle: `overland.${containerID}.eth0`,
    namespace: "default",
    pod: containerID,
    containerID,
    ifName: "eth0",
  };
}
