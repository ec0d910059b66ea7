import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { Masquerade } from "./masquerade.ts";
import { withNetns } from "./netns.ts";
import { applyPacketRules } from "./packet-rules.ts";
import { PodNetwork } from "./pod-wiring.ts";
import { enableForwarding } from "./sysctl.ts";
import { dialTcp, listenTcp } from "./tcp.ts";
import { ip, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns } from "./testing.ts";

let node: TestNetns;
let outside: TestNetns;

beforeEach(() => {
  node = makeTestNetns();
  outside = makeTestNetns();
  joinTestNetns(node, outside, ["10.1.0.1/24", "fd00:1::1/64"], ["10.1.0.2/24", "fd00:1::2/64"]);
});

afterEach(() => {
  removeTestNetns(node);
  removeTestNetns(outside);
});

function ruleset(): string {
  return execFileSync("ip", ["netns", "exec", node.name, "nft", "list", "ruleset"], { encoding: "utf8" });
}

const applyMasquerade = (wanted: Masquerade, where: { netns: string }) =>
  applyPacketRules({ ...wanted, serviceRanges: [] }, where);

const pools = (...texts: string[]) => texts.map(prefixOf);

describe("masquerading", () => {
  it("is one table of two rules and four sets, the same however often it is applied", async () => {
    const wanted = { natPools: pools("10.244.0.0/16", "fd00:244::/48"), allPools: pools("10.96.0.0/12") };
    await applyMasquerade(wanted, { netns: node.path });
    const once = ruleset();
    await applyMasquerade(wanted, { netns: node.path });
    expect(ruleset()).toBe(once);
    expect(once).toContain("ip saddr @nat-pools-ipv4 ip daddr != @all-pools-ipv4 masquerade");
    expect(once).toContain("ip6 saddr @nat-pools-ipv6 ip6 daddr != @all-pools-ipv6 masquerade");
  });

  it("takes pools that overlap or are listed twice", async () => {
    const natPools = pools("10.244.0.0/16", "10.244.7.0/24", "10.244.0.0/16");
    await applyMasquerade({ natPools, allPools: natPools }, { netns: node.path });
    expect(ruleset().match(/elements = .*/g)).toEqual(["elements = { 10.244.0.0/16 }", "elements = { 10.244.0.0/16 }"]);
  });

  it("removes its table when no pool wants it, and touches no other table", async () => {
    execFileSync("ip", ["netns", "exec", node.name, "nft", "add table inet mine"]);
    await applyMasquerade({ natPools: pools("10.244.0.0/16"), allPools: [] }, { netns: node.path });
    for (let i = 0; i < 2; i++) await applyMasquerade({ natPools: [], allPools: [] }, { netns: node.path });
    expect(ruleset().trim().split("\n")).toEqual(["table inet mine {", "}"]);
  });

  it("says in nft's words why it cannot", async () => {
    await expect(applyMasquerade({ natPools: [], allPools: [] }, { netns: "/run/netns/ovt-none" })).rejects.toThrow(
      /nft refused the rules.*ovt-none/,
    );
  });

  it("hides a pod behind its node outside the pools, and nowhere within", async () => {
    const pod = makeTestNetns();
    const network = PodNetwork.open({ netns: node.path });
    try {
      withNetns(node.path, () => enableForwarding());
      ip(outside, "addr add 10.244.9.9/32 dev right");
      ip(node, "route add 10.244.9.9 via 10.1.0.2");
      for (const prefix of ["10.244.0.0/24", "fd00:244::/64"]) {
        ip(outside, `route add ${prefix} via ${prefix.includes(":") ? "fd00:1::1" : "10.1.0.1"}`);
      }
      const addresses = [addressOf("10.244.0.5"), addressOf("fd00:244::5")];
      network.wire({ netns: pod.path, ifName: "eth0", hostInterface: "ovlnat", addresses, mtu: 1500 });
      const natPools = pools("10.244.0.0/16", "fd00:244::/48");
      await applyMasquerade({ natPools, allPools: natPools }, { netns: node.path });
      expect(await clientSeen(pod, "10.1.0.2")).toBe("10.1.0.1");
      expect(await clientSeen(pod, "fd00:1::2")).toBe("fd00:1::1");
      expect(await clientSeen(pod, "10.244.9.9")).toBe("10.244.0.5");
      await applyMasquerade({ natPools: [], allPools: natPools }, { netns: node.path });
      expect(await clientSeen(pod, "10.1.0.2")).toBe("10.244.0.5");
      expect(await clientSeen(pod, "fd00:1::2")).toBe("fd00:244::5");
    } finally {
      network.close();
      removeTestNetns(pod);
    }
  });
});

/** The client's address as a server outside sees it when the pod connects. */
async function clientSeen(pod: TestNetns, address: string): Promise<string | undefined> {
  const server = await listenTcp({ port: 0, netns: outside.path });
  const { port } = server.address() as { port: number };
  const seen = new Promise<string | undefined>((resolve, reject) => {
    server.on("connection", (connection) => {
      resolve(connection.remoteAddress);
      connection.destroy();
    });
    const client = dialTcp({ address: addressOf(address), port, netns: pod.path });
    client.on("error", reject);
    client.setTimeout(2000, () => client.destroy(new Error("no connection")));
  });
  return seen.finally(() => server.close());
}
