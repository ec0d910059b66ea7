/**
 * Sessions with real routers, BIRD and FRR: who dials, what is agreed, how a session ends and what the operator is
 * told.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect } from "@jest/globals";
import { agentRoutes, agentView, established, peerOf, settled, statusText } from "./harness/agent.ts";
import { must } from "./harness/command.ts";
import { addGuest, type Guest, type GuestBird, startBird } from "./harness/guest.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { frozen } from "./harness/processes.ts";
import { birdc, birdSession, vtysh } from "./harness/routers.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2epeers", { racks: 2, nodes: 1, pods: 1 });
const [bird, frr] = [() => lab.router("tor1"), () => lab.router("tor2")];
const [node, farNode] = [() => lab.node("r1n1"), () => lab.node("r2n1")];

const peer = (name: string, spec: object): string =>
  `---\n${JSON.stringify({ apiVersion: "overland.dev/v1", kind: "BGPPeer", metadata: { name }, spec })}\n`;

/** The ToRs' BGPPeers as the lab makes them, with something added. */
const torPeers = (more: object): string =>
  [bird(), frr()]
    .map(({ name, addresses, asNumber }) => {
      const nodeSelector = `rack == 'rack-${name.slice(3)}'`;
      return peer(name, { nodeSelector, peerIP: addresses[0], asNumber, holdTime: "9s", ...more });
    })
    .join("");

/** TCP connections between the node and this address on the BGP port, by who opened them. */
async function connections(netns: string, address: string): Promise<{ accepted: number; dialled: number }> {
  const text = await must(["ss", "-Htn", "state", "established"], { netns });
  const pairs = [...text.matchAll(/(\S+) +(\S+)\s*$/gm)].map(([, local = "", remote = ""]) => ({ local, remote }));
  const toPeer = pairs.filter(({ remote }) => remote.startsWith(`${address}:`));
  return {
    accepted: toPeer.filter(({ local }) => local.endsWith(":179")).length,
    dialled: toPeer.filter(({ remote }) => remote.endsWith(":179")).length,
  };
}

describe("a session with a ToR", () => {
  lab.proof("carries IPv4 and IPv6 and four-octet AS numbers, with BIRD and with FRR", async () => {
    for (const [one, tor] of [
      [node(), "tor1"],
      [farNode(), "tor2"],
    ] as const) {
      const { families, advertised, received, gracefulRestart } = await established(one, tor);
      expect(families).toEqual(["ipv4-unicast", "ipv6-unicast"]);
      expect(advertised).toEqual({ ipv4: 1, ipv6: 1 });
      expect(Math.min(received.ipv4, received.ipv6)).toBeGreaterThanOrEqual(4);
      expect(gracefulRestart).toBe(true);
    }
    const seenByBird = await birdc(bird(), "show protocols all r1n1");
    expect(seenByBird.match(/Channel ipv[46]\n\s+State:\s+UP/g)).toHaveLength(2);
    expect(seenByBird).toContain("4-octet AS numbers");
    const seenByFrr = JSON.parse(await vtysh(frr(), "show bgp neighbors 10.10.2.11 json"))["10.10.2.11"];
    expect(seenByFrr.neighborCapabilities).toMatchObject({
      "4byteAs": "advertisedAndReceived",
      multiprotocolExtensions: {
        ipv4Unicast: { advertisedAndReceived: true },
        ipv6Unicast: { advertisedAndReceived: true },
      },
    });
  });

  lab.proof("comes up when only the router dials", async () => {
    await lab.apply(torPeers({ passive: true }));
    for (const [one, tor] of [
      [node(), bird()],
      [farNode(), frr()],
    ] as const) {
      await eventually(`${tor.name} has dialled ${one.name}`, 20, async () => {
        await established(one, tor.name, 0);
        expect(await connections(one.netns, tor.addresses[0] ?? "")).toEqual({ accepted: 1, dialled: 0 });
        return true;
      });
    }
  });

  lab.proof("comes up when only the agent dials", async () => {
    await lab.apply(torPeers({}));
    const file = `${lab.plan.directory}/tor1/bird.conf`;
    const configuration = readFileSync(file, "utf8");
    writeFileSync(file, configuration.replace("template bgp node {", "template bgp node {\n  passive on;"));
    await Promise.all([
      birdc(bird(), "configure"),
      vtysh(frr(), "configure terminal", "router bgp 65002", "neighbor NODES passive"),
    ]);
    await vtysh(frr(), "clear bgp 10.10.2.11");
    for (const [one, tor] of [
      [node(), bird()],
      [farNode(), frr()],
    ] as const) {
      await eventually(`${one.name} has dialled ${tor.name}`, 20, async () => {
        await established(one, tor.name, 0);
        expect(await connections(one.netns, tor.addresses[0] ?? "")).toEqual({ accepted: 0, dialled: 1 });
        return true;
      });
    }
    writeFileSync(file, configuration);
    await Promise.all([
      birdc(bird(), "configure"),
      vtysh(frr(), "configure terminal", "router bgp 65002", "no neighbor NODES passive"),
    ]);
    await Promise.all([settled(node()), settled(farNode())]);
  });
});

const GUEST_AS = 4_200_000_007;
let guest: Guest;
let router: GuestBird;

const guestPeer = (more: object = {}): string =>
  peer("guest", { node: "r1n1", peerIP: guest.ipv4, asNumber: GUEST_AS, holdTime: "3s", connectRetryTime: 1, ...more });

describe("a router with a four-octet AS number", () => {
  lab.proof("is a peer like any other, also where this node shows such a number itself", async () => {
    guest = await addGuest(lab, 1, "guest", 201);
    await ip(guest.netns, "route", "add", "blackhole", "10.77.0.0/24");
    router = await startBird(lab, guest, guestConfiguration(guest));
    await lab.apply(guestPeer({ localASNumber: 4_200_000_001 }));
    await established(node(), "guest");
    const route = await eventually("its route is in the node's kernel", 5, async () =>
      (await agentRoutes(node())).find(({ prefix, installed }) => prefix === "10.77.0.0/24" && installed),
    );
    expect(route.asPath).toEqual([String(GUEST_AS)]);
    expect(await ip(node().netns, "route", "show", "10.77.0.0/24")).toContain(`via ${guest.ipv4}`);
    const learned = await birdc(router, "show route all protocol node");
    expect(learned).toMatch(/BGP.as_path: 4200000001\n/);
  });

  lab.proof("whose AS is not the configured one gets no session, and the operator reads why", async () => {
    await lab.apply(guestPeer({ localASNumber: 4_200_000_001, asNumber: 65009 }));
    await eventually("the status says so", 10, async () => {
      const { state, lastError } = await peerOf(node(), "guest");
      expect(state).not.toBe("Established");
      expect(lastError).toMatch(/Bad Peer AS/);
      return true;
    });
    expect(await statusText(node())).toMatch(/10\.10\.1\.201 .*65009 .*Bad Peer AS/);
    expect(await ip(node().netns, "route", "show", "10.77.0.0/24")).toBe("");
    await lab.apply(guestPeer({ localASNumber: 4_200_000_001 }));
    await established(node(), "guest");
  });
});

describe("a session that ends", () => {
  lab.proof("because the router freezes: the hold timer runs out, its routes go, and it comes back", async () => {
    const before = await peerOf(node(), "guest");
    expect(before.holdTime).toBe(3);
    await frozen(router.process, async () => {
      await eventually(
        "the session is given up",
        6,
        async () => (await peerOf(node(), "guest")).state !== before.state,
      );
      expect((await peerOf(node(), "guest")).lastError).toMatch(/Hold Timer Expired.*nothing received for 3 s/);
      await eventually("its route is gone", 2, async () => {
        return (await ip(node().netns, "route", "show", "10.77.0.0/24")) === "";
      });
      expect(await statusText(node())).toMatch(/10\.10\.1\.201 .*Hold Timer Expired/);
    });
    await established(node(), "guest", 20);
  });

  lab.proof("because the router's operator shuts it down: their words are in the status", async () => {
    await birdc(router, 'disable node "rack 1 is being painted"');
    await vtysh(
      frr(),
      "configure terminal",
      "router bgp 65002",
      "neighbor NODES shutdown message the FRR is being moved",
    );
    const reasonOf = (one: typeof node, name: string, words: string) =>
      eventually(`${name} is down with a reason`, 5, async () => {
        const text = await statusText(one());
        expect(text).toMatch(new RegExp(`Administrative Shutdown: "${words}"`));
        return true;
      });
    await reasonOf(node, "guest", "rack 1 is being painted");
    await reasonOf(farNode, "tor2", "the FRR is being moved");
    await birdc(router, "enable node");
    await vtysh(frr(), "configure terminal", "router bgp 65002", "no neighbor NODES shutdown");
    await Promise.all([established(node(), "guest", 40), established(farNode(), "tor2", 40)]);
  });

  lab.proof("because its BGPPeer is deleted: the router is told, and the others do not notice", async () => {
    const before = await peerOf(node(), "tor1");
    await lab.delete("bgppeer", "guest");
    await eventually("the router is told", 5, async () => {
      expect(await birdc(router, "show protocols all node")).toContain("Peer de-configured");
      return true;
    });
    expect(await birdSession(router, "node")).not.toBe("Established");
    expect((await agentView(node())).peers.map(({ name }) => name).sort()).toEqual(["mesh/r2n1", "tor1"]);
    const { since, established: count } = await peerOf(node(), "tor1");
    expect({ since, count }).toEqual({ since: before.since, count: before.established });
    await router.stop();
  });
});

const guestConfiguration = ({ ipv4 }: Guest): string => `
log stderr all;
router id ${ipv4};
protocol device {}
protocol static { ipv4; route 10.77.0.0/24 blackhole; }
protocol bgp node {
  local ${ipv4} as ${GUEST_AS};
  neighbor 10.10.1.11 as 4200000001;
  connect delay time 1;
  connect retry time 1;
  error wait time 1, 1;
  ipv4 { import all; export all; };
  ipv6 { import all; export all; };
}
`;
