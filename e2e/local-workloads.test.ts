/**
 * Pods that speak BGP to their own node (BGPPeer.localWorkloadSelector): BIRD in pods that the real plugin wired, which
 * dials the node's address and announces addresses of its own, behind a ToR and a VM.
 */
import { writeFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { agentView, established, settled, statusText } from "./harness/agent.ts";
import {
  addressesOf,
  cniEnvironment,
  del,
  networkConfiguration,
  newSandbox,
  plugin,
  readResult,
  removeSandbox,
  type Sandbox,
} from "./harness/cni.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { LabApiServer } from "./harness/lab-api-server.ts";
import { end, processIn, startAgain, startIn } from "./harness/processes.ts";
import { overland } from "./harness/program.ts";
import { birdc, birdPrefixes } from "./harness/routers.ts";
import { reaches, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2elocal", { racks: 1, nodes: 2, pods: 0 });
const api = new LabApiServer(() => lab.plan);
const one = () => lab.node("r1n1");
const tor = () => lab.router("tor1");
const agentOf = () => processIn(one().netns, "agent", "--config");

const DIALED = { 4: "169.254.0.179", 6: "fd00::179" } as const;
const VIP = { 4: "198.18.0.9", 6: "fd00:98::9" } as const;
const HOSTS = [`${VIP[4]}/32`, `${VIP[6]}/128`] as const;

const configuration = (...more: readonly string[]) => `apiVersion: overland.dev/v1
kind: BGPConfiguration
metadata: {name: default}
spec:
  asNumber: 64512
  holdTime: 9s
${more.map((line) => `  ${line}\n`).join("")}`;
const DIALABLE = [`localWorkloadPeeringIPV4: ${DIALED[4]}`, `localWorkloadPeeringIPV6: "${DIALED[6]}"`];

const peering = (asNumber = 65010) => `apiVersion: overland.dev/v1
kind: BGPPeer
metadata: {name: vips}
spec:
  localWorkloadSelector: app == 'vip' && projectcalico.org/namespace == 'default'
  asNumber: ${asNumber}
  password: {secretKeyRef: {name: bgp, key: pods}}
`;

interface Pod {
  readonly sandbox: Sandbox;
  readonly addresses: readonly string[];
  readonly control: string;
}

let uids = 0;
const uidOf = new Map<string, string>();

/** A pod of r1n1 with this label, as scheduler and API server have it. */
async function label(name: string, app: string): Promise<void> {
  const uid = uidOf.get(name) ?? `0000000${++uids}-1111-2222-3333-444444444444`;
  uidOf.set(name, uid);
  const metadata = { name, namespace: "default", uid, labels: { app } };
  const spec = { nodeName: "r1n1", containers: [{ name: "main", image: "none" }] };
  await api.put({ apiVersion: "v1", kind: "Pod", metadata, spec });
}

/** Wired by the plugin, with BIRD in it that announces the VIPs, and what no pod is to be believed. */
async function pod(name: string, app: string, password = PASSWORD): Promise<Pod> {
  await label(name, app);
  const sandbox = await newSandbox(lab.name, name);
  const names = `K8S_POD_NAMESPACE=default;K8S_POD_NAME=${name};K8S_POD_UID=${uidOf.get(name) ?? ""}`;
  const environment = cniEnvironment("ADD", sandbox, { CNI_ARGS: `IgnoreUnknown=1;${names}` });
  const addresses = addressesOf(readResult(await plugin(one(), environment, networkConfiguration(one()))));
  for (const host of HOSTS) await ip(sandbox.netns, "addr", "add", host, "dev", "lo");
  const base = `${lab.plan.directory}/${name}`;
  writeFileSync(`${base}.conf`, birdConfig(addresses[0] ?? "", password));
  const place = ["-c", `${base}.conf`, "-s", `${base}.ctl`, "-P", `${base}.pid`];
  startIn(sandbox.netns, ["bird", "-f", ...place], `${lab.plan.log}/${name}-bird.log`);
  return { sandbox, addresses, control: `${base}.ctl` };
}

const PASSWORD = "s3cret";

function birdConfig(routerID: string, password: string, asNumber = 65010): string {
  const session = (family: 4 | 6) => `protocol bgp node${family} {
  local as ${asNumber};
  neighbor ${DIALED[family]} as 64512;
  multihop;
  ${password === "" ? "" : `password "${password}";`}
  hold time 9;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  ipv${family} { import all; export all; };
}
`;
  return `log stderr all;
router id ${routerID};
protocol device {}
protocol static {
  ipv4;
  route ${VIP[4]}/32 blackhole;
  route 0.0.0.0/0 blackhole;
  route 10.244.0.0/16 blackhole;
  route ${one().addresses[0]}/32 blackhole;
}
protocol static { ipv6; route ${VIP[6]}/128 blackhole; route ::/0 blackhole; }
${session(4)}${session(6)}`;
}

const session = (name: string, family: 4 | 6) => `vips/default/${name}/ipv${family}`;
const peerNames = async () => (await agentView(one())).peers.map(({ name }) => name);
const pods = new Map<string, Pod>();
const known = (name: string): Pod => pods.get(name) as Pod;

/** The gateways or devices by which the node's kernel sends to the VIP. */
async function ways(prefix: string): Promise<string> {
  const family = prefix.includes(":") ? "-6" : "-4";
  return await ip(one().netns, family, "route", "show", "exact", prefix, "proto", "201");
}

const announced = (has: boolean, path = "64512 65010") =>
  eventually(`tor1 has ${has ? "both" : "none"} of the VIPs`, 20, async () => {
    const prefixes = await birdPrefixes(tor(), `where bgp_path ~ [= ${path} =]`);
    expect(HOSTS.map((host) => prefixes.includes(host))).toEqual([has, has]);
    return true;
  });

const hasDialed = async () => {
  const text = await ip(one().netns, "-br", "addr", "show", "dev", "lo");
  return [DIALED[4], DIALED[6]].map((address) => text.includes(`${address}/`));
};

const problems = async () => (await agentView(one())).problems.join("\n");
const says = (words: RegExp) =>
  eventually(`a problem says ${words}`, 15, async () => {
    expect(await problems()).toMatch(words);
    return true;
  });

const nodeObject = (name: string) => {
  const labels = { rack: "rack-1", "kubernetes.io/hostname": name };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: {}, status: {} };
};

/** What the node knows of a pod's route, as an operator asks. */
async function explained(prefix: string): Promise<string> {
  return (await overland(["bgp", "explain", prefix, "--socket", one().socket])).stdout;
}

describe("pods that peer with their node", () => {
  lab.proof(
    "need Kubernetes, and an address to dial: the status says by name what is missing",
    async () => {
      await settled(one(), 60);
      await lab.apply(peering());
      await says(/BGPPeer vips: localWorkloadSelector chooses pods by labels, and this agent knows no Kubernetes/);
      await api.start();
      const data = { pods: Buffer.from(PASSWORD).toString("base64") };
      const metadata = { namespace: "overland-system", name: "bgp" };
      await api.put(nodeObject("r1n1"), nodeObject("r1n2"), { apiVersion: "v1", kind: "Secret", metadata, data });
      await api.tellAgents();
      await settled(one(), 60);
      await says(/BGPPeer vips: .*set localWorkloadPeeringIPV4 or localWorkloadPeeringIPV6 in BGPConfiguration/);
      expect(await hasDialed()).toEqual([false, false]);
      await lab.apply(configuration(...DIALABLE));
      await eventually("the addresses are there", 15, async () => {
        expect(await hasDialed()).toEqual([true, true]);
        return true;
      });
      // A selector that chooses nothing is nothing to say.
      expect(await problems()).toBe("");
    },
    120,
  );

  lab.proof("are announced to the ToR, and reached through the node in both families", async () => {
    pods.set("web-0", await pod("web-0", "vip"));
    for (const family of [4, 6] as const) await established(one(), session("web-0", family), 20);
    await announced(true);
    await reaches(lab.netns("vm1"), [VIP[4], VIP[6]], 10);
    const [v4 = "", v6 = ""] = known("web-0").addresses;
    expect(await ways(HOSTS[0])).toContain(`via ${v4} dev ovl`);
    expect(await ways(HOSTS[1])).toContain(`via ${v6} dev ovl`);
    expect(await statusText(one())).toContain("local workload default/web-0");
    const shown = await overland(["bgp", "peer", session("web-0", 4), "--socket", one().socket]);
    expect(shown.stdout).toContain("a pod of this node: its routes go on as our own");
    // The other node hears of it from this one, and sends it there.
    await reaches(lab.node("r1n2").netns, [VIP[4], VIP[6]], 10);
    // A pod is told the node's own routes, with the address it dialed as next hop.
    const told = await birdc(known("web-0"), "show route protocol node4 all");
    expect(told).toMatch(/10\.244\.\d+\.\d+\/26/);
    expect(told).toContain(`BGP.next_hop: ${DIALED[4]}`);
    // The node speaks to the pod from its own address, as before.
    expect(await ip(one().netns, "route", "get", v4)).toContain(`src ${one().addresses[0]}`);
    expect(await ip(one().netns, "route", "get", v6)).toContain(`src ${one().addresses[1]}`);
  });

  lab.proof("are not believed a default route, a pool, a node or another pod, and the reason is said", async () => {
    await eventually("all four were heard", 10, async () => {
      const { peers } = await agentView(one());
      expect(peers.find(({ name }) => name === session("web-0", 4))?.received.ipv4).toBe(4);
      return true;
    });
    expect(await explained("0.0.0.0/0")).toMatch(/a default route, which no pod announces unless an import filter/);
    expect(await explained("::/0")).toMatch(/a default route, which no pod announces/);
    expect(await explained("10.244.0.0/16")).toMatch(/overlaps IPPool pods-ipv4 \(10\.244\.0\.0\/16\)/);
    expect(await explained(`${one().addresses[0]}/32`)).toMatch(/overlaps the node's own network 10\.10\.1\.0\/24/);
    for (const prefix of ["default", "10.244.0.0/16", `${one().addresses[0]}/32`]) expect(await ways(prefix)).toBe("");
    expect(await birdPrefixes(tor(), "where bgp_path ~ [= 64512 65010 =]")).toEqual(expect.arrayContaining([...HOSTS]));
    expect(await birdPrefixes(tor(), "where bgp_path ~ [= 64512 65010 =]")).toHaveLength(2);
  });

  lab.proof("are those of the label alone: another pod is turned away", async () => {
    pods.set("other", await pod("other", "something", ""));
    await eventually("BIRD is told so", 20, async () => {
      expect(await birdc(known("other"), "show protocols all node4")).toMatch(/Received: Connection rejected/);
      return true;
    });
    expect((await peerNames()).filter((name) => name.includes("other"))).toEqual([]);
  });

  lab.proof("may be several: traffic goes to all, and one that leaves takes only its own along", async () => {
    const before = (await agentView(one())).peers.find(({ name }) => name === session("web-0", 4))?.since;
    pods.set("web-1", await pod("web-1", "vip"));
    for (const family of [4, 6] as const) await established(one(), session("web-1", family), 20);
    for (const host of HOSTS) {
      await eventually(`both pods have ${host}`, 10, async () => /nexthop.*nexthop/s.test(await ways(host)));
    }
    const traffic = await stream(lab.netns("vm1"), [VIP[4], VIP[6]]);
    await label("web-1", "something");
    await eventually("one way is left", 10, async () => {
      for (const host of HOSTS) expect(await ways(host)).not.toContain("nexthop");
      return true;
    });
    await reaches(lab.netns("vm1"), [VIP[4], VIP[6]], 5);
    await always("it stays so", 1, async () => !(await ways(HOSTS[0])).includes("nexthop"));
    await traffic.lostNothing();
    expect(await peerNames()).not.toContain(session("web-1", 4));
    expect((await agentView(one())).peers.find(({ name }) => name === session("web-0", 4))?.since).toBe(before);
    await label("web-0", "something");
    await announced(false);
    expect((await Promise.all(HOSTS.map(ways))).join("")).toBe("");
    await label("web-0", "vip");
    await announced(true);
  });

  lab.proof(
    "stay reachable while the agent is killed and comes back, API server or not",
    async () => {
      const traffic = await stream(lab.netns("vm1"), [VIP[4], VIP[6]]);
      const former = agentOf();
      await api.stop();
      await end(former, "SIGKILL");
      startAgain(former, `${lab.plan.log}/agent-again.log`);
      for (const family of [4, 6] as const) await established(one(), session("web-0", family), 40);
      await announced(true);
      await traffic.lostNothing();
      await api.start();
      await eventually("the agent follows it again", 30, async () => {
        expect(await problems()).toBe("");
        return true;
      });
      await always(
        "both sessions stay",
        3,
        async () => (await peerNames()).filter((name) => name.includes("web-0")).length === 2,
      );
    },
    120,
  );

  lab.proof(
    "take their routes along when BIRD in them dies, and find a node that listens on its addresses only",
    async () => {
      await lab.apply(configuration(...DIALABLE, "bindMode: NodeIP"));
      const bird = processIn(known("web-0").sandbox.netns, "bird");
      await end(bird, "SIGKILL");
      await announced(false);
      startAgain(bird, `${lab.plan.log}/web-0-again.log`);
      for (const family of [4, 6] as const) await established(one(), session("web-0", family), 20);
      await announced(true);
      expect(await problems()).toBe("");
    },
  );

  lab.proof("may be in the node's own AS: their routes go inside it all the same", async () => {
    const { control, addresses } = known("web-0");
    await lab.apply(peering(64512));
    writeFileSync(control.replace(/ctl$/, "conf"), birdConfig(addresses[0] ?? "", PASSWORD, 64512));
    await birdc({ control }, "configure");
    for (const family of [4, 6] as const) await established(one(), session("web-0", family), 20);
    await announced(true, "64512");
    await reaches(lab.node("r1n2").netns, [VIP[4], VIP[6]], 10);
    const route = await ip(lab.node("r1n2").netns, "route", "show", "exact", HOSTS[0], "proto", "201");
    expect(route).toContain(`via ${one().addresses[0]} `);
  });

  lab.proof("take their routes along when they are deleted, and the last BGPPeer the node's address", async () => {
    const { sandbox } = known("web-0");
    await del(one(), sandbox);
    await announced(false, "64512");
    await eventually("no session", 10, async () => !(await peerNames()).some((name) => name.includes("web-0")));
    // What runs in a namespace outlives its name, and nobody finds it then.
    await end(processIn(sandbox.netns, "bird"));
    await removeSandbox(sandbox);
    await lab.delete("bgppeer", "vips");
    await eventually("the addresses are gone", 15, async () => {
      expect(await hasDialed()).toEqual([false, false]);
      return true;
    });
    expect(await problems()).toBe("");
  });
});
