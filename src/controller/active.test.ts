/** Whole controllers on an API server and a store in memory: who acts, who follows, and what they say of themselves. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, expect, it } from "@jest/globals";
import { MemoryStore } from "../../ipam/memory-store.ts";
import { LEASES } from "../cluster/port.ts";
import { kindRoot } from "../config/resource-keys.ts";
import { openLog } from "../telemetry/log.ts";
import { ActiveController } from "./active.ts";
import { controllerRoutes } from "./controller-routes.ts";
import { KubectlForTests } from "./kubectl-for-tests.ts";

const PATIENCE_MS = 30_000;
const running: ActiveController[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.stop()));
});

async function eventually(what: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; performance.now() < end; await sleep(10)) if (await what()) return;
  throw new Error(`not within ${PATIENCE_MS} ms: ${String(what)}`);
}

async function world() {
  const kubectl = new KubectlForTests();
  await kubectl.install();
  const store = new MemoryStore();
  const controller = () => {
    const log = openLog({ level: "error" });
    const terms = { graceMs: 1000, intervalMs: 1000 };
    const one = new ActiveController(terms, store.anotherClient(), kubectl.cluster, log);
    running.push(one);
    return one;
  };
  const peers = () => store.listKeys(kindRoot("BGPPeer"));
  return { kubectl, store, controller, peers };
}

const get = async (controller: ActiveController, path: string) => {
  const handler = controllerRoutes(controller, "1.2.3")[`GET ${path}`];
  const { status, body } = (await handler?.(new Uint8Array(), undefined as never)) ?? { status: 0, body: "" };
  return { status, body: String(body) };
};

it("one acts and the other follows at once when it stops; what is applied in between is not lost", async () => {
  const { kubectl, controller, peers } = await world();
  const [a, b] = [controller(), controller()];
  await eventually(() => a.standing.leads || b.standing.leads);
  const [active, other] = a.standing.leads ? [a, b] : [b, a];
  expect(other.standing.leads).toBe(false);
  await kubectl.apply("BGPPeer", "tor", { peerIP: "192.0.2.1", asNumber: 64513 });
  await kubectl.apply("BGPPeer", "bad", { peerIP: "192.0.2.1", asNumber: 64513, filters: ["none"] });
  await eventually(async () => (await kubectl.condition("BGPPeer", "bad")) !== undefined);
  expect(await kubectl.condition("BGPPeer", "tor")).toBe("True Accepted: generation 1 is in force");
  expect(await get(active, "/readyz")).toEqual({ status: 200, body: "ok: active\n" });
  expect(await get(other, "/readyz")).toEqual({ status: 200, body: "ok: standby\n" });
  const { body } = await get(active, "/metrics");
  expect(body).toMatch(/^overland_controller_info\{version="1.2.3"\} 1$/m);
  expect(body).toMatch(/^overland_controller_active 1$/m);
  expect(body).toMatch(/^overland_controller_resources\{kind="BGPPeer",outcome="accepted"\} 1$/m);
  expect(body).toMatch(/^overland_controller_resources\{kind="BGPPeer",outcome="refused"\} 1$/m);
  expect((await get(other, "/metrics")).body).not.toContain("overland_controller_resources{");
  const stopping = active.stop();
  await kubectl.delete("BGPPeer", "tor");
  await stopping;
  running.splice(running.indexOf(active), 1);
  await eventually(async () => other.standing.leads && (await peers()).length === 0);
  const [lease] = await kubectl.cluster.list({ type: LEASES });
  expect(lease?.metadata).toMatchObject({ namespace: "overland-system", name: "overland-controller" });
}, 60_000);

it("is not ready without its API server or its store, says which, and goes on when they are back", async () => {
  const { kubectl, store, peers } = await world();
  const client = store.anotherClient();
  const one = new ActiveController(
    { graceMs: 1000, intervalMs: 1000 },
    client,
    kubectl.cluster,
    openLog({ level: "error" }),
  );
  running.push(one);
  await eventually(() => one.standing.leads);
  kubectl.cluster.setDown("no route to host");
  client.interfere = () => "refuse";
  await eventually(() => one.notReady().length === 2);
  const { status, body } = await get(one, "/readyz");
  expect([status, body]).toEqual([503, expect.stringMatching(/^etcd: .*\nAPI server: no route to host\n$/)]);
  expect((await get(one, "/livez")).status).toBe(200);
  kubectl.cluster.setDown(undefined);
  client.interfere = () => undefined;
  await kubectl.apply("BGPPeer", "tor", { peerIP: "192.0.2.1", asNumber: 64513 });
  await eventually(async () => (await peers()).length === 1);
  await eventually(() => one.notReady().length === 0);
}, 60_000);
