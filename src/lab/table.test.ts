import { describe, expect, it } from "@jest/globals";
import { agentConfig } from "./agents.ts";
import { createProgress } from "./progress.ts";
import { resourceDocuments } from "./resources.ts";
import type { LabStatus } from "./status.ts";
import { podRoutes, podTable, statusTable } from "./table.ts";
import { planLab } from "./topology.ts";

const plan = planLab({ name: "lab", racks: 2, nodesPerRack: 1, podsPerNode: 1 });

const router = {
  name: "tor1",
  netns: "ovl-lab-tor1",
  daemon: "bird",
  asNumber: 65001,
  addresses: ["10.10.1.1"],
  control: "/run/x",
  running: true,
  sessions: [{ peer: "r1n1", state: "Established", established: true }],
  routes: ["10.10.1.0/24", "10.244.0.0/26", "fd00:244::/122", "fd00:244:0:1::/122", "fd00:20:1::/64"].map((prefix) => ({
    prefix,
    nextHops: [],
  })),
};

const status: LabStatus = {
  name: "lab",
  complete: true,
  startedAt: "",
  directory: "/run/overland-lab/lab",
  log: "/run/overland-lab/lab/log",
  etcd: { netns: "ovl-lab-etcd", endpoints: ["http://192.168.250.1:2379"], running: true },
  routers: [router],
  nodes: [
    {
      name: "r1n1",
      rack: 1,
      netns: "ovl-lab-r1n1",
      asNumber: 64512,
      addresses: ["10.10.1.11"],
      socket: "s",
      stateDir: "d",
      agentConfig: "a",
      cniConfig: "c",
      router: "tor1",
      cable: "n1",
      agent: { pid: 1, running: false },
    },
  ],
  vms: [{ name: "vm1", netns: "ovl-lab-vm1", addresses: ["10.20.1.10"] }],
  pods: [{ name: "p1", node: "r1n1", netns: "n", addresses: ["10.244.0.1"], hostInterface: "ovl1", containerID: "c" }],
};

describe("what people see", () => {
  it("tells pod routes from the fabric's own, in both families", () => {
    expect(podRoutes(router)).toEqual(["10.244.0.0/26", "fd00:244:0:1::/122", "fd00:244::/122"]);
  });

  it("shows an agent that is down, and counts", () => {
    const text = statusTable(status).join("\n");
    expect(text).toMatch(/r1n1 +10\.10\.1\.11 +DOWN +- +- +1 +-/);
    expect(text).toMatch(/tor1 +bird +65001 +1\/1/);
    expect(podTable(status)[1]).toMatch(/p1 +r1n1 +10\.244\.0\.1 +ovl1/);
  });

  it("writes one line per event with its time, without colour when nobody looks", () => {
    const written: string[] = [];
    let now = 0;
    const progress = createProgress({
      write: (text) => written.push(text),
      colour: false,
      verbose: false,
      now: () => now,
    });
    now = 1234;
    progress.say("etcd", "serves");
    progress.detail("x", "only with -v");
    progress.proof(false, "ping", "2 of 3");
    expect(written).toEqual(["   1.2 s  etcd      serves\n", "   1.2 s  NOT SO    ping  (2 of 3)\n"]);
  });
});

describe("what the lab writes for the cluster", () => {
  it("has both pools, the mesh and a peer per rack", () => {
    const text = resourceDocuments(plan);
    expect(text.match(/^kind: .*/gm)).toEqual([
      "kind: IPPool",
      "kind: IPPool",
      "kind: BGPConfiguration",
      "kind: BGPPeer",
      "kind: BGPPeer",
    ]);
    expect(text).toContain("nodeSelector: rack == 'rack-2'\n  peerIP: 10.10.2.1\n  asNumber: 65002");
  });

  it("gives an agent its own socket, addresses and rack", () => {
    const [node] = plan.nodes;
    const text = node === undefined ? "" : agentConfig(plan, node);
    expect(text).toContain("socket: /run/overland-lab/lab/r1n1/agent.sock");
    expect(text).toContain("ipv4Address: 10.10.1.11/24");
    expect(text).toContain("ipv6Address: fd00:10:1::11/64");
    expect(text).toContain("rack: rack-1");
  });
});
