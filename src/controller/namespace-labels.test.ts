/** Addresses for services in time: of pools with a namespaceSelector as the namespaces' labels come, go and change. */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { type KubeObject, NAMESPACES, SERVICES } from "../cluster/port.ts";
import { resourceKey } from "../config/resource-keys.ts";
import { resource } from "../config/resources-for-tests.ts";
import type { LoadBalancerObject } from "../services/address-wish.ts";
import { openLog } from "../telemetry/log.ts";
import { LoadBalancing, usualPace } from "./load-balancing.ts";

/** Nothing is done without a reason. */
const pace = { ...usualPace, settle: 1, refused: 600_000, resync: 600_000 };

it("a namespace that gets the label gets the address, without anything else having changed", async () => {
  const cluster = new MemoryCluster();
  const store = new MemoryStore();
  const leader = { leads: true, store, commit: async () => false };
  const namespace = (labels: Record<string, string>) => cluster.put(NAMESPACES, { metadata: { name: "shop", labels } });
  namespace({});
  cluster.put(SERVICES, {
    metadata: { namespace: "shop", name: "web" },
    spec: { type: "LoadBalancer", ipFamilies: ["IPv4"] },
  } as KubeObject);
  const pool = async (namespaceSelector: string) => {
    const spec = { cidr: "198.18.0.0/28", blockSize: 30, allowedUses: ["LoadBalancer"], namespaceSelector };
    const key = resourceKey("IPPool", "blue");
    const modRevision = (await store.get([key]))[0]?.modRevision ?? 0n;
    const value = JSON.stringify(resource("IPPool", "blue", spec));
    await store.commit({ expect: [{ key, modRevision }], put: [{ key, value }], delete: [] });
  };
  const shown = async () => {
    const [web] = await cluster.list<LoadBalancerObject & KubeObject>({ type: SERVICES });
    return (web?.status?.loadBalancer?.ingress ?? []).length;
  };
  await pool("team == 'blue'");
  const balancing = new LoadBalancing(cluster, store, leader, openLog({ level: "error" }), pace);
  try {
    balancing.wake();
    await eventually(() => /the namespace does not match/.test(balancing.refused.get("shop/web") ?? ""));
    namespace({ team: "blue" });
    await eventually(async () => (await shown()) === 1);
    await eventually(() => balancing.refused.size === 0);
    namespace({});
    await pool("team == 'red'");
    await sleep(50);
    expect(await shown()).toBe(1);
  } finally {
    await balancing.stop();
  }
});

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 30_000; performance.now() < end; await sleep(5)) if (await what()) return;
  throw new Error(`not in time: ${String(what)}`);
}
