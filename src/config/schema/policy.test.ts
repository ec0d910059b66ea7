import { describe, expect, it } from "@jest/globals";
import { checkDocument } from "./document.ts";
import { pathText } from "./problem.ts";

/** The problems of a spec, as `field: message`; none when it is good. */
function problemsOf(kind: string, spec: object, name = "default"): string[] {
  const checked = checkDocument({ apiVersion: "projectcalico.org/v3", kind, metadata: { name }, spec });
  return "problems" in checked ? checked.problems.map(({ path, message }) => `${pathText(path)}: ${message}`) : [];
}

const rule = (fields: object) => ({ importV4: [{ action: "Accept", ...fields }] });
/** Faults of one rule of importV4, without the path before the field. */
const faultsOf = (fields: object) =>
  problemsOf("BGPFilter", rule(fields)).map((fault) => fault.replace("spec.importV4[0].", ""));

describe("BGPFilter", () => {
  it("takes every field that Calico has", () => {
    const v4 = {
      cidr: "10.0.0.0/8",
      matchOperator: "In",
      prefixLength: { min: 16, max: 24 },
      source: "RemotePeers",
      interface: "*.cali",
      peerType: "iBGP",
      communities: { values: ["65000:100"] },
      asPathPrefix: [65000, "1.10"],
      priority: 512,
      action: "Accept",
      operations: [
        { addCommunity: { value: "65000:1:2" } },
        { prependASPath: { prefix: [65000] } },
        { setPriority: { value: 2147483646 } },
      ],
    };
    const v6 = { ...v4, cidr: "fd00::/8", prefixLength: { max: 128 }, communities: { values: ["1:2:4294967295"] } };
    expect(problemsOf("BGPFilter", { importV4: [v4], exportV4: [v4], importV6: [v6], exportV6: [v6] })).toEqual([]);
    expect(problemsOf("BGPFilter", {})).toEqual([]);
  });

  it.each([
    [{}],
    [{ cidr: "", matchOperator: "", source: "", interface: "", peerType: "" }],
    [{ cidr: "0.0.0.0/0", matchOperator: "Equal", prefixLength: {} }],
    [{ cidr: "10.0.0.0/8", matchOperator: "NotIn", prefixLength: { max: 8 } }],
    [{ asPathPrefix: [], interface: "vlan10.*" }],
  ])("takes the rule %j", (fields) => expect(faultsOf(fields)).toEqual([]));

  it.each<[object, string[]]>([
    [{ action: undefined }, ["action: is required"]],
    [{ action: "accept" }, ['action: "accept" is not one of Accept, Reject; did you mean Accept?']],
    [{ cidr: "10.0.0.0/8" }, ["matchOperator: is required with cidr: Equal, NotEqual, In or NotIn"]],
    [{ matchOperator: "In" }, ["matchOperator: needs a cidr; add one, or remove it"]],
    [{ prefixLength: { min: 8 } }, ["prefixLength: needs a cidr; add one, or remove it"]],
    [{ cidr: "10.0.0.1/8", matchOperator: "In" }, ['cidr: "10.0.0.1/8" has host bits set; did you mean 10.0.0.0/8?']],
    [{ cidr: "fd00::/8", matchOperator: "In" }, ["cidr: fd00::/8 is not IPv4; move the rule to importV6"]],
    [
      { cidr: "10.0.0.0/8", matchOperator: "Within" },
      [expect.stringMatching(/^matchOperator: "Within" is not one of Equal, NotEqual, In, NotIn/) as unknown as string],
    ],
    [
      { cidr: "10.0.0.0/8", matchOperator: "In", prefixLength: { min: 33 } },
      ["prefixLength.min: 33 is not a whole number from 0 to 32"],
    ],
    [
      { cidr: "10.0.0.0/8", matchOperator: "In", prefixLength: { min: 24, max: 16 } },
      ["prefixLength.max: 16 is less than min, which is 24"],
    ],
    [
      { cidr: "10.0.0.0/8", matchOperator: "In", prefixLength: { max: 7 } },
      ["prefixLength.max: 7 is less than the length of 10.0.0.0/8: nothing within it is so short"],
    ],
    [{ source: "Local" }, [expect.stringMatching(/^source: "Local" is not one of RemotePeers/) as unknown as string]],
    [
      { interface: "eth 0" },
      [
        'interface: "eth 0" is no name or pattern of an interface such as eth*: ' +
          "at most 15 letters, digits, _ . - @ * ?",
      ],
    ],
    [{ peerType: "ebgp" }, [expect.stringMatching(/^peerType: "ebgp" .* did you mean eBGP\?$/) as unknown as string]],
    [
      { communities: { values: [] } },
      ["communities.values: holds 0 communities and has to hold one; remove communities"],
    ],
    [
      { communities: { values: ["1:1", "2:2"] } },
      ["communities.values: holds 2 communities and has to hold one; write a rule for each"],
    ],
    [
      { communities: { values: ["no-export"] } },
      ['communities.values[0]: "no-export" is not a community such as 65000:100, nor a large one such as 65000:100:7'],
    ],
    [
      { communities: { values: ["65536:1"] } },
      [
        'communities.values[0]: "65536:1" is not a community such as 65000:100, nor a large one such as 65000:100:7; ' +
          "each of 2 parts is at most 65535",
      ],
    ],
    [
      { asPathPrefix: [0] },
      ['asPathPrefix[0]: 0 is not an AS number: 1 to 4294967295, or dotted "high.low" with halves up to 65535'],
    ],
    [{ priority: 0 }, ["priority: 0 is not a whole number from 1 to 2147483646"]],
    [{ priority: 2147483647 }, ["priority: 2147483647 is not a whole number from 1 to 2147483646"]],
    [
      { action: "Reject", operations: [{ setPriority: { value: 1 } }] },
      ["operations: change a route that is let pass; remove them, or use action: Accept"],
    ],
    [{ operations: [] }, ["operations: [] is too short; at least 1 entries"]],
    [
      { operations: [{}] },
      ["operations[0]: says nothing to do: one of addCommunity, prependASPath, removeMED, setPriority"],
    ],
    [{ operations: [{ removeMED: true }] }, [expect.stringContaining("operations[0].removeMED: ") as never]],
    [
      { operations: [{ setPriority: { value: 1 }, addCommunity: { value: "1:1" } }] },
      [
        "operations[0]: holds addCommunity and setPriority; each entry does one thing: write them as entries of their own",
      ],
    ],
    [
      { operations: [{ setPriority: { value: 0 } }] },
      [expect.stringContaining("setPriority.value: 0 is not") as never],
    ],
    [
      { operations: [{ prependASPath: { prefix: [] } }] },
      ["operations[0].prependASPath.prefix: [] is too short; at least 1 entries"],
    ],
    [
      { operations: [{ prependASPath: { prefix: Array.from({ length: 11 }, () => 1) } }] },
      ["operations[0].prependASPath.prefix: [1,1,1,1,1,1,1,1,1,1,1] is too long; at most 10 entries"],
    ],
    [
      { operations: Array.from({ length: 11 }, () => ({ setPriority: { value: 1 } })) },
      [expect.stringMatching(/^operations: .* is too long; at most 10 entries$/) as unknown as string],
    ],
    [{ operation: [] }, ["operation: unknown field; did you mean operations?"]],
  ])("refuses the rule %j", (fields, faults) => expect(faultsOf(fields)).toEqual(faults));

  it("removes MED on the way in and not on the way out, where it has been compared already", () => {
    const rules = [{ action: "Accept", operations: [{ removeMED: {} }] }];
    expect(problemsOf("BGPFilter", { importV4: rules, importV6: rules })).toEqual([]);
    expect(problemsOf("BGPFilter", { exportV6: rules })).toEqual([
      "spec.exportV6[0].operations[0].removeMED: comes too late on the way out: MED is removed before routes are " +
        "compared (RFC 4271 5.1.4); move it to importV6",
    ]);
  });

  it("says where in the other lists", () => {
    const spec = { exportV6: [{ action: "Accept" }, { cidr: "10.0.0.0/8", matchOperator: "In", action: "Reject" }] };
    expect(problemsOf("BGPFilter", spec)).toEqual([
      "spec.exportV6[1].cidr: 10.0.0.0/8 is not IPv6; move the rule to exportV4",
    ]);
    expect(problemsOf("BGPFilter", { importv4: [] })).toEqual(["spec.importv4: unknown field; did you mean importV4?"]);
  });
});

describe("BGPPeer", () => {
  const peer = (fields: object) => problemsOf("BGPPeer", { peerIP: "10.0.0.1", asNumber: 65001, ...fields });

  it.each([
    [{ filters: ["edge", "a-name-that-is-longer-than-forty-five-characters-in-all"] }],
    [{ keepOriginalNextHop: true }],
    [{ keepOriginalNextHop: false, nextHopMode: "Self" }],
    [{ families: ["ipv6-unicast"], addPath: { send: true }, multihop: 2, longLivedRestartTime: "1h" }],
    [{ maxPrefixes: { limit: 10, action: "restart", restartAfter: "5m" }, multihop: false, ttlSecurity: 0 }],
    [{ role: "customer", strictRole: true, removePrivateAS: true, routeServerClient: true, extendedNextHop: true }],
    [{ gracefulShutdown: true, passive: true, longLivedRestartTime: 0 }],
  ])("takes %j", (fields) => expect(peer(fields)).toEqual([]));

  it.each<[object, string[]]>([
    [{ filters: ["Edge"] }, [expect.stringMatching(/^spec\.filters\[0\]: "Edge" is not a name/) as unknown as string]],
    [{ filters: ["a", "b", "a"] }, ['spec.filters[2]: "a" stands there already; remove one of the two']],
    [
      { keepOriginalNextHop: true, nextHopMode: "Keep" },
      ["spec.keepOriginalNextHop: does not go with nextHopMode, which says all of it; remove keepOriginalNextHop"],
    ],
    [{ families: [] }, ["spec.families: [] is too short; at least 1 entries"]],
    [
      { families: ["ipv4"] },
      [expect.stringMatching(/^spec\.families\[0\]: "ipv4" is not one of ipv4-unicast/) as never],
    ],
    [{ addPath: { both: true } }, ["spec.addPath.both: unknown field; known here: send, receive"]],
    [{ multihop: 0 }, ["spec.multihop: 0 is not true, false or a number of hops from 1 to 255"]],
    [
      { multihop: 2, ttlSecurity: 1 },
      ["spec.multihop: does not go with ttlSecurity, which says how far the peer may be; remove one of the two"],
    ],
    [
      { role: "upstream" },
      [expect.stringMatching(/^spec\.role: "upstream" is not one of provider, customer/) as never],
    ],
    [{ strictRole: true }, ["spec.strictRole: needs role; add one, or remove it"]],
    [{ maxPrefixes: {} }, ["spec.maxPrefixes.limit: is required"]],
    [
      { maxPrefixes: { limit: 1, restartAfter: 60 } },
      ["spec.maxPrefixes.restartAfter: goes with action: restart; remove it, or set the action"],
    ],
    [
      { maxPrefixes: { limit: 1, action: "restart", restartAfter: "soon" } },
      ['spec.maxPrefixes.restartAfter: "soon" is not a duration such as 120s or 2m0s'],
    ],
    [
      { longLivedRestartTime: -1 },
      ["spec.longLivedRestartTime: -1 is not a time from 0 to 16777215 seconds, such as 300 or 5m"],
    ],
  ])("refuses %j", (fields, problems) => expect(peer(fields)).toEqual(problems));
});

describe("BGPConfiguration", () => {
  const names = [{ name: "pods", value: "64512:100" }];

  it.each([
    [{ communities: names, prefixAdvertisements: [{ cidr: "10.0.0.0/8", communities: ["pods", "1:2:3"] }] }],
    [{ communities: [], prefixAdvertisements: [{ cidr: "fd00::/8" }] }],
    [{ bindMode: "NodeIP", ebgpRequiresPolicy: true, multipath: 4, compareMED: "Always", missingMED: "Worst" }],
    [{ multipath: false, bindMode: "None" }],
  ])("takes %j", (spec) => {
    expect(problemsOf("BGPConfiguration", spec)).toEqual([]);
    expect(problemsOf("BGPConfiguration", spec, "node.a")).toEqual([]);
  });

  it.each<[object, string[]]>([
    [
      { communities: names },
      [
        "spec.communities: are names for use in prefixAdvertisements and by services, and there is neither; add one, " +
          "or remove them",
      ],
    ],
    [
      { communities: [...names, ...names], prefixAdvertisements: [{ cidr: "10.0.0.0/8" }] },
      ['spec.communities[1].name: "pods" is the name of another community already'],
    ],
    [
      { communities: [{ name: "1:1", value: "1:2" }], prefixAdvertisements: [{ cidr: "10.0.0.0/8" }] },
      ['spec.communities[0].name: "1:1" is a community itself; it needs no name'],
    ],
    [
      { communities: [{ name: "a", value: "1:2:3:4" }], prefixAdvertisements: [{ cidr: "10.0.0.0/8" }] },
      [
        'spec.communities[0].value: "1:2:3:4" is not a community such as 65000:100, ' +
          "nor a large one such as 65000:100:7",
      ],
    ],
    [
      { prefixAdvertisements: [{ cidr: "10.0.0.0/8", communities: ["pods"] }] },
      [
        'spec.prefixAdvertisements[0].communities[0]: "pods" is not a community such as 65000:100, ' +
          "nor a large one such as 65000:100:7, and no name in spec.communities",
      ],
    ],
    [
      { prefixAdvertisements: [{ cidr: "10.0.0.0/33" }] },
      [expect.stringMatching(/^spec\.prefixAdvertisements\[0\]\.cidr: "10\.0\.0\.0\/33"/) as unknown as string],
    ],
    [{ multipath: 0 }, ["spec.multipath: 0 is not true, false or a number of paths from 1 to 256"]],
    [{ compareMED: "always" }, [expect.stringMatching(/did you mean Always\?$/) as unknown as string]],
  ])("refuses %j", (spec, problems) => expect(problemsOf("BGPConfiguration", spec)).toEqual(problems));
});
