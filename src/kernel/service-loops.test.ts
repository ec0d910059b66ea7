import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { withNetns } from "./netns.ts";
import { applyPacketRules } from "./packet-rules.ts";
import { enableForwarding } from "./sysctl.ts";
import { ip, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns, until } from "./testing.ts";

let node: TestNetns;
let router: TestNetns;
let client: TestNetns;

const nft = (commands: string) => execFileSync("ip", ["netns", "exec", node.name, "nft", commands]);

/** A router that has the ranges by the node, a node whose default routes lead to the router, and a client behind it. */
beforeEach(() => {
  node = makeTestNetns();
  router = makeTestNetns();
  joinTestNetns(node, router, ["10.1.0.1/24", "fd00:1::1/64"], ["10.1.0.2/24", "fd00:1::2/64"]);
  client = makeTestNetns();
  joinTestNetns(router, client, ["10.2.0.1/24", "fd00:2::1/64"], ["10.2.0.2/24", "fd00:2::2/64"]);
  for (const gateway of ["10.2.0.1", "fd00:2::1"]) ip(client, `route add default via ${gateway}`);
  for (const { path } of [node, router]) withNetns(path, () => enableForwarding());
  for (const gateway of ["10.1.0.2", "fd00:1::2"]) ip(node, `route add default via ${gateway}`);
  ip(router, "route add 10.96.0.0/16 via 10.1.0.1");
  ip(router, "route add fd00:96::/112 via fd00:1::1");
});

afterEach(() => {
  removeTestNetns(node);
  removeTestNetns(router);
  removeTestNetns(client);
});

const RANGES = ["10.96.0.0/16", "fd00:96::/112"].map(prefixOf);
const apply = (serviceRanges: typeof RANGES) =>
  applyPacketRules({ natPools: [], allPools: [], serviceRanges }, { netns: node.path });

/** What ping says of one packet: an answer, an ICMP error, or nothing. */
function ping(from: TestNetns, address: string): string {
  const command = ["netns", "exec", from.name, "ping", "-n", "-c", "1", "-W", "1", address];
  try {
    return execFileSync("ip", command, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
  } catch (error) {
    return (error as { stdout: string }).stdout;
  }
}

const ruleset = () => execFileSync("ip", ["netns", "exec", node.name, "nft", "list", "ruleset"], { encoding: "utf8" });
/** Neighbours are found and ICMP errors are rationed: the first packet need not be the one that says so. */
const loops = (to: string) => until(`packets to ${to} loop`, () => LOOP.test(ping(client, to)), 15_000);
const LOOP = /Time to live exceeded|Time exceeded/;

describe("an address in a range of services that no service has", () => {
  it.each(["10.96.0.9", "fd00:96::9"])(
    "is the end of a packet to %s, which looped before and does after",
    async (to) => {
      await loops(to);
      await apply(RANGES);
      expect(ping(client, to)).toMatch(/100% packet loss/);
      expect(ping(client, to)).not.toMatch(LOOP);
      expect(ruleset()).toMatch(/daddr @service-ranges-ipv[46] .*counter packets [12] bytes/);
      await apply([]);
      expect(ruleset()).toBe("");
      await loops(to);
    },
  );

  it("leaves alone what the node takes itself, and what it asks for itself", async () => {
    await apply(RANGES);
    ip(node, "addr add 10.96.0.1/32 dev lo");
    expect(ping(client, "10.96.0.1")).toContain(" 0% packet loss");
    // A connection of the node's own is routed before kube-proxy sends it elsewhere: here the router is elsewhere.
    const nat = "add table ip proxy; add chain ip proxy out { type nat hook output priority -100 ; }";
    nft(nat);
    nft("add rule ip proxy out ip daddr 10.96.0.2 dnat to 10.1.0.2");
    expect(ping(node, "10.96.0.2")).toContain(" 0% packet loss");
  });

  it("leaves alone packets whose destination was rewritten, and those from pods", async () => {
    await apply(RANGES);
    const pod = makeTestNetns();
    try {
      ip(node, `link add ovl0123456789a type veth peer name eth0 netns ${pod.name}`);
      ip(node, "link set ovl0123456789a up");
      ip(node, "addr add 10.244.0.1/24 dev ovl0123456789a");
      ip(pod, "addr add 10.244.0.5/24 dev eth0");
      ip(pod, "link set eth0 up");
      ip(pod, "route add default via 10.244.0.1");
      ip(router, "route add 10.244.0.0/24 via 10.1.0.1");
      const nat = "add table ip proxy; add chain ip proxy in { type nat hook prerouting priority -100 ; }";
      nft(nat);
      nft("add rule ip proxy in ip daddr 10.96.0.3 dnat to 10.244.0.5");
      expect(ping(client, "10.96.0.3")).toContain(" 0% packet loss");
      ip(router, "addr add 10.96.7.7/32 dev lo");
      expect(ping(pod, "10.96.7.7")).toContain(" 0% packet loss");
    } finally {
      removeTestNetns(pod);
    }
  });
});
