import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { addressOf } from "../../ipam/net/address.ts";
import type { PeerIntent } from "../config/peer-intent.ts";
import { ip, joinTestNetns, makeTestNetns, removeTestNetns, type TestNetns } from "../kernel/testing.ts";
import { PeerRoutes } from "./peer-routes.ts";

const peer = (name: string, address: string, gateway?: string): PeerIntent => ({
  name,
  type: "global",
  address: addressOf(address),
  ...(gateway !== undefined && { reachableBy: addressOf(gateway) }),
  ...{ port: 179, asNumber: 65001, localASNumber: 64512, passive: false, holdTime: 90, maxRestartTime: 120 },
  ...{ nextHopMode: "Auto", numAllowedLocalASNumbers: 0 },
});

let here: TestNetns;
let there: TestNetns;
let routes: PeerRoutes;

beforeEach(() => {
  here = makeTestNetns();
  there = makeTestNetns();
  joinTestNetns(here, there, ["10.224.0.2/24", "fd00:224::2/64"], ["10.224.0.1/24", "fd00:224::1/64"]);
  routes = new PeerRoutes({ netns: here.path });
});

afterEach(() => {
  routes.stop();
  for (const netns of [here, there]) removeTestNetns(netns);
});

const present = () =>
  ["-4", "-6"].flatMap((family) =>
    ip(here, `${family} route show proto 202`)
      .split("\n")
      .map((line) => line.replace(/ (dev|pref|proto) .*/, "").trim())
      .filter((line) => line !== ""),
  );

describe("the route to a peer by a gateway", () => {
  it("is there for as long as the peer asks for it, in both families", () => {
    routes.set([peer("a", "10.225.0.4", "10.224.0.1"), peer("b", "fd00:225::4", "fd00:224::1"), peer("c", "10.1.1.1")]);
    expect([present(), routes.problems]).toEqual([["10.225.0.4 via 10.224.0.1", "fd00:225::4 via fd00:224::1"], []]);
    routes.set([peer("b", "fd00:225::4", "fd00:224::1")]);
    expect(present()).toEqual(["fd00:225::4 via fd00:224::1"]);
    routes.set([]);
    expect(present()).toEqual([]);
  });

  it("goes by another gateway when told so, and somebody else's route is left alone", () => {
    ip(here, "route add 10.225.0.4 via 10.224.0.7 metric 700");
    routes.set([peer("a", "10.225.0.4", "10.224.0.1")]);
    routes.set([peer("a", "10.225.0.4", "10.224.0.9")]);
    expect(present()).toEqual(["10.225.0.4 via 10.224.0.9"]);
    routes.set([]);
    expect(ip(here, "route show 10.225.0.4")).toContain("via 10.224.0.7");
  });

  it("needs a gateway on a network of the node's, and a problem says so", () => {
    routes.set([peer("a", "10.225.0.4", "10.99.0.1")]);
    expect([present(), routes.problems]).toEqual([
      [],
      [
        "BGPPeer a: reachableBy 10.99.0.1 is on no network of this node; " +
          "give the node an address there, or another gateway",
      ],
    ]);
  });

  it("of an earlier run that nobody asks for goes at the start", () => {
    routes.set([peer("a", "10.225.0.4", "10.224.0.1"), peer("b", "10.225.0.5", "10.224.0.1")]);
    routes.stop();
    expect(present()).toHaveLength(2);
    routes = new PeerRoutes({ netns: here.path });
    routes.set([peer("b", "10.225.0.5", "10.224.0.1")]);
    expect(present()).toEqual(["10.225.0.5 via 10.224.0.1"]);
  });
});
