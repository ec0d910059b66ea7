/** The election through a real API server: two processes' worth of candidates, and a server that goes away. */
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { type Account, ApiServerForTests } from "./api-server-for-tests.ts";
import { until } from "./followed-for-tests.ts";
import { Election } from "./lease.ts";
import { type KubeObject, LEASES, NAMESPACES } from "./port.ts";

const TERMS = { leaseMs: 2_000, leadMs: 1_300, beatMs: 150 };
const RIGHTS = [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "update"] }];

let server: ApiServerForTests;
let accounts: Account[];

beforeAll(async () => {
  server = await ApiServerForTests.start();
  await server.admin.create(NAMESPACES, { metadata: { name: "overland-system" } });
  accounts = await Promise.all(["one", "two"].map((name) => server.account(name)));
  for (const { user } of accounts) await server.allow(user, RIGHTS);
}, 60_000);

afterAll(async () => {
  for (const { cluster } of accounts) cluster.close();
  await server.remove();
});

describe("two candidates and an API server", () => {
  it("one leads at any time, through an orderly stop and a server that was away", async () => {
    const leading = new Set<string>();
    let most = 0;
    const elections = accounts.map(({ cluster }, place) => {
      const identity = `c${place}`;
      const changed = (leads: boolean) => {
        if (leads) leading.add(identity);
        else leading.delete(identity);
        most = Math.max(most, leading.size);
      };
      return new Election(cluster, { name: "controller", identity, terms: TERMS, changed });
    });
    for (const election of elections) election.start();
    const settled = () =>
      elections.filter(({ leads }) => leads).length === 1 && elections[0]?.holder === elections[1]?.holder;
    await until(settled, () => "nobody leads");
    const ref = { type: LEASES, namespace: "overland-system", name: "controller" };
    const lease = (await server.admin.get(ref)) as KubeObject & { spec: { holderIdentity: string } };
    expect(leading).toEqual(new Set([lease.spec.holderIdentity]));

    await server.process.goAway();
    await until(
      () => leading.size === 0,
      () => "a leader goes on without the server",
    );
    expect(elections.every(({ leads, problem }) => !leads && /cannot be reached/.test(problem ?? ""))).toBe(true);
    await server.process.clearFaults();
    await until(settled, () => "nobody leads again");

    const [leader, other] = elections[0]?.leads === true ? elections : [...elections].reverse();
    await leader?.stop();
    await until(
      () => other?.leads === true,
      () => "the other does not lead",
    );
    await other?.stop();
    expect([most, leading.size]).toEqual([1, 0]);
    expect(await server.admin.get(ref)).toMatchObject({ spec: { holderIdentity: "" } });
  }, 60_000);
});
