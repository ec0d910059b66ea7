import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import { Allocator } from "../../ipam/allocator.ts";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import { handlesRoot } from "../../ipam/keys.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import type { Store } from "../../ipam/store.ts";
import { readManifests } from "../config/manifest.ts";
import { poolOf } from "../config/pools.ts";
import { applyResources } from "../config/resource-store.ts";
import { type EtcdUnderTest, overland, startEtcd } from "./program-under-test.ts";

// A busy machine starts a program in a second, and a test starts several.
jest.setTimeout(30_000);

const RESOURCES = `
- {apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: big}, spec: {cidr: "fd00:244::/48"}}
- {apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: tiny}, spec: {cidr: 10.244.0.0/31, blockSize: 31}}
- {apiVersion: overland.dev/v1, kind: Node, metadata: {name: n1}}
- {apiVersion: overland.dev/v1, kind: Node, metadata: {name: n2}}
`;

let etcd: EtcdUnderTest;
let store: Store;
let env: Record<string, string>;
const given: string[] = [];

/** Two nodes, three addresses: n1 owns the only IPv4 block, n2 has to borrow from it. */
beforeAll(async () => {
  etcd = await startEtcd();
  env = { ETCD_ENDPOINTS: etcd.endpoint };
  store = openEtcdStore({ endpoints: [etcd.endpoint] });
  const { sourced } = readManifests(RESOURCES, "test");
  await applyResources(store, sourced);
  const pools = sourced.flatMap(({ resource }) => (resource.kind === "IPPool" ? poolOf(resource) : []));
  for (const [node, families] of [["n1", [4, 6]] as const, ["n2", [4]] as const]) {
    const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const allocator = new Allocator(node, { store, now: Date.now, random: Math.random, wait });
    allocator.setPools(pools);
    await allocator.load();
    const workload = {
      handle: `h-${node}`,
      namespace: "ns",
      pod: `pod-${node}`,
      containerID: `c-${node}`,
      ifName: "eth0",
    };
    given.push(...(await allocator.assign({ workload, families })).map(({ address }) => formatAddress(address)));
  }
}, 30_000);

afterAll(async () => {
  await store?.close();
  await etcd?.stop();
});

describe("ipam show", () => {
  it("shows how full pools and their blocks are", async () => {
    const { stdout, stderr } = await overland(["ipam", "show"], env);
    expect(stderr).toBe("");
    expect(
      stdout,
    ).toBe(`GROUPING   CIDR            IPS TOTAL   IPS IN USE   IPS RESERVED   IPS RESTING           IPS FREE
IP Pool    fd00:244::/48   1.209e+24       1 (0%)              0             0   1.209e+24 (100%)
IP Pool    10.244.0.0/31           2     2 (100%)              0             0             0 (0%)
`);
    const blocks = JSON.parse((await overland(["ipam", "show", "--show-blocks", "-o", "json"], env)).stdout);
    expect(blocks).toMatchObject([
      { grouping: "IP Pool", pool: "big", total: "1208925819614629174706176", inUse: 1 },
      { grouping: "Block", pool: "big", node: "n1", total: 64, inUse: 1, free: 63 },
      { grouping: "IP Pool", pool: "tiny", total: 2, inUse: 2, resting: 0, free: 0 },
      { grouping: "Block", pool: "tiny", cidr: "10.244.0.0/31", node: "n1", total: 2, inUse: 2, free: 0 },
    ]);
  });

  it("shows what was borrowed", async () => {
    expect((await overland(["ipam", "show", "--show-borrowed"], env)).stdout).toBe(
      `IP           BORROWING-NODE   BLOCK           BLOCK OWNER   TYPE   ALLOCATED-TO
${given[2]}   n2               10.244.0.0/31   n1            pod    ns/pod-n2
`,
    );
  });

  it("shows who has an address", async () => {
    const used = JSON.parse((await overland(["ipam", "show", "--ip", given[2] as string, "-o", "json"], env)).stdout);
    expect(used).toMatchObject({
      inUse: true,
      pool: "tiny",
      node: "n2",
      blockOwner: "n1",
      handle: "h-n2",
      pod: "pod-n2",
    });
    const unused = await overland(["ipam", "show", "--ip", "192.0.2.1"], env);
    expect(unused).toEqual({ code: 0, stderr: "", stdout: "IP 192.0.2.1 is not in use; it is in no pool\n" });
    expect(await overland(["ipam", "show", "--ip", "192.0.2"], env)).toMatchObject({ code: 2, stdout: "" });
  });
});

describe("ipam check", () => {
  it("is content with what the allocator wrote, and finds what somebody spoilt", async () => {
    expect(await overland(["ipam", "check"], env)).toEqual({
      code: 0,
      stderr: "",
      stdout: "Checked 2 pools, 2 nodes, 2 blocks, 2 handles; addresses in use: 3.\nNo problem was found.\n",
    });
    const [handle] = await store.listKeys(handlesRoot);
    const gone = await store.get([handle as string]);
    await store.commit({ expect: [], put: [], delete: [handle as string] });
    const { code, stdout } = await overland(["ipam", "check", "-o", "json"], env);
    await store.commit({ expect: [], put: gone.flatMap((entry) => entry ?? []), delete: [] });
    expect(code).toBe(1);
    expect(JSON.parse(stdout).findings).toHaveLength(2);
  });
});
