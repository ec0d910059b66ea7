/**
 * What an operator changes with `overland apply` and `delete` is in force within two seconds, and disturbs nothing
 * else.
 */
import { describe, expect } from "@jest/globals";
import type { NodeStatus } from "../src/lab/status.ts";
import { agentView, type PeerView, peerOf, settled, statusText } from "./harness/agent.ts";
import { add, addressesOf, cni, del, newSandbox, readError, removeSandbox } from "./harness/cni.ts";
import { must } from "./harness/command.ts";
import { ScenarioLab } from "./harness/lab.ts";
import { end, processIn, startAgain, startIn } from "./harness/processes.ts";
import { NODE, overland } from "./harness/program.ts";
import { birdPrefixes } from "./harness/routers.ts";
import { reaches } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";
import { startWhoAmI } from "./harness/who-am-i.ts";

const lab = new ScenarioLab("e2econfig", { racks: 1, nodes: 2, pods: 1 });
const node = () => lab.node("r1n1");
const pods = () => lab.plan.pods;

const IN_FORCE_S = 2;

const resource = (kind: string, name: string, spec: object): string =>
  `${JSON.stringify({ apiVersion: "overland.dev/v1", kind, metadata: { name }, spec })}\n---\n`;

/** The lab's own resources, with something changed. */
const configuration = (change: object): string =>
  resource("BGPConfiguration", "default", { asNumber: 64512, nodeToNodeMeshEnabled: true, holdTime: "9s", ...change });
const ipv4Pool = (change: object): string =>
  resource("IPPool", "pods-ipv4", { cidr: "10.244.0.0/16", blockSize: 26, ...change });
const ipv6Pool = (change: object): string =>
  resource("IPPool", "pods-ipv6", { cidr: "fd00:244::/48", blockSize: 122, ...change });
const bothPools = (change: object): string => ipv4Pool(change) + ipv6Pool(change);

const session = ({ since, established }: PeerView) => ({ since, established });

/** What the other node has said in the mesh's session, in seconds. */
async function meshRestartTime(node: NodeStatus): Promise<number | undefined> {
  const mesh = (await agentView(node)).peers.find(({ name }) => name.startsWith("mesh/"));
  if (mesh?.state !== "Established") return undefined;
  const { stdout } = await overland(["bgp", "peer", mesh.name, "-o", "json", "--socket", node.socket]);
  const { restart } = JSON.parse(stdout) as { restart: { peerRestartTime?: number } };
  return restart.peerRestartTime;
}

/** The session with the ToR is the same one after the work as before. */
async function undisturbed(work: () => Promise<void>): Promise<void> {
  const before = await peerOf(node(), "tor1");
  expect(before.state).toBe("Established");
  await work();
  expect(session(await peerOf(node(), "tor1"))).toEqual(session(before));
}

describe("a BGPPeer", () => {
  const peer = (asNumber: number) => resource("BGPPeer", "new", { node: "r1n1", peerIP: "10.10.1.250", asNumber });

  lab.proof("added, changed and removed reaches the node, and only the node it is for", () =>
    undisturbed(async () => {
      await lab.apply(peer(65_099));
      await eventually("it is there", IN_FORCE_S, () => peerOf(node(), "new"));
      expect((await agentView(lab.node("r1n2"))).peers.map(({ name }) => name)).not.toContain("new");
      await lab.apply(peer(65_100));
      await eventually("it has changed", IN_FORCE_S, async () => (await peerOf(node(), "new")).asNumber === 65_100);
      await lab.delete("bgppeer", "new");
      await eventually("it is gone", IN_FORCE_S, async () => {
        return !(await agentView(node())).peers.some(({ name }) => name === "new");
      });
    }),
  );
});

describe("the BGPConfiguration", () => {
  const meshPeers = async () => (await agentView(node())).peers.filter(({ name }) => name.startsWith("mesh/"));

  lab.proof("switches the mesh off and on again; pods reach each other all the time", () =>
    undisturbed(async () => {
      // Nobody else tells the nodes each other's blocks, so the mesh stays for its restart time.
      await lab.apply(configuration({ nodeMeshMaxRestartTime: "3s" }));
      // Each end opens a new session when it hears of it: the one that counts is between two that have.
      await eventually("the mesh has agreed on it at both ends", 15, async () => {
        const told = await Promise.all(lab.plan.nodes.map((one) => meshRestartTime(one)));
        return told.every((seconds) => seconds === 3);
      });
      await Promise.all(lab.plan.nodes.map((one) => settled(one)));
      await lab.apply(configuration({ nodeToNodeMeshEnabled: false }));
      await eventually("the mesh is going", IN_FORCE_S, async () => {
        return (await meshPeers()).every(({ type }) => type === "node-to-node mesh (going)");
      });
      await eventually("there is no mesh", 3 + IN_FORCE_S, async () => (await meshPeers()).length === 0);
      await reaches(pods()[0]?.netns ?? "", pods()[1]?.addresses ?? []);
      await lab.apply(configuration({}));
      await eventually("the mesh is back", IN_FORCE_S, async () => (await meshPeers()).length === 1);
      await Promise.all(lab.plan.nodes.map((one) => settled(one)));
      await reaches(pods()[0]?.netns ?? "", pods()[1]?.addresses ?? []);
    }),
  );

  lab.proof("changes the hold time of the mesh; a BGPPeer that has its own keeps it", () =>
    undisturbed(async () => {
      await lab.apply(configuration({ holdTime: "12s" }));
      await eventually("the mesh has agreed on 12 s", 15, async () => {
        const [mesh] = await meshPeers();
        return mesh?.state === "Established" && mesh.holdTime === 12;
      });
      await lab.apply(configuration({}));
      await Promise.all(lab.plan.nodes.map((one) => settled(one)));
    }),
  );

  lab.proof("changes the port that nodes listen on", () =>
    undisturbed(async () => {
      const ports = async () => (await must(["ss", "-Hltn"], { netns: node().netns })).match(/(?<=:)\d+(?= )/g);
      await lab.apply(configuration({ listenPort: 1790 }));
      await eventually("it listens on 1790 and no longer on 179", IN_FORCE_S, async () => {
        const listening = await ports();
        return listening?.includes("1790") && !listening.includes("179");
      });
      await Promise.all(lab.plan.nodes.map((one) => settled(one)));
      await lab.apply(configuration({}));
      await Promise.all(lab.plan.nodes.map((one) => settled(one)));
      expect(await ports()).toContain("179");
    }),
  );
});

describe("an IPPool", () => {
  lab.proof("with natOutgoing hides pods behind their node, from VMs and not from pods; without it shows them", () =>
    undisturbed(async () => {
      const [vm] = lab.plan.vms;
      const [pod, other] = pods();
      if (vm === undefined || pod === undefined || other === undefined) throw new Error("unreachable");
      const servers = [vm, other].map(({ netns }) => startWhoAmI(netns, `${lab.plan.log}/who-am-i.log`));
      const seenBy = (server: { addresses: readonly string[] }, i: number) =>
        Promise.all(server.addresses.map((address) => servers[i]?.seenFrom(pod.netns, address)));
      const from = lab.node(pod.node);
      expect(await seenBy(vm, 0)).toEqual(pod.addresses);
      await lab.apply(bothPools({ natOutgoing: true }));
      await eventually("the VM sees the node", IN_FORCE_S, async () => {
        expect(await seenBy(vm, 0)).toEqual(from.addresses);
        return true;
      });
      expect(await seenBy(other, 1)).toEqual(pod.addresses);
      await lab.apply(bothPools({ natOutgoing: false }));
      await eventually("the VM sees the pod again", IN_FORCE_S, async () => {
        expect(await seenBy(vm, 0)).toEqual(pod.addresses);
        return true;
      });
      expect(await must(["nft", "list", "tables"], { netns: from.netns })).toBe("");
      for (const server of servers) await server.stop();
    }),
  );

  lab.proof("with disableBGPExport is hidden from the ToR; the other family's stays", () =>
    undisturbed(async () => {
      const blocks = async () =>
        (await birdPrefixes(lab.router("tor1"))).filter((prefix) => /^(10\.244|fd00:244)/.test(prefix)).sort();
      const before = await blocks();
      expect(before).toHaveLength(4);
      await lab.apply(ipv4Pool({ disableBGPExport: true }));
      await eventually("the IPv4 blocks are gone", IN_FORCE_S, async () => {
        expect(await blocks()).toEqual(before.filter((prefix) => prefix.includes(":")));
        return true;
      });
      await lab.apply(ipv4Pool({}));
      await eventually("they are back", IN_FORCE_S, async () => {
        expect(await blocks()).toEqual(before);
        return true;
      });
    }),
  );

  const refusals: Record<string, object> = {
    "that is disabled": { disabled: true },
    "whose nodeSelector matches no node": { nodeSelector: "rack == 'rack-9'" },
  };
  for (const [which, change] of Object.entries(refusals)) {
    lab.proof(`${which} gives nothing out; what it gave out goes on`, () =>
      undisturbed(async () => {
        const sandbox = await newSandbox(lab.name, "late");
        await lab.apply(bothPools(change));
        await eventually("ADD is refused", IN_FORCE_S, async () => {
          const answer = await cni("ADD", node(), sandbox);
          if (answer.code === 0) await del(node(), sandbox);
          expect(readError(answer)).toMatchObject({ code: 101, msg: expect.stringMatching(/pool/i) });
          return true;
        });
        await reaches(lab.netns("vm1"), pods()[0]?.addresses ?? []);
        await lab.apply(bothPools({}));
        const result = await eventually("ADD is served", IN_FORCE_S, () => add(node(), sandbox));
        await reaches(lab.netns("vm1"), addressesOf(result));
        await del(node(), sandbox);
        await removeSandbox(sandbox);
      }),
    );
  }

  lab.proof("that is in use cannot be deleted, nor its CIDR be changed", async () => {
    const deleted = await lab.overland(["delete", "ippool", "pods-ipv4"]);
    expect(deleted).toMatchObject({ code: 1, stderr: expect.stringMatching(/pods-ipv4 .*2 addresses are in use/) });
    const changed = await lab.overland(["apply", "-f", "-"], { input: ipv4Pool({ cidr: "10.245.0.0/16" }) });
    expect(changed).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/spec\.cidr: 10\.245\.0\.0\/16: cannot change/),
    });
    expect((await lab.overland(["get", "ippool"])).stdout).toMatch(/pods-ipv4 +10\.244\.0\.0\/16/);
  });
});

describe("a BGP port that another program has", () => {
  lab.proof("is told in the node's status, and taken when it is free", async () => {
    const agent = processIn(node().netns, "agent", "--config");
    await end(agent, "SIGTERM");
    const thief = 'require("node:net").createServer().listen(179, "::")';
    startIn(node().netns, [NODE, "-e", thief], `${lab.plan.log}/thief.log`);
    const listener = await eventually("the other program listens", 5, async () => {
      expect(await must(["ss", "-Hltn"], { netns: node().netns })).toContain(":179 ");
      return processIn(node().netns, "createServer");
    });
    startAgain(agent, `${lab.plan.log}/agent-again.log`);
    await eventually("the status says so", 10, async () => {
      const text = await statusText(node());
      expect(text).toMatch(/not ready/);
      expect(text).toMatch(/cannot listen on port 179: another program has it/);
      return true;
    });
    await end(listener);
    await settled(node(), 20);
    expect(await statusText(node())).not.toMatch(/another program/);
    await reaches(lab.netns("vm1"), pods()[0]?.addresses ?? []);
  });
});
