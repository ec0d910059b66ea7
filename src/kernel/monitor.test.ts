import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { watchKernel } from "./monitor.ts";
import { KernelRoutes } from "./routes.ts";
import { ip, makeTestNetns, removeTestNetns, type TestNetns, until } from "./testing.ts";

let netns: TestNetns;
let stop: () => void;
let heard: string[];
let doubts: number;

function watch(withoutPorts?: readonly number[]): () => void {
  return watchKernel(
    {
      link: ({ index, up, carrier, gone }) =>
        heard.push(`link ${index}${up ? " up" : ""}${carrier ? " carrier" : ""}${gone ? " gone" : ""}`),
      addressGone: (index) => heard.push(`address gone ${index}`),
      route: (kind, route) => heard.push(`${kind} ${formatPrefix(route)} table ${route.table}`),
      nextHopChanged: (kind, id) => heard.push(`nexthop ${id} ${kind}`),
      doubt: () => doubts++,
    },
    { netns: netns.path, ...(withoutPorts === undefined ? {} : { withoutPorts }) },
  );
}

const heardOf = (text: string) => until(text, () => heard.includes(text));

beforeEach(() => {
  netns = makeTestNetns();
  heard = [];
  doubts = 0;
  stop = watch();
});

afterEach(() => {
  stop();
  removeTestNetns(netns);
});

describe("watching the kernel", () => {
  it("tells of links, addresses, routes and nexthop objects", async () => {
    ip(netns, "link add name left index 7 type veth peer name right index 8");
    await heardOf("link 7");
    ip(netns, "link set left up");
    ip(netns, "link set right up");
    await heardOf("link 7 up carrier");
    ip(netns, "addr add 10.1.0.1/24 dev left");
    await heardOf("new 10.1.0.0/24 table 254");
    ip(netns, "addr del 10.1.0.1/24 dev left");
    await heardOf("address gone 7");
    ip(netns, "nexthop add id 1 blackhole");
    ip(netns, "nexthop del id 1");
    await heardOf("nexthop 1 gone");
    ip(netns, "link del left");
    await heardOf("link 7 gone");
    expect(doubts).toBe(0);
  });

  it.each(["10.9.0.0/16", "fd00:9::/48"])("tells a new route from a replaced and a lost one: %s", async (prefix) => {
    ip(netns, `route add blackhole ${prefix}`);
    await heardOf(`new ${prefix} table 254`);
    ip(netns, `route replace unreachable ${prefix}`);
    await heardOf(`replaced ${prefix} table 254`);
    ip(netns, `route del ${prefix}`);
    await heardOf(`gone ${prefix} table 254`);
    ip(netns, `route add blackhole ${prefix} table 1000`);
    await heardOf(`new ${prefix} table 1000`);
  });

  it("leaves out what certain ports asked for, and nothing else", async () => {
    const routes = KernelRoutes.open({ netns: netns.path });
    stop();
    stop = watch(routes.ports);
    try {
      for (const octet of [1, 2, 3]) routes.blackhole(Uint8Array.of(10, octet, 0, 0), 16);
      expect(await routes.send()).toEqual([]);
      ip(netns, "route del 10.2.0.0/16 proto 201 metric 1024");
      await heardOf("gone 10.2.0.0/16 table 254");
      expect(heard).toEqual(["gone 10.2.0.0/16 table 254"]);
    } finally {
      routes.close();
    }
  });

  it("says so when more happened than it could hear, and hears what comes after", async () => {
    const routes = KernelRoutes.open({ netns: netns.path });
    try {
      // All within one turn of the loop, in which nothing is read.
      for (let i = 0; i < 150_000; i++) {
        routes.blackhole(Uint8Array.of(100, i >> 16, i >> 8, i), 32);
        if (routes.waiting === 190) void routes.send();
      }
      await until("the doubt", () => doubts > 0, 10_000);
      ip(netns, "route add blackhole 10.9.0.0/16");
      await heardOf("new 10.9.0.0/16 table 254");
    } finally {
      routes.close();
    }
  }, 30_000);

  it("hears nothing after it was stopped", async () => {
    stop();
    ip(netns, "link add name a type veth peer name b");
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([heard, doubts]).toEqual([[], 0]);
  });
});
