/**
 * Rights that are taken away from agent and controller while they run, and given back; and an API server of another
 * cluster. What was in force stays, what is wrong is said in words, and it is over once its cause is.
 */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { agentView, settled } from "./harness/agent.ts";
import { ApiServer } from "./harness/api-server.ts";
import { must } from "./harness/command.ts";
import { Controllers } from "./harness/controllers.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { service, slice } from "./harness/lab-api-server.ts";
import { end, processesIn, processIn, startAgain, startIn } from "./harness/processes.ts";
import { OVERLAND } from "./harness/program.ts";
import { birdPrefixes } from "./harness/routers.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2erights", { racks: 1, nodes: 1, pods: 0 });
const kube = new Controllers(lab);
const node = () => lab.node("r1n1");

const CONFIGURATION = `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata: {name: default}
spec: {asNumber: 64512, serviceClusterIPs: [{cidr: 10.96.0.0/16}]}
`;

interface Role {
  readonly rules: readonly { readonly resources: readonly string[] }[];
}

/** Without the rules for the resource; gives what gives them back. A watch that is open is judged when it is renewed. */
async function takeAway(program: "agent" | "controller", resource: string): Promise<() => Promise<void>> {
  const whole = JSON.parse(await kube.kubectl("get", "clusterrole", `overland-${program}`, "-o", "json")) as Role;
  const rules = whole.rules.map((rule) => {
    return { ...rule, resources: rule.resources.filter((one) => one !== resource) };
  });
  await kube.server.put({ ...whole, rules: rules.filter(({ resources }) => resources.length > 0) });
  await kube.server.resetConnections();
  return () => kube.server.put(whole);
}

const announced = async (prefix: string) => (await birdPrefixes(lab.router("tor1"))).includes(prefix);
const problems = async () => (await agentView(node())).problems.join("\n");
const controllerLog = () => [0, 1].map((i) => readFileSync(`${lab.plan.log}/controller-${i}.log`, "utf8")).join("");

async function restartAgent(kubeconfig: string): Promise<void> {
  const former = processIn(node().netns, "agent", "--config");
  await end(former, "SIGTERM");
  startAgain(former, `${lab.plan.log}/r1n1-again.log`, "--kubeconfig", kubeconfig);
}

const shop = (name: string, address: string) => [
  service(name, { clusterIPs: [address], local: true }),
  slice(`${name}-4`, name, ["r1n1"]),
];

let failure: unknown;
beforeAll(async () => {
  try {
    await kube.start();
    await kube.server.put({ apiVersion: "v1", kind: "Node", metadata: { name: "r1n1" } });
    await restartAgent(await kube.accountOf("agent"));
    await settled(node(), 60);
  } catch (error) {
    failure = error;
  }
}, 120_000);
afterAll(() => kube.stop().catch(() => undefined), 30_000);

describe("a right that is taken away", () => {
  lab.proof(
    "from the agent is named, what it announced stays, and what changed meanwhile comes when it is given back",
    async () => {
      if (failure !== undefined) throw failure;
      await lab.apply(CONFIGURATION);
      await kube.server.put(...shop("web", "10.96.0.7"));
      await eventually("the service is announced", 20, () => announced("10.96.0.7/32"));
      expect(await problems()).toBe("");
      const giveBack = await takeAway("agent", "services");
      await eventually("the agent says which right", 30, async () => {
        expect(await problems()).toMatch(
          /services: cannot (list|watch) services: not allowed; .*resources: \["services"\], verbs: \["(list|watch)"\]/,
        );
        return true;
      });
      await kube.server.put(...shop("late", "10.96.0.8"));
      await always("nothing is withdrawn", 2, () => announced("10.96.0.7/32"));
      expect(await announced("10.96.0.8/32")).toBe(false);
      await giveBack();
      await eventually("the late one is announced", 60, () => announced("10.96.0.8/32"));
      await eventually("nothing is wrong", 20, async () => (await problems()) === "");
    },
    150,
  );

  lab.proof(
    "from the controller is named, what it wrote stays, and what was applied meanwhile is in force when it is given back",
    async () => {
      const inEtcd = async (name: string) => (await lab.overland(["get", "bgpfilter", name])).code === 0;
      await kube.apply("BGPFilter", "early", {});
      await eventually("it is in etcd", 20, () => inEtcd("early"));
      const giveBack = await takeAway("controller", "bgpfilters");
      await eventually("the controller says which right", 30, () =>
        /cannot (list|watch) bgpfilters.*resources: \[\\?"bgpfilters\\?"\], verbs: /.test(controllerLog()),
      );
      await kube.apply("BGPFilter", "late", {});
      await always("nothing is taken for deleted", 2, () => inEtcd("early"));
      await giveBack();
      await eventually("the late one is in etcd", 60, () => inEtcd("late"));
      expect(await inEtcd("early")).toBe(true);
    },
    150,
  );
});

describe("an API server of another cluster", () => {
  lab.proof(
    "is refused by agent and controller, who say whose etcd it is and touch nothing, until they have the right one",
    async () => {
      const { netns, endpoints } = lab.plan.etcd;
      const address = new URL(endpoints[0] ?? "").hostname;
      const other = await ApiServer.start({ netns, addresses: [address] });
      const before = (await lab.overland(["get", "node", "r1n1", "-o", "json"])).stdout;
      try {
        expect((await lab.overland(["cluster"])).stdout).toMatch(/^uid of kube-system [0-9a-f-]+, recorded by the /);
        await restartAgent(other.kubeconfig);
        await eventually("the agent says so", 30, async () =>
          /etcd belongs to another Kubernetes/.test(await problems()),
        );
        expect((await agentView(node())).ready).toBe(false);
        const own = ["controller", "--etcd-endpoints", endpoints.join(","), "--http", "127.0.0.1:9190"];
        startIn(netns, [...OVERLAND, ...own, "--kubeconfig", other.kubeconfig], `${lab.plan.log}/other.log`);
        const ready = ["curl", "-sS", "--noproxy", "*", "--max-time", "3", "http://127.0.0.1:9190/readyz"];
        await eventually("the controller as well", 30, async () => {
          expect(await must(ready, { netns })).toMatch(/^etcd belongs to another .* overland cluster --forget$/m);
          return true;
        });
        expect((await lab.overland(["get", "node", "r1n1", "-o", "json"])).stdout).toBe(before);
        await restartAgent(await kube.accountOf("agent"));
        await settled(node(), 60);
        await eventually("it announces again", 20, () => announced("10.96.0.7/32"));
      } finally {
        for (const one of processesIn(netns, "controller", "127.0.0.1:9190")) await end(one);
        await other.remove();
      }
    },
    120,
  );
});
