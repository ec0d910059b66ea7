import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { watchKernel } from "./monitor.ts";
import { ip, makeTestNetns, removeTestNetns, type TestNetns, until } from "./testing.ts";

let netns: TestNetns;
let stop: () => void;
let seen: Record<"link" | "address" | "route" | "doubt", number>;

beforeEach(() => {
  netns = makeTestNetns();
  seen = { link: 0, address: 0, route: 0, doubt: 0 };
  const count = (kind: keyof typeof seen) => () => {
    seen[kind]++;
  };
  const listener = { link: count("link"), address: count("address"), route: count("route"), doubt: count("doubt") };
  stop = watchKernel(listener, { netns: netns.path });
});

afterEach(() => {
  stop();
  removeTestNetns(netns);
});

describe("watching the kernel", () => {
  it("tells of links, addresses and routes that change", async () => {
    ip(netns, "link add name a type veth peer name b");
    await until("a link event", () => seen.link > 0);
    ip(netns, "addr add 10.1.0.1/24 dev a");
    await until("an address event", () => seen.address > 0);
    const before = seen.route;
    ip(netns, "route add blackhole 10.9.0.0/16");
    await until("a route event", () => seen.route > before);
    const beforeIPv6 = seen.route;
    ip(netns, "-6 route add blackhole fd00:9::/48");
    await until("an IPv6 route event", () => seen.route > beforeIPv6);
    expect(seen.doubt).toBe(0);
  });

  it("hears nothing after it was stopped", async () => {
    stop();
    ip(netns, "link add name a type veth peer name b");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(seen).toEqual({ link: 0, address: 0, route: 0, doubt: 0 });
  });
});
