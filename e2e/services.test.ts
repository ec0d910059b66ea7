/**
 * Services of a cluster, seen by the routers: two racks of two nodes under BIRD and FRR, and an API server that the
 * agents follow. What a router forwards by is what counts: its kernel's routes.
 */
import { describe, expect } from "@jest/globals";
import { agentView, settled } from "./harness/agent.ts";
import { must, run } from "./harness/command.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { LabApiServer, service, slice } from "./harness/lab-api-server.ts";
import { end, processIn, startAgain, startIn } from "./harness/processes.ts";
import { OVERLAND } from "./harness/program.ts";
import { birdc } from "./harness/routers.ts";
import { reaches, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2esvc", { racks: 2, nodes: 2, pods: 0 });
const api = new LabApiServer(() => lab.plan);

const CLUSTER = { 4: "10.96.0.0/16", 6: "fd00:96::/112" } as const;
const OUTSIDE = { 4: "198.18.0.0/16", 6: "fd00:98::/112" } as const;
const WEB = ["10.96.0.101", "fd00:96::101"] as const;
const web = (annotations: Record<string, string> = {}) =>
  service("web", { clusterIPs: WEB, loadBalancer: ["198.18.0.9"], local: true, annotations });

const configuration = (...more: readonly string[]) => `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata: {name: default}
spec:
  asNumber: 64512
  nodeToNodeMeshEnabled: true
  holdTime: 9s
  serviceClusterIPs: [{cidr: ${CLUSTER[4]}}, {cidr: "${CLUSTER[6]}"}]
  serviceExternalIPs: [{cidr: 198.18.255.0/24}]
  serviceLoadBalancerIPs: [{cidr: 198.18.0.0/24}, {cidr: "${OUTSIDE[6]}"}]
  communities: [{name: gold, value: "65000:1"}]
${more.map((line) => `  ${line}\n`).join("")}`;

interface KernelRoute {
  readonly gateway?: string;
  readonly nexthops?: readonly { readonly gateway?: string }[];
}

/** By which nodes of its rack, or other routers, a ToR's kernel forwards to exactly this prefix: in order. */
async function ways(tor: string, prefix: string): Promise<string[]> {
  const family = prefix.includes(":") ? "-6" : "-4";
  const text = await must(["ip", "-n", lab.router(tor).netns, "-j", family, "route", "show", "exact", prefix]);
  const routes = JSON.parse(text || "[]") as KernelRoute[];
  const gateways = routes.flatMap(({ gateway, nexthops = [] }) => [gateway, ...nexthops.map((hop) => hop.gateway)]);
  return gateways
    .filter((gateway) => gateway !== undefined)
    .map((gateway) => lab.plan.nodes.find((node) => node.addresses.includes(gateway))?.name ?? "elsewhere")
    .sort();
}

const goes = (prefix: string, ...nodes: readonly string[]) =>
  eventually(`tor1 sends ${prefix} to ${nodes.join(" and ") || "nobody"}`, 15, async () => {
    expect(await ways("tor1", prefix)).toEqual(nodes);
    return true;
  });

/** What the nodes of rack 1 counted of packets to services that do not exist. */
async function droppedInRack1(protocol: "ip" | "ip6"): Promise<number> {
  const counts = ["r1n1", "r1n2"].map(async (name) => {
    const rules = await must(["nft", "list", "ruleset"], { netns: lab.node(name).netns });
    return Number(new RegExp(`${protocol} daddr @service-ranges.* packets (\\d+) `).exec(rules)?.[1]);
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

const host = (address: string) => `${address}/${address.includes(":") ? 128 : 32}`;

describe("services", () => {
  lab.proof(
    "are announced in ranges by every node, which the ToRs use side by side, and no node's kernel gets them",
    async () => {
      await api.start("--service-cidr", `${CLUSTER[4]},${CLUSTER[6]}`);
      await api.tellAgents();
      await lab.apply(configuration());
      for (const node of lab.plan.nodes) await settled(node, 60);
      for (const prefix of [CLUSTER[4], CLUSTER[6], "198.18.0.0/24", OUTSIDE[6]]) await goes(prefix, "r1n1", "r1n2");
      await eventually("FRR as well", 15, async () => {
        expect(await ways("tor2", CLUSTER[4])).toEqual(["r2n1", "r2n2"]);
        expect(await ways("tor2", CLUSTER[6])).toEqual(["r2n1", "r2n2"]);
        return true;
      });
      for (const { netns } of lab.plan.nodes) {
        expect(await ip(netns, "route", "show", "proto", "201")).not.toMatch(/10\.96\.|198\.18\./);
        expect(await ip(netns, "-6", "route", "show", "proto", "201")).not.toMatch(/fd00:9[68]:/);
      }
    },
    120,
  );

  lab.proof("that do not exist end a packet to their range at the first node, and it does not loop", async () => {
    const vm = lab.netns("vm1");
    for (const [address, protocol] of [
      ["10.96.0.200", "ip"],
      ["fd00:96::200", "ip6"],
    ] as const) {
      const { stdout } = await run(["ping", "-n", "-c", "3", "-i", "0.2", "-W", "1", address], { netns: vm });
      expect(stdout).toContain(" 0 received");
      expect(stdout).not.toMatch(/Time to live exceeded|Time exceeded/);
      expect(await droppedInRack1(protocol)).toBe(3);
    }
    const { netns } = lab.node("r1n1");
    await must(["nft", "add table ip proxy; add chain ip proxy out { type nat hook output priority -100 ; }"], {
      netns,
    });
    await must(["nft", `add rule ip proxy out ip daddr 10.96.0.201 dnat to ${lab.node("r1n2").addresses[0]}`], {
      netns,
    });
    await reaches(netns, ["10.96.0.201"]);
    await must(["nft", "delete table ip proxy"], { netns });
  });

  lab.proof(
    "of externalTrafficPolicy Local are announced alone where they have endpoints, each family its own",
    async () => {
      await api.put(web(), slice("web-4", "web", ["r1n1", "r2n2"]));
      await goes("10.96.0.101/32", "r1n1");
      await goes("198.18.0.9/32", "r1n1");
      await eventually(
        "tor2 has its own node",
        15,
        async () => (await ways("tor2", "10.96.0.101/32")).join() === "r2n2",
      );
      expect(await ways("tor1", host(WEB[1]))).toEqual([]);
      await api.put(slice("web-6", "web", ["r1n2"], "IPv6"), slice("web-4", "web", ["r1n1", "r1n2"]));
      await goes("10.96.0.101/32", "r1n1", "r1n2");
      await goes(host(WEB[1]), "r1n2");
      const node = lab.node("r1n1");
      expect(await ip(node.netns, "route", "show", "proto", "201")).not.toContain("10.96.");
    },
  );

  lab.proof("stay while their last endpoints terminate and serve, and go with them", async () => {
    await api.put(slice("web-4", "web", ["!r1n1", "r1n2"]));
    await always("both nodes", 2, async () => (await ways("tor1", "10.96.0.101/32")).join() === "r1n1,r1n2");
    await api.put(slice("web-4", "web", ["r1n2"]));
    await goes("10.96.0.101/32", "r1n2");
    await api.kubectl("delete", "endpointslice", "-n", "shop", "web-4");
    await eventually("nobody in rack 1", 15, async () => {
      expect((await ways("tor1", "10.96.0.101/32")).filter((name) => name !== "elsewhere")).toEqual([]);
      return true;
    });
    await api.put(slice("web-4", "web", ["r1n1", "r1n2"]));
    await goes("10.96.0.101/32", "r1n1", "r1n2");
  });

  lab.proof("have communities of their own, opt out, and leave as they were what cannot be read", async () => {
    const communities = async () =>
      /BGP\.community: (.*)/.exec(await birdc(lab.router("tor1"), "show route 10.96.0.101/32 all"))?.[1];
    const has = (words: string) =>
      eventually(`BIRD sees ${words}`, 15, async () => {
        expect(await communities()).toBe(words);
        return true;
      });
    await api.put(web({ "overland.dev/communities": "gold 65000:7" }));
    await has("(65000,1) (65000,7)");
    await api.put(web({ "overland.dev/communities": "golden" }));
    await eventually("a problem says so", 15, async () => {
      const { problems } = await agentView(lab.node("r1n1"));
      return problems.some((text) => /service shop\/web: overland.dev\/communities: "golden" is not a/.test(text));
    });
    expect(await communities()).toBe("(65000,1) (65000,7)");
    await api.put(web({ "overland.dev/advertise": "false" }));
    await eventually("no route of its own", 15, async () => (await ways("tor1", "10.96.0.101/32")).length === 0);
    await api.put(web());
    await goes("10.96.0.101/32", "r1n1", "r1n2");
  });

  lab.proof("are explained: which, and why", async () => {
    const { socket } = lab.node("r2n1");
    const shown = await lab.overland(["services", "web", "--socket", socket]);
    expect(shown.stdout).toMatch(/shop\/web +10\.96\.0\.101 +as 10\.96\.0\.0\/16 .*no IPv4 endpoint on this node/);
    const explained = await lab.overland(["bgp", "explain", "10.96.0.101", "--socket", lab.node("r1n1").socket]);
    expect(explained.stdout).toContain(
      "service shop/web: announced: externalTrafficPolicy is Local and it has a ready",
    );
    expect((await lab.overland(["services", "nobody", "--socket", socket])).code).toBe(1);
  });

  lab.proof(
    "lose no packet while an agent is killed and comes back, the API server there or not",
    async () => {
      const node = lab.node("r1n1");
      // As kube-proxy in IPVS mode has it: the node itself takes packets to the service.
      await api.put(slice("web-4", "web", ["r1n1"]), slice("web-6", "web", ["r1n1"], "IPv6"));
      for (const address of WEB) {
        await ip(node.netns, "address", "add", host(address), "dev", "lo");
        await goes(host(address), "r1n1");
      }
      const vm = lab.netns("vm1");
      await reaches(vm, WEB, 10);
      const traffic = await stream(vm, WEB);
      const restart = async () => {
        const former = processIn(node.netns, "agent", "--config");
        await end(former, "SIGKILL");
        startAgain(former, `${lab.plan.log}/r1n1-again.log`);
        await settled(node, 60);
        for (const address of WEB) expect(await ways("tor1", host(address))).toEqual(["r1n1"]);
      };
      await restart();
      await api.stop();
      await restart();
      expect((await agentView(node)).problems.join()).toMatch(/services: .*going on with what is known/);
      await traffic.lostNothing();
      await api.start("--service-cidr", `${CLUSTER[4]},${CLUSTER[6]}`);
      await api.put(slice("web-4", "web", ["r1n2"]));
      await goes("10.96.0.101/32", "r1n2");
    },
    150,
  );

  lab.proof("are announced by no node that is excluded from load balancers", async () => {
    const label = async (name: string, value: string | undefined) => {
      const { stdout } = await lab.overland(["get", "node", name, "-o", "json"]);
      const node = JSON.parse(stdout) as { metadata: { labels?: Record<string, string> } };
      const key = "node.kubernetes.io/exclude-from-external-load-balancers";
      const { [key]: _former, ...labels } = node.metadata.labels ?? {};
      const changed = {
        ...node,
        metadata: { ...node.metadata, labels: value === undefined ? labels : { ...labels, [key]: value } },
      };
      await lab.apply(JSON.stringify(changed));
    };
    await label("r1n2", "");
    await goes(CLUSTER[4], "r1n1");
    await eventually(
      "nor its own endpoint's",
      15,
      async () => !(await ways("tor1", "10.96.0.101/32")).includes("r1n2"),
    );
    await label("r1n2", undefined);
    await goes(CLUSTER[4], "r1n1", "r1n2");
  });

  lab.proof(
    "of type LoadBalancer get addresses from the controller, which the ToR sends to nodes with endpoints",
    async () => {
      await lab.apply(`apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: outside}
spec: {cidr: 198.18.0.64/26, blockSize: 28, allowedUses: [LoadBalancer]}
`);
      const { netns, endpoints } = lab.plan.etcd;
      const environment = { ...process.env, ETCD_ENDPOINTS: endpoints.join(",") };
      const command = [...OVERLAND, "controller", "--kubeconfig", api.kubeconfig];
      startIn(netns, command, `${lab.plan.log}/controller.log`, environment);
      const spec = { type: "LoadBalancer", loadBalancerClass: "overland.dev/bgp", externalTrafficPolicy: "Local" };
      const metadata = { namespace: "shop", name: "shown" };
      const written = { apiVersion: "v1", kind: "Service", metadata, spec: { ...spec, ports: [{ port: 80 }] } };
      const own = { apiVersion: "v1", kind: "Namespace", metadata: { name: "overland-system" } };
      await api.put(own, slice("shown-4", "shown", ["r1n2"]));
      await api.apply(written);
      const shown = (name = "shown") => {
        const path = "jsonpath={.status.loadBalancer.ingress[*].ip}";
        return api.kubectl("get", "service", "-n", "shop", name, "-o", path);
      };
      const address = await eventually("it has one of the pool", 30, async () => {
        expect(await shown()).toMatch(/^198\.18\.0\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])$/);
        return await shown();
      });
      await goes(`${address}/32`, "r1n2");
      await api.apply({
        ...written,
        metadata: { ...metadata, name: "greedy" },
        spec: { ...written.spec, loadBalancerIP: address },
      });
      await eventually("nobody else gets it, and an event says why", 30, async () =>
        /greedy.*address .* is used by/.test(await api.kubectl("get", "events", "-n", "shop")),
      );
      const six = { ...written.spec, ipFamilies: ["IPv6"] };
      await api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
      await api.apply({ ...written, metadata: { ...metadata, name: "six" }, spec: six });
      await lab.apply(`apiVersion: overland.dev/v1
kind: IPPool
metadata: {name: blue}
spec: {cidr: "fd00:98::40/122", allowedUses: [LoadBalancer], namespaceSelector: team == 'blue'}
`);
      await eventually("another namespace's pool is not for it", 30, async () =>
        /six.*namespaceSelector team == 'blue'.*does not match/.test(await api.kubectl("get", "events", "-n", "shop")),
      );
      expect(await shown("six")).toBe("");
      await api.kubectl("label", "namespace", "shop", "team=blue");
      await eventually("with the label it is", 30, async () => /^fd00:98::[4-7]/.test(await shown("six")));
      await api.kubectl("delete", "service", "-n", "shop", "shown");
      await goes(`${address}/32`);
      const check = await lab.overland(["ipam", "check"]);
      expect({ code: check.code, stdout: check.stdout }).toMatchObject({ code: 0 });
      await end(processIn(netns, "controller", "--kubeconfig"), "SIGTERM");
    },
    120,
  );

  lab.proof("leave with their ranges", async () => {
    await lab.apply(
      configuration()
        .replace(/ {2}service.*\n/g, "")
        .replace(/ {2}communities.*\n/, ""),
    );
    await goes(CLUSTER[4]);
    await goes("10.96.0.101/32");
    expect(await must(["nft", "list", "tables"], { netns: lab.node("r1n1").netns })).toBe("");
    await api.stop();
  });
});
