import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { describeGateway } from "../../bgp/rib/next-hops.ts";
import { addressOf } from "../../ipam/net/address.ts";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { NAMESPACES, PODS } from "../cluster/port.ts";
import type { Attachment } from "../cni/attachments.ts";
import { resolveNode } from "../config/resolve.ts";
import { resource, snapshot } from "../config/resources-for-tests.ts";
import { openLog } from "../telemetry/log.ts";
import { KubernetesPods } from "./kubernetes-pods.ts";
import { LocalWorkloads } from "./local-workloads.ts";

const NODE = resolveNode(
  snapshot([
    resource("Node", "n1", { bgp: { ipv4Address: "10.0.0.1/24" } }),
    resource("BGPConfiguration", "default", { localWorkloadPeeringIPV4: "169.254.0.179" }),
    resource("BGPPeer", "vips", { localWorkloadSelector: "app == 'vip' && pcns.team == 'a'", asNumber: 65010 }),
  ]),
  "n1",
);
const WITHOUT = resolveNode(snapshot([resource("Node", "n1", { bgp: { ipv4Address: "10.0.0.1/24" } })]), "n1");

let cluster: MemoryCluster;
let wired: Attachment[];
let directory: string;
let changes: number;
let workloads: LocalWorkloads;
let pods: KubernetesPods | undefined;
const log = openLog({ stream: process.stderr, level: "error" });

beforeEach(() => {
  directory = mkdtempSync(`${tmpdir()}/overland-local-`);
  cluster = new MemoryCluster();
  cluster.put(NAMESPACES, { metadata: { name: "shop", labels: { team: "a" } } });
  cluster.put(NAMESPACES, { metadata: { name: "other" } });
  wired = [];
  start();
});

afterEach(() => {
  pods?.stop();
  rmSync(directory, { recursive: true });
});

function start(withCluster = true): void {
  pods?.stop();
  changes = 0;
  // In the order of the agent: what pods are there may be told before anybody has asked.
  const look = () => workloads?.look();
  pods = withCluster ? new KubernetesPods({ cluster, nodeName: "n1", log, changed: look }) : undefined;
  workloads = new LocalWorkloads({
    kubernetesPods: pods,
    attachments: () => wired,
    links: () => wired.map(({ hostInterface }, i) => ({ name: hostInterface, index: 10 + i })),
    file: `${directory}/remembered`,
    log: { warn: () => undefined },
    changed: () => {
      changes++;
    },
  });
}

let last = 4;

/** As the plugin wires it. */
function wire(name: string, namespace = "shop", uid?: string): void {
  const address = addressOf(`10.244.0.${++last % 250}`);
  wired.push({
    ...{ containerID: `c-${name}`, ifName: "eth0", network: "overland", handle: name, namespace, pod: name },
    ...{ netns: "", hostInterface: `ovl-${name}`, hostMac: "", podMac: "", mtu: 1500, addresses: [address] },
    ...(uid !== undefined && { uid }),
  });
}

function pod(name: string, app: string, namespace = "shop", spec: object = {}): void {
  const metadata = { name, namespace, uid: `uid-${name}`, labels: { app } };
  cluster.put(PODS, { metadata, spec: { nodeName: "n1", ...spec } } as never);
}

/** After everything that was told has been looked at. */
async function settled(): Promise<void> {
  for (let i = 0; i < 5; i++) await turn();
}

const names = () => workloads.of(NODE).peers.map(({ name }) => name);

describe("pods that peer with their node", () => {
  it("are those that are wired here and have the labels, their namespace's too", async () => {
    pod("web", "vip");
    pod("db", "something");
    pod("far", "vip");
    pod("alien", "vip", "other");
    for (const name of ["web", "db"]) wire(name);
    wire("alien", "other");
    await settled();
    expect(names()).toEqual(["vips/shop/web/ipv4"]);
    const [way] = workloads.ways;
    expect(`${formatPrefix(way?.prefix as never)} ${describeGateway(way?.via[0] ?? {})}`).toMatch(
      /^10\.244\.0\.\d+\/32 %10$/,
    );
    // Another pod of that name has been wired, or a former one still is.
    wired = [];
    wire("web", "shop", "uid-of-another");
    expect(names()).toEqual([]);
  });

  it("come and go one by one; what changes nothing about them is not told", async () => {
    pod("web", "vip");
    wire("web");
    await settled();
    expect(names()).toEqual(["vips/shop/web/ipv4"]);
    changes = 0;
    pod("db", "something");
    await settled();
    expect(changes).toBe(0);
    pod("db", "vip");
    await settled();
    // Not wired yet.
    expect(changes).toBe(0);
    wire("db");
    workloads.look();
    await settled();
    expect([changes, names()]).toEqual([1, ["vips/shop/db/ipv4", "vips/shop/web/ipv4"]]);
    pod("web", "something");
    await settled();
    expect([changes, names()]).toEqual([2, ["vips/shop/db/ipv4"]]);
    cluster.put(NAMESPACES, { metadata: { name: "shop", labels: { team: "b" } } });
    await settled();
    expect([changes, names()]).toEqual([3, []]);
  });

  it("are remembered for an agent that starts while the API server is away, until it says something", async () => {
    pod("web", "vip");
    wire("web");
    await settled();
    expect(names()).toEqual(["vips/shop/web/ipv4"]);
    cluster.setDown("connection refused");
    const { watch } = cluster;
    // A watch that has nothing to say yet.
    cluster.watch = () => ({ synced: false, stop: () => undefined });
    start();
    await settled();
    expect(names()).toEqual(["vips/shop/web/ipv4"]);
    cluster.watch = watch;
    cluster.setDown(undefined);
    pod("web", "something");
    start();
    await settled();
    expect(names()).toEqual([]);
  });

  it("are none where the file of those remembered cannot be read", () => {
    cluster.watch = () => ({ synced: false, stop: () => undefined });
    wire("web");
    for (const text of ["", "[1]", '{"c-web/eth0": 1}', "null"]) {
      writeFileSync(`${directory}/remembered`, text);
      start();
      expect(names()).toEqual([]);
    }
  });

  it("need Kubernetes, and addresses of their own: it is said by name", async () => {
    pod("host", "vip", "shop", { hostNetwork: true });
    await settled();
    expect([names(), workloads.problems]).toEqual([
      [],
      [
        "BGPPeer vips: pod shop/host has the node's addresses and none of its own; " +
          "give it an own network, or choose it by peerIP",
      ],
    ]);
    start(false);
    expect([names(), workloads.problems]).toEqual([
      [],
      [
        "BGPPeer vips: localWorkloadSelector chooses pods by labels, and this agent knows no Kubernetes; " +
          "set kubernetes.*",
      ],
    ]);
    expect(workloads.of(WITHOUT)).toBe(WITHOUT);
    expect(workloads.problems).toEqual([]);
  });
});
