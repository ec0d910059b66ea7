/** The API server's checks beside those of `overland apply`: never stricter, and nothing forgotten without a word. */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { checkDocument } from "../schema/document.ts";
import { pathText } from "../schema/problem.ts";
import { readYaml } from "../yaml.ts";
import { refusals } from "./admission-for-tests.ts";
import { CEL_RULES } from "./cel-rules.ts";
import { CUSTOM_KINDS, type CustomKind, definitionOf } from "./definitions.ts";
import { type Case, REFUSED, VALID } from "./twin-cases-for-tests.ts";

const SCHEMAS = Object.fromEntries(
  CUSTOM_KINDS.map((kind) => [kind, definitionOf(kind, () => undefined).spec.versions[0].schema.openAPIV3Schema]),
);

const EXAMPLES = new URL("../../../manifests/examples/", import.meta.url);

function documentOf({ kind, name = "default", spec }: Omit<Case, "says">) {
  return { apiVersion: "overland.dev/v1", kind, metadata: { name }, ...(spec !== undefined && { spec }) };
}

function problemsOf(document: unknown): string[] {
  const checked = checkDocument(document);
  return "problems" in checked ? checked.problems.map(({ path, message }) => `${pathText(path)}: ${message}`) : [];
}

describe("what overland apply takes, the API server takes", () => {
  const examples = readdirSync(EXAMPLES).flatMap((file) =>
    readYaml(readFileSync(new URL(file, EXAMPLES), "utf8")).documents.map(({ value }) => value as { kind: CustomKind }),
  );
  const ours = examples.filter(({ kind }) => CUSTOM_KINDS.includes(kind));
  it.each([...ours, ...VALID.map(documentOf)].map((document) => [JSON.stringify(document), document] as const))(
    "%s",
    (_, document) => {
      expect(problemsOf(document)).toEqual([]);
      expect(refusals(SCHEMAS[document.kind] ?? {}, document)).toEqual([]);
    },
  );
});

describe("what overland apply refuses", () => {
  it.each(REFUSED.filter(({ controller }) => controller === undefined).map((one) => [one.says, one] as const))(
    "the API server refuses: %s",
    (says, one) => {
      const document = documentOf(one);
      expect(problemsOf(document).join("\n")).toContain(says);
      expect(refusals(SCHEMAS[one.kind] ?? {}, document)).not.toEqual([]);
    },
  );

  it.each(REFUSED.filter(({ controller }) => controller !== undefined).map((one) => [one.says, one] as const))(
    "is left to the controller: %s",
    (says, one) => {
      const document = documentOf(one);
      expect(problemsOf(document).join("\n")).toContain(says);
      // One that the API server learned to refuse is none of these any more.
      expect(refusals(SCHEMAS[one.kind] ?? {}, document)).toEqual([]);
    },
  );

  it("has a case for every sentence in the schemas of the kinds", () => {
    const said = REFUSED.map((one) => problemsOf(documentOf(one)).join("\n")).join("\n");
    const silent = CUSTOM_KINDS.flatMap((kind) => {
      const source = readFileSync(new URL(`../schema/${kind.toLowerCase()}.ts`, import.meta.url), "utf8");
      return sentencesIn(source)
        .filter((parts) => !parts.every((part) => said.includes(part)))
        .map((parts) => `${kind}: ${parts.join("…")}`);
    });
    // Something new is refused: write its case, and its twin in cel-rules.ts or in the field's .meta().
    expect(silent).toEqual([]);
  });
});

/** The texts of messages, in the pieces between what is put in. */
function sentencesIn(source: string): string[][] {
  const texts = [...source.matchAll(/"((?:[^"\\\n]|\\.)*)"|`((?:[^`\\]|\\.)*)`/g)].map(
    (match) => match[1] ?? match[2] ?? "",
  );
  return texts
    .map((text) =>
      text
        .split(/\$\{(?:[^{}]|\{[^{}]*\}|`[^`]*`)*\}/)
        .map((part) => part.trim())
        .filter((part) => part.length > 11),
    )
    .filter((parts) => parts.length > 0 && parts.every((part) => / /.test(part)))
    .filter((parts) => !parts.some((part) => part.includes("x-kubernetes")));
}

describe("changes that are refused", () => {
  const schema = SCHEMAS["IPPool"] ?? {};
  const pool = (spec: object) => documentOf({ kind: "IPPool", name: "pods", spec: { cidr: "10.244.0.0/16", ...spec } });
  it.each([
    [{}, { cidr: "10.245.0.0/16" }, "cidr: cannot change"],
    [{}, { blockSize: 27 }, "blockSize: cannot change"],
    [{ allowedUses: ["LoadBalancer"] }, {}, "allowedUses: a pool cannot change"],
  ])("a pool %j to %j", (before, after, says) => {
    expect(refusals(schema, pool(after), pool(before)).join()).toContain(says);
  });
  it.each([
    [{}, { blockSize: 26 }],
    [{ blockSize: 26 }, { natOutgoing: true }],
    [{ allowedUses: ["Workload"] }, { disabled: true }],
  ])("but not a pool %j to %j", (before, after) => {
    expect(refusals(schema, pool(after), pool(before))).toEqual([]);
  });
});

describe("rules between fields", () => {
  it.each(CUSTOM_KINDS)("each of %s refuses something here", (kind) => {
    const documents = REFUSED.filter((one) => one.kind === kind).map(documentOf);
    const said = documents.flatMap((document) => refusals(SCHEMAS[kind] ?? {}, document)).join("\n");
    const placed = JSON.stringify(SCHEMAS[kind]);
    const idle = CEL_RULES[kind].filter(
      ({ rule, message }) =>
        !rule.includes("oldSelf") && placed.includes(JSON.stringify(message)) && !said.includes(message),
    );
    // Of the four lists of BGPFilter's, three have the same rules.
    const once = idle.filter(
      ({ at, message }) => kind !== "BGPFilter" || (at.includes("exportV4") && !said.includes(message)),
    );
    expect(once.map(({ message }) => message)).toEqual([]);
  });
});
