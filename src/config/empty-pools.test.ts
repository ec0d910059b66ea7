import { describe, expect, it } from "@jest/globals";
import { affinitiesRoot, blockKey, blocksRoot, ipamRoot } from "../../ipam/keys.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import { allocatorOn, requestOf } from "../../ipam/world-for-tests.ts";
import { readManifests } from "./manifest.ts";
import { poolOf } from "./pools.ts";
import { applyResources, deleteResources, listResources } from "./resource-store.ts";

const ref = (name: string) => ({ kind: "IPPool", name }) as const;
const deleted = { outcomes: [{ kind: "IPPool", name: "a", outcome: "deleted" }] };

async function apply(store: Store, spec: string): Promise<void> {
  const pool = `apiVersion: overland.dev/v1\nkind: IPPool\nmetadata: {name: a}\nspec: {${spec}}\n`;
  const node = "---\napiVersion: overland.dev/v1\nkind: Node\nmetadata: {name: n1}\n";
  const applied = await applyResources(store, readManifests(pool + node, "f.yaml").sourced);
  expect(applied).toHaveProperty("outcomes");
}

async function pools(store: Store) {
  const { resources } = await listResources(store, "IPPool");
  return resources.flatMap((resource) => (resource.kind === "IPPool" ? poolOf(resource) : []));
}

/** Nodes that had a pod each, which is gone or still there. */
async function used(store: Store, nodes: readonly string[], stay: boolean): Promise<void> {
  for (const node of nodes) {
    const allocator = allocatorOn(store, node, await pools(store));
    await allocator.assign(requestOf(`h-${node}`, [4]));
    if (!stay) await allocator.release(`h-${node}`);
  }
}

describe("a pool", () => {
  it("in use is not deleted, and it is said by whom and what to do", async () => {
    const store = new MemoryStore();
    await apply(store, "cidr: 10.244.0.0/24");
    await used(store, ["n1"], true);
    const text = "IPPool a (10.244.0.0/24): 1 address is in use (n1: 1); ";
    const cure = "delete the pods that have them, such as 10.244.0.0 (default/pod-h-n1 on n1), then the pool";
    const disable = "set spec.disabled: true so that no new ones are given out, ";
    expect(await deleteResources(store, [ref("a")])).toEqual({ refusals: [text + disable + cure] });
    await apply(store, "cidr: 10.244.0.0/24, disabled: true");
    expect(await deleteResources(store, [ref("a")])).toEqual({ refusals: [text + cure] });
    expect(await pools(store)).toHaveLength(1);
  });

  it("in use by nodes that are gone is told so", async () => {
    const store = new MemoryStore();
    await apply(store, "cidr: 10.244.0.0/29, blockSize: 32");
    await used(store, ["n1", "n2", "n3", "n4", "n5", "n6", "n7"], true);
    const said = JSON.stringify(await deleteResources(store, [ref("a")]));
    expect(said).toContain("7 addresses are in use (n1: 1; n2: 1, and this node does not exist; n3: 1");
    expect(said).toContain("n5: 1, and this node does not exist; and on 2 more nodes);");
    expect(said).toContain("`overland ipam release` frees what nodes left that are gone");
  });

  it("that is cut and not used goes with its blocks and claims", async () => {
    const store = new MemoryStore();
    await apply(store, "cidr: 10.244.0.0/24");
    await used(store, ["n1", "n2"], false);
    expect(await store.listKeys(blocksRoot)).toHaveLength(2);
    expect(await store.listKeys(affinitiesRoot)).toHaveLength(2);
    expect(await deleteResources(store, [ref("a")])).toEqual(deleted);
    expect(await store.listKeys(ipamRoot)).toEqual([]);
  });

  it("of which an address is given out at this moment stays", async () => {
    const store = new MemoryStore();
    await apply(store, "cidr: 10.244.0.0/24");
    await used(store, ["n1"], false);
    const allocator = allocatorOn(store.anotherClient(), "n1", await pools(store));
    let commits = 0;
    store.interfere = async ({ kind }) => {
      if (kind === "commit" && ++commits === 1) await allocator.assign(requestOf("late", [4]));
      return undefined;
    };
    expect(JSON.stringify(await deleteResources(store, [ref("a")]))).toContain("1 address is in use");
    expect(commits).toBe(1);
    expect(await pools(store)).toHaveLength(1);
  });

  it("with a block that cannot be read is not deleted", async () => {
    const store = new MemoryStore();
    await apply(store, "cidr: 10.244.0.0/24");
    await store.commit({ expect: [], put: [{ key: blockKey(prefixOf("10.244.0.64/26")), value: "{" }], delete: [] });
    const cause = "the record of its block 10.244.0.64/26 cannot be read (key /overland/v1/ipam/blocks/10.244.0.64-26)";
    const effect = "so nobody knows whether addresses of it are in use; put it right first";
    expect(await deleteResources(store, [ref("a")])).toEqual({
      refusals: [`IPPool a (10.244.0.0/24): ${cause}, ${effect}`],
    });
  });

  it("with more empty blocks than a transaction takes wants to be disabled, and goes then", async () => {
    const store = new MemoryStore();
    await apply(store, "cidr: 10.244.0.0/24, blockSize: 32");
    await used(
      store,
      Array.from({ length: 70 }, (_, i) => `n${i}`),
      false,
    );
    const said = JSON.stringify(await deleteResources(store, [ref("a")]));
    expect(said).toContain("its 70 empty blocks are more than one transaction takes; set spec.disabled: true");
    await apply(store, "cidr: 10.244.0.0/24, blockSize: 32, disabled: true");
    expect(await deleteResources(store, [ref("a")])).toEqual(deleted);
    expect(await store.listKeys(ipamRoot)).toEqual([]);
  });
});
