import { afterAll, beforeAll, expect, it } from "@jest/globals";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import type { Store } from "../../ipam/store.ts";
import { claimCluster } from "../config/cluster-claim.ts";
import { type EtcdUnderTest, overland, startEtcd } from "./program-under-test.ts";

let etcd: EtcdUnderTest;
let store: Store;

beforeAll(async () => {
  etcd = await startEtcd();
  store = openEtcdStore({ endpoints: [etcd.endpoint] });
}, 30_000);

afterAll(async () => {
  await store?.close();
  await etcd?.stop();
});

it("shows which cluster etcd belongs to, and lets another one have it when told to", async () => {
  const env = { ETCD_ENDPOINTS: etcd.endpoint };
  const nobodys = { code: 0, stderr: "", stdout: "etcd belongs to no Kubernetes cluster.\n" };
  expect(await overland(["cluster"], env)).toEqual(nobodys);
  expect((await overland(["cluster", "-o", "json"], env)).stdout).toBe("null\n");
  const first = { uid: "a", by: "the agent of r1n1", since: "2026-01-01T00:00:00Z" };
  const second = { ...first, uid: "b" };
  await claimCluster(store, first);
  expect(await claimCluster(store, second)).toEqual(first);
  const words = "uid of kube-system a, recorded by the agent of r1n1, 2026-01-01T00:00:00Z";
  expect((await overland(["cluster"], env)).stdout).toBe(`${words}\n`);
  expect(JSON.parse((await overland(["cluster", "-o", "json"], env)).stdout)).toEqual(first);
  expect((await overland(["cluster", "--forget"], env)).stdout).toMatch(`Forgotten: ${words}. The next`);
  expect(await overland(["cluster", "--forget"], env)).toEqual(nobodys);
  expect(await claimCluster(store, second)).toEqual(second);
});
