/**
 * An operator's kubectl configures the network: what is applied is in etcd, at the agents and at a real BIRD within
 * two seconds, without anybody's session but the changed one's; what makes no sense is refused in words.
 */
import { afterAll, beforeAll, describe, expect } from "@jest/globals";
import { agentView, type PeerView, peerOf } from "./harness/agent.ts";
import { add, del, newSandbox, removeSandbox } from "./harness/cni.ts";
import { Controllers } from "./harness/controllers.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, processIn } from "./harness/processes.ts";
import { birdPrefixes } from "./harness/routers.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2ekubecfg", { racks: 1, nodes: 2, pods: 1 });
const kube = new Controllers(lab);
const node = () => lab.node("r1n1");
const nodes = () => lab.plan.nodes;

const IN_FORCE_S = 2;

const session = ({ since, established }: PeerView) => ({ since, established });
const sessions = async () =>
  Object.fromEntries(
    await Promise.all(
      nodes().map(async (one) => [
        one.name,
        Object.fromEntries((await agentView(one)).peers.map((peer) => [peer.name, session(peer)])),
      ]),
    ),
  ) as Record<string, Record<string, object>>;

/** Sessions there were before are the same ones after the work. */
async function undisturbed(work: () => Promise<void>): Promise<void> {
  const before = await sessions();
  expect(Object.keys(before[node().name] ?? {})).toContain("tor1");
  await work();
  expect(await sessions()).toEqual(before);
}

const inEtcd = async (kind: string, name: string): Promise<{ spec: Record<string, unknown> } | undefined> => {
  const { code, stdout } = await lab.overland(["get", kind, name, "-o", "json"]);
  return code === 0 ? (JSON.parse(stdout) as { spec: Record<string, unknown> }) : undefined;
};

const accepted = (kind: string, name: string, words: RegExp) =>
  eventually(`${kind} ${name}: ${words}`, IN_FORCE_S, async () => {
    expect(await kube.accepted(kind, name)).toMatch(words);
    return true;
  });

const blocksAtTor = async () =>
  (await birdPrefixes(lab.router("tor1"))).filter((prefix) => /^(10\.244|fd00:244)/.test(prefix)).sort();

let failure: unknown;
beforeAll(async () => {
  try {
    await kube.start();
  } catch (error) {
    failure = error;
  }
}, 120_000);
afterAll(() => kube.stop().catch(() => undefined), 30_000);

describe("resources that `overland apply` made", () => {
  lab.proof("are taken over when kubectl applies the same, and no session notices; others are left alone", async () => {
    if (failure !== undefined) throw failure;
    await undisturbed(async () => {
      await kube.apply("BGPPeer", "tor1", (await inEtcd("bgppeer", "tor1"))?.spec ?? {});
      await accepted("bgppeer", "tor1", /^True: generation 1 is in force$/);
      await kube.apply("BGPConfiguration", "default", { asNumber: 65_000 });
      await accepted("bgpconfiguration", "default", /^False: .*made by `overland apply`/);
    });
    expect(await inEtcd("bgpconfiguration", "default")).toMatchObject({ spec: { asNumber: 64512 } });
    const changed = await lab.overland(["delete", "bgppeer", "tor1"]);
    expect(changed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/managed by Kubernetes; delete it with kubectl/),
    });
    await kube.kubectl("delete", "bgpconfiguration.overland.dev", "default");
    expect(await inEtcd("bgpconfiguration", "default")).toMatchObject({ spec: { asNumber: 64512 } });
  });
});

describe("a BGPPeer and its BGPFilter", () => {
  const spec = async (): Promise<Record<string, unknown>> => {
    const { filters: _, ...rest } = (await inEtcd("bgppeer", "tor1"))?.spec ?? {};
    return rest;
  };

  lab.proof(
    "may come in any order; a filter takes routes away from BIRD and gives them back, in the same session",
    () =>
      undisturbed(async () => {
        const all = await blocksAtTor();
        expect(all.length).toBeGreaterThanOrEqual(2);
        const former = await spec();
        await kube.apply("BGPPeer", "tor1", { ...former, filters: ["no-ipv4"] });
        await accepted(
          "bgppeer",
          "tor1",
          /^False: spec\.filters\[0\]: there is no BGPFilter "no-ipv4".*generation 1 stays in force$/,
        );
        expect(await blocksAtTor()).toEqual(all);
        await kube.apply("BGPFilter", "no-ipv4", {
          exportV4: [{ action: "Reject", matchOperator: "In", cidr: "10.244.0.0/16" }],
        });
        await eventually("BIRD has no IPv4 block of the nodes", IN_FORCE_S, async () => {
          expect(await blocksAtTor()).toEqual(all.filter((prefix) => prefix.includes(":")));
          return true;
        });
        await accepted("bgppeer", "tor1", /^True: generation 2 is in force$/);
        await kube.apply("BGPPeer", "tor1", former);
        await eventually("they are back", IN_FORCE_S, async () => {
          expect(await blocksAtTor()).toEqual(all);
          return true;
        });
        await kube.kubectl("delete", "bgpfilter.overland.dev", "no-ipv4");
        await eventually(
          "the filter is gone",
          IN_FORCE_S,
          async () => (await inEtcd("bgpfilter", "no-ipv4")) === undefined,
        );
      }),
  );

  lab.proof(
    "that the schema let through and that makes no sense is refused: condition, event, the last good stays",
    () =>
      undisturbed(async () => {
        await kube.apply("BGPPeer", "nonsense", { peerIP: "192.0.2.77", asNumber: 65_001, filters: ["nowhere"] });
        await accepted("bgppeer", "nonsense", /^False: spec\.filters\[0\]: .*nothing of it is in force$/);
        const events = await kube.kubectl(
          "get",
          "events",
          "-n",
          "default",
          "-o",
          'jsonpath={range .items[*]}{.type} {.involvedObject.name} {.reason}{"\\n"}{end}',
        );
        expect(events.match(/^Warning nonsense FilterNotFound$/gm)).toHaveLength(1);
        expect((await agentView(node())).peers.map(({ name }) => name)).not.toContain("nonsense");
        await kube.kubectl("delete", "bgppeer.overland.dev", "nonsense");
      }),
  );

  lab.proof("reaches the agents of its nodes within two seconds, and goes as fast", () =>
    undisturbed(async () => {
      await kube.apply("BGPPeer", "new", { node: "r1n1", peerIP: "10.10.1.250", asNumber: 65_099 });
      await eventually("it is there", IN_FORCE_S, () => peerOf(node(), "new"));
      await kube.kubectl("delete", "bgppeer.overland.dev", "new");
      await eventually("it is gone", IN_FORCE_S, async () => {
        return !(await agentView(node())).peers.some(({ name }) => name === "new");
      });
    }),
  );
});

describe("an IPPool", () => {
  lab.proof(
    "gives addresses out; deleted, kubectl waits until they are free, and says who has them",
    async () => {
      const pool = { cidr: "10.99.0.0/24", blockSize: 28, nodeSelector: "kubernetes.io/hostname == 'none'" };
      await kube.apply("IPPool", "late", { ...pool, nodeSelector: "rack == 'rack-1'", assignmentMode: "Manual" });
      await accepted("ippool", "late", /^True/);
      const overlapping = { cidr: "10.99.0.0/16", blockSize: 26 };
      await kube.apply("IPPool", "overlapping", overlapping);
      await accepted("ippool", "overlapping", /^False: spec\.cidr: 10\.99\.0\.0\/16 overlaps pool late/);
      const sandbox = await newSandbox(lab.name, "late");
      await eventually("an address of it is given out", 10, () =>
        add(node(), sandbox, { ipam: { type: "overland-ipam", ipv4_pools: ["late"], assign_ipv6: "false" } }),
      );
      const waits = await kube.server.kubectl(["delete", "ippool.overland.dev", "late", "--timeout=2s"]);
      expect(waits.code).not.toBe(0);
      await accepted(
        "ippool",
        "late",
        /^False: is being deleted, no new address of it is given out; .*1 address is in use \(r1n1: 1\); .*such as 10\.99\.0\.\d+ \(\S+ on r1n1\)/,
      );
      await del(node(), sandbox);
      await removeSandbox(sandbox);
      await eventually("the pool is gone, and the one that overlapped it is in force", 30, async () => {
        expect((await kube.server.kubectl(["get", "ippool.overland.dev", "late"])).code).not.toBe(0);
        expect(await inEtcd("ippool", "late")).toBeUndefined();
        expect(await inEtcd("ippool", "overlapping")).toMatchObject({ spec: overlapping });
        return true;
      });
      await kube.kubectl("delete", "ippool.overland.dev", "overlapping");
      expect(await inEtcd("ippool", "overlapping")).toBeUndefined();
    },
    90,
  );
});

describe("the controllers", () => {
  lab.proof("one takes over from another that was killed, and nothing is disturbed", () =>
    undisturbed(async () => {
      const active = await kube.active();
      const former = kube.process(active);
      await end(former);
      await kube.apply("BGPPeer", "meanwhile", { node: "r1n1", peerIP: "10.10.1.251", asNumber: 65_099 });
      await eventually("the other one is active", 30, async () => (await kube.active()) === 1 - active);
      await accepted("bgppeer", "meanwhile", /^True/);
      expect(await kube.metrics(1 - active)).toMatch(
        /^overland_controller_resources\{kind="BGPPeer",outcome="accepted"\} 2$/m,
      );
      await kube.kubectl("delete", "bgppeer.overland.dev", "meanwhile");
      await eventually("it is gone", IN_FORCE_S, async () => (await inEtcd("bgppeer", "meanwhile")) === undefined);
    }),
  );

  lab.proof(
    "an API server that is away changes nothing; what it says when it is back is done",
    () =>
      undisturbed(async () => {
        await kube.server.stop();
        await eventually("nobody is ready", 40, async () => {
          const active = await kube.active().catch(() => undefined);
          return active === undefined;
        });
        expect(await inEtcd("bgppeer", "tor1")).toBeDefined();
        await kube.server.startAgain();
        await eventually("one is active again", 60, () => kube.active().then(() => true));
        await kube.apply("BGPPeer", "after", { node: "r1n1", peerIP: "10.10.1.252", asNumber: 65_099 });
        await eventually("it is followed again", 40, async () => (await inEtcd("bgppeer", "after")) !== undefined);
        await kube.kubectl("delete", "bgppeer.overland.dev", "after");
        await eventually("it is gone", IN_FORCE_S, async () => (await inEtcd("bgppeer", "after")) === undefined);
      }),
    150,
  );

  lab.proof(
    "definitions that are removed take nothing with them; applied again with the same, all is as it was",
    () =>
      undisturbed(async () => {
        const spec = (await inEtcd("bgppeer", "tor1"))?.spec ?? {};
        await kube.kubectl("delete", "crd", "bgppeers.overland.dev", "--wait=false");
        await eventually(
          "they are gone",
          10,
          async () => (await kube.server.kubectl(["get", "bgppeers.overland.dev"])).code !== 0,
        );
        await kube.install();
        await eventually("they are there again", 10, () => kube.kubectl("get", "bgppeers.overland.dev"));
        expect(await inEtcd("bgppeer", "tor1")).toMatchObject({ spec });
        await kube.apply("BGPPeer", "tor1", spec);
        await eventually("it is accepted", 45, async () => (await kube.accepted("bgppeer", "tor1")).startsWith("True"));
        expect(await inEtcd("bgppeer", "tor1")).toMatchObject({ spec });
      }),
    90,
  );
});

describe("a node that is deleted from Kubernetes", () => {
  lab.proof(
    "goes from etcd after the grace time, and its blocks come back; a bare node beside it is left alone",
    async () => {
      const leaving = lab.node("r1n2");
      const agent = processIn(leaving.netns, "agent", "--config");
      await kube.server.apply({ apiVersion: "v1", kind: "Node", metadata: { name: "r1n2" } });
      await markAsKubernetesNode("r1n2");
      await end(agent, "SIGTERM");
      const blocks = async () => (await lab.overland(["ipam", "show", "--show-blocks"])).stdout;
      expect(await blocks()).toContain("r1n2");
      await kube.kubectl("delete", "node", "r1n2");
      await eventually("its blocks are back", 60, async () => {
        expect(await inEtcd("node", "r1n2")).toBeUndefined();
        expect(await blocks()).not.toContain("r1n2");
        return true;
      });
      expect(await inEtcd("node", "r1n1")).toBeDefined();
      const metrics = await kube.metrics(await kube.active());
      expect(metrics).toMatch(/^ipam_allocations_gc_reclamations\{node="r1n2"\} 2$/m);
      expect(metrics).toMatch(/^ipam_allocations_in_use\{ippool="pods-ipv4",node="r1n1"\} 1$/m);
    },
    120,
  );
});

/** As an agent that knows its Kubernetes Node writes it. */
async function markAsKubernetesNode(name: string): Promise<void> {
  const resource = (await inEtcd("node", name)) as { metadata?: { annotations?: object } } | undefined;
  const annotations = { ...resource?.metadata?.annotations, "overland.dev/kubernetes-node": "uid-1" };
  await lab.apply(JSON.stringify({ ...resource, metadata: { ...resource?.metadata, annotations } }));
}
