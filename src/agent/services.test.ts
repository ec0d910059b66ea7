import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { ENDPOINT_SLICES, type KubeObject, SERVICES } from "../cluster/port.ts";
import { EXCLUDE_LABEL } from "../services/judge.ts";
import { type ServiceWritten, service, settings, slice, type Written } from "../services/services-for-tests.ts";
import { openLog } from "../telemetry/log.ts";
import type { Configured } from "./configuration.ts";
import { readRemembered } from "./remembered-services.ts";
import { ServiceRoutes } from "./services.ts";

const LOCAL: ServiceWritten = { cluster: ["10.96.0.101"], local: true };
const RANGES: Written = { cluster: ["10.96.0.0/16"] };

let stateDir = "";
let cluster = new MemoryCluster();
let stops: (() => void)[] = [];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "overland-services-"));
  cluster = new MemoryCluster();
});
afterEach(() => {
  for (const stop of stops) stop();
  stops = [];
  rmSync(stateDir, { recursive: true });
});

const meta = (name: string) => ({ namespace: "shop", name });
const named = (name: string, object: object) => ({
  ...object,
  metadata: { ...(object as KubeObject).metadata, ...meta(name) },
});
const putService = (name: string, written: ServiceWritten) => cluster.put(SERVICES, named(name, service(written)));
const putSlice = (name: string, of: string, state: "ready" | "leaving" = "ready") =>
  cluster.put(ENDPOINT_SLICES, named(name, slice(of, [["m", state]])));

/** An agent's services: what is announced so far, and every change in order. */
function agent(written: Written = RANGES, { patienceMs = 60_000, labels = {}, kubernetes = true } = {}) {
  const announced = new Map<string, string>();
  const changes: string[] = [];
  let settled = 0;
  const routes = new ServiceRoutes({
    cluster: kubernetes ? cluster : undefined,
    nodeName: "m",
    stateDir,
    log: openLog({ level: "error" }),
    announce: (change) => {
      for (const prefix of change.withdrawn) {
        announced.delete(formatPrefix(prefix));
        changes.push(`-${formatPrefix(prefix)}`);
      }
      for (const prefix of change.announced) {
        announced.set(formatPrefix(prefix), prefix.communities.join(" "));
        changes.push(`+${formatPrefix(prefix)}`);
      }
    },
    settled: () => settled++,
    patienceMs,
  });
  const configure = (ranges: Written, nodeLabels: Record<string, string> = labels) =>
    routes.configure({ node: { services: settings(ranges) }, labels: nodeLabels } as unknown as Configured);
  configure(written);
  stops.push(() => routes.stop());
  return { routes, configure, changes, told: () => [...announced.keys()].sort(), settled: () => settled };
}

const turn = () => sleep(1);

describe("the services of a cluster, as the agent follows them", () => {
  it("are waited for, then told as they are and as they change", async () => {
    putService("a", LOCAL);
    putSlice("a-1", "a");
    const one = agent();
    expect(one.routes.notReady).toEqual(["waiting for the services of the cluster"]);
    expect(one.settled()).toBe(0);
    await turn();
    expect([one.routes.settled, one.settled(), one.routes.notReady]).toEqual([true, 1, []]);
    expect(one.told()).toEqual(["10.96.0.0/16", "10.96.0.101/32"]);
    cluster.remove({ type: ENDPOINT_SLICES, ...meta("a-1") });
    await turn();
    expect(one.told()).toEqual(["10.96.0.0/16"]);
    putSlice("a-2", "a", "leaving");
    await turn();
    expect(one.told()).toEqual(["10.96.0.0/16", "10.96.0.101/32"]);
    one.configure(RANGES, { [EXCLUDE_LABEL]: "" });
    await turn();
    expect([one.told(), one.settled()]).toEqual([[], 1]);
  });

  it("are not asked for where nothing of theirs is announced", async () => {
    cluster.setDown("away");
    const one = agent({});
    expect([one.routes.settled, one.settled(), one.routes.problems]).toEqual([true, 1, []]);
    cluster.setDown(undefined);
    one.configure(RANGES);
    putService("a", LOCAL);
    putSlice("a-1", "a");
    await turn();
    expect(one.told()).toEqual(["10.96.0.0/16", "10.96.0.101/32"]);
    one.configure({});
    await turn();
    expect(one.told()).toEqual([]);
    one.configure(RANGES);
    await turn();
    expect(one.told()).toEqual(["10.96.0.0/16", "10.96.0.101/32"]);
  });

  it("go on as last known while the API server is away", async () => {
    putService("a", LOCAL);
    putSlice("a-1", "a");
    const one = agent();
    await turn();
    cluster.setDown("connection refused");
    await turn();
    expect(one.told()).toEqual(["10.96.0.0/16", "10.96.0.101/32"]);
    expect(one.routes.problems).toEqual([
      "services: connection refused; going on with what is known",
      "endpointslices: connection refused; going on with what is known",
    ]);
    cluster.setDown(undefined);
    expect(one.routes.problems).toEqual([]);
  });

  it("are withdrawn by no restart, whether the API server answers or not", async () => {
    putService("a", { ...LOCAL, annotations: { "overland.dev/communities": "65000:1" } });
    putSlice("a-1", "a");
    const before = agent();
    await turn();
    before.routes.stop();
    cluster = new MemoryCluster();
    cluster.setDown("connection refused");
    const after = agent(RANGES, { patienceMs: 1 });
    while (!after.routes.settled) await turn();
    expect(after.told()).toEqual(["10.96.0.0/16", "10.96.0.101/32"]);
    putService("a", { ...LOCAL, annotations: { "overland.dev/communities": "65000:1" } });
    putSlice("a-1", "a");
    const { length } = after.changes;
    cluster.setDown(undefined);
    await sleep(20);
    expect([after.told(), after.changes.length]).toEqual([["10.96.0.0/16", "10.96.0.101/32"], length]);
  });

  it("are forgotten where they have gone meanwhile, once that is known", async () => {
    putService("a", LOCAL);
    putSlice("a-1", "a");
    const before = agent();
    await turn();
    before.routes.stop();
    cluster = new MemoryCluster();
    const after = agent();
    await turn();
    expect(after.changes).toContain("-10.96.0.101/32");
    expect(after.told()).toEqual(["10.96.0.0/16"]);
  });

  it("without Kubernetes are the ranges, and a problem says so", () => {
    const one = agent(RANGES, { kubernetes: false });
    expect([one.routes.settled, one.told()]).toEqual([true, ["10.96.0.0/16"]]);
    expect(one.routes.problems).toEqual([expect.stringMatching(/knows no Kubernetes; set kubernetes/)]);
  });
});

describe("what is remembered over a restart", () => {
  it.each([
    ["whole", () => undefined],
    [
      "of another boot",
      (file: string) => writeFileSync(file, readFileSync(file, "utf8").replace(/"boot":"./, '"boot":"x')),
    ],
    ["cut short", (file: string) => writeFileSync(file, readFileSync(file, "utf8").slice(0, 60))],
  ])("is read back within one boot only: %s", async (what, damage) => {
    expect(readRemembered(stateDir)).toEqual([]);
    putService("a", LOCAL);
    putSlice("a-1", "a");
    const one = agent();
    await turn();
    one.routes.stop();
    expect(readRemembered(stateDir).map(formatPrefix)).toEqual(["10.96.0.101/32"]);
    damage(join(stateDir, "services.json"));
    expect(readRemembered(stateDir).length).toBe(what === "whole" ? 1 : 0);
  });
});
