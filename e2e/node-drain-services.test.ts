/**
 * A service that two nodes of a rack announce side by side, under a BIRD and under an FRR: one of the two is drained
 * and comes back under continuous traffic, and not a packet is lost.
 */
import { describe, expect } from "@jest/globals";
import { settled } from "./harness/agent.ts";
import { must } from "./harness/command.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { LabApiServer, service, slice } from "./harness/lab-api-server.ts";
import { reaches, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2edrainsvc", { racks: 2, nodes: 2, pods: 0 });
const api = new LabApiServer(() => lab.plan);

/** Many, so that flows go by both nodes: a router chooses by both ends' addresses. */
const ADDRESSES = [
  ...Array.from({ length: 6 }, (_, i) => `198.18.0.${i + 1}`),
  ...Array.from({ length: 4 }, (_, i) => `fd00:98::${i + 1}`),
];
const host = (address: string) => `${address}/${address.includes(":") ? 128 : 32}`;

const configuration = `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata: {name: default}
spec:
  asNumber: 64512
  nodeToNodeMeshEnabled: true
  holdTime: 9s
  serviceLoadBalancerIPs: [{cidr: 198.18.0.0/24}, {cidr: "fd00:98::/112"}]
`;

interface KernelRoute {
  readonly gateway?: string;
  readonly nexthops?: readonly { readonly gateway?: string }[];
}

/** Nodes to which a ToR's kernel sends packets for the address. */
async function ways(tor: string, address: string): Promise<string[]> {
  const family = address.includes(":") ? "-6" : "-4";
  const text = await must(["ip", "-n", lab.router(tor).netns, "-j", family, "route", "show", "exact", host(address)]);
  const routes = JSON.parse(text || "[]") as KernelRoute[];
  const gateways = routes.flatMap(({ gateway, nexthops = [] }) => [gateway, ...nexthops.map((hop) => hop.gateway)]);
  return lab.plan.nodes
    .filter(({ addresses }) => addresses.some((one) => gateways.includes(one)))
    .map(({ name }) => name);
}

const goes = (tor: string, ...nodes: readonly string[]) =>
  eventually(`${tor} sends to ${nodes.join(" and ")}`, 20, async () => {
    for (const address of ADDRESSES) expect(await ways(tor, address)).toEqual(nodes);
    return true;
  });

describe("a service on two nodes", () => {
  lab.proof(
    "is announced by both",
    async () => {
      await api.start();
      const node = ({ name }: { name: string }) => ({ apiVersion: "v1", kind: "Node", metadata: { name } });
      await api.put(...lab.plan.nodes.map(node));
      await api.tellAgents();
      await lab.apply(configuration);
      const nodes = lab.plan.nodes.map(({ name }) => name);
      const ipv4 = ADDRESSES.filter((address) => !address.includes(":"));
      const ipv6 = ADDRESSES.filter((address) => address.includes(":"));
      const shop = service("shop", { clusterIPs: ["10.96.0.7"], loadBalancer: [...ipv4, ...ipv6], local: true });
      await api.put(shop, slice("shop-4", "shop", nodes), slice("shop-6", "shop", nodes, "IPv6"));
      // As kube-proxy in IPVS mode has it: each node takes the packets itself.
      for (const { netns } of lab.plan.nodes) {
        for (const address of ADDRESSES) await ip(netns, "address", "add", host(address), "dev", "lo");
      }
      for (const each of lab.plan.nodes) await settled(each, 60);
      await goes("tor1", "r1n1", "r1n2");
      await goes("tor2", "r2n1", "r2n2");
    },
    150,
  );

  for (const [rack, name, other, daemon] of [
    ["1", "r1n1", "r1n2", "BIRD"],
    ["2", "r2n1", "r2n2", "FRR"],
  ] as const) {
    lab.proof(
      `loses nothing when one of them is drained by kubectl and comes back, under ${daemon}`,
      async () => {
        expect(lab.router(`tor${rack}`).daemon).toBe(daemon.toLowerCase());
        const vm = lab.netns(`vm${rack}`);
        await reaches(vm, ADDRESSES, 10);
        const traffic = await stream(vm, ADDRESSES);
        await api.kubectl("annotate", "node", name, "overland.dev/drain=disk is changed");
        await goes(`tor${rack}`, other);
        await eventually("its sessions are down", 30, async () => /"phase":"down"/.test(await status(name)));
        await always("only the other", 2, async () => (await ways(`tor${rack}`, "198.18.0.1")).join() === other);
        await api.kubectl("annotate", "node", name, "overland.dev/drain-");
        await goes(`tor${rack}`, name, other);
        await traffic.lostNothing();
      },
      120,
    );
  }

  lab.proof(
    "leaves a node that is cordoned, where its Node asks for that, and nothing else does",
    async () => {
      await api.kubectl("annotate", "node", "r1n2", "overland.dev/withdraw-on-cordon=services");
      await api.kubectl("cordon", "r1n2");
      await goes("tor1", "r1n1");
      await always("no further", 8, async () => /"phase":"waiting"/.test(await status("r1n2")));
      await settled(lab.node("r1n2"));
      expect(await metrics("r1n2")).toMatch(/^overland_drain_phase\{phase="waiting"\} 1$/m);
      expect(await metrics("r1n2")).toMatch(/^overland_service_routes\{family="ipv4-unicast"\} 0$/m);
      await api.kubectl("uncordon", "r1n2");
      await goes("tor1", "r1n1", "r1n2");
      expect(await metrics("r1n2")).toMatch(/^overland_drain_phase\{phase="serving"\} 1$/m);
      expect(await metrics("r1n2")).toMatch(/^overland_service_routes\{family="ipv4-unicast"\} [1-9]\d*$/m);
      expect(await metrics("r1n2")).toMatch(/^overland_services_followed 1$/m);
    },
    90,
  );
});

const metrics = (name: string) =>
  must(["curl", "-sSf", "--unix-socket", lab.node(name).socket, "http://overland/metrics"]);

async function status(name: string): Promise<string> {
  const { stdout } = await lab.overland(["node", "status", "--socket", lab.node(name).socket, "-o", "json"]);
  return JSON.stringify(JSON.parse(stdout));
}
