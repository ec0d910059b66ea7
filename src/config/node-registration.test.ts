/** What of a Kubernetes Node goes into the agent's Node resource, and goes with it. */
import { describe, expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { readManifests } from "./manifest.ts";
import { differs, type KubernetesFacts, type NodeFacts, registerNode } from "./node-registration.ts";
import type { NodeResource } from "./resource.ts";
import { applyResources, getResources } from "./resource-store.ts";

const store = () => new MemoryStore();
const facts = (kubernetes?: KubernetesFacts, more: Partial<NodeFacts> = {}): NodeFacts => ({
  nodeName: "n1",
  labels: {},
  ...(kubernetes && { kubernetes }),
  ...more,
});

async function stored(on: MemoryStore): Promise<NodeResource> {
  return (await getResources(on, "Node", ["n1"])).resources[0] as NodeResource;
}

async function registered(on: MemoryStore, what: NodeFacts): Promise<NodeResource> {
  expect(await registerNode(on, what)).toHaveProperty("outcome");
  const node = await stored(on);
  expect(differs(node, what)).toBe(false);
  expect(await registerNode(on, what)).toEqual({ outcome: "unchanged" });
  return node;
}

describe("a Node resource and its Kubernetes Node", () => {
  it("have the same labels; what goes there goes here, and nothing else", async () => {
    const on = store();
    const first = { uid: "u1", labels: { rack: "1", "kubernetes.io/os": "linux", empty: "" }, asNumber: 65001 };
    const node = await registered(on, facts(first, { labels: { own: "yes" } }));
    expect(node.metadata.labels).toEqual({ ...first.labels, own: "yes" });
    expect(node.metadata.annotations?.["overland.dev/kubernetes-node"]).toBe("u1");
    expect(node.spec.bgp?.asNumber).toBe(65001);
    const others = `{apiVersion: overland.dev/v1, kind: Node, metadata: {name: n1, labels: ${JSON.stringify({
      ...node.metadata.labels,
      theirs: "x",
    })}, annotations: ${JSON.stringify({ ...node.metadata.annotations, theirs: "y" })}}, spec: {bgp: {asNumber: 65001}}}`;
    await applyResources(on, readManifests(others, "f.yaml").sourced);
    const second = { uid: "u2", labels: { rack: "2" }, clusterID: "224.0.0.1" };
    const after = await registered(on, facts(second, { labels: { own: "yes" } }));
    expect(after.metadata.labels).toEqual({ rack: "2", own: "yes", theirs: "x" });
    expect(after.metadata.annotations).toMatchObject({ "overland.dev/kubernetes-node": "u2", theirs: "y" });
    expect(after.spec.bgp).toEqual({ routeReflectorClusterID: "224.0.0.1" });
  });

  it("differ where the agent's own configuration says otherwise, until it no longer does", async () => {
    const on = store();
    const kubernetes = { uid: "u1", labels: { rack: "1" }, asNumber: 65001 };
    const own = await registered(on, facts(kubernetes, { labels: { rack: "9" }, asNumber: 65009 }));
    expect([own.metadata.labels, own.spec.bgp?.asNumber]).toEqual([{ rack: "9" }, 65009]);
    const node = await registered(on, facts(kubernetes));
    expect([node.metadata.labels, node.spec.bgp?.asNumber]).toEqual([{ rack: "1" }, 65001]);
  });

  it("stay as they were while Kubernetes cannot be asked", async () => {
    const on = store();
    const before = await registered(on, facts({ uid: "u1", labels: { rack: "1" }, asNumber: 65001 }));
    expect(await registered(on, facts())).toEqual(before);
  });

  it("are seen to differ when somebody changes one", async () => {
    const on = store();
    const what = facts({ uid: "u1", labels: { rack: "1" } });
    const node = await registered(on, what);
    expect(differs({ ...node, metadata: { ...node.metadata, labels: {} } }, what)).toBe(true);
    expect(differs({ ...node, metadata: { ...node.metadata, annotations: {} } }, what)).toBe(true);
    expect(differs(node, facts({ uid: "u1", labels: {} }))).toBe(true);
    expect(differs(node, facts({ uid: "u1", labels: { rack: "1" }, asNumber: 1 }))).toBe(true);
  });
});
