/**
 * A node with two uplinks, each to a ToR of its own: BIRD and FRR. A VM behind a third router is reached over both, and
 * an uplink that is unplugged under traffic costs no more than the hold time of its session.
 */
import { spawn } from "node:child_process";
import { describe, expect } from "@jest/globals";
import { established, peerOf } from "./harness/agent.ts";
import { inside } from "./harness/command.ts";
import { ip, ScenarioLab } from "./harness/lab.ts";
import { birdc, vtysh } from "./harness/routers.ts";
import { answers, reaches, stream } from "./harness/traffic.ts";
import { eventually } from "./harness/wait.ts";

const lab = new ScenarioLab("e2edual", { racks: 3, nodes: 1, pods: 1 });
const node = () => lab.node("r1n1");
const pod = () => {
  const found = lab.plan.pods.find((one) => one.node === "r1n1");
  if (found === undefined) throw new Error("r1n1 has no pod");
  return found;
};
const vm = () => lab.plan.vms.find(({ name }) => name === "vm3")?.netns ?? "";
const HOLD_S = 9;
const EVERY_S = 0.05;

const document = (kind: string, name: string, spec: object): string =>
  `${JSON.stringify({ apiVersion: "overland.dev/v1", kind, metadata: { name }, spec })}\n---\n`;
/** The session's own end is the next hop: each ToR sends back over its own link. */
const uplink = (name: string, peerIP: string, asNumber: number): string =>
  document("BGPPeer", name, { node: "r1n1", peerIP, asNumber, sourceAddress: "None", holdTime: `${HOLD_S}s` });

/** Gateways of the node's route, sorted. */
async function gateways(prefix: string): Promise<string[]> {
  const family = prefix.includes(":") ? "-6" : "-4";
  const said = await ip(node().netns, family, "route", "show", prefix);
  return [...said.matchAll(/via (\S+)/g)].map(([, gateway]) => gateway as string).sort();
}

const overBoth = () =>
  eventually("the node reaches the third rack over both uplinks, in both families", 40, async () => {
    expect(await gateways("10.20.3.0/24")).toEqual(["10.10.1.1", "10.30.2.1"]);
    expect(await gateways("fd00:20:3::/64")).toEqual(["fd00:10:1::1", "fd00:30:2::1"]);
    return true;
  });

/** Pings until ended; gives the sequence numbers that were sent and came back. */
function pings(from: string, address: string) {
  const [file = "", ...args] = inside(from, ["ping", "-n", "-i", String(EVERY_S), address]);
  const child = spawn(file, args, { stdio: ["ignore", "pipe", "ignore"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => (text += String(chunk)));
  const closed = new Promise<void>((resolve) => child.on("close", () => resolve()));
  return async () => {
    child.kill("SIGINT");
    await closed;
    const back = new Set([...text.matchAll(/icmp_seq=(\d+) .*time=/g)].map(([, sequence]) => Number(sequence)));
    return { sent: Number(/(\d+) packets transmitted/.exec(text)?.[1] ?? 0), back: back.size };
  };
}

/** `work` between two states of the network in which everything answers; seconds without an answer, of the worst. */
async function outage(work: () => Promise<void>): Promise<number> {
  const runs = pod().addresses.map((address) => pings(vm(), address));
  await work();
  const lost = await Promise.all(runs.map((end) => end()));
  return Math.max(...lost.map(({ sent, back }) => (sent - back) * EVERY_S));
}

describe("a node with two uplinks", () => {
  lab.proof(
    "has a session over each and uses both, and so does the fabric on the way back",
    async () => {
      const [netns, tor2] = [node().netns, lab.router("tor2")];
      await ip(netns, "link", "add", "eth9", "type", "veth", "peer", "name", "uplink9", "netns", tor2.netns);
      for (const [where, device, host] of [
        [netns, "eth9", 2],
        [tor2.netns, "uplink9", 1],
      ] as const) {
        await ip(where, "address", "add", `10.30.2.${host}/30`, "dev", device);
        await ip(where, "address", "add", `fd00:30:2::${host}/64`, "dev", device, "nodad");
        await ip(where, "link", "set", device, "up");
      }
      await vtysh(tor2, "configure terminal", "router bgp 65002", "neighbor 10.30.2.2 peer-group NODES");
      await lab.apply(uplink("tor1", "10.10.1.1", 65_001) + uplink("tor2", "10.30.2.1", 65_002));
      for (const name of ["tor1", "tor2"]) await established(node(), name, 30);
      await overBoth();
      await eventually("the third router has the pods over both ToRs", 30, async () => {
        const said = await birdc(lab.router("tor3"), `show route for ${pod().addresses[0]} all`);
        expect([...said.matchAll(/BGP.as_path: (.*)/g)].map(([, path]) => path?.trim()).sort()).toEqual([
          "65001 64512",
          "65002 64512",
        ]);
        return true;
      });
      await reaches(vm(), pod().addresses, 20);
    },
    120,
  );

  lab.proof(
    "loses one under traffic for no longer than the session's hold time, and it comes back without a loss",
    async () => {
      const tor1 = lab.router("tor1");
      const seconds = await outage(async () => {
        await ip(tor1.netns, "link", "set", node().cable, "nomaster");
        await eventually("the session over it is down", HOLD_S + 20, async () => {
          return (await peerOf(node(), "tor1")).state !== "Established";
        });
        await eventually("all goes over the other", 20, async () => {
          expect(await gateways("10.20.3.0/24")).toEqual(["10.30.2.1"]);
          for (const address of pod().addresses) if (!(await answers(vm(), address))) return false;
          return true;
        });
      });
      expect(seconds).toBeLessThan(HOLD_S + 15);
      const streams = [await stream(vm(), pod().addresses)];
      await ip(tor1.netns, "link", "set", node().cable, "master", "rack");
      await established(node(), "tor1", 40);
      await overBoth();
      for (const one of streams) await one.lostNothing();
    },
    150,
  );

  lab.proof(
    "whose cable to the other one is pulled goes on at once over the first, and back",
    async () => {
      const seconds = await outage(async () => {
        await ip(node().netns, "link", "set", "eth9", "down");
        await eventually("all goes over the first", 20, async () => {
          expect(await gateways("10.20.3.0/24")).toEqual(["10.10.1.1"]);
          return true;
        });
        await eventually("the session over it is down at the ToR", HOLD_S + 20, async () => {
          const said = await vtysh(lab.router("tor2"), "show bgp summary json");
          return !/"10\.30\.2\.2":\{[^}]*"state":"Established"/.test(said.replaceAll(/\s/g, ""));
        });
        await reaches(vm(), pod().addresses, 20);
      });
      expect(seconds).toBeLessThan(HOLD_S + 15);
      const streams = [await stream(vm(), pod().addresses)];
      await ip(node().netns, "link", "set", "eth9", "up");
      await ip(node().netns, "address", "replace", "fd00:30:2::2/64", "dev", "eth9", "nodad");
      await established(node(), "tor2", 40);
      await overBoth();
      for (const one of streams) await one.lostNothing();
    },
    150,
  );
});
