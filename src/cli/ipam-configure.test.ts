import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import { MemoryStore } from "../../ipam/memory-store.ts";
import type { Store } from "../../ipam/store.ts";
import { readManifests } from "../config/manifest.ts";
import { resourceKey } from "../config/resource-keys.ts";
import { applyResources } from "../config/resource-store.ts";
import { resource } from "../config/resources-for-tests.ts";
import { changeConfiguration } from "./ipam-configure.ts";
import { type EtcdUnderTest, overland, startEtcd } from "./program-under-test.ts";

const RESOURCES = `
- {apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: p}, spec: {cidr: 10.244.0.0/24}}
- apiVersion: projectcalico.org/v3
  kind: IPReservation
  metadata: {name: r}
  spec: {reservedCIDRs: [10.244.0.0/30, 10.244.0.255, 192.0.2.0/24]}
`;

let etcd: EtcdUnderTest;
let store: Store;
let env: Record<string, string>;

beforeAll(async () => {
  etcd = await startEtcd();
  env = { ETCD_ENDPOINTS: etcd.endpoint };
  store = openEtcdStore({ endpoints: [etcd.endpoint] });
  await applyResources(store, readManifests(RESOURCES, "test").sourced);
}, 30_000);

afterAll(async () => {
  await store?.close();
  await etcd?.stop();
});

describe("ipam configure", () => {
  it("changes what is named, leaves the rest, and says what changed", async () => {
    expect(await overland(["ipam", "show", "--show-configuration"], env)).toEqual({
      code: 0,
      stderr: "",
      stdout: `PROPERTY            VALUE
strictAffinity      false
maxBlocksPerHost    0
ipCooldownSeconds   30
`,
    });
    const first = ["ipam", "configure", "--strictaffinity", "true", "--max-blocks-per-host", "20"];
    expect(await overland(first, env)).toEqual({
      code: 0,
      stderr: "",
      stdout: "strictAffinity: false -> true\nmaxBlocksPerHost: 0 -> 20\n",
    });
    const again = await overland(["ipam", "configure", "--strictaffinity", "true"], env);
    expect(again.stdout).toBe("Nothing changed: it is so already.\n");
    const json = await overland(["ipam", "configure", "--ip-cooldown-seconds", "60", "-o", "json"], env);
    expect(JSON.parse(json.stdout)).toEqual({
      configuration: { strictAffinity: true, maxBlocksPerHost: 20, ipCooldownSeconds: 60 },
      changed: { ipCooldownSeconds: { from: 30, to: 60 } },
    });
    const shown = await overland(["ipam", "show", "--show-configuration", "-o", "json"], env);
    expect(JSON.parse(shown.stdout)).toEqual({ strictAffinity: true, maxBlocksPerHost: 20, ipCooldownSeconds: 60 });
    expect((await overland(["get", "ipamconfig"], env)).stdout).toBe(
      `NAME      STRICTAFFINITY   MAXBLOCKSPERHOST   IPCOOLDOWNSECONDS
default   true             20                 60
`,
    );
  });

  it.each([
    [[], "say what to change: --strictaffinity, --max-blocks-per-host, --ip-cooldown-seconds"],
    [["--max-blocks-per-host", "-1"], '--max-blocks-per-host: "-1" is not a whole number'],
    [["--ip-cooldown-seconds", "1201"], "--ip-cooldown-seconds: 1201 is not a whole number from 0 to 1200"],
    [["--strictaffinity", "yes"], "Allowed choices are true, false"],
  ])("refuses %j", async (words, message) => {
    const { code, stderr } = await overland(["ipam", "configure", ...words], env);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

describe("two who change it at the same moment", () => {
  it("both get what they asked for, and one who is always too late is told so", async () => {
    const memory = new MemoryStore();
    const commit = memory.commit.bind(memory);
    let cooldown = 0;
    let others = 1;
    // Before what is tried comes, somebody else has written.
    memory.commit = async (transaction) => {
      if (others-- > 0) {
        const value = JSON.stringify(resource("IPAMConfiguration", "default", { ipCooldownSeconds: ++cooldown }));
        await commit({ expect: [], put: [{ key: resourceKey("IPAMConfiguration", "default"), value }], delete: [] });
      }
      return await commit(transaction);
    };
    const { before, after } = await changeConfiguration(memory, { strictAffinity: true });
    expect(before).toMatchObject({ strictAffinity: false, ipCooldownSeconds: 1 });
    expect(after).toMatchObject({ strictAffinity: true, ipCooldownSeconds: 1 });
    others = Number.POSITIVE_INFINITY;
    const late = changeConfiguration(memory, { maxBlocksPerHost: 5 });
    await expect(late).rejects.toThrow(/was changed by somebody else again and again/);
  });
});

it("ipam show counts what is reserved inside the pools", async () => {
  expect((await overland(["ipam", "show"], env)).stdout).toBe(
    `GROUPING   CIDR            IPS TOTAL   IPS IN USE   IPS RESERVED   IPS RESTING    IPS FREE
IP Pool    10.244.0.0/24         256       0 (0%)              5             0   251 (98%)
`,
  );
});
