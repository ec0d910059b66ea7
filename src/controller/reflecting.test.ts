/** Passes in time: after what changes, again after trouble, and never in a busy loop. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { ClusterError } from "../cluster/port.ts";
import { kindRoot } from "../config/resource-keys.ts";
import { openLog } from "../telemetry/log.ts";
import { definitionOf } from "./custom-resources.ts";
import { KubectlForTests } from "./kubectl-for-tests.ts";
import { Reflecting } from "./reflecting.ts";

const PEER = { peerIP: "192.0.2.1", asNumber: 64513 };
/** Retries so rare that none comes within a test: what is done is done because something happened. */
const pace = { settle: 1, firstRetry: 600_000, longestRetry: 600_000, waiting: 600_000, resync: 600_000 };

async function world(change: Partial<typeof pace> = {}) {
  const kubectl = new KubectlForTests();
  await kubectl.install();
  const store = new MemoryStore();
  const leader = { leads: true, store, commit: async () => false };
  const client = store.anotherClient();
  leader.store = client;
  const reflecting = new Reflecting(kubectl.cluster, store, leader, openLog({ level: "error" }), {
    ...pace,
    ...change,
  });
  const peers = async () => (await store.listKeys(kindRoot("BGPPeer"))).length;
  return { kubectl, store, client, leader, reflecting, peers };
}

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(5)) if (await what()) return;
  throw new Error(`not in time: ${String(what)}`);
}

it("does what changes at once, though something else is in trouble, and trouble again when its time has come", async () => {
  const { kubectl, reflecting, peers } = await world();
  await kubectl.apply("BGPFilter", "edge", {});
  await eventually(() => reflecting.last?.written.length === 0 && reflecting.last.verdicts.length === 1);
  await kubectl.finishUninstall("BGPFilter");
  kubectl.cluster.remove(definitionOf("BGPFilter"));
  await eventually(() => reflecting.trouble !== undefined);
  await kubectl.apply("BGPPeer", "tor", PEER);
  await eventually(async () => (await peers()) === 1);
  await reflecting.stop();

  const second = await world({ firstRetry: 1 });
  const patch = second.kubectl.cluster.patch.bind(second.kubectl.cluster);
  let refused = 0;
  second.kubectl.cluster.patch = (ref, how) =>
    refused++ < 3 ? Promise.reject(new ClusterError("busy", 429, "TooManyRequests", 1)) : patch(ref, how);
  await second.kubectl.apply("BGPPeer", "tor", PEER);
  await eventually(async () => (await second.kubectl.condition("BGPPeer", "tor")) !== undefined);
  await eventually(() => second.reflecting.trouble === undefined);
  await second.reflecting.stop();
});

it("waits while nothing can be done, however much happens, and starts when it leads", async () => {
  const { kubectl, client, leader, reflecting, peers } = await world({ firstRetry: 20, longestRetry: 20 });
  leader.leads = false;
  await kubectl.apply("BGPPeer", "tor", PEER);
  await sleep(50);
  expect([await peers(), reflecting.last]).toEqual([0, undefined]);
  let calls = 0;
  client.interfere = () => {
    calls++;
    return "refuse";
  };
  const began = performance.now();
  leader.leads = true;
  reflecting.wake();
  for (let i = 0; i < 200; i++) {
    await kubectl.apply("BGPPeer", "tor", { ...PEER, asNumber: 64600 + i });
    await sleep(1);
  }
  await eventually(() => calls > 0);
  // Six reads an attempt, and 20 ms at least between two.
  expect(calls / 6).toBeLessThanOrEqual((performance.now() - began) / 20 + 2);
  client.interfere = () => undefined;
  await eventually(async () => (await peers()) === 1);
  await eventually(() => reflecting.trouble === undefined && reflecting.last !== undefined);
  await reflecting.stop();
});
