/** x-kubernetes-validations: what a definition's rules may say, and what they make of objects. */
import { describe, expect, it } from "@jest/globals";
import { brokenRules, ruleProblems } from "./cel-rules.ts";
import type { JsonMap, KubeObject } from "./json.ts";

const PROPERTIES: JsonMap = {
  cidr: { type: "string" },
  size: { type: "integer" },
  share: { type: "number" },
  on: { type: "boolean" },
  hold: { "x-kubernetes-int-or-string": true },
  uses: { type: "array", items: { type: "string" } },
  labels: { type: "object", additionalProperties: { type: "string" } },
  peers: {
    type: "array",
    items: { type: "object", properties: { name: { type: "string" }, port: { type: "integer" } } },
  },
};
const schema = (rule: string, more: JsonMap = {}): JsonMap => ({
  type: "object",
  properties: {
    spec: { type: "object", properties: PROPERTIES, "x-kubernetes-validations": [{ rule, message: "no", ...more }] },
  },
});
const object = (spec: JsonMap): KubeObject => ({
  metadata: { name: "a", uid: "", resourceVersion: "", creationTimestamp: "" },
  spec,
});
const broken = (rule: string, spec: JsonMap, old?: JsonMap, more: JsonMap = {}): string[] =>
  brokenRules(schema(rule, more), object(spec), old === undefined ? undefined : object(old)).map(
    ({ field, message }) => `${field}: ${message}`,
  );
const problems = (rule: string, correlated = true): string =>
  ruleProblems(
    { type: "object", properties: PROPERTIES, "x-kubernetes-validations": [{ rule }] },
    "f",
    false,
    correlated,
  )
    .map(({ message }) => message)
    .join();

describe("rules of a definition", () => {
  it.each([
    ["self.size > 1", { size: 2 }, { size: 1 }],
    ["!has(self.cidr) || self.cidr.contains(':')", {}, { cidr: "10.0.0.0/8" }],
    ["has(self.on) ? self.on : true", {}, { on: false }],
    ["int(self.cidr.split('/')[1]) <= 24", { cidr: "10.0.0.0/8" }, { cidr: "10.0.0.0/25" }],
    ["self.size in [1, 2]", { size: 2 }, { size: 3 }],
    ["'a' in self.uses && size(self.uses) == 1", { uses: ["a"] }, { uses: ["a", "b"] }],
    ["[has(self.on), has(self.size)].filter(given, given).size() == 1", { on: true }, { on: true, size: 1 }],
    ["type(self.hold) == int || duration(self.hold) >= duration('1s')", { hold: "1m30s" }, { hold: "500ms" }],
    [
      "duration(self.hold) == duration(string(duration(self.hold).getSeconds()) + 's')",
      { hold: "2s" },
      { hold: "1.5s" },
    ],
    [
      "self.peers.all(p, p.port >= 1 && p.name.matches('^[a-z]+$'))",
      { peers: [{ name: "a", port: 1 }] },
      { peers: [{ name: "A", port: 1 }] },
    ],
    ["self.peers.exists_one(p, p.port == 1)", { peers: [{ port: 1 }] }, { peers: [{ port: 1 }, { port: 1 }] }],
    ["self.uses.map(u, u + '!').join(',') == 'a!,b!'", { uses: ["a", "b"] }, { uses: ["a"] }],
    ["self.labels.exists(k, k == 'a' && self.labels[k] == '1')", { labels: { a: "1" } }, { labels: { a: "2" } }],
    ["7 / 2 == 3 && 7 % 4 == 3 && -self.size == 0 - 2", { size: 2 }, { size: 3 }],
    ["self.cidr.lowerAscii().startsWith('fe80:')", { cidr: "FE80:1" }, { cidr: "fd00:1" }],
  ])("%s", (rule, fits, breaks) => {
    expect(problems(rule)).toBe("");
    expect(broken(rule, fits)).toEqual([]);
    expect(broken(rule, breaks)).toHaveLength(1);
  });

  it("what breaks a rule is told at the rule's place with its message", () => {
    expect(broken("self.size > 1", { size: 1 })).toEqual(['spec: Invalid value: "object": no']);
    const more = { messageExpression: "'size is ' + string(self.size)", fieldPath: ".size" };
    expect(broken("self.size > 1", { size: 1 }, undefined, more)).toEqual([
      'spec.size: Invalid value: "object": size is 1',
    ]);
  });

  it("what a change leaves as it was is not asked about again", () => {
    expect(broken("self.size > 1", { size: 1 }, { size: 1 })).toEqual([]);
    expect(broken("self.size > 1", { size: 0 }, { size: 1 })).toHaveLength(1);
  });

  it("oldSelf holds for changes only", () => {
    expect(broken("self.cidr == oldSelf.cidr", { cidr: "a" })).toEqual([]);
    expect(broken("self.cidr == oldSelf.cidr", { cidr: "a" }, { cidr: "a" })).toEqual([]);
    expect(broken("self.cidr == oldSelf.cidr", { cidr: "b" }, { cidr: "a" })).toHaveLength(1);
  });

  it("a field that is not there is an error, unless the other side decides", () => {
    expect(broken("self.size > 1", {})[0]).toContain("no such key: size");
    expect(broken("self.size > 1 || self.on", { on: true })).toEqual([]);
  });

  it.each([
    ["self.sise > 1", "undefined field 'sise'"],
    ["self.size == 'x'", "found no matching overload for '_==_' applied to '(int, string)'"],
    ["self.cidr + 1 == 'x'", "found no matching overload for '_+_'"],
    ["self.size && true", "found no matching overload for '_&&_'"],
    ["self.share == 1", "found no matching overload for '_==_' applied to '(double, int)'"],
    ["self.size in [1, 'a']", "expected type 'int' but found 'string'"],
    ["self.size.contains('x')", "found no matching overload for 'contains'"],
    ["1 in self.uses", "found no matching overload for '@in'"],
    ["self.uses.all(u, u > 1)", "found no matching overload for '_>_'"],
    ["sise(self.uses) > 1", "undeclared reference to 'sise'"],
    ["self.size", "must evaluate to a bool"],
    ["self.size >", "Syntax error"],
    ['self.cidr == "x', "Syntax error"],
  ])("a definition with %s is refused", (rule, words) => {
    expect(problems(rule)).toContain(words);
  });

  it("oldSelf is refused where nobody knows which item was which", () => {
    expect(problems("self.size == oldSelf.size", false)).toContain("uncorrelatable");
  });
});
