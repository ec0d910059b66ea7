import { describe, expect, it } from "@jest/globals";
import { formatPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { Pool } from "../../ipam/pool.ts";
import { poolOf } from "../../ipam/world-for-tests.ts";
import type { Terms } from "../services/judge.ts";
import { packetRules } from "./packet-rules.ts";

const SERVICES: Terms = {
  settings: {
    ranges: {
      cluster: ["10.96.0.0/16", "fd00:96::/112"].map(prefixOf),
      external: [],
      loadBalancer: ["198.18.0.0/24", "198.18.1.1/32"].map(prefixOf),
    },
    loadBalancerAggregation: true,
    communities: new Map(),
  },
  excluded: undefined,
};

const rules = (pools: readonly Pool[], terms: Terms = SERVICES) =>
  Object.fromEntries(Object.entries(packetRules(pools, terms)).map(([name, list]) => [name, list.map(formatPrefix)]));

describe("packet rules of a node", () => {
  it("hide pods from all but pods: addresses for services are no pool in that, as in Calico", () => {
    const hidden = poolOf("hidden", "10.244.0.0/16", 26, { natOutgoing: true });
    const plain = poolOf("plain", "10.245.0.0/16", 26, { disabled: true });
    const outside = poolOf("outside", "198.18.0.0/24", 28, { natOutgoing: true, allowedUses: ["LoadBalancer"] });
    expect(rules([hidden, plain, outside])).toMatchObject({
      natPools: ["10.244.0.0/16"],
      allPools: ["10.244.0.0/16", "10.245.0.0/16"],
    });
    expect(rules([plain, outside])).toMatchObject({ natPools: [], allPools: [] });
  });

  it("end loops in the ranges that this node announces as a whole, and only while it does", () => {
    const { settings } = SERVICES;
    const apart = { ...SERVICES, settings: { ...settings, loadBalancerAggregation: false } };
    const cluster = ["10.96.0.0/16", "fd00:96::/112"];
    expect(rules([])).toMatchObject({ serviceRanges: [...cluster, "198.18.0.0/24"] });
    expect(rules([], apart)).toMatchObject({ serviceRanges: cluster });
    expect(rules([], { ...SERVICES, excluded: "this node is drained" })).toMatchObject({ serviceRanges: [] });
  });
});
