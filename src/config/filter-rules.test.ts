import { describe, expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import type { Store } from "../../ipam/store.ts";
import { faultText, readManifests } from "./manifest.ts";
import { applyResources, deleteResources } from "./resource-store.ts";

const HEAD = "---\napiVersion: projectcalico.org/v3\n";
const filter = (name: string) => `${HEAD}kind: BGPFilter\nmetadata: {name: ${name}}\nspec: {}\n`;
const peer = (name: string, ...filters: string[]) =>
  `${HEAD}kind: BGPPeer\nmetadata: {name: ${name}}\n` +
  `spec:\n  peerIP: 10.0.0.1\n  asNumber: 65001\n  filters: [${filters.join(", ")}]\n`;

async function apply(store: Store, text: string): Promise<string[]> {
  const { sourced, faults } = readManifests(text, "f.yaml");
  expect(faults).toEqual([]);
  const applied = await applyResources(store, sourced);
  if ("faults" in applied) return applied.faults.map(faultText);
  return applied.outcomes.map(({ kind, name, outcome }) => `${kind}/${name} ${outcome}`);
}

describe("a peer that names filters", () => {
  it("is refused where one does not exist", async () => {
    const store = new MemoryStore();
    await apply(store, filter("edge"));
    expect(await apply(store, peer("a", "edge", "egde", "unheard-of"))).toEqual([
      'f.yaml:8: spec.filters[1]: there is no BGPFilter "egde"; did you mean edge?',
      'f.yaml:8: spec.filters[2]: there is no BGPFilter "unheard-of"; apply it before, or in the same file',
    ]);
    expect(await apply(store, peer("a", "edge"))).toEqual(["BGPPeer/a created"]);
  });

  it("may come in one file with them, in any order", async () => {
    const store = new MemoryStore();
    expect(await apply(store, peer("a", "edge") + filter("edge"))).toEqual([
      "BGPPeer/a created",
      "BGPFilter/edge created",
    ]);
  });
});

describe("a filter in use", () => {
  const edge = { kind: "BGPFilter", name: "edge" } as const;

  it("is not deleted, unless those that use it are too", async () => {
    const store = new MemoryStore();
    await apply(store, filter("edge") + peer("a", "edge") + peer("b", "edge") + peer("c"));
    expect(await deleteResources(store, [edge])).toEqual({
      refusals: ["BGPFilter edge: BGPPeer a, b use it; remove it from spec.filters first"],
    });
    const a = { kind: "BGPPeer", name: "a" } as const;
    expect(await deleteResources(store, [edge, a])).toEqual({
      refusals: ["BGPFilter edge: BGPPeer b uses it; remove it from spec.filters first"],
    });
    await apply(store, peer("b"));
    expect(await deleteResources(store, [edge, a])).toMatchObject({ outcomes: [{ name: "edge" }, { name: "a" }] });
  });

  it("stays when somebody starts to use it at the moment it is deleted, or is gone for both", async () => {
    for (let i = 0; i < 20; i++) {
      const store = new MemoryStore();
      await apply(store, filter("edge"));
      const [used, deleted] = await Promise.all([apply(store, peer("a", "edge")), deleteResources(store, [edge])]);
      const created = used[0] === "BGPPeer/a created";
      expect("outcomes" in deleted).toBe(!created);
    }
  });
});
