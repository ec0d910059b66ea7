/** The commands that look at addresses and put their records right, as programs against a real etcd. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { Allocator } from "../../ipam/allocator.ts";
import { openEtcdStore } from "../../ipam/etcd/client.ts";
import { affinitiesRoot, blockKey, blocksRoot, handleKey, ipamRoot } from "../../ipam/keys.ts";
import { addressOf, formatAddress } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Store } from "../../ipam/store.ts";
import { readManifests } from "../config/manifest.ts";
import { poolOf } from "../config/pools.ts";
import { applyResources, deleteResources, listResources } from "../config/resource-store.ts";
import { readIpam } from "./ipam-records.ts";
import { reportOf } from "./ipam-report.ts";
import { addressFacts } from "./ipam-show-address.ts";
import { type Ended, type EtcdUnderTest, overland as run, startEtcd } from "./program-under-test.ts";

// A busy machine starts a program in a second, and a test starts several.
jest.setTimeout(120_000);

const RESOURCES = `
- {apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: four}, spec: {cidr: 10.244.0.0/28, blockSize: 30}}
- {apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: six}, spec: {cidr: "fd00:244::/124", blockSize: 126}}
- {apiVersion: overland.dev/v1, kind: Node, metadata: {name: n1}}
- {apiVersion: overland.dev/v1, kind: Node, metadata: {name: n2}}
`;

let etcd: EtcdUnderTest;
let store: Store;
let folder: string;
let report: string;
const allocators = new Map<string, Allocator>();
const overland = (...args: string[]): Promise<Ended> => run(args, { ETCD_ENDPOINTS: etcd.endpoint });

beforeAll(async () => {
  etcd = await startEtcd();
  folder = mkdtempSync(join(tmpdir(), "overland-report-"));
  report = join(folder, "report.json");
  store = openEtcdStore({ endpoints: [etcd.endpoint] });
}, 30_000);

afterAll(async () => {
  await store?.close();
  await etcd?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** n1 and n2, each with a pod and a block of each family. */
beforeEach(async () => {
  await etcd.clear();
  const { sourced } = readManifests(RESOURCES, "test");
  await applyResources(store, sourced);
  for (const node of ["n1", "n2"]) {
    const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
    const allocator = new Allocator(node, { store, now: Date.now, random: Math.random, wait });
    allocator.setPools(sourced.flatMap(({ resource }) => (resource.kind === "IPPool" ? poolOf(resource) : [])));
    allocators.set(node, allocator);
    await give(node, `h-${node}`);
  }
});

async function give(node: string, handle: string): Promise<string[]> {
  const workload = { handle, namespace: "ns", pod: `pod-${node}`, containerID: `c-${node}`, ifName: "eth0" };
  const given = await (allocators.get(node) as Allocator).assign({ workload, families: [4, 6] });
  return given.map(({ address }) => formatAddress(address));
}

const removeNode = (name: string) => deleteResources(store, [{ kind: "Node", name }]);
const drop = (key: string) => store.commit({ expect: [], put: [], delete: [key] });
const write = (key: string, value: string) => store.commit({ expect: [], put: [{ key, value }], delete: [] });

/** What `ipam show --ip` and `ipam check` say, without the time that a program takes to start. */
const show = async (text: string) => addressFacts(await readIpam(store), addressOf(text), Date.now());
const findings = async () => reportOf(await readIpam(store), new Date()).findings;

describe("ipam show --ip", () => {
  it("tells in use, resting, free and unreadable apart", async () => {
    const [four, six] = (await give("n1", "more")) as [string, string];
    expect(await show(six)).toMatchObject({ state: "in use", node: "n1", pod: "pod-n1", pool: "six" });
    expect((await overland("ipam", "show", "--ip", four)).stdout).toMatch(
      new RegExp(
        `^IP ${four} is in use\\n  pool: four\\n  block: 10\\.244\\.0\\.\\d+/30\\n  blockOwner: n1\\n  handle: more`,
      ),
    );
    await allocators.get("n1")?.release("more");
    const resting = await show(four);
    expect(resting).toMatchObject({ state: "resting", inUse: false, blockOwner: "n1", restsUntil: expect.any(String) });
    expect(Date.parse(resting.restsUntil ?? "") - Date.now()).toBeGreaterThan(20_000);
    const ends = await Promise.all(["10.244.0.3", "10.244.0.7", "10.244.0.11", "10.244.0.15"].map(show));
    expect(ends.map(({ state, block }) => `${state} ${block === null ? "uncut" : "cut"}`).sort()).toEqual([
      "free cut",
      "free cut",
      "free uncut",
      "free uncut",
    ]);
    await write(blockKey(prefixOf(resting.block ?? "")), "{");
    const { code, stdout, stderr } = await overland("ipam", "show", "--ip", four, "-o", "yaml");
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("state: unknown\n") });
    expect(stderr).toMatch(/^\/overland\/v1\/ipam\/blocks\/10\.244\.0\.\d+-30: the record cannot be read/);
  });
});

describe("a node that is gone", () => {
  it("is found, reported and its addresses and blocks given back; then all is well", async () => {
    const [four] = await give("n2", "second");
    await removeNode("n2");
    const found = await overland("ipam", "check", "--output-report", report);
    expect(found).toMatchObject({ code: 1, stderr: `report written to ${report}\n` });
    expect(found.stdout).toContain("Checked 2 pools, 1 node, 4 blocks, 3 handles; addresses in use: 6.\n");
    expect(found.stdout).toMatch(/of pod ns\/pod-n2 \(handle h-n2, since 2\S+Z\): node n2 does not exist\n/);
    expect(found.stdout).toContain("Problems found: 4\n");
    expect((await overland("ipam", "show", "--ip", four as string)).stdout).toContain("is in use, and leaked\n");

    const dry = await overland("ipam", "release", "--from-report", report, "--dry-run");
    expect(dry.code).toBe(0);
    expect(dry.stdout.match(/^would release: /gm)).toHaveLength(4);
    expect(await findings()).toHaveLength(4);

    const done = await overland("ipam", "release", "--from-report", report, "-o", "json");
    expect(done.code).toBe(0);
    const { outcomes } = JSON.parse(done.stdout) as { outcomes: { outcome: string }[] };
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array(4).fill("released"));
    expect(await findings()).toEqual([]);
    expect(await store.listKeys(blocksRoot)).toHaveLength(2);
    expect(await store.listKeys(affinitiesRoot)).toHaveLength(2);
    const again = await overland("ipam", "release", "--from-report", report);
    expect(again).toMatchObject({ code: 0, stdout: expect.stringMatching(/^(not any more: .*\n {2}.*\n){4}$/) });
  });

  it("that comes back keeps what it has, whatever the report says", async () => {
    await removeNode("n2");
    await overland("ipam", "check", "--output-report", report);
    await applyResources(store, readManifests(RESOURCES, "test").sourced);
    const { code, stdout } = await overland("ipam", "release", "--from-report", report);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^refused: .*\n {2}node n2 exists, so the pod may be alive: look there first, then say --force\n/,
    );
    expect(await findings()).toEqual([]);
  });
});

describe("ipam release --ip", () => {
  it("frees what is in use only by force, and says what the handle keeps", async () => {
    const [four, six] = (await give("n1", "more")) as [string, string];
    const refused = await overland("ipam", "release", "--ip", four);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain(`in use on node n1, and its records agree; the handle keeps ${six}\n`);
    expect(await show(four)).toMatchObject({ state: "in use" });
    const forced = await overland("ipam", "release", "--ip", `${four},10.244.0.15`, "--force");
    expect(forced).toMatchObject({ code: 0 });
    expect(forced.stdout).toMatch(/^not in use: 10\.244\.0\.15\nreleased: /);
    expect([await show(four), await show(six)]).toMatchObject([{ state: "resting" }, { state: "in use" }]);
    expect(await findings()).toEqual([]);
    // The agent goes on: it finds the block changed, and reads it again.
    expect(await give("n1", "next")).not.toContain(four);
  });

  it("puts a handle without a record right, after somebody looked", async () => {
    await drop(handleKey("h-n1"));
    const check = await overland("ipam", "check", "--output-report", report);
    expect(check.code).toBe(1);
    expect(await overland("ipam", "release", "--from-report", report)).toMatchObject({ code: 1 });
    expect(await overland("ipam", "release", "--from-report", report, "--force")).toMatchObject({ code: 0 });
    expect(await findings()).toEqual([]);
  });

  it("refuses what it is asked wrongly, and what is no report", async () => {
    expect((await overland("ipam", "release")).code).toBe(2);
    expect((await overland("ipam", "release", "--ip", "10.244.0")).stderr).toContain('"10.244.0" is not an IP address');
    const good = reportOf(await readIpam(store), new Date());
    const leak = {
      handle: "h",
      handleRevision: "1",
      addresses: [{ ip: "x", block: "y" }],
      nodes: [],
      why: "",
      ownerGone: true,
    };
    for (const [text, says] of [
      ["{", "it is not JSON"],
      ["null", "it is not what `overland ipam check --output-report` writes"],
      [JSON.stringify({ ...good, reportVersion: 9 }), "its reportVersion is 9, and this program reads 1"],
      [JSON.stringify({ ...good, leaks: [leak] }), "leaks.0.addresses.0.ip cannot be read; make a new one"],
    ] as const) {
      writeFileSync(report, text);
      const { code, stderr } = await overland("ipam", "release", "--from-report", report);
      expect({ code, stderr }).toEqual({ code: 2, stderr: `${report} is no report that can be used: ${says}\n` });
    }
  });
});

describe("ipam check", () => {
  it("names each kind of record that cannot be read by its key, and goes on", async () => {
    const [block] = await store.listKeys(blocksRoot);
    const [claim] = (await store.listKeys(affinitiesRoot)).slice(-1);
    const keys = [
      block as string,
      claim as string,
      handleKey("h-n2"),
      `${ipamRoot}who-knows`,
      "/overland/v1/resources/ippools/bad",
      "/overland/v1/resources/bgppeers/bad",
    ];
    for (const key of keys) await write(key, "{");
    const { code, stdout } = await overland("ipam", "check");
    expect(code).toBe(1);
    for (const key of keys) expect(stdout).toContain(`  ${key}`);
    expect(stdout).toContain("Checked 2 pools, 2 nodes, 4 blocks, 2 handles");
  });

  it("says with its exit code that it could not check", async () => {
    const { code, stderr } = await run(["ipam", "check"], { ETCD_ENDPOINTS: "http://127.0.0.1:1" });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("cannot be used") });
  });
});

describe("ipam split, and the pools deleted after it", () => {
  it("walks the way of an operator", async () => {
    const dry = await overland("ipam", "split", "2", "--cidr", "10.244.0.0/28", "--dry-run");
    expect(dry).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("pool four would be split into these; 2 blocks"),
    });
    expect((await listResources(store, "IPPool")).resources).toHaveLength(2);
    const { code, stdout } = await overland("ipam", "split", "2", "--name", "four");
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^NAME +CIDR +BLOCKS\nsplit-four-0 +10\.244\.0\.0\/29 +\d\nsplit-four-1 +10\.244\.0\.8\/29 +\d\n/,
    );
    expect(await findings()).toEqual([]);
    expect((await overland("ipam", "split", "2", "--name", "four")).stderr).toBe(
      "IPPool four does not exist\nnothing was changed\n",
    );
    expect((await overland("ipam", "split", "two", "--name", "six")).code).toBe(2);
    expect((await overland("ipam", "split", "2")).code).toBe(2);
    const kept = await overland("delete", "ippool", "six");
    expect(kept).toMatchObject({ code: 1, stderr: expect.stringContaining("2 addresses are in use (n1: 1; n2: 1)") });
    for (const node of ["n1", "n2"]) await allocators.get(node)?.release(`h-${node}`);
    expect(await overland("delete", "ippool", "six", "split-four-0", "split-four-1")).toMatchObject({ code: 0 });
    expect(await store.listKeys(ipamRoot)).toEqual([]);
  });
});
