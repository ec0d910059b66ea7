/** Graceful restart, both ways: agents and routers die with -9 and come back, and not one packet is lost. */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { agentRoutes, agentView, established, peerOf, settled } from "./harness/agent.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain } from "./harness/processes.ts";
import { birdc, routerPrefixes } from "./harness/routers.ts";
import { reaches, type Stream, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2erestart", { racks: 2, nodes: 1, pods: 1 });
const nodes = () => lab.plan.nodes;
const log = (name: string) => `${lab.plan.log}/${name}-again.log`;

/** From either VM to either pod and from pod to pod, both families. */
async function everybodyTalks(): Promise<Stream[]> {
  const all = lab.plan.pods.flatMap(({ addresses }) => addresses);
  const [near, far] = lab.plan.pods;
  const sources = [...lab.plan.vms.map(({ netns }) => ({ netns, to: all }))];
  if (near !== undefined && far !== undefined) sources.push({ netns: near.netns, to: [...far.addresses] });
  for (const { netns, to } of sources) await reaches(netns, to, 20);
  return await Promise.all(sources.map(({ netns, to }) => stream(netns, to)));
}

const nothingLost = async (streams: readonly Stream[]): Promise<void> => {
  await Promise.all(streams.map((one) => one.lostNothing()));
};

/** Our kernel routes of a node, without those to its own pods and blocks. */
async function learnedRoutes(netns: string): Promise<string[]> {
  const families = ["-4", "-6"].map((family) => ip(netns, family, "route", "show", "proto", "201"));
  return (await Promise.all(families))
    .flatMap((text) => text.split("\n"))
    .filter((line) => line.includes(" via "))
    .map((line) => line.trim().replace(/ pref medium$/, ""))
    .sort();
}

describe("every agent at once", () => {
  lab.proof("killed with -9 and restarted: routers keep the routes, nothing is lost, all is as before", async () => {
    await Promise.all(nodes().map((node) => settled(node)));
    const streams = await everybodyTalks();
    const before = await Promise.all(nodes().map(async (node) => (await agentView(node)).blocks));
    const routes = await Promise.all(nodes().map(({ netns }) => learnedRoutes(netns)));
    const agents = nodes().map(({ netns }) => processIn(netns, "agent", "--config"));
    await Promise.all(agents.map((agent) => end(agent)));
    await eventually("BIRD has noticed", 5, async () => {
      return !(await birdc(lab.router("tor1"), "show protocols r1n1")).includes("Established");
    });
    for (const router of lab.plan.routers) {
      expect(await routerPrefixes(router)).toEqual(expect.arrayContaining(before.flat()));
    }
    expect(await Promise.all(nodes().map(({ netns }) => learnedRoutes(netns)))).toEqual(routes);
    for (const agent of agents) startAgain(agent, log("agent"));
    await Promise.all(nodes().map((node) => settled(node)));
    await nothingLost(streams);
    expect(await Promise.all(nodes().map(async (node) => (await agentView(node)).blocks))).toEqual(before);
    await eventually("the kernel has the same routes again", 10, async () => {
      expect(await Promise.all(nodes().map(({ netns }) => learnedRoutes(netns)))).toEqual(routes);
      return true;
    });
  });

  lab.proof("ended with SIGTERM and restarted: the same", async () => {
    const streams = await everybodyTalks();
    const routes = await Promise.all(nodes().map(({ netns }) => learnedRoutes(netns)));
    const agents = nodes().map(({ netns }) => processIn(netns, "agent", "--config"));
    await Promise.all(agents.map((agent) => end(agent, "SIGTERM")));
    for (const agent of agents) startAgain(agent, log("agent"));
    await Promise.all(nodes().map((node) => settled(node)));
    await nothingLost(streams);
    await eventually("the kernel has the same routes again", 10, async () => {
      expect(await Promise.all(nodes().map(({ netns }) => learnedRoutes(netns)))).toEqual(routes);
      return true;
    });
  });
});

describe("an agent that does not come back", () => {
  lab.proof(
    "is waited for as long as its BGPPeer says; then its routes leave the ToR, and are back when it is",
    async () => {
      const [node, tor] = [lab.node("r1n1"), lab.router("tor1")];
      const peer = (maxRestartTime: string) => {
        const spec = { nodeSelector: "rack == 'rack-1'", peerIP: "10.10.1.1", asNumber: 65001, maxRestartTime };
        return JSON.stringify({ apiVersion: "overland.dev/v1", kind: "BGPPeer", metadata: { name: "tor1" }, spec });
      };
      const session = async () => (await peerOf(node, "tor1")).since;
      const before = await session();
      await lab.apply(peer("3s"));
      await eventually("the session is a new one", 15, async () => (await session()) !== before);
      const { blocks } = await settled(node);
      const atTor = async () => (await routerPrefixes(tor)).filter((prefix) => blocks.includes(prefix)).sort();
      await eventually("the ToR has the blocks", 5, async () => (await atTor()).length === blocks.length);
      const agent = processIn(node.netns, "agent", "--config");
      await end(agent);
      const killed = performance.now();
      await always("the ToR keeps the blocks", 1.5, async () => (await atTor()).length === blocks.length);
      await eventually("the blocks have left the ToR", 8, async () => (await atTor()).length === 0);
      expect(performance.now() - killed).toBeGreaterThan(2000);
      startAgain(agent, log("agent"));
      await settled(node);
      await eventually("the ToR has the blocks again", 5, async () => (await atTor()).length === blocks.length);
      await lab.apply(peer("120s"));
      await settled(node);
    },
  );
});

describe("a router that offers graceful restart", () => {
  lab.proof("is killed with -9 and restarted: the node keeps its routes meanwhile, and nothing is lost", async () => {
    const node = lab.node("r1n1");
    const tor = lab.router("tor1");
    const file = `${lab.plan.directory}/tor1/bird.conf`;
    // Sessions offer it, and BIRD's kernel protocols leave the old routes alone until the sessions are back.
    const blocks = /^(template bgp|protocol kernel) \w+ \{$/gm;
    writeFileSync(file, readFileSync(file, "utf8").replaceAll(blocks, "$&\n  graceful restart on;"));
    await birdc(tor, "configure");
    await eventually("BIRD's sessions are new ones", 20, async () => {
      const text = await birdc(tor, "show protocols all r1n1");
      expect(text).toMatch(/Established[^]*Local capabilities[^]*AF supported: ipv4 ipv6[^]*Neighbor capabilities/);
      return true;
    });
    await settled(node);
    // What the two ToRs do with each other's routes is their own affair: the traffic is that of this rack.
    const near = lab.plan.pods.find(({ node: name }) => name === node.name)?.addresses ?? [];
    await reaches(lab.netns("vm1"), near, 20);
    const streams = [await stream(lab.netns("vm1"), near)];
    const routes = await learnedRoutes(node.netns);
    expect(routes.length).toBeGreaterThanOrEqual(4);
    const bird = processIn(tor.netns, "bird", "-f");
    await end(bird);
    await eventually("the node has noticed and keeps the routes as stale", 5, async () => {
      const fromTor = (await agentRoutes(node)).filter(({ peer }) => peer === "tor1");
      return fromTor.length > 0 && fromTor.every(({ stale }) => stale);
    });
    await always("the node's kernel routes stay", 1.5, async () => {
      expect(await learnedRoutes(node.netns)).toEqual(routes);
      return true;
    });
    startAgain(bird, log("bird"), "-R");
    await established(node, "tor1", 30);
    await eventually("the routes are fresh again", 15, async () => {
      const fromTor = (await agentRoutes(node)).filter(({ peer }) => peer === "tor1");
      return fromTor.length > 0 && fromTor.every(({ stale }) => !stale);
    });
    await Promise.all(nodes().map((one) => settled(one)));
    // The other ToR's routes come again when the two ToRs have found each other.
    await eventually("the kernel has the same routes again", 20, async () => {
      expect(await learnedRoutes(node.netns)).toEqual(routes);
      return true;
    });
    await nothingLost(streams);
  });
});
