import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { MemoryCluster } from "../cluster/memory-cluster-for-tests.ts";
import { NODES } from "../cluster/port.ts";
import { openLog } from "../telemetry/log.ts";
import { KubernetesNode } from "./kubernetes-node.ts";
import type { NetworkFacts } from "./network-condition.ts";
import type { KubernetesNodeView, NodeObject } from "./node-object.ts";

const CARRIES: NetworkFacts = { ready: true, peers: 2, established: 1, leaving: undefined };

let cluster: MemoryCluster;
let node: KubernetesNode;
let facts: NetworkFacts;
let told: (KubernetesNodeView | "absent")[];
let now: number;

beforeEach(async () => {
  cluster = new MemoryCluster();
  facts = { ...CARRIES, ready: false };
  told = [];
  now = 0;
  const log = openLog({ stream: process.stderr, level: "error" });
  const changed = (view: KubernetesNodeView | "absent") => void told.push(view);
  put({ spec: { taints: [{ key: "overland.dev/agent-not-ready", effect: "NoSchedule" }, OTHER] } });
  node = new KubernetesNode({ cluster, nodeName: "n1", log, changed, facts: () => facts, now: () => now });
  await node.firstLook;
});
afterEach(() => node.stop());

const OTHER = { key: "dedicated", value: "web", effect: "NoExecute" };

function put(more: object, name = "n1"): void {
  cluster.put(NODES, { metadata: { name, labels: { rack: "1" } }, ...more });
}

const stored = async () => (await cluster.get<NodeObject>({ type: NODES, name: "n1" })) as NodeObject;

async function network(): Promise<string> {
  const found = (await stored()).status?.conditions?.find(({ type }) => type === "NetworkUnavailable");
  return found === undefined ? "" : `${found.status} ${found.reason}`;
}

async function after(ms: number, change: Partial<NetworkFacts> = {}): Promise<string> {
  now += ms;
  facts = { ...facts, ...change };
  await node.tend();
  return await network();
}

describe("the Kubernetes Node", () => {
  it("is told that its network can be used once it can, and loses the taint that waited for it, no other", async () => {
    expect(await after(1000)).toBe("");
    expect(await after(1000, { ready: true, established: 0 })).toBe("");
    expect((await stored()).spec?.taints).toHaveLength(2);
    expect(await after(1000, { established: 1 })).toBe("False OverlandIsUp");
    expect((await stored()).spec?.taints).toEqual([OTHER]);
  });

  it("says that it cannot after minutes without any session, and takes it back when one has held", async () => {
    expect(await after(0, CARRIES)).toBe("False OverlandIsUp");
    // A restart of ours, and one of the only router, is none of its business.
    expect(await after(60_000, { ready: false, established: 0 })).toBe("False OverlandIsUp");
    expect(await after(60_000, { ready: true })).toBe("False OverlandIsUp");
    expect(await after(149_000)).toBe("False OverlandIsUp");
    expect(await after(2_000)).toBe("True NoBGPSession");
    expect(await after(30_000, { established: 1 })).toBe("True NoBGPSession");
    expect(await after(5_000, { established: 0 })).toBe("True NoBGPSession");
    expect(await after(5_000, { established: 1 })).toBe("True NoBGPSession");
    expect(await after(11_000)).toBe("False OverlandIsUp");
  });

  it("says at once that the node leaves, and that it is back", async () => {
    expect(await after(0, CARRIES)).toBe("False OverlandIsUp");
    expect(await after(11_000, { leaving: "maintenance" })).toBe("True OverlandDrains");
    // However long it was without a session: nobody expected one.
    expect(await after(3_600_000, { established: 0 })).toBe("True OverlandDrains");
    expect(await after(11_000, { leaving: undefined })).toBe("True OverlandDrains");
    expect(await after(1_000, { established: 1 })).toBe("False OverlandIsUp");
  });

  it("is repaired when somebody else writes it, without a fight", async () => {
    await after(0, CARRIES);
    put({ status: { conditions: [{ type: "NetworkUnavailable", status: "True", reason: "NoRoute" }] } });
    expect(await after(1_000)).toBe("True NoRoute");
    expect(await after(10_000)).toBe("False OverlandIsUp");
  });

  it("is written again when it is made anew", async () => {
    await after(0, CARRIES);
    cluster.remove({ type: NODES, name: "n1" });
    expect(told.at(-1)).toBe("absent");
    put({});
    expect(await after(1)).toBe("False OverlandIsUp");
  });

  it("is not told of heartbeats, and of everything else", async () => {
    const before = told.length;
    put({ spec: { taints: [] } });
    const conditions = [{ type: "Ready", status: "True", message: "kubelet is posting ready status" }];
    for (const _ of [1, 2, 3]) put({ status: { conditions } });
    expect(told).toHaveLength(before + 1);
    const down = [{ type: "Ready", status: "False", reason: "KubeletNotReady", message: "node is shutting down" }];
    put({ status: { conditions: down, addresses: [{ type: "InternalIP", address: "10.0.0.1" }] } });
    expect(node.view).toMatchObject({ shutsDown: true, internalAddresses: ["10.0.0.1"] });
  });

  it("waits for an API server that is away, and says so", async () => {
    cluster.setDown("connection refused");
    facts = CARRIES;
    await node.tend();
    expect(node.problems).toEqual([
      "the Kubernetes Node cannot be followed: connection refused",
      "the Kubernetes Node cannot be written: connection refused",
    ]);
    expect(node.view?.labels).toEqual({ rack: "1" });
    cluster.setDown(undefined);
    expect(await after(1_000)).toBe("False OverlandIsUp");
    expect(node.problems).toEqual([]);
  });
});
