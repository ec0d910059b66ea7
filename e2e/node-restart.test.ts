/**
 * A node's agent stops and starts, with and without etcd: routes and pods stay, and what an earlier life left is swept.
 */
import { describe, expect } from "@jest/globals";
import { agentView, peerOf, settled } from "./harness/agent.ts";
import { add, addressesOf, del, newSandbox, removeSandbox } from "./harness/cni.ts";
import { must, run } from "./harness/command.ts";
import { podInterfaces, podRoutes } from "./harness/footprint.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { end, frozen, type Process, processIn, startAgain } from "./harness/processes.ts";
import { OVERLAND } from "./harness/program.ts";
import { reaches, type Stream, stream } from "./harness/traffic.ts";
import { always, eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2enode", { racks: 1, nodes: 2, pods: 1 });
const node = () => lab.node("r1n1");
const agent = () => processIn(node().netns, "agent", "--config");
const etcd = () => processIn(lab.plan.etcd.netns, "etcd", "--data-dir");
const restart = (former: Process, name: string) => startAgain(former, `${lab.plan.log}/${name}-again.log`);

/** To the node's pod: from the VM, and from the pod of the other node. */
async function traffic(): Promise<{ lostNothing(): Promise<void> }> {
  const [pod, other] = lab.plan.pods;
  const sources = [lab.netns("vm1"), other?.netns ?? ""];
  for (const source of sources) await reaches(source, pod?.addresses ?? [], 20);
  const streams: Stream[] = await Promise.all(sources.map((source) => stream(source, pod?.addresses ?? [])));
  return {
    async lostNothing() {
      await Promise.all(streams.map((one) => one.lostNothing()));
    },
  };
}

const tables = async (proto: string): Promise<string[]> => {
  const families = ["-4", "-6"].map((family) => ip(node().netns, family, "route", "show", "proto", proto));
  return (await Promise.all(families)).flatMap((text) => text.split("\n").map((line) => line.trim())).sort();
};
const ours = () => tables("201");

/** HTTP status, as kubelet asks for it. */
const probe = (name: string): Promise<string> =>
  must(["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "--noproxy", "*", `http://127.0.0.1:9179/${name}`], {
    netns: node().netns,
  });

describe("an agent", () => {
  lab.proof("answers on a socket that is root's alone", async () => {
    expect(await must(["stat", "-c", "%a %U %F", node().socket])).toBe("600 root socket\n");
  });

  lab.proof("that is told to stop ends at once, and routes and pods stay; started again it knows them", async () => {
    const streams = await traffic();
    const before = { routes: await ours(), interfaces: await podInterfaces(node()), view: await agentView(node()) };
    const former = agent();
    const started = performance.now();
    await end(former, "SIGTERM");
    expect(performance.now() - started).toBeLessThan(3000);
    expect({ routes: await ours(), interfaces: await podInterfaces(node()) }).toMatchObject({
      routes: before.routes,
      interfaces: before.interfaces,
    });
    restart(former, "agent");
    const { blocks, pods } = await settled(node());
    expect({ blocks, pods }).toEqual({ blocks: before.view.blocks, pods: before.view.pods });
    await streams.lostNothing();
    expect(await ours()).toEqual(before.routes);
  });

  lab.proof("does not start beside another one on the same socket", async () => {
    const second = await run([...OVERLAND, "agent", "--config", node().agentConfig], { netns: node().netns });
    expect(second).toMatchObject({ code: 2, stderr: expect.stringMatching(/another agent answers on .*agent\.sock/) });
    expect((await agentView(node())).ready).toBe(true);
  });

  lab.proof("puts back a route of its own that somebody removed, and one that somebody changed", async () => {
    const before = await ours();
    const [prefix = ""] = before.find((line) => line.startsWith("10.244.") && line.includes(" via "))?.split(" ") ?? [];
    await ip(node().netns, "route", "del", prefix, "proto", "201");
    await eventually("it is back", 2, async () => (await ours()).join() === before.join());
    await ip(node().netns, "route", "replace", "blackhole", prefix, "proto", "201", "metric", "1024");
    await eventually("it is as it was", 2, async () => (await ours()).join() === before.join());
  });

  lab.proof("sweeps what an earlier life left, and never touches routes of others", async () => {
    const { netns } = node();
    const before = await ours();
    const former = agent();
    await end(former);
    const stale = [
      ["10.99.0.0/24", "via", "10.10.1.1", "proto", "201", "metric", "1024"],
      ["blackhole", "10.244.255.192/26", "proto", "201", "metric", "1024"],
      ["fd00:99::/64", "via", "fd00:10:1::1", "proto", "201", "metric", "1024"],
      ["blackhole", "fd00:244:0:ffff::/122", "proto", "201", "metric", "1024"],
    ];
    const foreign = [
      ["10.98.0.0/24", "via", "10.10.1.1", "proto", "static"],
      ["10.97.0.0/24", "via", "10.10.1.1", "proto", "bird"],
      ["blackhole", "10.96.0.0/24", "proto", "static"],
      ["10.95.0.0/24", "via", "10.10.1.1", "proto", "201", "metric", "1024", "table", "77"],
      ["fd00:98::/64", "via", "fd00:10:1::1", "proto", "static", "metric", "1024"],
    ];
    for (const route of [...stale, ...foreign]) await ip(netns, "route", "add", ...route);
    const others = async () => [...(await tables("static")), ...(await tables("bird")), await table77()];
    const table77 = () => ip(netns, "route", "show", "table", "77");
    const theirs = await others();
    restart(former, "agent");
    await settled(node());
    await eventually("what was left is swept", 10, async () => {
      expect(await ours()).toEqual(before);
      return true;
    });
    expect(await others()).toEqual(theirs);
    for (const route of foreign) await ip(netns, "route", "del", ...route);
  });

  lab.proof("does not touch what was left while a peer is not back, for as long as a router may restart", async () => {
    const tor = lab.router("tor1");
    const bird = processIn(tor.netns, "bird", "-f");
    const before = await ours();
    const former = agent();
    await end(former);
    await frozen(bird, async () => {
      restart(former, "agent");
      await eventually("it is up but for the ToR", 15, async () => {
        const { notReady, peers } = await agentView(node());
        return peers.length === 2 && notReady.length > 0 && notReady.every((reason) => reason.includes("tor1"));
      });
      await always("its routes stay", 2, async () => (await ours()).join() === before.join());
    });
    await settled(node());
    expect(await ours()).toEqual(before);
  });
});

describe("etcd", () => {
  lab.proof("away at the agent's start: kernel routes and pods stay, and it is ready when etcd is back", async () => {
    const streams = await traffic();
    const before = await ours();
    const [former, store] = [agent(), etcd()];
    await end(store);
    await end(former);
    restart(former, "agent");
    await eventually("the agent says what it waits for", 10, async () => {
      const { ready, notReady } = await agentView(node());
      return !ready && notReady.join().includes("etcd");
    });
    expect(await probe("livez")).toBe("200");
    expect(await probe("readyz")).toBe("503");
    await always("kernel routes stay", 2, async () => (await ours()).join() === before.join());
    restart(store, "etcd");
    await settled(node());
    expect(await probe("readyz")).toBe("200");
    await streams.lostNothing();
    expect(await ours()).toEqual(before);
  });

  lab.proof("killed and started again with its data: nobody loses a session, and pods are served again", async () => {
    const streams = await traffic();
    const before = await peerOf(node(), "tor1");
    const routes = await ours();
    const store = etcd();
    await end(store);
    await eventually("the agent says so, and is still ready", 10, async () => {
      const { ready, problems } = await agentView(node());
      return ready && problems.join().includes("etcd");
    });
    restart(store, "etcd");
    await eventually("the agent has found it again", 15, async () => (await agentView(node())).problems.length === 0);
    const sandbox = await newSandbox(lab.name, "after");
    const result = await eventually("a pod is served", 5, () => add(node(), sandbox));
    await reaches(lab.netns("vm1"), addressesOf(result));
    await del(node(), sandbox);
    await removeSandbox(sandbox);
    const { since, established } = await peerOf(node(), "tor1");
    expect({ since, established }).toEqual({ since: before.since, established: before.established });
    expect(await ours()).toEqual(routes);
    expect(await podRoutes(node())).toHaveLength(2);
    await streams.lostNothing();
  });
});
