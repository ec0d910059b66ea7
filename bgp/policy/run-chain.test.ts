import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { addressOf } from "../../ipam/net/address.ts";
import { prefixOf } from "../../ipam/net/prefix.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { type FilterChain, OPEN_CHAIN, type PolicyRoute } from "./chain.ts";
import { formatCommunity, parseCommunity } from "./communities.ts";
import { compileFilter, compileTag, type FilterSpec, missingFilter, type RuleSpec } from "./compile-filter.ts";
import { isOpen, looksAtPrefix, runChain } from "./run-chain.ts";

const ATTRIBUTES: PathAttributes = {
  origin: 0,
  asPath: [{ type: 2, asNumbers: [65001, 65002] }],
  nextHop: addressOf("10.0.0.1"),
  communities: [parseCommunity("65001:7") as number],
  largeCommunities: parseCommunity("65001:1:2") as Uint8Array,
};

const ROUTE: PolicyRoute = {
  prefix: prefixOf("10.1.2.0/24"),
  attributes: ATTRIBUTES,
  attached: false,
  peerType: "eBGP",
  source: "RemotePeers",
  interface: "eth0",
};

function chain(specs: readonly FilterSpec[], direction: "import" | "export" = "import"): FilterChain {
  return { ...OPEN_CHAIN, filters: specs.map((spec, i) => compileFilter(`f${i}`, spec, direction)) };
}

/** Whether one rule matches the route: its action is the opposite of what happens otherwise. */
function matches(rule: Omit<RuleSpec, "action">, route: Partial<PolicyRoute> = {}): boolean {
  const rules = [{ ...rule, action: "Reject" as const }];
  return !runChain(chain([{ importV4: rules, importV6: rules }]), { ...ROUTE, ...route }).accept;
}

const inPrefix = (prefix: string) => ({ prefix: prefixOf(prefix) });
const withPath = (...segments: readonly (readonly number[])[]) => ({
  attributes: { ...ATTRIBUTES, asPath: segments.map((asNumbers) => ({ type: 2, asNumbers })) },
});

describe("a rule matches by", () => {
  it.each<[Omit<RuleSpec, "action">, string, boolean]>([
    [{ cidr: "10.1.2.0/24", matchOperator: "Equal" }, "10.1.2.0/24", true],
    [{ cidr: "10.1.2.0/24", matchOperator: "Equal" }, "10.1.2.0/25", false],
    [{ cidr: "10.1.2.0/24", matchOperator: "Equal" }, "10.1.0.0/16", false],
    [{ cidr: "10.1.2.0/24", matchOperator: "NotEqual" }, "10.1.2.0/24", false],
    [{ cidr: "10.1.2.0/24", matchOperator: "NotEqual" }, "10.1.2.0/25", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In" }, "10.1.0.0/16", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In" }, "10.1.255.255/32", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In" }, "10.0.0.0/8", false],
    [{ cidr: "10.1.0.0/16", matchOperator: "In" }, "10.2.0.0/24", false],
    [{ cidr: "10.1.0.0/16", matchOperator: "NotIn" }, "10.1.2.0/24", false],
    [{ cidr: "10.1.0.0/16", matchOperator: "NotIn" }, "10.0.0.0/8", true],
    [{ cidr: "0.0.0.0/0", matchOperator: "In" }, "192.0.2.0/24", true],
    [{ cidr: "0.0.0.0/0", matchOperator: "Equal" }, "0.0.0.0/0", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In", prefixLength: { min: 24, max: 26 } }, "10.1.2.0/23", false],
    [{ cidr: "10.1.0.0/16", matchOperator: "In", prefixLength: { min: 24, max: 26 } }, "10.1.2.0/24", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In", prefixLength: { min: 24, max: 26 } }, "10.1.2.0/26", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In", prefixLength: { min: 24, max: 26 } }, "10.1.2.0/27", false],
    // Not given: from the length of cidr, to a single address.
    [{ cidr: "10.1.0.0/16", matchOperator: "In", prefixLength: { max: 20 } }, "10.1.0.0/16", true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In", prefixLength: { min: 8 } }, "10.1.2.3/32", true],
    // What NotIn excludes is what In with the same lengths takes.
    [{ cidr: "10.1.0.0/16", matchOperator: "NotIn", prefixLength: { min: 24, max: 26 } }, "10.1.2.0/24", false],
    [{ cidr: "10.1.0.0/16", matchOperator: "NotIn", prefixLength: { min: 24, max: 26 } }, "10.1.2.0/27", true],
    [{ cidr: "fd00::/16", matchOperator: "In" }, "fd00:1::/32", true],
    [{ cidr: "fd00::/16", matchOperator: "In", prefixLength: { min: 64 } }, "fd00:1::/32", false],
    [{ cidr: "fd00::/16", matchOperator: "NotIn" }, "fe00::/16", true],
  ])("prefix: %j and %s: %s", (rule, prefix, expected) => expect(matches(rule, inPrefix(prefix))).toBe(expected));

  it.each<[Omit<RuleSpec, "action">, Partial<PolicyRoute>, boolean]>([
    [{}, {}, true],
    [{ source: "RemotePeers" }, {}, true],
    [{ source: "RemotePeers" }, { source: "Local" }, false],
    [{ source: "" }, { source: "Local" }, true],
    [{ peerType: "eBGP" }, {}, true],
    [{ peerType: "iBGP" }, {}, false],
    [{ peerType: "iBGP" }, { peerType: "iBGP" }, true],
    [{ peerType: "" }, { peerType: "iBGP" }, true],
    [{ interface: "eth0" }, {}, true],
    [{ interface: "eth" }, {}, false],
    [{ interface: "eth*" }, {}, true],
    [{ interface: "e?h*" }, {}, true],
    [{ interface: "*.cali" }, { interface: "vlan.cali" }, true],
    [{ interface: "*a*b" }, { interface: "xaabab" }, true],
    [{ interface: "*a*b" }, { interface: "xaabac" }, false],
    [{ interface: "*" }, { interface: undefined }, false],
    [{ communities: { values: ["65001:7"] } }, {}, true],
    [{ communities: { values: ["65001:8"] } }, {}, false],
    [{ communities: { values: ["65001:1:2"] } }, {}, true],
    [{ communities: { values: ["65001:1:3"] } }, {}, false],
    [{ communities: { values: ["65001:7"] } }, { attributes: { ...ATTRIBUTES, communities: [] } }, false],
    [{ asPathPrefix: [65001] }, {}, true],
    [{ asPathPrefix: [65001, 65002] }, {}, true],
    [{ asPathPrefix: [65001, 65002, 65003] }, {}, false],
    [{ asPathPrefix: [65002] }, {}, false],
    [{ asPathPrefix: [] }, {}, true],
    [{ asPathPrefix: [1, 2, 3] }, withPath([1, 2], [3, 4]), true],
    [{ asPathPrefix: [1] }, withPath(), false],
    [{ asPathPrefix: [1] }, { attributes: { ...ATTRIBUTES, asPath: [{ type: 1, asNumbers: [1] }] } }, false],
    // LOCAL_PREF is 2147483647 less the priority, 100 where a route has none; own routes have priority 1024.
    [{ priority: 512 }, { attributes: { ...ATTRIBUTES, localPref: 2147483135 } }, true],
    [{ priority: 511 }, { attributes: { ...ATTRIBUTES, localPref: 2147483135 } }, false],
    [{ priority: 2147483547 }, {}, true],
    [{ priority: 1024 }, { source: "Local" }, true],
    [{ priority: 1024 }, { source: "Local", attributes: { ...ATTRIBUTES, localPref: 100 } }, true],
    // All conditions together, each of them needed.
    [{ cidr: "10.1.0.0/16", matchOperator: "In", peerType: "eBGP", asPathPrefix: [65001] }, {}, true],
    [{ cidr: "10.1.0.0/16", matchOperator: "In", peerType: "iBGP", asPathPrefix: [65001] }, {}, false],
    [{ cidr: "10.2.0.0/16", matchOperator: "In", peerType: "eBGP", asPathPrefix: [65001] }, {}, false],
  ])("%j on %j: %s", (rule, route, expected) => expect(matches(rule, route)).toBe(expected));
});

describe("operations", () => {
  const changed = (operations: RuleSpec["operations"], route: Partial<PolicyRoute> = {}, direction?: "export") => {
    const rules: RuleSpec[] = [{ action: "Accept", operations: operations ?? [] }];
    const verdict = runChain(chain([{ importV4: rules, exportV4: rules }], direction), { ...ROUTE, ...route });
    if (!verdict.accept) throw new Error(verdict.by);
    return verdict.attributes;
  };

  it("add standard and large communities, each once, behind those there are", () => {
    const add = (value: string) => ({ addCommunity: { value } });
    const { communities, largeCommunities } = changed([add("65001:7"), add("1:2"), add("1:2:3"), add("65001:1:2")]);
    expect(communities?.map(formatCommunity)).toEqual(["65001:7", "1:2"]);
    expect([...(largeCommunities as Uint8Array)]).toEqual([
      ...(parseCommunity("65001:1:2") as Uint8Array),
      ...(parseCommunity("1:2:3") as Uint8Array),
    ]);
  });

  it("prepend a sequence as it is written, the later operation in front", () => {
    const prepend = (...prefix: number[]) => ({ prependASPath: { prefix } });
    expect(changed([prepend(65000, 65001)]).asPath).toEqual([{ type: 2, asNumbers: [65000, 65001, 65001, 65002] }]);
    expect(changed([prepend(1), prepend(2, 3)]).asPath[0]?.asNumbers).toEqual([2, 3, 1, 65001, 65002]);
    expect(changed([prepend(1, 2)], withPath()).asPath).toEqual([{ type: 2, asNumbers: [1, 2] }]);
  });

  it("set the priority as LOCAL_PREF, but not on the way to another AS", () => {
    const set = [{ setPriority: { value: 256 } }];
    expect(changed(set).localPref).toBe(2147483391);
    expect(changed(set, { peerType: "iBGP" }, "export").localPref).toBe(2147483391);
    expect(changed(set, { peerType: "eBGP" }, "export")).not.toHaveProperty("localPref");
  });

  it("remove MED (RFC 4271 5.1.4), and nothing else", () => {
    const attributes = { ...ATTRIBUTES, med: 7 };
    expect(changed([{ removeMED: {} }], { attributes })).toEqual(ATTRIBUTES);
    expect(changed([{ removeMED: {} }], { attributes })).not.toHaveProperty("med");
    expect(changed([{ removeMED: {} }])).toBe(ATTRIBUTES);
  });

  it("leave the route's own attributes alone", () => {
    const before = structuredClone(ATTRIBUTES);
    const set = [{ addCommunity: { value: "1:1" } }, { prependASPath: { prefix: [1] } }, { setPriority: { value: 1 } }];
    changed(set);
    expect(ATTRIBUTES).toEqual(before);
  });
});

describe("a chain", () => {
  const reject = (cidr: string): RuleSpec => ({ cidr, matchOperator: "In", action: "Reject" });
  const accept = (cidr: string): RuleSpec => ({ cidr, matchOperator: "In", action: "Accept" });

  it("asks its filters in order and says who decided", () => {
    const filters = chain([
      { importV4: [reject("10.9.0.0/16")], importV6: [reject("fd00::/8")] },
      { importV4: [reject("10.8.0.0/16"), accept("10.7.0.0/16"), reject("10.1.0.0/16"), accept("10.1.2.0/24")] },
    ]);
    const by = (prefix: string, otherwise: "Accept" | "Reject" = "Accept") => {
      const verdict = runChain({ ...filters, otherwise }, { ...ROUTE, ...inPrefix(prefix) });
      return `${verdict.accept ? "Accept" : "Reject"} by ${verdict.by}`;
    };
    expect(by("10.1.2.0/24")).toBe("Reject by filter f1, rule 3 (importV4[2])");
    expect(by("10.7.0.0/24")).toBe("Accept by filter f1, rule 2 (importV4[1])");
    expect(by("10.9.0.0/24")).toBe("Reject by filter f0, rule 1 (importV4[0])");
    expect(by("fd00::/64")).toBe("Reject by filter f0, rule 1 (importV6[0])");
    expect(by("192.0.2.0/24")).toBe("Accept by no filter decided: Accept");
    expect(by("fc00::/64", "Reject")).toBe("Reject by no filter decided: Reject");
  });

  it("takes the rules of its own direction only", () => {
    const spec = { importV4: [reject("0.0.0.0/0")], exportV6: [{ action: "Reject" as const }] };
    expect(runChain(chain([spec]), ROUTE).accept).toBe(false);
    expect(runChain(chain([spec], "export"), ROUTE).accept).toBe(true);
    expect(runChain(chain([spec], "export"), { ...ROUTE, ...inPrefix("fd00::/8") }).accept).toBe(false);
  });

  it("gives the very attributes back when nothing is changed", () => {
    for (const filters of [chain([]), chain([{ importV4: [accept("10.0.0.0/8")] }])]) {
      expect(runChain(filters, ROUTE)).toMatchObject({ accept: true });
      expect((runChain(filters, ROUTE) as { attributes: PathAttributes }).attributes).toBe(ATTRIBUTES);
    }
  });

  it("adds the tags of every prefix that the route is in, after the operations, and none to what is rejected", () => {
    const tags = [
      compileTag(prefixOf("10.0.0.0/8"), ["100:6532", "100:555:107"]),
      compileTag(prefixOf("10.1.2.0/24"), ["5663:12", "100:6532"]),
      compileTag(prefixOf("10.2.0.0/16"), ["9:9"]),
    ];
    const operations = [{ addCommunity: { value: "1:1" } }];
    const filters = chain([{ exportV4: [{ action: "Accept", operations }] }], "export").filters;
    const verdict = runChain({ filters, otherwise: "Accept", tags }, ROUTE);
    if (!verdict.accept) throw new Error(verdict.by);
    expect(verdict.attributes.communities?.map(formatCommunity)).toEqual(["65001:7", "1:1", "100:6532", "5663:12"]);
    expect(verdict.attributes.largeCommunities).toHaveLength(24);
    expect(runChain({ filters: [], otherwise: "Reject", tags }, ROUTE)).toEqual({
      accept: false,
      by: "no filter decided: Reject",
    });
    const twice = runChain({ filters: [], otherwise: "Accept", tags }, { ...ROUTE, attributes: verdict.attributes });
    expect(twice.accept && twice.attributes).toBe(verdict.attributes);
  });

  it("lets nothing past a filter that does not exist", () => {
    const before = chain([{ importV4: [accept("10.9.0.0/16")] }]).filters;
    const filters = { ...OPEN_CHAIN, filters: [...before, missingFilter("gone", "import")] };
    expect(runChain(filters, ROUTE)).toEqual({ accept: false, by: "filter gone does not exist: Reject" });
    expect(runChain(filters, { ...ROUTE, ...inPrefix("10.9.1.0/24") }).accept).toBe(true);
  });

  it("is open with nothing to ask, and looks at prefixes only where a rule or a tag does", () => {
    const byCommunity: RuleSpec = { communities: { values: ["1:1"] }, action: "Reject" };
    const mixed = chain([{ importV4: [byCommunity], importV6: [reject("fd00::/8")] }]);
    const tagged = { ...OPEN_CHAIN, tags: [compileTag(prefixOf("10.0.0.0/8"), ["1:1"])] };
    expect([OPEN_CHAIN, mixed, tagged, { ...OPEN_CHAIN, otherwise: "Reject" as const }].map(isOpen)).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect([looksAtPrefix(mixed, 4), looksAtPrefix(mixed, 6), looksAtPrefix(mixed)]).toEqual([false, true, true]);
    expect([looksAtPrefix(tagged, 4), looksAtPrefix(OPEN_CHAIN, 4), looksAtPrefix(OPEN_CHAIN)]).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("whatever the rules", () => {
  const rule: fc.Arbitrary<RuleSpec> = fc.record(
    {
      cidr: fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "0.0.0.0/0"),
      matchOperator: fc.constantFrom("Equal" as const, "NotEqual" as const, "In" as const, "NotIn" as const),
      peerType: fc.constantFrom("eBGP" as const, "iBGP" as const),
      asPathPrefix: fc.array(fc.constantFrom(65001, 65002), { maxLength: 2 }),
      action: fc.constantFrom("Accept" as const, "Reject" as const),
    },
    { requiredKeys: ["cidr", "matchOperator", "action"] },
  );
  const specs = fc.array(fc.record({ importV4: fc.array(rule, { maxLength: 4 }) }), { maxLength: 3 });
  const prefix = fc.constantFrom("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.0.2.0/24");

  it("the first that matches by itself decides, and the same route always fares the same", () => {
    fc.assert(
      fc.property(specs, prefix, (filters, text) => {
        const route = { ...ROUTE, ...inPrefix(text) };
        const verdict = runChain(chain(filters), route);
        const each = filters.flatMap(({ importV4 }, f) =>
          importV4.map((one, i) => ({ one, by: `filter f${f}, rule ${i + 1} (importV4[${i}])` })),
        );
        const first = each.find(({ one }) => matches(one, route));
        expect(verdict.by).toBe(first?.by ?? "no filter decided: Accept");
        expect(verdict.accept).toBe((first?.one.action ?? "Accept") === "Accept");
        expect(runChain(chain(structuredClone(filters)), structuredClone(route))).toEqual(verdict);
      }),
    );
  });

  it("a community is read as it is written", () => {
    const short = fc.tuple(fc.nat(0xffff), fc.nat(0xffff));
    const long = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff), fc.nat(0xffffffff));
    fc.assert(
      fc.property(fc.oneof(short, long), (parts) => {
        const value = parseCommunity(parts.join(":"));
        expect(value !== undefined && formatCommunity(value)).toBe(parts.join(":"));
      }),
    );
    for (const text of ["", "1", "65536:1", "1:65536", "1:2:4294967296", "1:2:3:4", "a:b", "-1:2", "1: 2", "0x1:2"]) {
      expect(parseCommunity(text)).toBeUndefined();
    }
  });

  it("a path keeps its own part behind everything that is put in front, in the order written", () => {
    const numbers = (max: number) =>
      fc.array(fc.integer({ min: 1, max: 0xffffffff }), { minLength: 1, maxLength: max });
    fc.assert(
      fc.property(fc.array(numbers(10), { minLength: 1, maxLength: 10 }), numbers(255), (fronts, own) => {
        const operations = fronts.map((prefix) => ({ prependASPath: { prefix } }));
        const filters = chain([{ importV4: [{ action: "Accept", operations }] }]);
        const verdict = runChain(filters, { ...ROUTE, ...withPath(own) });
        if (!verdict.accept) throw new Error(verdict.by);
        const { asPath } = verdict.attributes;
        expect(asPath.flatMap(({ asNumbers }) => asNumbers)).toEqual([...fronts.toReversed().flat(), ...own]);
        expect(asPath.every(({ asNumbers }) => asNumbers.length <= 255)).toBe(true);
      }),
    );
  });
});
