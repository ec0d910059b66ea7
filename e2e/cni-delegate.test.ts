/** The reference main plugins of Debian with their addresses from `overland-ipam`. */
import { describe, expect } from "@jest/globals";
import { Chain } from "./harness/chain.ts";
import { addressesOf, type CniResult, newSandbox, removeSandbox, type Sandbox } from "./harness/cni.ts";
import { type Footprint, footprint } from "./harness/footprint.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { reaches } from "./harness/traffic.ts";

const lab = new ScenarioLab("e2edeleg", { racks: 1, nodes: 1, pods: 0 });
const node = () => lab.node("r1n1");
const now = (): Promise<Footprint> => footprint(lab.plan, node());

const pool = (name: string, cidr: string, blockSize: number, more: string): string => `---
apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: ${name}}
spec: {cidr: "${cidr}", blockSize: ${blockSize}, assignmentMode: Manual${more}}
`;

type Kind = "bridge" | "macvlan" | "ptp";

function chain(kind: Kind): Chain {
  const { socket, stateDir } = node();
  const families = { type: "overland-ipam", assign_ipv4: true, assign_ipv6: true };
  const segment = {
    ...{ ...families, ipv4_pools: ["segment4"], ipv6_pools: ["segment6"] },
    ...{ subnets: ["10.60.0.0/24", "fd00:60::/64"], gateways: ["10.60.0.1", "fd00:60::1"] },
  };
  // The pods' own pool, and a gateway beside it that no pod can get; ptp routes the whole subnet through the gateway.
  const routed = {
    ...families,
    ...{ subnets: ["10.244.0.0/15"], gateways: ["10.245.0.1", "fe80::ecee:eeff:feee:eeee"] },
  };
  const plugins = {
    bridge: { type: "bridge", bridge: "seg0", isGateway: true, ipam: segment },
    macvlan: { type: "macvlan", master: "eth0", mode: "bridge", ipam: segment },
    ptp: { type: "ptp", ipam: routed },
  };
  return new Chain(node(), `by-${kind}`, [{ socket, stateDir, ...plugins[kind] }]);
}

/** Two pods of the kind for the time of the work, which leave nothing. */
async function withTwo(
  kind: Kind,
  work: (pods: readonly [Sandbox, Sandbox], results: readonly [CniResult, CniResult]) => Promise<void>,
): Promise<void> {
  const before = await now();
  const pods = [await newSandbox(lab.name, `${kind}1`), await newSandbox(lab.name, `${kind}2`)] as const;
  const results = [await chain(kind).add(pods[0]), await chain(kind).add(pods[1])] as const;
  expect((await now()).addresses).toHaveLength(before.addresses.length + 2);
  await work(pods, results);
  for (const [i, pod] of pods.entries()) {
    expect(await chain(kind).check(pod, results[i] as CniResult)).toEqual([]);
    for (let times = 0; times < 2; times++) await chain(kind).del(pod, results[i]);
    await removeSandbox(pod);
  }
  expect(await now()).toEqual(before);
}

const eachOther = async ([a, b]: readonly [Sandbox, Sandbox], [first, second]: readonly [CniResult, CniResult]) => {
  await reaches(a.netns, addressesOf(second), 15);
  await reaches(b.netns, addressesOf(first), 15);
};

describe("pods of other main plugins", () => {
  lab.proof("bridge: two pods of a segment reach each other and the node, which is their gateway", async () => {
    await lab.apply(
      pool("segment4", "10.60.0.128/26", 32, ", disableBGPExport: true") +
        pool("segment6", "fd00:60::1:0/112", 128, ", disableBGPExport: true"),
    );
    await withTwo("bridge", async (pods, results) => {
      for (const { ips } of results) {
        expect(ips[0]?.address).toMatch(/^10\.60\.0\.\d+\/24$/);
        expect(ips[1]?.address).toMatch(/^fd00:60::1:[0-9a-f]+\/64$/);
      }
      await eachOther(pods, results);
      for (const { netns } of pods) await reaches(netns, ["10.60.0.1", "fd00:60::1"]);
      await reaches(node().netns, results.flatMap(addressesOf));
    });
  });

  lab.proof("macvlan: two pods of the same segment reach each other through the node's uplink", async () => {
    await withTwo("macvlan", async (pods, results) => {
      await eachOther(pods, results);
    });
  });

  lab.proof(
    "ptp: two pods reach each other, and a machine beyond the router reaches them by their node's block",
    async () => {
      await withTwo("ptp", async (pods, results) => {
        await eachOther(pods, results);
        await reaches(lab.netns("vm1"), results.flatMap(addressesOf), 10);
        for (const { netns } of pods) await reaches(netns, lab.plan.vms[0]?.addresses ?? []);
      });
    },
  );
});
