import { beforeEach, describe, expect, it } from "@jest/globals";
import { prefixOf } from "../../ipam/net/prefix.ts";
import { keepService } from "./service.ts";
import { type EndpointState, NodeForTests, type ServiceWritten, service, slice } from "./services-for-tests.ts";

const RANGES = { cluster: ["10.96.0.0/16"], external: ["80.15.0.0/24"], loadBalancer: ["80.16.0.0/24"] } as const;
const WHOLE = ["10.96.0.0/16", "80.15.0.0/24", "80.16.0.0/24"];
const LOCAL = { cluster: ["10.96.0.101"], local: true } as const;

let node = new NodeForTests(RANGES);
beforeEach(() => {
  node = new NodeForTests(RANGES);
});

/** What is announced besides the ranges. */
const alone = () => node.told.filter((text) => !WHOLE.includes(text));

describe("what a node announces for services", () => {
  it("is the ranges, whatever services there are", () => {
    expect(node.told).toEqual(WHOLE);
    node.configure({});
    expect(node.told).toEqual([]);
  });

  it("is nothing at all on a node that is excluded from load balancers", () => {
    node = new NodeForTests(RANGES, true);
    node.service("a", LOCAL);
    node.slice("a-1", slice("a", [["m", "ready"]]));
    expect(node.told).toEqual([]);
    node.configure(RANGES);
    expect(node.told).toEqual(["10.96.0.0/16", "10.96.0.101/32", ...WHOLE.slice(1)].sort());
  });

  it("is a Local service's address where it has an endpoint, in whichever slice", () => {
    node.service("a", LOCAL);
    node.slice("a-1", slice("a", [["other", "ready"]]));
    expect(alone()).toEqual([]);
    node.slice("a-2", slice("a", [["m", "ready"]]));
    expect(alone()).toEqual(["10.96.0.101/32"]);
  });

  it("is the same when the slice comes before the service", () => {
    node.slice("a-1", slice("a", [["m", "ready"]]));
    expect(alone()).toEqual([]);
    node.service("a", LOCAL);
    expect(alone()).toEqual(["10.96.0.101/32"]);
  });

  it("goes with the last slice, with the service, and when the slice becomes another service's", () => {
    node.service("a", LOCAL);
    const present = slice("a", [["m", "ready"]]);
    const ways = [
      () => node.slice("a-1", undefined),
      () => node.service("a", undefined),
      () => node.slice("a-1", slice("b", [["m", "ready"]])),
      () => node.slice("a-1", slice("a", [["m", "ready"]], "FQDN")),
    ];
    for (const go of ways) {
      node.service("a", LOCAL);
      node.slice("a-1", present);
      expect(alone()).toEqual(["10.96.0.101/32"]);
      go();
      expect(alone()).toEqual([]);
    }
  });

  it.each<[string, EndpointState[], boolean]>([
    ["ready", ["ready"], true],
    ["not said", ["nil"], true],
    ["not ready yet", ["starting"], false],
    ["one not ready, another ready", ["starting", "ready"], true],
    ["terminating, and none is ready", ["leaving"], true],
    ["terminating and no longer serving", ["gone"], false],
    ["none", [], false],
  ])("depends on the endpoints here: %s", (_, states, expected) => {
    node.service("a", LOCAL);
    node.slice(
      "a-1",
      slice(
        "a",
        states.map((state) => ["m", state]),
      ),
    );
    expect(alone()).toEqual(expected ? ["10.96.0.101/32"] : []);
  });

  it("takes each family's endpoints for that family's addresses", () => {
    node.configure({ cluster: ["10.96.0.0/16", "fd00:96::/112"] });
    node.service("a", { cluster: ["10.96.0.101", "fd00:96::101"], local: true });
    node.slice("a-4", slice("a", [["m", "ready"]]));
    expect(node.told).toEqual(["10.96.0.0/16", "10.96.0.101/32", "fd00:96::/112"]);
    node.slice("a-6", slice("a", [["m", "ready"]], "IPv6"));
    expect(node.told).toContain("fd00:96::101/128");
    node.slice("a-4", undefined);
    expect(node.told).toEqual(["10.96.0.0/16", "fd00:96::/112", "fd00:96::101/128"]);
  });

  it("never leaves the ranges of the address's own kind", () => {
    node.service("a", {
      cluster: ["10.97.0.1"],
      external: ["80.15.0.9", "45.12.70.5", "80.16.0.9"],
      loadBalancer: ["80.16.0.9", "80.15.0.7"],
      local: true,
    });
    node.slice("a-1", slice("a", [["m", "ready"]]));
    expect(alone()).toEqual(["80.15.0.9/32", "80.16.0.9/32"]);
  });

  it("with internalTrafficPolicy Local is the cluster address where the endpoints are, the others as before", () => {
    node.service("a", { cluster: ["10.96.0.101"], external: ["80.15.0.9"], internalLocal: true });
    node.slice("a-1", slice("a", [["m", "ready"]]));
    expect(alone()).toEqual(["10.96.0.101/32"]);
  });

  it("without aggregation is single load-balancer addresses, from everywhere while any endpoint takes packets", () => {
    node.configure({ ...RANGES, aggregation: false });
    node.service("a", { loadBalancer: ["80.16.0.9"] });
    expect(node.told).toEqual(WHOLE.slice(0, 2));
    node.slice("a-1", slice("a", [["other", "ready"]]));
    expect(node.told).toEqual([...WHOLE.slice(0, 2), "80.16.0.9/32"]);
    node.slice("a-1", slice("a", [["other", "leaving"]]));
    expect(node.told).toContain("80.16.0.9/32");
    node.slice("a-1", slice("a", [["other", "starting"]]));
    expect(node.told).toEqual(WHOLE.slice(0, 2));
  });

  it("is an address that is a range by itself, from everywhere while a service has it, endpoints or not", () => {
    node.configure({ external: ["80.15.0.9/32"], loadBalancer: ["80.16.0.9/32"] });
    expect(node.told).toEqual([]);
    node.service("a", { external: ["80.15.0.9"], loadBalancer: ["80.16.0.9"] });
    expect(node.told).toEqual(["80.15.0.9/32", "80.16.0.9/32"]);
    node.service("a", { external: ["80.15.0.9"], loadBalancer: ["80.16.0.9"], local: true });
    expect(node.told).toEqual([]);
  });

  it("is one route for an address of two services, until both are gone", () => {
    const written: ServiceWritten = { external: ["80.15.0.9"], local: true };
    for (const name of ["a", "b"]) {
      node.service(name, { ...written, cluster: [`10.97.0.${name === "a" ? 1 : 2}`] });
      node.slice(`${name}-1`, slice(name, [["m", "ready"]]));
    }
    expect(alone()).toEqual(["80.15.0.9/32"]);
    node.service("a", undefined);
    expect(alone()).toEqual(["80.15.0.9/32"]);
    node.service("b", undefined);
    expect(alone()).toEqual([]);
  });

  it.each<[string, ServiceWritten, boolean]>([
    ["nobody's in particular", {}, true],
    ["ours", { class: "overland.dev/bgp" }, true],
    ["somebody else's", { class: "example.com/other" }, false],
  ])("is a load-balancer address of a class that is %s", (_, written, expected) => {
    node.service("a", { cluster: ["10.97.0.1"], loadBalancer: ["80.16.0.9"], local: true, ...written });
    node.slice("a-1", slice("a", [["m", "ready"]]));
    expect(alone()).toEqual(expected ? ["80.16.0.9/32"] : []);
  });

  it("is nothing of ExternalName, headless and proxied load balancers", () => {
    for (const written of [{ type: "ExternalName" }, { cluster: ["None"] }, { cluster: [] }]) {
      node.service("a", { external: ["80.15.0.9"], local: true, ...written });
      node.slice("a-1", slice("a", [["m", "ready"]]));
      expect(alone()).toEqual([]);
    }
    const proxied = service({ cluster: ["10.97.0.1"], loadBalancer: [] });
    const ingress = [{ ip: "80.16.0.9", ipMode: "Proxy" }, { ip: "80.16.0.10", ipMode: "VIP" }, {}];
    const kept = keepService({ ...proxied, status: { loadBalancer: { ingress } } });
    expect(kept.addresses).toEqual([
      { kind: "cluster", address: "10.97.0.1" },
      { kind: "loadBalancer", address: "80.16.0.10" },
    ]);
  });

  it("is nothing alone of a service that opts out", () => {
    node.service("a", { ...LOCAL, annotations: { "overland.dev/advertise": "false" } });
    node.slice("a-1", slice("a", [["m", "ready"]]));
    expect(alone()).toEqual([]);
  });

  it("has nothing new to tell where nothing changed", () => {
    node.service("a", LOCAL);
    node.slice("a-1", slice("a", [["m", "ready"]]));
    node.services.take();
    node.service("a", LOCAL);
    node.slice(
      "a-1",
      slice("a", [
        ["m", "ready"],
        ["m", "ready"],
      ]),
    );
    node.configure(RANGES);
    expect(node.services.take()).toEqual({ announced: [], withdrawn: [] });
  });
});

describe("what an earlier run announced", () => {
  const remembered = (text: string, ...communities: string[]) => ({ ...prefixOf(text), communities });

  it("stays, inside the ranges, until all is known; what is still so is told once", () => {
    node = new NodeForTests({});
    node.services.remember([
      remembered("10.96.0.101/32", "65000:1"),
      remembered("10.96.0.7/32"),
      remembered("192.0.2.1/32"),
      remembered("10.96.0.0/24"),
    ]);
    expect(node.told).toEqual([]);
    node.configure(RANGES);
    expect(alone()).toEqual(["10.96.0.101/32 65000:1", "10.96.0.7/32"]);
    node.service("a", { ...LOCAL, annotations: { "overland.dev/communities": "65000:1" } });
    node.slice("a-1", slice("a", [["m", "ready"]]));
    node.services.remember([]);
    expect(node.services.take()).toEqual({ announced: [], withdrawn: [prefixOf("10.96.0.7/32")] });
  });

  it("goes from a node that is excluded meanwhile", () => {
    node.services.remember([remembered("10.96.0.101/32")]);
    expect(alone()).toEqual(["10.96.0.101/32"]);
    node.configure(RANGES, true);
    expect(node.told).toEqual([]);
  });
});

describe("communities of a service", () => {
  const tagged = (text: string): ServiceWritten => ({ ...LOCAL, annotations: { "overland.dev/communities": text } });
  beforeEach(() => {
    node.configure({ ...RANGES, communities: { gold: "65000:1" } });
    node.slice("a-1", slice("a", [["m", "ready"]]));
  });

  it("are names or values, each once", () => {
    node.service("a", tagged("65000:100:7, gold 65000:1"));
    expect(alone()).toEqual(["10.96.0.101/32 65000:1 65000:100:7"]);
    node.configure({ ...RANGES, communities: { gold: "65000:2" } });
    expect(alone()).toEqual(["10.96.0.101/32 65000:1 65000:100:7 65000:2"]);
    node.service("a", LOCAL);
    expect(alone()).toEqual(["10.96.0.101/32"]);
  });

  it("are those of all services with the address", () => {
    const both = { cluster: ["10.97.0.1"], external: ["80.15.0.9"], local: true };
    node.service("a", { ...both, annotations: { "overland.dev/communities": "gold" } });
    node.service("b", { ...both, annotations: { "overland.dev/communities": "65000:9" } });
    node.slice("b-1", slice("b", [["m", "ready"]]));
    expect(alone()).toEqual(["80.15.0.9/32 65000:1 65000:9"]);
  });

  it("stay as they were when what is written cannot be read, and a problem says so", () => {
    node.service("a", tagged("gold"));
    node.service("a", tagged("gold"));
    expect(alone()).toEqual(["10.96.0.101/32 65000:1"]);
    node.service("a", tagged("silver"));
    expect(alone()).toEqual(["10.96.0.101/32 65000:1"]);
    expect(node.services.problems()).toEqual([
      expect.stringMatching(/^service shop\/a: overland.dev\/communities: "silver" is not a community.*no name in/),
    ]);
    node.service("a", { ...LOCAL, annotations: { "overland.dev/advertise": "no" } });
    expect(alone()).toEqual(["10.96.0.101/32"]);
    expect(node.services.problems()).toEqual([
      'service shop/a: overland.dev/advertise: "no" is not "true" or "false"; it stays announced',
    ]);
    node.service("a", undefined);
    expect(alone()).toEqual([]);
    expect(node.services.problems()).toEqual([]);
  });
});

describe("why an address is announced, or not", () => {
  const because = (address: string) => {
    void node.told;
    return node.services.explain(prefixOf(`${address}/32`));
  };

  it("names the range, the service and its endpoints", () => {
    node.service("a", LOCAL);
    const range = "10.96.0.0/16: a range of services, which every node announces";
    expect(because("10.96.0.101")).toEqual([
      range,
      "service shop/a: not announced alone: externalTrafficPolicy is Local and it has no IPv4 endpoint on this node " +
        "that is ready",
    ]);
    node.slice("a-1", slice("a", [["m", "leaving"]]));
    expect(because("10.96.0.101")[1]).toBe(
      "service shop/a: announced: externalTrafficPolicy is Local and all its IPv4 endpoints on this node terminate " +
        "but still serve",
    );
    expect(because("192.0.2.1")).toEqual([]);
  });

  it.each<[string, ServiceWritten, string]>([
    ["outside", { external: ["192.0.2.1"] }, "is in no range of serviceExternalIPs"],
    ["covered", { external: ["80.15.0.9"] }, "every node takes its packets, and 80.15.0.0/24 covers it"],
    ["opted out", { external: ["80.15.0.9"], annotations: { "overland.dev/advertise": "false" } }, 'is "false"'],
    ["another class", { loadBalancer: ["80.16.0.9"], class: "x" }, "its loadBalancerClass is x"],
    ["no address", { external: ["host"] }, "is not an IP address"],
  ])("of one that is %s", (_, written, why) => {
    node.service("a", { cluster: ["10.97.0.1"], ...written });
    void node.told;
    const verdicts = [...node.services.view()].flatMap((view) => view.verdicts);
    expect(verdicts.map((verdict) => verdict.why)).toEqual([
      "is in no range of serviceClusterIPs",
      expect.stringContaining(why),
    ]);
  });
});
