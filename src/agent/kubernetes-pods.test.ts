/** Pods of Kubernetes at ADD, by the CNI protocol: what annotations come to, and what is said when they cannot be read. */

import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "@jest/globals";
import { servedFamilies } from "../../ipam/choose-pools.ts";
import { poolOf } from "../../ipam/world-for-tests.ts";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { NAMESPACES, PODS } from "../cluster/port.ts";
import { type Answer, cleanSandbox, TestNode } from "../cni/node-for-tests.ts";
import { makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { openLog } from "../telemetry/log.ts";
import { KubernetesPods } from "./kubernetes-pods.ts";

const POOLS = [
  poolOf("v4", "10.244.0.0/24", 28),
  poolOf("v6", "fd00:244::/112", 124),
  poolOf("web4", "10.245.0.0/24", 28, { assignmentMode: "Manual" }),
  poolOf("blue4", "10.246.0.0/24", 28, { namespaceSelector: "team == 'blue'" }),
];

type Texts = Readonly<Record<string, string>>;
const UID = "11111111-2222-3333-4444-555555555555";

let sandbox: TestNetns;
let node: TestNode;
let cluster: MemoryCluster;
let pods: KubernetesPods;

beforeAll(() => {
  sandbox = makeTestNetns();
});
afterAll(() => removeTestNetns(sandbox));

function start(pools = POOLS): void {
  node = new TestNode(pools);
  cluster = new MemoryCluster();
  cluster.put(NAMESPACES, { metadata: { name: "default" } });
  const log = openLog({ stream: process.stderr, level: "error" });
  pods = new KubernetesPods({ cluster, nodeName: "n1", log, patienceMs: 200 });
  Object.assign(node.context, {
    families: (asked: Parameters<typeof node.context.families>[0]) => servedFamilies(pools, {}, asked),
    kubernetesPod: (pod: Parameters<typeof pods.podFor>[0]) => pods.podFor(pod),
  });
}
beforeEach(() => start());
afterEach(() => {
  pods.stop();
  node.close();
  cleanSandbox(sandbox);
});

function pod(annotations: Texts, more: { uid?: string; nodeName?: string } = {}): void {
  const { uid = UID, nodeName = "n1" } = more;
  const metadata = { name: "web", namespace: "default", uid, annotations, labels: { app: "web" } };
  cluster.put(PODS, { metadata, spec: { nodeName } } as never);
}

const namespace = (annotations: Texts, labels: Texts = {}) =>
  cluster.put(NAMESPACES, { metadata: { name: "default", annotations, labels } });

const add = (config: object = {}, more: { uid?: string; ifName?: string; containerID?: string } = {}) =>
  node.ask({
    command: "ADD",
    containerID: more.containerID ?? "c1",
    netns: sandbox.path,
    ifName: more.ifName ?? "eth0",
    args: `K8S_POD_UID=${more.uid ?? UID}`,
    config,
  });

const addresses = ({ ok, said }: Answer): string[] => {
  if (!ok) throw new Error(JSON.stringify(said));
  return (said as { ips: { address: string }[] }).ips.map(({ address }) => address.replace(/\/.*/, ""));
};
const text = ({ said }: Answer): string => {
  const { code, msg, details = "" } = said as { code: number; msg: string; details?: string };
  return `${code} ${msg}; ${details}`;
};

describe("annotations of a pod", () => {
  it.each([
    ["cni.projectcalico.org/ipAddrs", '["10.244.0.77", "fd00:244::77"]', ["10.244.0.77", "fd00:244::77"]],
    ["overland.dev/addresses", "10.244.0.78,fd00:244::78", ["10.244.0.78", "fd00:244::78"]],
    // As in Calico: exactly these, and no others.
    ["cni.projectcalico.org/ipAddrs", '["10.244.0.79"]', ["10.244.0.79"]],
  ])("%s %s gives exactly these", async (name, value, expected) => {
    pod({ [name]: value });
    expect(addresses(await add())).toEqual(expected);
  });

  it("name pools, families and a MAC address", async () => {
    pod({
      "cni.projectcalico.org/ipv4pools": '["10.245.0.0/24"]',
      "cni.projectcalico.org/ipFamilies": '["IPv4"]',
      "cni.projectcalico.org/hwAddr": "02:42:0A:F4:00:07",
    });
    const answer = await add({ ipam: { type: "calico-ipam", ipv4_pools: ["v4"], ipv6_pools: ["v6"] } });
    expect(addresses(answer)).toEqual([expect.stringMatching(/^10\.245\.0\./)]);
    expect((answer.said as { interfaces: { mac: string }[] }).interfaces.at(-1)?.mac).toBe("02:42:0a:f4:00:07");
  });

  it("of the pod beat its namespace's, those the configuration's; Overland's beat Calico's", async () => {
    namespace({ "cni.projectcalico.org/ipv4pools": '["v4"]', "overland.dev/ip-families": "ipv4" });
    pod({ "cni.projectcalico.org/ipv4pools": '["v4"]', "overland.dev/ipv4-pools": "web4" });
    expect(addresses(await add({ ipam: { assign_ipv4: "false", assign_ipv6: "true" } }))).toEqual([
      expect.stringMatching(/^10\.245\.0\./),
    ]);
  });

  it("are about eth0 only: another interface is another network's", async () => {
    pod({ "cni.projectcalico.org/ipAddrs": '["10.244.0.77"]' });
    expect(addresses(await add({}, { ifName: "net1" }))).not.toContain("10.244.0.77");
  });

  it("that name an IPv4 pool give an IPv4 address also where no IPv4 pool is automatic", async () => {
    pods.stop();
    node.close();
    start(POOLS.filter(({ name }) => name === "v6" || name === "web4"));
    pod({ "cni.projectcalico.org/ipv4pools": '["web4"]' });
    expect(addresses(await add())).toEqual([expect.stringMatching(/^10\.245\./), expect.stringMatching(/^fd00:244:/)]);
  });

  it.each([
    [
      { "cni.projectcalico.org/ipAddrs": "10.244.0.300" },
      /^7 annotation cni.projectcalico.org\/ipAddrs of the pod "10.244.0.300" is no IP address; write it as/,
    ],
    [{ "cni.projectcalico.org/ipAddrs": '["10.244.0.7"' }, /ipAddrs of the pod .* is not JSON; write it as \["10/],
    [
      { "overland.dev/ipv4-pools": "[4]" },
      /annotation overland.dev\/ipv4-pools of the pod "\[4\]" is no list of texts; write/,
    ],
    [{ "cni.projectcalico.org/ipv4pools": '["nope"]' }, /IPPool nope does not exist; there are: v4/],
    [
      { "cni.projectcalico.org/ipFamilies": '["IPv5"]' },
      /ipFamilies of the pod: "IPv5" is no family; write it as \["IPv4"\]/,
    ],
    [
      { "cni.projectcalico.org/hwAddr": "01:00:00:00:00:01" },
      /annotation cni.projectcalico.org\/hwAddr of the pod 01:.* is no MAC/,
    ],
    [
      { "cni.projectcalico.org/ipAddrs": '["10.244.0.7"]', "overland.dev/ip-families": "IPv6" },
      /ask for an IPv4 address and for families without IPv4/,
    ],
    [
      { "cni.projectcalico.org/floatingIPs": '["1.2.3.4"]' },
      /annotation cni.projectcalico.org\/floatingIPs of the pod asks/,
    ],
  ])("%j is refused, with annotation, value and cure", async (annotations, expected) => {
    pod(annotations);
    const answer = await add();
    expect(answer.ok).toBe(false);
    expect(text(answer)).toMatch(expected);
    expect(await node.allocations()).toEqual([]);
    expect(node.interfaces()).toEqual([]);
  });
});

describe("a pool with a namespaceSelector", () => {
  it("serves the namespaces it selects", async () => {
    pods.stop();
    node.close();
    start(POOLS.filter(({ name }) => name === "blue4"));
    namespace({}, { team: "blue" });
    pod({});
    expect(addresses(await add())).toEqual([expect.stringMatching(/^10\.246\./)]);
    namespace({}, { team: "red" });
    await sleep(0);
    expect(text(await add({}, { ifName: "eth1" }))).toMatch(/namespaceSelector team == 'blue', which the name/);
  });
});

describe("a pod that the watch has not shown", () => {
  it("is asked for", async () => {
    await sleep(0);
    pod({ "cni.projectcalico.org/ipAddrs": '["10.244.0.77"]' }, { nodeName: "" });
    expect(addresses(await add())).toEqual(["10.244.0.77"]);
  });

  it("and does not exist in Kubernetes gets addresses as one without annotations", async () => {
    expect(addresses(await add())).toHaveLength(2);
  });

  it("is not taken for an earlier one of its name", async () => {
    pod({}, { uid: "99999999-2222-3333-4444-555555555555" });
    await sleep(0);
    expect(text(await add())).toMatch(/^11 pod default\/web is deleted: there is another one of its name; .*9999/);
  });

  it("waits while the API server is away; one that was seen does not", async () => {
    pod({ "cni.projectcalico.org/ipAddrs": '["10.244.0.77"]' });
    await sleep(0);
    cluster.setDown("connection refused");
    expect(addresses(await add())).toEqual(["10.244.0.77"]);
    const other = await add({}, { containerID: "c2", uid: "99999999-2222-3333-4444-555555555555", ifName: "eth0" });
    expect(text(other)).toMatch(
      /^11 the API server does not answer, so the annotations of pod default\/web are not known: connection refused/,
    );
    expect((await node.ask({ command: "DEL", containerID: "c1", netns: sandbox.path })).ok).toBe(true);
    expect(await node.allocations()).toEqual([]);
  });

  it("needs no API server when it is a static pod", async () => {
    cluster.setDown("connection refused");
    expect(addresses(await add({}, { uid: "0123456789abcdef0123456789abcdef" }))).toHaveLength(2);
  });

  it("is the same as its mirror when it is a static pod", async () => {
    const uid = "0123456789abcdef0123456789abcdef";
    const annotations = { "kubernetes.io/config.mirror": uid, "cni.projectcalico.org/ipAddrs": '["10.244.0.77"]' };
    pod(annotations);
    expect(addresses(await add({}, { uid }))).toEqual(["10.244.0.77"]);
  });
});

describe("what is kept", () => {
  it("is the pod's uid with its addresses, and what of its annotations is about the network", async () => {
    pod({ "cni.projectcalico.org/ipFamilies": '["IPv4"]', "kubectl.kubernetes.io/last-applied": "{}" });
    await add();
    expect(pods.pods.get("default/web")).toMatchObject({
      uid: UID,
      labels: { app: "web" },
      annotations: { "cni.projectcalico.org/ipFamilies": '["IPv4"]' },
    });
    expect(node.context.attachments.get("c1", "eth0")).toMatchObject({ uid: UID, namespace: "default", pod: "web" });
    expect(pods.isGone("default", "web", UID)).toBe(false);
    expect(pods.isGone("default", "web", "another")).toBe(true);
    cluster.remove({ type: PODS, namespace: "default", name: "web" });
    expect(pods.isGone("default", "web", UID)).toBe(true);
    cluster.setDown("gone");
    expect(pods.isGone("default", "web", UID)).toBe(false);
  });
});
