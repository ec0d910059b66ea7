import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type LabSize, planLab, podNameFault, podNamespace, sizeFault } from "./topology.ts";
import { allNamespaces, cableLines, namespaceWork } from "./wiring.ts";

const size = (racks: number, nodesPerRack: number, podsPerNode = 2): LabSize => ({
  name: "lab",
  racks,
  nodesPerRack,
  podsPerNode,
});

describe("the lab's plan", () => {
  it("names and numbers the usual lab", () => {
    const plan = planLab(size(2, 2));
    expect(plan.routers.map(({ name, netns, daemon, asNumber }) => [name, netns, daemon, asNumber])).toEqual([
      ["tor1", "ovl-lab-tor1", "bird", 65001],
      ["tor2", "ovl-lab-tor2", "frr", 65002],
    ]);
    expect(
      plan.nodes.map(({ name, address, router, cable }) => [name, address.ipv4, address.ipv6, router, cable]),
    ).toEqual([
      ["r1n1", "10.10.1.11", "fd00:10:1::11", "tor1", "n1"],
      ["r1n2", "10.10.1.12", "fd00:10:1::12", "tor1", "n2"],
      ["r2n1", "10.10.2.11", "fd00:10:2::11", "tor2", "n1"],
      ["r2n2", "10.10.2.12", "fd00:10:2::12", "tor2", "n2"],
    ]);
    expect(plan.vms.map((vm) => [vm.name, vm.address.ipv4, vm.gateway.ipv6])).toEqual([
      ["vm1", "10.20.1.10", "fd00:20:1::1"],
      ["vm2", "10.20.2.10", "fd00:20:2::1"],
    ]);
    expect(plan.etcd).toMatchObject({ netns: "ovl-lab-etcd", endpoint: "http://192.168.250.1:2379" });
  });

  it.each([
    [1, []],
    [2, ["tor1-tor2"]],
    [3, ["tor1-tor2", "tor2-tor3", "tor3-tor1"]],
    [4, ["tor1-tor2", "tor2-tor3", "tor3-tor4", "tor4-tor1"]],
  ])("joins %d ToRs", (racks, links) => {
    expect(planLab(size(racks, 1)).links.map((link) => `${link.from}-${link.to}`)).toEqual(links);
  });

  it("gives both ends of a ToR link the same idea of it", () => {
    const plan = planLab(size(4, 1));
    for (const router of plan.routers) {
      for (const port of router.fabric) {
        const peer = plan.routers.find((one) => one.name === port.peer.name);
        const back = peer?.fabric.find((one) => one.peer.name === router.name);
        expect(back?.address).toEqual(port.peer.address);
        expect(back?.peer.address).toEqual(port.address);
        expect(peer?.asNumber).toBe(port.peer.asNumber);
      }
    }
  });

  it("repeats no address, no namespace and no interface, and keeps names within the kernel's 15 characters", () => {
    const sizes = fc.record({ racks: fc.integer({ min: 1, max: 9 }), nodes: fc.integer({ min: 1, max: 20 }) });
    fc.assert(
      fc.property(sizes, ({ racks, nodes }) => {
        const plan = planLab(size(racks, nodes));
        const own = [
          plan.etcd.address,
          ...plan.nodes.flatMap((node) => [node.address, node.management]),
          ...plan.vms.map((vm) => vm.address),
          ...plan.routers.flatMap((one) => [one.rackAddress, one.vmAddress, ...one.fabric.map((port) => port.address)]),
        ].flatMap((dual) => [dual.ipv4, dual.ipv6]);
        expect(new Set(own).size).toBe(own.length);
        expect(new Set(allNamespaces(plan)).size).toBe(allNamespaces(plan).length);
        const ends = cableLines(plan).flatMap((line) =>
          [...line.matchAll(/(\S+) netns (\S+)/g)].map(([, port, ns]) => `${ns}/${port}`),
        );
        expect(new Set(ends).size).toBe(ends.length);
        for (const end of ends) expect(end.split("/")[1]?.length).toBeLessThanOrEqual(15);
      }),
      { numRuns: 30 },
    );
  });

  it("creates every cable with both ends inside namespaces of the lab", () => {
    for (const line of cableLines(planLab(size(3, 2)))) {
      expect(line).toMatch(/^link add \S+ netns ovl-lab-\S+ type veth peer name \S+ netns ovl-lab-\S+$/);
    }
  });

  it("puts a rack's nodes on a bridge, so that the router's interface stays up when one cable is cut", () => {
    const tor = namespaceWork(planLab(size(2, 2))).find((work) => work.netns === "ovl-lab-tor1");
    expect(tor?.lines).toContain("link set n1 master rack");
    expect(tor?.lines).toContain("address add 10.10.1.1/24 dev rack");
    expect(tor?.forwarding).toBe(true);
  });
});

describe("sizes", () => {
  it.each([
    [size(0, 2), "--racks 0"],
    [size(10, 2), "--racks 10"],
    [size(2, 21), "--nodes 21"],
    [size(2, 2, 51), "--pods 51"],
    [size(2, 2, Number.NaN), "--pods NaN"],
    [size(1.5, 2), "--racks 1.5"],
    [{ ...size(2, 2), name: "a-b" }, '--name "a-b"'],
    [{ ...size(2, 2), name: "" }, '--name ""'],
    [{ ...size(2, 2), name: "../x" }, '--name "../x"'],
  ])("refuses %j", (wrong, word) => {
    expect(sizeFault(wrong)).toContain(word);
  });

  it("accepts the limits", () => {
    expect(sizeFault(size(1, 1, 0))).toBeUndefined();
    expect(sizeFault(size(9, 20, 50))).toBeUndefined();
  });

  it("knows a pod's name", () => {
    expect(podNamespace("lab", "web")).toBe("ovl-lab-p-web");
    expect(podNameFault("r1n1-pod1")).toBeUndefined();
    for (const wrong of ["", "-a", "a-", "A", "a/b", "a".repeat(41)]) expect(podNameFault(wrong)).toContain("pod name");
  });
});
