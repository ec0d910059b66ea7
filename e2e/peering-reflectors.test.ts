/**
 * From the mesh to route reflectors and back under traffic, in every order an operator may choose: no packet is lost.
 *
 * Whatever a node has no route for, it refuses: the ToR, which knows every block, must not help out.
 */

import { readFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { agentView, type PeerView } from "./harness/agent.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { startIn } from "./harness/processes.ts";
import { reaches, stream } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2erefl", { racks: 1, nodes: 4, pods: 1 });
const NAMES = ["r1n1", "r1n2", "r1n3", "r1n4"];
const CLUSTER_ID = "224.0.0.1";

const document = (kind: string, metadata: object, spec: object): string =>
  `${JSON.stringify({ apiVersion: "overland.dev/v1", kind, metadata, spec })}\n---\n`;
const mesh = (on: boolean): string =>
  document("BGPConfiguration", { name: "default" }, { asNumber: 64_512, nodeToNodeMeshEnabled: on, holdTime: "9s" });
/** The first node as a reflector, or as the others. */
const hub = (reflects: boolean): string => {
  const bgp = { ipv4Address: "10.10.1.11/24", ipv6Address: "fd00:10:1::11/64" };
  const labels = { rack: "rack-1", hub: reflects ? "yes" : "no" };
  return document(
    "Node",
    { name: "r1n1", labels },
    {
      bgp: reflects ? { ...bgp, routeReflectorClusterID: CLUSTER_ID } : bgp,
    },
  );
};
const peering = (more: object = {}): string =>
  document(
    "BGPPeer",
    { name: "hub" },
    { nodeSelector: "all()", peerSelector: "hub == 'yes'", holdTime: "9s", ...more },
  );

/** Names of a node's sessions with nodes; those that are not up, marked. */
async function sessions(name: string): Promise<string[]> {
  const { peers } = await agentView(lab.node(name));
  const shown = ({ name: peer, state }: PeerView) => (state === "Established" ? peer : `${peer} ${state}`);
  return peers
    .filter((peer) => peer.name !== "tor1")
    .map(shown)
    .sort();
}

const all = (wanted: (name: string) => string[]) =>
  eventually("every node has the sessions that are asked for, and no others", 60, async () => {
    for (const name of NAMES) expect([name, await sessions(name)]).toEqual([name, wanted(name)]);
    return true;
  });
const reflected = (name: string) => (name === "r1n1" ? NAMES.slice(1).map((other) => `hub/${other}`) : ["hub/r1n1"]);
const meshed = (name: string) => NAMES.filter((other) => other !== name).map((other) => `mesh/${other}`);

/** Between all pods, and to and from the VM: 50 packets a second each. */
async function underTraffic(work: () => Promise<void>): Promise<void> {
  const { pods, vms } = lab.plan;
  const ends = [...pods, ...vms];
  for (const from of ends) {
    for (const to of ends) if (from !== to) await reaches(from.netns, to.addresses, 20);
  }
  const streams = await Promise.all(
    ends.map((from) =>
      stream(
        from.netns,
        ends.filter((to) => to !== from).flatMap((to) => to.addresses),
      ),
    ),
  );
  await work();
  await Promise.all(streams.map((one) => one.lostNothing()));
}

const withdrawn = (name: string) => `${lab.plan.log}/${name}-routes.log`;

describe("from the mesh to a reflector no packet is lost", () => {
  lab.proof("the lab is ready, and a node without a route refuses", async () => {
    await all(meshed);
    for (const { netns, name } of lab.plan.nodes) {
      await ip(netns, "route", "add", "unreachable", "10.244.0.0/16", "metric", "9999");
      await ip(netns, "-6", "route", "add", "unreachable", "fd00:244::/48", "metric", "9999");
      startIn(netns, ["ip", "-o", "monitor", "route"], withdrawn(name));
    }
  });

  lab.proof(
    "the reflector first, then the mesh off",
    () =>
      underTraffic(async () => {
        await lab.apply(hub(true) + peering());
        await all((name) => reflected(name).concat(name === "r1n1" ? [] : meshed(name).slice(1)));
        await lab.apply(mesh(false));
        await all(reflected);
      }),
    150,
  );

  lab.proof(
    "and back: the mesh on first",
    () =>
      underTraffic(async () => {
        await lab.apply(mesh(true));
        await all((name) => reflected(name).concat(name === "r1n1" ? [] : meshed(name).slice(1)));
        await lab.apply(hub(false));
        await lab.delete("bgppeer", "hub");
        await all(meshed);
      }),
    150,
  );

  lab.proof(
    "all in one apply",
    () =>
      underTraffic(async () => {
        await lab.apply(mesh(false) + hub(true) + peering());
        await all(reflected);
      }),
    150,
  );

  lab.proof(
    "and back: the peering away first, then the reflector and the mesh",
    () =>
      underTraffic(async () => {
        await lab.delete("bgppeer", "hub");
        await lab.apply(hub(false) + mesh(true));
        await all(meshed);
      }),
    150,
  );

  lab.proof(
    "the wrong way round: the mesh off first; meanwhile the nodes say what they keep",
    () =>
      underTraffic(async () => {
        await lab.apply(mesh(false));
        await eventually("a node says so", 10, async () => {
          const { problems } = await agentView(lab.node("r1n2"));
          return problems.some((problem) =>
            problem.startsWith("no resource asks for the sessions mesh/r1n1, mesh/r1n3"),
          );
        });
        await lab.apply(hub(true) + peering({ holdTime: "12s" }));
        await all(reflected);
      }),
    150,
  );

  lab.proof("no block of another node was ever withdrawn from a node's kernel", async () => {
    for (const { name } of lab.plan.nodes) {
      const lines = readFileSync(withdrawn(name), "utf8").split("\n");
      expect(
        lines.filter((line) => /^Deleted (10\.244|fd00:244)/.test(line) && !/dev ovl|blackhole/.test(line)),
      ).toEqual([]);
    }
  });
});
