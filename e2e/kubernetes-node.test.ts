/**
 * Agents on a Kubernetes API server: what the Node and the pods there say reaches peers and pods, what the agent knows
 * reaches the Node, and without the server everything that runs goes on.
 */
import { describe, expect } from "@jest/globals";
import type { NodeStatus } from "../src/lab/status.ts";
import { agentView, settled } from "./harness/agent.ts";
import {
  addressesOf,
  cniEnvironment,
  del,
  networkConfiguration,
  newSandbox,
  plugin,
  readError,
  readResult,
  removeSandbox,
  type Sandbox,
} from "./harness/cni.ts";
import { handles } from "./harness/etcd.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { LabApiServer } from "./harness/lab-api-server.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { birdc } from "./harness/routers.ts";
import { reaches, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2ekubenode", { racks: 1, nodes: 2, pods: 1 });
const one = () => lab.node("r1n1");
const two = () => lab.node("r1n2");
const api = new LabApiServer(() => lab.plan);

/** The part of a Node that is looked at. */
interface KubeNode {
  readonly spec: { readonly taints?: readonly { readonly key: string }[] };
  readonly status: { readonly conditions?: readonly { type: string; status: string; reason: string }[] };
}

type Texts = Readonly<Record<string, string>>;
const kubeNode = async ({ name }: NodeStatus): Promise<KubeNode> =>
  JSON.parse(await api.kubectl("get", "node", name, "-o", "json")) as KubeNode;
const network = async (node: NodeStatus) => {
  const { conditions = [] } = (await kubeNode(node)).status;
  const found = conditions.find(({ type }) => type === "NetworkUnavailable");
  return found === undefined ? "" : `${found.status} ${found.reason}`;
};
const agentOf = (node: NodeStatus) => processIn(node.netns, "agent", "--config");
const startAgent = (former: ReturnType<typeof agentOf>, ...more: readonly string[]) =>
  startAgain(former, `${lab.plan.log}/agent-again.log`, ...more);

/** kubelet says that r1n2 goes down, or that it does not. */
const setShutdown = (isOn: boolean) => {
  const metadata = { name: "r1n2", labels: { "kubernetes.io/hostname": "r1n2" } };
  const ready = { type: "Ready", status: "False", reason: "KubeletNotReady", message: "node is shutting down" };
  return api.put({ apiVersion: "v1", kind: "Node", metadata, status: { conditions: isOn ? [ready] : [] } });
};

let uids = 0;
const pods = new Map<string, string>();

/** A pod on the node, as the scheduler and the API server have it. */
async function pod(node: NodeStatus, name: string, annotations: Texts = {}): Promise<void> {
  const uid = `0000000${++uids % 10}-1111-2222-3333-444444444444`;
  pods.set(name, uid);
  const metadata = { name, namespace: "default", uid, annotations };
  const containers = [{ name: "main", image: "none" }];
  await api.put({ apiVersion: "v1", kind: "Pod", metadata, spec: { nodeName: node.name, containers } });
}

/** What kubelet's runtime asks for it. */
function ask(command: string, node: NodeStatus, sandbox: Sandbox) {
  const names = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${sandbox.pod};K8S_POD_UID=${pods.get(sandbox.pod) ?? ""}`;
  const environment = cniEnvironment(command, sandbox, { CNI_ARGS: `IgnoreUnknown=1;${names}` });
  return plugin(node, environment, networkConfiguration(node));
}

describe("with an API server", () => {
  lab.proof(
    "the Node is told that its network can be used, and loses the taint that waited for it, no other",
    async () => {
      await Promise.all(lab.plan.nodes.map((node) => settled(node)));
      await api.start();
      for (const node of lab.plan.nodes) {
        const taints = ["overland.dev/agent-not-ready", "dedicated"].map((key) => ({ key, effect: "NoSchedule" }));
        const metadata = { name: node.name, labels: { "kubernetes.io/hostname": node.name } };
        await api.put({ apiVersion: "v1", kind: "Node", metadata, spec: { taints } });
      }
      await api.tellAgents();
      await Promise.all(lab.plan.nodes.map((node) => settled(node)));
      for (const node of lab.plan.nodes) {
        await eventually("the condition", 10, async () => (await network(node)) === "False OverlandIsUp");
        await eventually("the taint", 5, async () => {
          expect((await kubeNode(node)).spec.taints?.map(({ key }) => key)).toEqual(["dedicated"]);
          return true;
        });
      }
    },
    120,
  );

  lab.proof("a label put on the Node makes a peering, and removed ends it", async () => {
    const spec = { nodeSelector: "uplink == 'yes'", peerIP: "10.10.1.250", asNumber: 65099 };
    await lab.apply(JSON.stringify({ apiVersion: "overland.dev/v1", kind: "BGPPeer", metadata: { name: "up" }, spec }));
    const has = async (node: NodeStatus) => (await agentView(node)).peers.some(({ name }) => name === "up");
    expect(await has(one())).toBe(false);
    await api.kubectl("label", "node", "r1n1", "uplink=yes");
    await eventually("the peer is there", 2, () => has(one()));
    expect(await has(two())).toBe(false);
    await api.kubectl("label", "node", "r1n1", "uplink-");
    await eventually("the peer is gone", 2, async () => !(await has(one())));
    await lab.delete("bgppeer", "up");
  });
});

describe("a pod's annotations", () => {
  lab.proof("give it the addresses they ask for", async () => {
    const block = (await agentView(one())).blocks.find((each) => each.includes(".")) ?? "";
    const wanted = block.replace(/\.\d+\/\d+$/, (last) => `.${Number(/\d+/.exec(last)?.[0]) + 33}`);
    await pod(one(), "fixed", { "cni.projectcalico.org/ipAddrs": `["${wanted}"]` });
    const sandbox = await newSandbox(lab.name, "fixed");
    expect(addressesOf(readResult(await ask("ADD", one(), sandbox)))).toEqual([wanted]);
    await reaches(lab.netns("vm1"), [wanted], 10);
    expect([...(await handles(lab.plan)).values()].flat()).toContain(wanted);
    await del(one(), sandbox);
    await removeSandbox(sandbox);
  });

  lab.proof("that make no sense are named, with what is wanted, and nothing is kept", async () => {
    await pod(one(), "wrong", { "cni.projectcalico.org/ipv4pools": "[blue]" });
    const sandbox = await newSandbox(lab.name, "wrong");
    const before = await handles(lab.plan);
    expect(readError(await ask("ADD", one(), sandbox))).toMatchObject({
      code: 7,
      msg: 'annotation cni.projectcalico.org/ipv4pools of the pod "[blue]" is not JSON',
      details: expect.stringContaining('["default-ipv4"]'),
    });
    expect(await handles(lab.plan)).toEqual(before);
    await removeSandbox(sandbox);
  });
});

describe("a node's cordon, annotation and shutdown", () => {
  const gshut = async () => /\(65535,\s?0\)/.test(await birdc(lab.router("tor1"), "show route all protocol r1n1"));
  const announces = async () => /unicast/.test(await birdc(lab.router("tor1"), "show route protocol r1n1"));
  const down = async (node: NodeStatus) => (await agentView(node)).peers.every(({ state }) => state !== "Established");

  lab.proof(
    "drain it where asked for, and it comes back with the uncordon",
    async () => {
      await api.kubectl("cordon", "r1n1");
      await always("a cordon alone is none of the network's business", 3, async () => !(await gshut()));
      await api.kubectl("annotate", "node", "r1n1", "overland.dev/withdraw-on-cordon=true");
      await eventually("it is a last resort", 5, gshut);
      await eventually("the Node says so", 15, async () => (await network(one())) === "True OverlandDrains");
      const mine = lab.plan.pods.find(({ node }) => node === "r1n1");
      if (mine === undefined) throw new Error("no pod");
      await reaches(lab.netns("vm1"), mine.addresses);
      // The lab's own pods are none of this API server's: gone there is gone.
      await eventually("it is down, since no pod is left", 30, () => down(one()));
      await api.kubectl("uncordon", "r1n1");
      await settled(one());
      await reaches(lab.netns("vm1"), mine.addresses, 10);
      await eventually("the Node says so", 15, async () => (await network(one())) === "False OverlandIsUp");
      await api.kubectl("annotate", "node", "r1n1", "overland.dev/withdraw-on-cordon-");
    },
    120,
  );

  /** The agent is ended, whatever else goes on meanwhile; then it is started again. */
  async function heardAtTheEnd(meanwhile: () => Promise<void>): Promise<string> {
    const agent = agentOf(two());
    await Promise.all([end(agent, "SIGTERM"), meanwhile()]);
    const said = await birdc(lab.router("tor1"), "show protocols all r1n2");
    const kept = await birdc(lab.router("tor1"), "show route protocol r1n2");
    await setShutdown(false);
    startAgent(agent);
    await settled(two());
    return `${/administrative shutdown/i.test(said) ? "goodbye" : "nothing"}, ${/unicast/.test(kept) ? "routes" : "no routes"}`;
  }

  lab.proof(
    "as a machine that goes down it says goodbye when its agent is ended, in words, and no route is kept for it",
    async () => {
      await settled(two());
      expect(await heardAtTheEnd(async () => {})).toBe("nothing, routes");
      await pod(two(), "stays");
      await setShutdown(true);
      await eventually("it leaves", 10, async () => /"by":"shutdown"/.test(JSON.stringify(await agentView(two()))));
      expect(await heardAtTheEnd(async () => {})).toBe("goodbye, no routes");
      // kubelet has no other pod to end first: both at once.
      expect(await heardAtTheEnd(() => setShutdown(true))).toBe("goodbye, no routes");
      expect(await announces()).toBe(true);
    },
    120,
  );
});

/** Path of a kubeconfig of somebody who may do no more than these rules say. */
async function account(...rules: readonly object[]): Promise<string> {
  const [apiVersion, metadata] = ["rbac.authorization.k8s.io/v1", { name: "reader" }];
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "reader" };
  const subjects = [{ kind: "ServiceAccount", name: "reader", namespace: "overland-system" }];
  await api.put({ apiVersion, kind: "ClusterRole", metadata, rules });
  await api.put({ apiVersion, kind: "ClusterRoleBinding", metadata, roleRef, subjects });
  return api.server.kubeconfigOf("reader", await api.server.serviceAccount("overland-system/reader"));
}

describe("without the right to write to Nodes", () => {
  lab.proof("the agent works, and says which rule is missing", async () => {
    const read = { apiGroups: [""], resources: ["nodes", "pods", "namespaces"], verbs: ["get", "list", "watch"] };
    const former = agentOf(two());
    await end(former, "SIGTERM");
    startAgent(former, "--kubeconfig", await account(read));
    await settled(two());
    // What the agent before it wrote is gone.
    await setShutdown(false);
    await eventually("it says so", 15, async () => {
      expect((await agentView(two())).problems.join()).toMatch(
        /cannot be written: .*resources: \["nodes\/status"\], verbs: \["patch"\]/,
      );
      return true;
    });
    const status = { apiGroups: [""], resources: ["nodes/status", "nodes"], verbs: ["patch"] };
    await account(read, status);
    await eventually("it is done once it may", 40, async () => {
      return (await network(two())) === "False OverlandIsUp" && (await agentView(two())).problems.length === 0;
    });
  });
});

describe("while the API server is away", () => {
  lab.proof(
    "sessions and pods go on, DEL and a known pod's ADD work, an unknown one is told to wait and why",
    async () => {
      await pod(one(), "known");
      const known = await newSandbox(lab.name, "known");
      readResult(await ask("ADD", one(), known));
      const [mine] = lab.plan.pods;
      await reaches(lab.netns("vm1"), mine?.addresses ?? [], 10);
      const streams = await stream(lab.netns("vm1"), mine?.addresses ?? []);
      await api.stop();
      await eventually("it is noticed", 20, async () =>
        /Kubernetes Node cannot be followed/.test((await agentView(one())).problems.join()),
      );
      await del(one(), known);
      const again = await newSandbox(lab.name, "known");
      const addresses = addressesOf(readResult(await ask("ADD", one(), again)));
      await reaches(lab.netns("vm1"), addresses, 10);
      const unknown = await newSandbox(lab.name, "unknown");
      pods.set("unknown", "99999999-1111-2222-3333-444444444444");
      expect(readError(await ask("ADD", one(), unknown))).toMatchObject({
        code: 11,
        msg: expect.stringMatching(
          /^the API server does not answer, so the annotations of pod default\/unknown are not/,
        ),
      });
      // A restart without it: the last known labels stay in etcd, and the node is ready.
      const agent = agentOf(one());
      await end(agent, "SIGTERM");
      startAgent(agent);
      await settled(one());
      await streams.lostNothing();
      await del(one(), again);
      await api.start();
      await eventually("it is back", 40, async () => (await agentView(one())).problems.length === 0);
      await pod(one(), "unknown");
      readResult(await ask("ADD", one(), unknown));
      await del(one(), unknown);
      for (const sandbox of [known, again, unknown]) await removeSandbox(sandbox);
    },
    120,
  );
});
