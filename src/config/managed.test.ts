/** What Kubernetes manages and what `overland` may do with it. */
import { expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { isManaged, originOf, type Writer, withOrigin } from "./managed.ts";
import { readManifests, type SourcedResource } from "./manifest.ts";
import { applyResources, deleteResources, listResources } from "./resource-store.ts";
import { splitPool } from "./split-pool.ts";
import { writeYaml } from "./yaml.ts";

const ORIGIN = { uid: "u1", definition: "d1", generation: 3 };
const POOL = `apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: pods, labels: {tier: a}}
spec: {cidr: 10.244.0.0/16}
`;

const NAT = POOL.replace("/16", "/16, natOutgoing: true");

function items(text: string, managed: boolean): SourcedResource[] {
  const { sourced, faults } = readManifests(text, "f.yaml");
  expect(faults).toEqual([]);
  return sourced.map((item) => (managed ? { ...item, resource: withOrigin(item.resource, ORIGIN) } : item));
}

async function world(writer: Writer) {
  const store = new MemoryStore();
  await applyResources(store, items(POOL, writer === "kubernetes"), writer);
  const pool = async () => (await listResources(store, "IPPool")).resources[0];
  const apply = async (text: string, by: Writer) => {
    const applied = await applyResources(store, items(text, by === "kubernetes"), by);
    return "faults" in applied
      ? applied.faults.map(({ message }) => message)
      : applied.outcomes.map((one) => one.outcome);
  };
  return { store, pool, apply };
}

it("is changed by the controller alone; the same is no change", async () => {
  const { store, pool, apply } = await world("kubernetes");
  expect(originOf((await pool()) as never)).toEqual(ORIGIN);
  const before = await pool();
  expect(await apply(POOL, "operator")).toEqual(["unchanged"]);
  const other = NAT.replace("tier: a", "tier: b");
  const refusal = "IPPool pods is managed by Kubernetes; change it with kubectl";
  expect(await apply(other, "operator")).toEqual([refusal]);
  expect(await deleteResources(store, [{ kind: "IPPool", name: "pods" }])).toEqual({
    refusals: ["IPPool pods is managed by Kubernetes; delete it with kubectl"],
  });
  expect(await splitPool(store, { pool: "pods", parts: 2, dryRun: false })).toMatchObject({
    refusal: expect.stringContaining("IPPool pods is managed by Kubernetes"),
  });
  expect(await pool()).toEqual(before);
  expect(await apply(other, "kubernetes")).toEqual(["configured"]);
});

it("is the operator's who insists", async () => {
  const { store, pool, apply } = await world("kubernetes");
  expect(await apply(NAT, "insisting")).toEqual(["configured"]);
  expect(isManaged((await pool()) as never)).toBe(false);
  await apply(POOL, "kubernetes");
  expect(await deleteResources(store, [{ kind: "IPPool", name: "pods" }], "insisting")).toHaveProperty("outcomes");
});

it("does not become Kubernetes' by a mark that somebody writes, such as of a backup", async () => {
  const { pool, apply } = await world("kubernetes");
  const backup = writeYaml(await pool());
  const { pool: restored, apply: applyThere } = await world("operator");
  expect(await applyThere(backup, "operator")).toEqual(["unchanged"]);
  expect(isManaged((await restored()) as never)).toBe(false);
  expect(await apply(backup, "operator")).toEqual(["unchanged"]);
});

it("takes over what `overland apply` made when it is the same, and nothing else", async () => {
  const { apply, pool } = await world("operator");
  const refusal =
    "the IPPool of this name was made by `overland apply` and differs; make both the same, and this one takes over, " +
    "or `overland delete ippool pods`";
  expect(await apply(NAT, "kubernetes")).toEqual([refusal]);
  expect(await apply(POOL, "kubernetes")).toEqual(["configured"]);
  expect(isManaged((await pool()) as never)).toBe(true);
});
