import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { faultText, readManifests } from "./manifest.ts";

/** The faults of a text, as they are printed. */
function faultsOf(text: string): string[] {
  return readManifests(text, "f.yaml").faults.map(faultText);
}

const POOL = "apiVersion: overland.dev/v1\nkind: IPPool\nmetadata: {name: a}\nspec: {cidr: 10.244.0.0/16}\n";

describe("a file of resources", () => {
  it("may hold several documents, with what Kubernetes and Calico write into them", () => {
    const text = `${POOL}---
apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata: {name: tor, creationTimestamp: null, resourceVersion: "12", uid: x, generation: 1}
spec: {peerIP: 10.0.0.1, asNumber: "1.10", filters: [], keepOriginalNextHop: false}
status: {}
---
# nothing here
---
apiVersion: crd.projectcalico.org/v1
kind: BGPConfiguration
metadata: {name: default}
spec: {bindMode: None, programClusterRoutes: Enabled}
`;
    const { resources, faults } = readManifests(text, "f.yaml");
    expect(faults).toEqual([]);
    expect(resources.map(({ apiVersion, kind, metadata }) => [apiVersion, kind, metadata])).toEqual([
      ["overland.dev/v1", "IPPool", { name: "a" }],
      ["overland.dev/v1", "BGPPeer", { name: "tor" }],
      ["overland.dev/v1", "BGPConfiguration", { name: "default" }],
    ]);
    expect(resources[1]?.spec).toMatchObject({ peerIP: "10.0.0.1", asNumber: 65546 });
  });

  it("may be JSON, indented with tabs", () => {
    const text = JSON.stringify({ apiVersion: "overland.dev/v1", kind: "Node", metadata: { name: "n" } }, null, "\t");
    expect(readManifests(text, "f.json")).toMatchObject({ faults: [], resources: [{ kind: "Node", spec: {} }] });
  });

  it("may hold lists, typed or not, and bare lists", () => {
    const item = "{apiVersion: overland.dev/v1, kind: IPPool, metadata: {name: NAME}, spec: {cidr: 10.N.0.0/16}}";
    const pool = (n: number) => item.replace("NAME", `p${n}`).replace("N.0", `${n}.0`);
    const text = `kind: List
apiVersion: v1
items: [${pool(1)}, ${pool(2)}]
---
kind: IPPoolList
apiVersion: projectcalico.org/v3
items:
- {metadata: {name: p3}, spec: {cidr: 10.3.0.0/16}}
---
- ${pool(4)}
- ${pool(5)}
`;
    const { resources, faults } = readManifests(text, "f.yaml");
    expect(faults).toEqual([]);
    expect(resources.map(({ metadata }) => metadata.name)).toEqual(["p1", "p2", "p3", "p4", "p5"]);
  });

  it("names file, line, field and value of every fault at once", () => {
    const text = `apiVersion: projectcalico.org/v3
kind: BGPPeer
metadata:
  name: Tor_1
  labels: {rack: 1}
spec:
  peerIP: 10.0.0.999
  asNumer: 64512
  asNumber: 65000.1
  nodeSelector: rack ==
---
kind: HostEndpoint
apiVersion: projectcalico.org/v3
metadata: {name: x}
---
kind: List
apiVersion: v1
items:
- apiVersion: overland.dev/v2
  kind: ippool
- 17
`;
    expect(faultsOf(text)).toEqual([
      'f.yaml:4: metadata.name: "Tor_1" is not a name: lower-case letters, ' +
        'digits, "-" and ".", starting and ending with a letter or digit',
      "f.yaml:5: metadata.labels.rack: 1 is a number; write it in quotes",
      'f.yaml:7: spec.peerIP: "10.0.0.999" is not an address such as ' +
        "192.0.2.1, 192.0.2.1:1790, 2001:db8::1 or [2001:db8::1]:1790",
      "f.yaml:8: spec.asNumer: unknown field; did you mean asNumber?",
      "f.yaml:9: spec.asNumber: 65000.1 is read as a decimal number; " +
        'write a dotted AS number in quotes, such as "65000.10"',
      expect.stringMatching(/^f\.yaml:10: spec\.nodeSelector: "rack ==" is not a selector: .* \(at character 8\)$/),
      "f.yaml:12: kind: HostEndpoint: Overland routes packets and does not filter them; use a policy engine beside it",
      'f.yaml:20: items[0].kind: "ippool" is unknown; did you mean IPPool?',
      "f.yaml:21: items[1]: expected a resource (a map), found 17",
    ]);
  });

  it.each([
    ["nothing", "", ["f.yaml: holds no resource"]],
    ["comments alone", "# a\n---\n# b\n", ["f.yaml: holds no resource"]],
    ["an empty list", "kind: List\nitems: []\n", ["f.yaml: holds no resource"]],
    ["a scalar", "hello", ['f.yaml:1: expected a resource (a map), found "hello"']],
    ["a tab as indent", "kind: Node\nmetadata:\n\tname: a\n", ["f.yaml:3: a tab indents this line; YAML wants spaces"]],
    ["a key twice", `${POOL}kind: Node\n`, ["f.yaml:5: kind is written twice in the same map; remove one"]],
    ["an open bracket", "a: [1\n", [expect.stringMatching(/^f\.yaml:\d+: not YAML: Flow sequence/)]],
    ["nesting without end", "[".repeat(100_000), ["f.yaml: is nested too deeply"]],
    [
      "an alias inside its anchor",
      "&a [*a]\n",
      ["f.yaml:1: is not YAML: an alias (*name) stands inside its own anchor (&name)"],
    ],
    [
      "a resource twice",
      `${POOL}---\n${POOL}`,
      ["f.yaml:8: metadata.name: IPPool a stands already at f.yaml:1; remove one of the two"],
    ],
    [
      "no kind",
      "apiVersion: overland.dev/v1\n",
      [
        "f.yaml:1: kind: is required: IPPool, IPReservation, IPAMConfiguration, BGPConfiguration, BGPFilter, BGPPeer, Node",
      ],
    ],
    [
      "no apiVersion",
      POOL.replace(/^.*\n/, ""),
      [
        "f.yaml:1: apiVersion: is required; expected overland.dev/v1 " +
          "or projectcalico.org/v3 or crd.projectcalico.org/v1",
      ],
    ],
    ["no name", POOL.replace("name: a", "labels: {}"), ["f.yaml:3: metadata.name: is required"]],
    ["no metadata", POOL.replace(/metadata.*\n/, ""), ["f.yaml:1: metadata: is required"]],
    ["no spec", POOL.replace(/spec.*\n/, ""), ["f.yaml:1: spec: is required"]],
    ["a spec of another type", POOL.replace(/spec.*\n/, "spec: 5\n"), ["f.yaml:4: spec: expected a map, found 5"]],
    ["a field beside spec", `${POOL}specs: {}\n`, ["f.yaml:5: specs: unknown field; did you mean spec?"]],
    [
      "a namespace",
      POOL.replace("name: a", "name: a, namespace: b"),
      [expect.stringMatching(/^f\.yaml:3: metadata\.namespace: unknown field/)],
    ],
    [
      "policy",
      "kind: NetworkPolicy\n",
      [
        "f.yaml:1: kind: NetworkPolicy: Overland routes packets and " +
          "does not filter them; use a policy engine beside it",
      ],
    ],
    [
      "an unknown kind",
      "kind: Pod\n",
      [
        'f.yaml:1: kind: "Pod" is unknown; known kinds: IPPool, IPReservation, IPAMConfiguration, BGPConfiguration, BGPFilter, BGPPeer, Node',
      ],
    ],
  ])("with %s is refused in words", (_, text, faults) => {
    expect(faultsOf(text)).toEqual(faults);
  });

  it("that repeats itself through aliases is refused before it fills the memory", () => {
    const lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"];
    for (let i = 1; i < 12; i++)
      lines.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(", ")}]`,
      );
    expect(faultsOf(lines.join("\n"))).toEqual(["f.yaml:1: uses aliases (*name) to repeat too much; write it out"]);
  });

  it("never makes the reader throw", () => {
    const word = fc.constantFrom(
      "apiVersion",
      "overland.dev/v1",
      "kind",
      "IPPool",
      "BGPPeer",
      "BGPConfiguration",
      "Node",
      "List",
      "items",
      "metadata",
      "name",
      "spec",
      "cidr",
      "peerIP",
      "bgp",
      "labels",
      "asNumber",
      ":",
      ": ",
      "- ",
      "\n",
      "\n  ",
      "\t",
      "{",
      "}",
      "[",
      "]",
      ",",
      "&a ",
      "*a",
      "!!map ",
      "? ",
      "|",
      ">",
      "'",
      '"',
      "#",
      "---",
      "...",
      "<<",
      "__proto__",
      "~",
      "1",
      "1.5",
      ".inf",
      "\u0000",
    );
    const text = fc.array(fc.oneof({ weight: 4, arbitrary: word }, fc.string()), { maxLength: 60 });
    fc.assert(fc.property(text, (parts) => readManifests(parts.join(""), "f").faults.every(({ line }) => line >= 0)));
  });

  it("never makes the checks throw, whatever the values are", () => {
    const kind = fc.constantFrom("IPPool", "BGPPeer", "BGPConfiguration", "Node");
    const field = fc.constantFrom(
      "cidr",
      "blockSize",
      "nodeSelector",
      "peerIP",
      "asNumber",
      "holdTime",
      "keepaliveTime",
      "peerSelector",
      "bgp",
      "node",
      "listenPort",
      "logSeverityScreen",
      "password",
      "filters",
      "orchRefs",
      "interfaces",
      "passive",
      "ttlSecurity",
    );
    const document = fc.record({
      apiVersion: fc.constant("overland.dev/v1"),
      kind,
      metadata: fc.oneof(fc.record({ name: fc.oneof(fc.constant("a"), fc.anything()) }), fc.jsonValue()),
      spec: fc.oneof(fc.dictionary(field, fc.jsonValue()), fc.jsonValue()),
    });
    fc.assert(
      fc.property(document, (value) => {
        const { faults, resources } = readManifests(JSON.stringify(value), "f");
        return faults.length > 0 || resources.length === 1;
      }),
    );
  });
});
