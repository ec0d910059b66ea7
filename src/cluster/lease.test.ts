import { describe, expect, it } from "@jest/globals";
import { Election } from "./lease.ts";
import { MemoryCluster } from "./memory-cluster-for-tests.ts";
import { type KubeObject, LEASES } from "./port.ts";

const REF = { type: LEASES, namespace: "overland-system", name: "c" };

interface Lease extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

function scene() {
  const cluster = new MemoryCluster();
  let at = 0;
  const told: string[] = [];
  const troubles: string[] = [];
  const candidate = (identity: string) =>
    new Election(cluster, {
      name: "c",
      identity,
      now: () => at,
      changed: (leads) => void told.push(`${identity} ${leads ? "leads" : "ends"}`),
      troubled: (problem) => void troubles.push(problem),
    });
  return {
    cluster,
    told,
    troubles,
    candidate,
    later: (ms: number) => {
      at += ms;
    },
    record: async () => (await cluster.get<Lease>(REF))?.spec,
  };
}

describe("the election on a Lease", () => {
  it("that comes to nothing is told why, at the first try and once for each reason", async () => {
    const { cluster, candidate, troubles } = scene();
    const a = candidate("a");
    for (const problem of ["no token", "no token", "connection refused", undefined, "no token"]) {
      cluster.setDown(problem);
      await a.beat();
    }
    expect(troubles).toEqual(["no token", "connection refused", "no token"]);
  });

  it("has one leader: the first, as long as it renews", async () => {
    const { candidate, later, told, record } = scene();
    const [a, b] = [candidate("a"), candidate("b")];
    for (let n = 0; n < 20; n++) {
      await a.beat();
      await b.beat();
      expect([a.leads, b.leads, b.holder]).toEqual([true, false, "a"]);
      later(2_000);
    }
    expect(told).toEqual(["a leads"]);
    const spec = await record();
    expect(spec).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 15, leaseTransitions: 0 });
    expect(spec?.["renewTime"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
  });

  it("a leader that was paused leads no more, before anybody else does", async () => {
    const { candidate, later, told, record } = scene();
    const [a, b] = [candidate("a"), candidate("b")];
    await a.beat();
    await b.beat();
    later(10_000);
    expect(a.leads).toBe(false);
    await b.beat();
    expect(b.leads).toBe(false);
    later(5_000);
    await b.beat();
    expect([a.leads, b.leads]).toEqual([false, true]);
    // Awake again, it sees that it is too late.
    await a.beat();
    expect([a.leads, a.holder]).toEqual([false, "b"]);
    expect(told).toEqual(["a leads", "b leads", "a ends"]);
    expect(await record()).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
  });

  it("a candidate waits from when it saw the record, whatever the record's own times say", async () => {
    const { cluster, candidate, later } = scene();
    const old = "2001-01-01T00:00:00.000000Z";
    cluster.put(LEASES, {
      metadata: { namespace: "overland-system", name: "c" },
      spec: { holderIdentity: "other", leaseDurationSeconds: 30, renewTime: old, acquireTime: old },
    } as KubeObject);
    const a = candidate("a");
    await a.beat();
    later(29_999);
    await a.beat();
    expect(a.leads).toBe(false);
    later(1);
    await a.beat();
    expect(a.leads).toBe(true);
  });

  it("two that find it free at once: one gets it, the other sees so", async () => {
    const { candidate } = scene();
    const [a, b] = [candidate("a"), candidate("b")];
    await Promise.all([a.beat(), b.beat()]);
    await Promise.all([a.beat(), b.beat()]);
    expect([a.leads, b.leads].filter(Boolean)).toHaveLength(1);
    expect(a.holder).toBe(b.holder);
    expect([a.problem, b.problem]).toEqual([undefined, undefined]);
  });

  it("with the server away it leads to the end of its time and says why no longer", async () => {
    const { cluster, candidate, later, told } = scene();
    const a = candidate("a");
    await a.beat();
    cluster.setDown("connection refused");
    later(9_999);
    await a.beat();
    expect([a.leads, a.problem]).toEqual([true, "connection refused"]);
    later(1);
    await a.beat();
    expect(a.leads).toBe(false);
    cluster.setDown(undefined);
    later(60_000);
    await a.beat();
    expect([a.leads, a.problem]).toEqual([true, undefined]);
    expect(told).toEqual(["a leads", "a ends", "a leads"]);
  });

  it("counts from before the renewal was sent", async () => {
    const { cluster, candidate, later } = scene();
    const a = candidate("a");
    await a.beat();
    const replace = cluster.replace.bind(cluster);
    cluster.replace = async (type, object) => {
      const answer = await replace(type, object);
      later(12_000);
      return answer;
    };
    await a.beat();
    expect(a.leads).toBe(false);
  });

  it("ends when somebody else is written in, and takes back a lease that was deleted", async () => {
    const { cluster, candidate, told } = scene();
    const a = candidate("a");
    await a.beat();
    cluster.remove(REF);
    await a.beat();
    await a.beat();
    expect(a.leads).toBe(true);
    await cluster.patch(REF, { how: "merge", body: { spec: { holderIdentity: "b" } } });
    await a.beat();
    await a.beat();
    expect([a.leads, a.holder]).toEqual([false, "b"]);
    expect(told).toEqual(["a leads", "a ends"]);
  });

  it("given back at a stop, it is free at once", async () => {
    const { candidate, told, record } = scene();
    const [a, b] = [candidate("a"), candidate("b")];
    a.start();
    while (!a.leads) await new Promise(setImmediate);
    await b.beat();
    await a.stop();
    expect(await record()).toMatchObject({ holderIdentity: "", leaseDurationSeconds: 1 });
    await b.beat();
    expect(told).toEqual(["a leads", "a ends", "b leads"]);
    await a.beat();
    expect(a.leads).toBe(false);
  });
});
