/** Controllers on an API server and a store in memory: which service has which address. */
import { expect, it } from "@jest/globals";
import fc from "fast-check";
import { MemoryStore } from "../../ipam/memory-store.ts";
import type { Pool } from "../../ipam/pool.ts";
import { usualRules } from "../../ipam/rules.ts";
import { auditOf, Clock, poolOf, randomFrom } from "../../ipam/world-for-tests.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { EVENTS, type KubeObject, SERVICES } from "../cluster/port.ts";
import { addressWish, type LoadBalancerObject } from "../services/address-wish.ts";
import { openLog } from "../telemetry/log.ts";
import { type LabelsOf, LoadBalancerAddresses } from "./load-balancer.ts";

const LB: Partial<Pool> = { allowedUses: ["LoadBalancer"] };
const POOLS = [
  poolOf("outside", "198.18.0.0/29", 30, LB),
  poolOf("outside6", "fd00:98::/124", 126, LB),
  poolOf("pods", "10.244.0.0/24", 26),
];

interface Asked {
  readonly class?: string;
  readonly ip?: string;
  readonly families?: readonly string[];
  readonly policy?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly shown?: readonly string[];
}

let seeds = 0;

function world(pools: readonly Pool[] = POOLS) {
  const cluster = new MemoryCluster();
  const store = new MemoryStore();
  const clock = new Clock();
  const controller = () => {
    const ports = { store, now: clock.now, wait: clock.wait, random: randomFrom(++seeds * 7919) };
    const addresses = new LoadBalancerAddresses(cluster, ports, openLog({ level: "error" }));
    addresses.configure(pools, usualRules);
    return addresses;
  };
  const services = () => cluster.list<LoadBalancerObject & KubeObject>({ type: SERVICES });
  const wishes = async () => (await services()).flatMap((one) => addressWish(one) ?? []);
  const one = controller();
  return {
    cluster,
    store,
    clock,
    controller,
    look: async (by = one, labelsOf?: LabelsOf) => by.look(await wishes(), labelsOf),
    put: (name: string, asked: Asked = {}) => {
      const { shown, families = ["IPv4"] } = asked;
      cluster.put(SERVICES, {
        metadata: { namespace: "shop", name, ...(asked.annotations && { annotations: asked.annotations }) },
        spec: {
          type: asked.type ?? "LoadBalancer",
          loadBalancerClass: asked.class,
          loadBalancerIP: asked.ip,
          ipFamilies: families,
          ipFamilyPolicy: asked.policy,
        },
        ...(shown && { status: { loadBalancer: { ingress: shown.map((ip) => ({ ip })) } } }),
      } as KubeObject);
    },
    change: async (name: string, body: object) =>
      void (await cluster.patch({ type: SERVICES, namespace: "shop", name }, { how: "merge", body })),
    remove: (name: string) => cluster.remove({ type: SERVICES, namespace: "shop", name }),
    shown: async (name: string) => {
      const found = (await services()).find(({ metadata }) => metadata.name === name);
      return (found?.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
    },
    events: async () =>
      (await cluster.list<KubeObject & { message: string }>({ type: EVENTS })).map(({ message }) => message),
  };
}

it("gives addresses of pools for it, in the families asked, keeps them, and frees them with the service", async () => {
  const { put, look, shown, remove, store } = world();
  put("web", { families: ["IPv4", "IPv6"] });
  await look();
  const web = await shown("web");
  expect(web).toEqual([expect.stringMatching(/^198\.18\.0\.[0-7]$/), expect.stringMatching(/^fd00:98::/)]);
  const { calls } = store;
  await look();
  expect(await shown("web")).toEqual(web);
  expect(store.calls - calls).toBe(1);
  remove("web");
  expect((await look()).released).toBe(2);
  put("other", { ip: web[0] as string });
  await look();
  expect(await shown("other")).toEqual([web[0]]);
  expect(await auditOf(store)).toEqual([]);
});

it("never two services have one address, also of two controllers that do not know of each other", async () => {
  const { put, look, shown, controller, events } = world();
  const names = Array.from({ length: 9 }, (_, n) => `s${n}`);
  for (const name of names) put(name);
  const [a, b] = [controller(), controller()];
  await Promise.all([look(a), look(b)]);
  await look(a);
  const given = (await Promise.all(names.map(shown))).flat();
  expect([given.length, new Set(given).size]).toEqual([8, 8]);
  expect((await events()).length).toBeGreaterThan(0);
});

it("what cannot be given is said once in an event, leaves what there is, and comes when there is room", async () => {
  const { put, look, shown, remove, events, change, clock } = world();
  for (let n = 0; n < 8; n++) put(`s${n}`);
  await look();
  put("late");
  expect([...(await look()).refused.keys()]).toEqual(["shop/late"]);
  expect([...(await look()).refused.keys()]).toEqual(["shop/late"]);
  expect(await events()).toEqual([expect.stringContaining("outside (198.18.0.0/29)")]);
  const before = await shown("s1");
  await change("s1", { spec: { loadBalancerIP: "192.0.2.1" } });
  const { refused } = await look();
  expect(refused.get("shop/s1")).toContain("address 192.0.2.1 is in no IPPool");
  expect(await shown("s1")).toEqual(before);
  remove("s0");
  expect((await look()).refused.get("shop/late")).toContain("1 of them released less than 30 s ago");
  clock.ms += 30_001;
  await look();
  expect(await shown("late")).toHaveLength(1);
});

it("takes exactly what is asked for, by field or by annotations, and changes when that changes", async () => {
  const { put, look, shown, change, store } = world([...POOLS, poolOf("gold", "198.19.0.0/30", 31, LB)]);
  put("web", { ip: "198.18.0.5" });
  put("both", { annotations: { "overland.dev/loadBalancerIPs": '["198.18.0.6", "fd00:98::3"]' } });
  put("calico", { annotations: { "projectcalico.org/ipv4pools": '["gold"]' } });
  await look();
  expect([await shown("web"), await shown("both")]).toEqual([["198.18.0.5"], ["198.18.0.6", "fd00:98::3"]]);
  expect(await shown("calico")).toEqual([expect.stringMatching(/^198\.19\.0\./)]);
  await change("web", { spec: { loadBalancerIP: "198.18.0.1" } });
  await look();
  expect(await shown("web")).toEqual(["198.18.0.1"]);
  await change("web", { spec: { loadBalancerIP: null } });
  await look();
  expect(await shown("web")).toEqual(["198.18.0.1"]);
  put("heir", { ip: "198.18.0.5" });
  await look();
  expect(await shown("heir")).toEqual(["198.18.0.5"]);
  expect(await auditOf(store)).toEqual([]);
});

it.each<[string, Asked, string]>([
  ["no address", { ip: "here" }, '"here" is not an IP address'],
  ["a pool that is not there", { annotations: { "overland.dev/ipv4pools": "tin" } }, "IPPool tin does not exist"],
  ["a pool for pods", { ip: "10.244.0.1" }, "address 10.244.0.1 is in no IPPool"],
  ["two of a family", { annotations: { "overland.dev/loadBalancerIPs": "198.18.0.1,198.18.0.2" } }, "one address of a"],
  ["no list", { annotations: { "overland.dev/loadBalancerIPs": "[1]" } }, 'is not a list such as ["198.18.0.9"]'],
])("refuses %s", async (_, asked, words) => {
  const { put, look, shown, events } = world();
  put("web", asked);
  await look();
  expect(await shown("web")).toEqual([]);
  expect(await events()).toEqual([expect.stringContaining(words)]);
});

it("gives of a pool with a namespaceSelector to services of such namespaces, and leaves them what they have", async () => {
  const team = poolOf("blue", "198.19.0.0/30", 31, { ...LB, namespaceSelector: "team == 'blue'" });
  const { put, look, shown, controller } = world([team]);
  const by = controller();
  put("web");
  expect((await look(by)).refused.get("shop/web")).toMatch(/namespaceSelector team == 'blue', and .* tells no labels/);
  expect((await look(by, () => ({ team: "red" }))).refused.get("shop/web")).toMatch(/the namespace does not match/);
  expect(await shown("web")).toEqual([]);
  expect((await look(by, () => ({ team: "blue" }))).refused.size).toBe(0);
  const given = await shown("web");
  expect(given).toEqual([expect.stringMatching(/^198\.19\.0\./)]);
  expect((await look(by, () => ({ team: "red" }))).refused.size).toBe(0);
  expect(await shown("web")).toEqual(given);
});

it("keeps to services of its class or of none, and leaves alone what another load balancer looks after", async () => {
  const { put, look, shown } = world();
  put("ours", { class: "overland.dev/bgp" });
  put("foreign", { class: "example.com/lb" });
  put("taken", { shown: ["203.0.113.9"] });
  put("plain", { type: "ClusterIP" });
  await look();
  expect(await shown("ours")).toHaveLength(1);
  expect([await shown("foreign"), await shown("taken"), await shown("plain")]).toEqual([[], ["203.0.113.9"], []]);
  const none = world([POOLS[2] as Pool]);
  none.put("web");
  none.put("ours", { class: "overland.dev/bgp" });
  expect([...(await none.look()).refused.keys()]).toEqual(["shop/ours"]);
});

it("a store that has lost everything gives each service what it shows", async () => {
  const { put, look, shown } = world();
  put("a", { shown: ["198.18.0.6"], families: ["IPv4", "IPv6"] });
  put("b", { shown: ["198.18.0.1"] });
  await look();
  expect([(await shown("a"))[0], await shown("b")]).toEqual(["198.18.0.6", ["198.18.0.1"]]);
});

it("whatever happens, every address shown is held, by one service, and nothing else is", async () => {
  const name = fc.constantFrom("a", "b", "c");
  const asked: fc.Arbitrary<Asked> = fc.record(
    {
      ip: fc.constantFrom("198.18.0.1", "198.18.0.2"),
      families: fc.constantFrom(["IPv4"], ["IPv6"], ["IPv4", "IPv6"]),
    },
    { requiredKeys: [] },
  );
  const event = fc.oneof(
    fc.record({ kind: fc.constant("put" as const), name, asked }),
    fc.record({ kind: fc.constantFrom("remove" as const, "look" as const, "another" as const), name }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(event, { maxLength: 20 }), async (events) => {
      const { cluster, store, controller, put, look, shown, remove } = world();
      let by = controller();
      for (const one of events) {
        if (one.kind === "put") put(one.name, { ...one.asked, shown: (await shown(one.name)) as string[] });
        else if (one.kind === "remove") remove(one.name);
        else if (one.kind === "another") by = controller();
        else await look(by);
      }
      await look(by);
      await look(by);
      const all = (await Promise.all(["a", "b", "c"].map(shown))).flat();
      const refused = (await look(by)).refused.size;
      expect(new Set(all).size).toBe(all.length);
      expect(await auditOf(store)).toEqual([]);
      const held = (await store.list("/overland/v1/ipam/handles/")).entries.flatMap(({ value }) => {
        return (JSON.parse(value) as { addresses: string[] }).addresses;
      });
      if (refused === 0) expect(held.sort()).toEqual([...all].sort());
      expect((await cluster.list({ type: SERVICES })).length).toBeLessThanOrEqual(3);
    }),
    { numRuns: 100 },
  );
});
