/** What becomes of Node resources when their Kubernetes Nodes are deleted. */
import { Writable } from "node:stream";
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { NODES } from "../cluster/port.ts";
import { kindRoot, resourceKey } from "../config/resource-keys.ts";
import { openLog } from "../telemetry/log.ts";
import { KubernetesNodes } from "./kubernetes-nodes.ts";
import { Leadership } from "./leader.ts";

const GRACE = 300_000;

async function world(names: readonly string[]) {
  const [store, cluster] = [new MemoryStore(), new MemoryCluster()];
  const lines: string[] = [];
  const log = openLog({ stream: new Writable({ write: (chunk, _, done) => (lines.push(String(chunk)), done()) }) });
  const leader = new Leadership(store);
  await leader.beat(0);
  const register = (name: string, annotations = {}) =>
    store.commit({
      expect: [],
      put: [{ key: resourceKey("Node", name), value: JSON.stringify({ metadata: { name, annotations } }) }],
      delete: [],
    });
  for (const name of names) {
    cluster.put(NODES, { metadata: { name } });
    await register(name, { "overland.dev/kubernetes-node": `uid-of-${name}` });
  }
  await register("bare");
  const nodes = new KubernetesNodes(cluster, store, leader, log, GRACE);
  await new Promise((resolve) => setImmediate(resolve));
  const left = async () => (await store.listKeys(kindRoot("Node"))).map((key) => key.slice(kindRoot("Node").length));
  const remove = (name: string) => cluster.remove({ type: NODES, name });
  return { store, cluster, nodes, left, remove, register, lines };
}

it("deletes the resource of one that is gone for the grace time, and never a bare agent's", async () => {
  const { nodes, left, remove, lines } = await world(["n1", "n2", "n3"]);
  expect(await nodes.look(0)).toEqual([]);
  remove("n1");
  expect(await nodes.look(1)).toEqual([]);
  expect(await nodes.look(GRACE)).toEqual([]);
  expect(await nodes.look(GRACE + 1)).toEqual(["n1"]);
  expect(await left()).toEqual(["bare", "n2", "n3"]);
  expect(lines.join("")).toContain("its Node resource is deleted");
});

it("leaves one alone that comes back, be it seen by the second look only", async () => {
  const { nodes, left, remove, cluster } = await world(["n1", "n2", "n3"]);
  remove("n1");
  await nodes.look(0);
  cluster.put(NODES, { metadata: { name: "n1" } });
  await nodes.look(10);
  remove("n1");
  expect(await nodes.look(GRACE)).toEqual([]);
  // The watch has not been told.
  cluster.get = async () => ({ metadata: { name: "n1" } }) as never;
  expect(await nodes.look(2 * GRACE)).toEqual([]);
  expect(await left()).toHaveLength(4);
});

it("takes an API server that cannot be reached for no sign of anything", async () => {
  const { nodes, left, remove, cluster } = await world(["n1", "n2", "n3"]);
  remove("n1");
  await nodes.look(0);
  cluster.setDown("no answer");
  expect(await nodes.look(GRACE)).toEqual([]);
  cluster.setDown(undefined);
  cluster.get = () => Promise.reject(new Error("no answer"));
  await expect(nodes.look(GRACE)).rejects.toThrow("no answer");
  expect(await left()).toHaveLength(4);
});

it("does not act when most nodes are gone at once, until they are fewer", async () => {
  const names = ["n1", "n2", "n3", "n4", "n5"];
  const { nodes, left, remove, cluster, lines } = await world(names);
  for (const name of names) remove(name);
  for (const now of [0, GRACE, 2 * GRACE]) expect(await nodes.look(now)).toEqual([]);
  expect(nodes.heldBack).toContain("5 of 5 nodes are not in Kubernetes");
  expect(lines).toHaveLength(1);
  expect(await left()).toHaveLength(6);
  for (const name of ["n1", "n2", "n3", "n4"]) cluster.put(NODES, { metadata: { name } });
  expect(await nodes.look(3 * GRACE)).toEqual([]);
  expect(nodes.heldBack).toBeUndefined();
  expect(await nodes.look(4 * GRACE)).toEqual(["n5"]);
});

it("does not delete what was registered anew meanwhile", async () => {
  const { nodes, left, remove, cluster, register } = await world(["n1", "n2", "n3"]);
  remove("n1");
  await nodes.look(0);
  const get = cluster.get.bind(cluster);
  cluster.get = async (ref) => {
    await register("n1", { "overland.dev/kubernetes-node": "another" });
    return (await get(ref)) as never;
  };
  expect(await nodes.look(GRACE)).toEqual([]);
  expect(await left()).toContain("n1");
});
