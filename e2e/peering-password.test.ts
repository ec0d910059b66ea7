/**
 * Passwords of peers from Secrets of an API server, beside a real BIRD that demands them: a session comes up with the
 * right one and never without.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { afterAll, describe, expect } from "@jest/globals";
import { agentView, established, type PeerView, peerOf, settled, statusText } from "./harness/agent.ts";
import { ApiServer } from "./harness/api-server.ts";
import { must } from "./harness/command.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { overland } from "./harness/program.ts";
import { birdc } from "./harness/routers.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2epass", { racks: 1, nodes: 2, pods: 1 });
const node = () => lab.node("r1n1");
const bird = () => lab.router("tor1");
let server: ApiServer | undefined;

const [FIRST, SECOND, MESH] = ["correct-horse-1", "battery-staple-2", "mesh-words-3"];
const COMES_UP_S = 25;

const resource = (kind: string, name: string, spec: object): string =>
  `${JSON.stringify({ apiVersion: "overland.dev/v1", kind, metadata: { name }, spec })}\n---\n`;
const secretKeyRef = (key: string) => ({ secretKeyRef: { name: "bgp", key } });
/** The lab's own peering with the ToR, of the first node alone with a password. */
const peerings = (more: object): string =>
  resource("BGPPeer", "tor1", { node: "r1n1", peerIP: "10.10.1.1", asNumber: 65_001, holdTime: "9s", ...more }) +
  resource("BGPPeer", "other", { node: "r1n2", peerIP: "10.10.1.1", asNumber: 65_001, holdTime: "9s" });

async function secret(values: Readonly<Record<string, string>>): Promise<void> {
  const data = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, btoa(value)]));
  const metadata = { name: "bgp", namespace: "overland-system" };
  await server?.put({ apiVersion: "v1", kind: "Secret", metadata, type: "Opaque", data });
}

/** As the ToR's operator sets it; undefined: none. */
async function birdPassword(password: string | undefined): Promise<void> {
  const file = `${lab.plan.directory}/tor1/bird.conf`;
  const plain = readFileSync(file, "utf8").replaceAll(/ password "[^"]*";/g, "");
  const words = password === undefined ? "" : ` password "${password}";`;
  writeFileSync(file, plain.replace(/(protocol bgp r1n1 from node \{)/, `$1${words}`));
  await birdc(bird(), "configure");
}

const session = ({ since, established: times }: PeerView) => ({ since, times });
const meshSession = async () => session(await peerOf(node(), "mesh/r1n2"));

afterAll(() => server?.remove());

describe("a password", () => {
  lab.proof(
    "cannot be had by an agent without Kubernetes: its session stays down and says so, and no other is touched",
    async () => {
      await settled(node());
      const mesh = await meshSession();
      await birdPassword(FIRST);
      await lab.apply(peerings({ password: secretKeyRef("tor") }));
      await eventually("it says so", 5, async () => {
        expect(await peerOf(node(), "tor1")).toMatchObject({
          state: "Idle",
          lastError: "no password: Secret bgp cannot be read: this agent has no access to Kubernetes; give it some",
        });
        return true;
      });
      expect((await agentView(node())).problems.join("\n")).toContain("the session tor1 stays down: Secret bgp");
      expect(await meshSession()).toEqual(mesh);
    },
  );

  lab.proof(
    "that is in no Secret keeps the session down, and each step towards one is told",
    async () => {
      server = await ApiServer.start({ netns: lab.plan.etcd.netns, addresses: ["192.168.250.1"] });
      await server.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "overland-system" } });
      for (const one of lab.plan.nodes) {
        await server.put({ apiVersion: "v1", kind: "Node", metadata: { name: one.name } });
        const former = processIn(one.netns, "agent", "--config");
        await end(former, "SIGTERM");
        startAgain(former, `${lab.plan.log}/${one.name}-kubernetes.log`, "--kubeconfig", server.kubeconfig);
      }
      const says = (why: string) =>
        eventually(why, 30, async () => {
          const { state, lastError } = await peerOf(node(), "tor1");
          expect({ state, lastError }).toEqual({ state: "Idle", lastError: `no password: ${why}` });
          return true;
        });
      await says("there is no Secret overland-system/bgp; create it");
      await secret({ other: "x" });
      await says("Secret overland-system/bgp has no key tor; add it");
      const { stdout } = await overland(["bgp", "peers", "--socket", node().socket]);
      expect(stdout).toContain("has no key tor");
      expect(await statusText(node())).toContain("the session tor1 stays down");
    },
    120,
  );

  lab.proof("that is there lets the session come up, with the router that demands it", async () => {
    await established(node(), "mesh/r1n2", 30);
    const mesh = await meshSession();
    await secret({ tor: FIRST, mesh: MESH });
    await established(node(), "tor1", COMES_UP_S);
    expect((await agentView(node())).problems).toEqual([]);
    expect(await meshSession()).toEqual(mesh);
  });

  lab.proof("that changes makes a new session with that peer, and leaves the others alone", async () => {
    const [mesh, before] = [await meshSession(), await peerOf(node(), "tor1")];
    await birdPassword(SECOND);
    await secret({ tor: SECOND, mesh: MESH });
    await eventually("the session is another one, and up", COMES_UP_S, async () => {
      const now = await peerOf(node(), "tor1");
      return now.state === "Established" && now.since !== before.since;
    });
    expect(await meshSession()).toEqual(mesh);
  });

  lab.proof("that is not the router's own keeps the session down", async () => {
    await secret({ tor: FIRST, mesh: MESH });
    await eventually("it is down", 15, async () => (await peerOf(node(), "tor1")).state !== "Established");
    await always("it stays down", 4, async () => (await peerOf(node(), "tor1")).state !== "Established");
    await secret({ tor: SECOND, mesh: MESH });
    await established(node(), "tor1", COMES_UP_S);
  });

  lab.proof("that is taken away ends the session, and none comes up unprotected", async () => {
    await secret({ mesh: MESH });
    await birdPassword(undefined);
    await eventually("it is down", 10, async () => (await peerOf(node(), "tor1")).state === "Idle");
    await always("it stays down", 4, async () => (await peerOf(node(), "tor1")).state === "Idle");
    expect(await birdc(bird(), "show protocols all r1n1")).not.toContain("Established");
    await birdPassword(SECOND);
    await secret({ tor: SECOND, mesh: MESH });
    await established(node(), "tor1", COMES_UP_S);
  });

  lab.proof("for the mesh is for all its sessions", async () => {
    const spec = { asNumber: 64_512, holdTime: "9s", nodeMeshPassword: secretKeyRef("mesh") };
    const before = await meshSession();
    await lab.apply(resource("BGPConfiguration", "default", spec));
    await eventually("the session is another one, and up", COMES_UP_S, async () => {
      const now = await peerOf(node(), "mesh/r1n2");
      return now.state === "Established" && now.since !== before.since;
    });
    const { stdout } = await overland(["bgp", "peer", "mesh/r1n2", "--socket", node().socket]);
    expect(stdout).toContain("TCP MD5");
  });

  lab.proof(
    "goes on while the API server is away, in an agent that dies and starts meanwhile, too",
    async () => {
      const before = session(await peerOf(node(), "tor1"));
      await server?.goAway();
      await eventually("the agent says so", 40, async () => (await agentView(node())).problems.length > 0);
      expect(session(await peerOf(node(), "tor1"))).toEqual(before);
      const former = processIn(node().netns, "agent", "--config");
      await end(former, "SIGKILL");
      startAgain(former, `${lab.plan.log}/r1n1-without-server.log`);
      await established(node(), "tor1", 40);
      await established(node(), "mesh/r1n2", 40);
      expect(await must(["stat", "-c", "%a %U", `${node().socket}.passwords`])).toBe("600 root\n");
      const again = session(await peerOf(node(), "tor1"));
      await server?.clearFaults();
      await eventually("the problem is over", 60, async () => (await agentView(node())).problems.length === 0);
      expect(session(await peerOf(node(), "tor1"))).toEqual(again);
    },
    120,
  );

  lab.proof("stands in no log and in no answer", async () => {
    const logs = readdirSync(lab.plan.log).filter((name) => name.includes("r1n") && name.endsWith(".log"));
    expect(logs.length).toBeGreaterThan(1);
    const said = logs.map((name) => readFileSync(`${lab.plan.log}/${name}`, "utf8"));
    const peers = await overland(["bgp", "peers", "-o", "json", "--socket", node().socket]);
    said.push(JSON.stringify(await agentView(node())), peers.stdout);
    for (const password of [FIRST, SECOND, MESH]) {
      for (const text of said) {
        expect(text).not.toContain(password);
        expect(text).not.toContain(btoa(password));
      }
    }
  });
});
