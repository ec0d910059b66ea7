import { readdirSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { emptyBlock, encodeBlock } from "../../ipam/block.ts";
import { blockKey } from "../../ipam/keys.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { parseAddressWithLength, prefixOf } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import { faultText, readManifests } from "./manifest.ts";
import { readManifestFiles } from "./manifest-files.ts";
import { type NodeFacts, registerNode } from "./node-registration.ts";
import { resourceKey } from "./resource-keys.ts";
import { applyResources, deleteResources, getResources, listResources } from "./resource-store.ts";
import { type ResourceView, watchResources } from "./resource-watch.ts";
import { writeYaml } from "./yaml.ts";

const EXAMPLES = new URL("../../manifests/examples/", import.meta.url).pathname;

function pool(name: string, spec: string): string {
  return `---\napiVersion: overland.dev/v1\nkind: IPPool\nmetadata: {name: ${name}}\nspec: {${spec}}\n`;
}

/** Applies a text: `kind/name outcome`, or the faults as printed. */
async function apply(store: Store, text: string): Promise<string[]> {
  const { sourced, faults } = readManifests(text, "f.yaml");
  expect(faults).toEqual([]);
  const applied = await applyResources(store, sourced);
  if ("faults" in applied) return applied.faults.map(faultText);
  return applied.outcomes.map(({ kind, name, outcome }) => `${kind}/${name} ${outcome}`);
}

async function names(store: Store): Promise<string[]> {
  return (await listResources(store, "IPPool")).resources.map(({ metadata }) => metadata.name);
}

const A = "cidr: 10.244.0.0/16";

describe("apply", () => {
  it("creates, changes, or leaves alone; identity and birth stay", async () => {
    const store = new MemoryStore();
    expect(await apply(store, pool("a", A))).toEqual(["IPPool/a created"]);
    const [before] = (await getResources(store, "IPPool", ["a"])).resources;
    expect(before?.metadata).toEqual({
      name: "a",
      uid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      creationTimestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
    });
    expect(await apply(store, pool("a", A))).toEqual(["IPPool/a unchanged"]);
    expect(await apply(store, pool("a", `${A}, disabled: true`))).toEqual(["IPPool/a configured"]);
    const [after] = (await getResources(store, "IPPool", ["a"])).resources;
    expect(after).toEqual({ ...before, spec: { ...before?.spec, disabled: true } });
  });

  it("does all of a file or nothing", async () => {
    const store = new MemoryStore();
    const text = pool("a", A) + pool("b", "cidr: 10.245.0.0/16") + pool("c", "cidr: 10.244.128.0/17");
    expect(await apply(store, text)).toEqual([
      "f.yaml:5: spec.cidr: 10.244.0.0/16 overlaps pool c (10.244.128.0/17); pools must not share addresses",
      "f.yaml:15: spec.cidr: 10.244.128.0/17 overlaps pool a (10.244.0.0/16); pools must not share addresses",
    ]);
    expect(await names(store)).toEqual([]);
  });

  it("keeps what cannot change", async () => {
    const store = new MemoryStore();
    await apply(store, pool("a", A));
    expect(await apply(store, pool("a", "cidr: 10.245.0.0/16, blockSize: 28"))).toEqual([
      "f.yaml:5: spec.cidr: 10.245.0.0/16: cannot change, it is 10.244.0.0/16; delete pool a first, or make another",
      "f.yaml:5: spec.blockSize: 28: cannot change, it is 26; delete pool a first, or make another",
    ]);
  });

  it("keeps ranges of services and pools for pods apart, whichever comes first", async () => {
    const ranges = (cidr: string) =>
      "---\napiVersion: overland.dev/v1\nkind: BGPConfiguration\nmetadata: {name: default}\n" +
      `spec: {serviceExternalIPs: [{cidr: 10.97.0.0/24}, {cidr: ${cidr}}]}\n`;
    const why = "packets to services' addresses are never routed to pods; use separate ranges";
    const store = new MemoryStore();
    await apply(store, pool("a", A) + pool("b", "cidr: 10.245.0.0/16, allowedUses: [LoadBalancer]"));
    expect(await apply(store, ranges("10.244.7.0/24"))).toEqual([
      `f.yaml:5: spec.serviceExternalIPs[1].cidr: 10.244.7.0/24 overlaps pool a (10.244.0.0/16); ${why}`,
    ]);
    expect(await apply(store, ranges("10.245.7.0/24"))).toEqual(["BGPConfiguration/default created"]);
    expect(await apply(store, pool("c", "cidr: 10.97.0.0/16"))).toEqual([
      "f.yaml:5: spec.cidr: 10.97.0.0/16 overlaps 10.97.0.0/24 in serviceExternalIPs of BGPConfiguration default; " +
        why,
    ]);
  });

  it("keeps pools for LoadBalancer and pools for pods apart", async () => {
    const store = new MemoryStore();
    await apply(store, pool("a", A) + pool("b", "cidr: 10.245.0.0/16, allowedUses: [LoadBalancer]"));
    expect(await apply(store, pool("a", `${A}, allowedUses: [Workload]`))).toEqual(["IPPool/a configured"]);
    const changed = pool("a", `${A}, allowedUses: [LoadBalancer]`) + pool("b", "cidr: 10.245.0.0/16");
    expect(await apply(store, changed)).toEqual([
      'f.yaml:5: spec.allowedUses: ["LoadBalancer"]: a pool cannot change from or to LoadBalancer; make another',
      'f.yaml:10: spec.allowedUses: ["Workload","Tunnel"]: a pool cannot change from or to LoadBalancer; make another',
    ]);
  });

  it("refuses a pool over blocks of another size", async () => {
    const store = new MemoryStore();
    const cidr = prefixOf("10.244.3.0/26");
    const block = { key: blockKey(cidr), value: encodeBlock(emptyBlock(cidr, "old", "n", 0)) };
    await store.commit({ expect: [], put: [block], delete: [] });
    expect(await apply(store, pool("a", `${A}, blockSize: 28`))).toEqual([
      "f.yaml:5: spec.blockSize: 28: the block 10.244.3.0/26 of a former pool is still in use; use blockSize 26",
    ]);
    expect(await apply(store, pool("a", A))).toEqual(["IPPool/a created"]);
  });

  it("lets only one of two overlapping pools in that are made at the same moment", async () => {
    const store = new MemoryStore();
    const outcomes = await Promise.all([apply(store, pool("a", A)), apply(store, pool("b", "cidr: 10.244.1.0/24"))]);
    expect(outcomes.flat().filter((line) => line.endsWith("created"))).toHaveLength(1);
    expect(outcomes.flat().filter((line) => line.includes("overlaps"))).toHaveLength(1);
    expect(await names(store)).toHaveLength(1);
  });

  it("does not fight over pools that can be together", async () => {
    const store = new MemoryStore();
    const texts = Array.from({ length: 5 }, (_, i) => pool(`p${i}`, `cidr: 10.${i}.0.0/16`));
    await Promise.all(texts.map((text) => apply(store, text)));
    expect(await names(store)).toEqual(["p0", "p1", "p2", "p3", "p4"]);
  });

  it("repairs what somebody else spoilt in the store", async () => {
    const store = new MemoryStore();
    const spoilt = { key: resourceKey("IPPool", "a"), value: "{" };
    await store.commit({ expect: [], put: [spoilt], delete: [] });
    expect(await listResources(store, "IPPool")).toEqual({
      resources: [],
      damaged: ["/overland/v1/resources/ippools/a in the store is not a resource: is not JSON"],
    });
    expect(await apply(store, pool("a", A))).toEqual(["IPPool/a created"]);
    expect(await names(store)).toEqual(["a"]);
  });

  it("refuses more than one transaction takes", async () => {
    const text = Array.from({ length: 130 }, (_, i) => pool(`p${i}`, `cidr: 10.${i}.0.0/16`)).join("");
    const store = new MemoryStore();
    expect(await apply(store, text)).toEqual([
      "f.yaml:2: 130 resources would change, and one transaction takes at most 126; split the file",
    ]);
    expect(await names(store)).toEqual([]);
  });
});

describe("what was applied", () => {
  const examples = readdirSync(EXAMPLES);

  it.each(examples)("can be read back and applied again: %s", async (file) => {
    const { sourced, faults } = readManifestFiles([`${EXAMPLES}${file}`]);
    expect(faults).toEqual([]);
    expect(sourced.length).toBeGreaterThan(0);
    const store = new MemoryStore();
    await applyResources(store, sourced);
    for (const { resource } of sourced) {
      const { resources } = await getResources(store, resource.kind, [resource.metadata.name]);
      expect(resources).toMatchObject([resource]);
      expect(await apply(store, writeYaml(resources[0]))).toEqual([
        `${resource.kind}/${resource.metadata.name} unchanged`,
      ]);
    }
  });
});

describe("delete", () => {
  it("deletes all or nothing", async () => {
    const store = new MemoryStore();
    await apply(store, pool("a", A));
    const both = [{ kind: "IPPool", name: "a" } as const, { kind: "IPPool", name: "b" } as const];
    expect(await deleteResources(store, both)).toEqual({ refusals: ["IPPool b does not exist"] });
    expect(await names(store)).toEqual(["a"]);
    expect(await deleteResources(store, both.slice(0, 1))).toEqual({
      outcomes: [{ kind: "IPPool", name: "a", outcome: "deleted" }],
    });
    expect(await names(store)).toEqual([]);
  });
});

describe("a node's registration", () => {
  const facts = (name: string, ipv4: string, more: Partial<NodeFacts> = {}): NodeFacts => ({
    nodeName: name,
    labels: { rack: "one" },
    ipv4Address: parseAddressWithLength(ipv4) as NonNullable<NodeFacts["ipv4Address"]>,
    ...more,
  });

  it("keeps what others wrote, and follows the agent in what it knows", async () => {
    const store = new MemoryStore();
    expect(await registerNode(store, facts("a", "10.0.0.1/24"))).toEqual({ outcome: "created" });
    expect(await registerNode(store, facts("a", "10.0.0.1/24"))).toEqual({ outcome: "unchanged" });
    const spec = "bgp: {ipv4Address: 10.0.0.1/24, ipv6Address: fd00::1/64, asNumber: 65001}";
    const head = "apiVersion: overland.dev/v1\nkind: Node\nmetadata: {name: a, labels: {zone: z, rack: two}}\n";
    await apply(store, `${head}spec: {${spec}}\n`);
    expect(await registerNode(store, facts("a", "10.0.0.9/24"))).toEqual({ outcome: "configured" });
    expect((await getResources(store, "Node", ["a"])).resources).toMatchObject([
      {
        metadata: { labels: { zone: "z", rack: "one" } },
        spec: { bgp: { asNumber: 65001, ipv4Address: "10.0.0.9/24" } },
      },
    ]);
  });

  it("is refused with another node's address, or a label that cannot be one", async () => {
    const store = new MemoryStore();
    await registerNode(store, facts("a", "10.0.0.1/24"));
    expect(await registerNode(store, facts("b", "10.0.0.1/16"))).toEqual({
      refusals: ["spec.bgp.ipv4Address: 10.0.0.1/16 is the address of node a already"],
    });
    expect(await registerNode(store, facts("b", "10.0.0.2/24", { labels: { "a b": "c" } }))).toEqual({
      refusals: [expect.stringMatching(/^metadata\.labels\["a b"\]: "a b" is not a key/)],
    });
  });
});

describe("the watch", () => {
  it("tells the whole of what holds, after each change", async () => {
    const store = new MemoryStore();
    await apply(store, pool("a", A));
    const views: ResourceView[] = [];
    const stop = watchResources(store, { changed: (view) => views.push(view), trouble: () => undefined });
    const settled = async (count: number) => {
      for (let i = 0; i < 200 && views.length < count; i++) await new Promise((resolve) => setTimeout(resolve, 2));
      return views[count - 1];
    };
    expect(await settled(1)).toMatchObject({
      synced: true,
      problems: [],
      snapshot: { pools: [{ metadata: { name: "a" } }] },
    });
    await apply(store, pool("b", "cidr: 10.245.0.0/16"));
    expect((await settled(2))?.snapshot.pools.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
    const spoilt = { key: resourceKey("IPPool", "a"), value: '{"kind":"IPPool"}' };
    await store.commit({ expect: [], put: [spoilt], delete: [] });
    const view = await settled(3);
    expect(view?.snapshot.pools.map(({ metadata }) => metadata.name)).toEqual(["a", "b"]);
    const unreadable = /^\/overland\/v1\/resources\/ippools\/a in the store is not a resource: apiVersion: is req.*/;
    expect(view?.problems).toEqual([expect.stringMatching(unreadable)]);
    expect(view?.problems.join()).toMatch(/; what it was before stays in force$/);
    await deleteResources(store, [{ kind: "IPPool", name: "b" }]);
    expect((await settled(4))?.snapshot.pools.map(({ metadata }) => metadata.name)).toEqual(["a"]);
    store.disturbWatches("etcd is away");
    expect((await settled(5))?.snapshot.pools.map(({ metadata }) => metadata.name)).toEqual(["a"]);
    // Who has never read it has nothing to go on with.
    const late = await new Promise<ResourceView>((changed) => {
      watchResources(store, { changed, trouble: () => undefined });
    });
    expect([late.snapshot.pools, late.problems.join()]).toEqual([[], expect.not.stringContaining("stays in force")]);
    await store.commit({ expect: [], put: [], delete: [spoilt.key] });
    expect(await settled(6)).toMatchObject({ problems: [], snapshot: { pools: [] } });
    stop();
  });
});
