import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "@jest/globals";
import { CUSTOM_KINDS, definitionOf } from "./definitions.ts";
import { definitionFiles } from "./files.ts";
import { type Structural } from "./structural.ts";

const FOLDER = new URL("../../../manifests/crds/", import.meta.url);

describe("the custom resource definitions", () => {
  it("in manifests/crds are those of the schemas: `npm run build` writes them", () => {
    const files = definitionFiles();
    expect(readdirSync(FOLDER).sort()).toEqual([...files.keys()].sort());
    for (const [name, text] of files)
      expect({ name, text: readFileSync(new URL(name, FOLDER), "utf8") }).toEqual({ name, text });
  });

  it.each(CUSTOM_KINDS)("%s is structural: one type for every value, none inside anyOf", (kind) => {
    const schema = definitionOf(kind, () => undefined).spec.versions[0].schema.openAPIV3Schema;
    const wrong: string[] = [];
    walk(schema, kind, (node, path) => {
      const opaque = node["x-kubernetes-preserve-unknown-fields"] === true;
      const either = node["x-kubernetes-int-or-string"] === true;
      if (Number(node.type !== undefined) + Number(opaque) + Number(either) !== 1) wrong.push(`${path}: its type`);
      if (node.anyOf !== undefined && !either) wrong.push(`${path}: anyOf`);
      if (opaque && node["x-kubernetes-validations"] !== undefined) wrong.push(`${path}: a rule about anything`);
      if (node.type === "object" && node.properties !== undefined && node.additionalProperties !== undefined) {
        wrong.push(`${path}: properties and additionalProperties`);
      }
      const unknown = Object.keys(node).filter((key) => !WORDS.has(key));
      if (unknown.length > 0) wrong.push(`${path}: ${unknown.join()}`);
      if (node.format !== undefined && !["int32", "int64", "date-time"].includes(node.format))
        wrong.push(`${path}: format`);
    });
    expect(wrong).toEqual([]);
  });

  it.each(CUSTOM_KINDS)("every list and text that a rule of %s may walk through has an end", (kind) => {
    const schema = definitionOf(kind, () => undefined).spec.versions[0].schema.openAPIV3Schema;
    const endless: string[] = [];
    walk(schema, "", (node, path) => {
      // The API server works out a rule's cost from the greatest size there may be, entries around it included.
      const isRule = (at: Structural | undefined) => (at?.["x-kubernetes-validations"] ?? []).length > 0;
      if (node.type === "array" && node.maxItems === undefined && holdsRule(node.items, isRule)) endless.push(path);
      if (node.type === "string" && isRule(node) && node.maxLength === undefined) endless.push(path);
      for (const { rule } of node["x-kubernetes-validations"] ?? []) {
        for (const [, field = ""] of rule.matchAll(/self\.(\w+)\.(?:contains|split|startsWith|lowerAscii)\(/g)) {
          if (node.properties?.[field]?.maxLength === undefined) endless.push(`${path}.${field}`);
        }
      }
    });
    expect(endless).toEqual([]);
  });

  it("kubectl explain has words for most fields", () => {
    const peers = definitionFiles().get("bgppeers.yaml") as string;
    expect(peers).toContain("BGPFilters, asked in this order.");
    expect(peers).not.toContain("*/");
  });
});

const WORDS = new Set(
  "description type format enum minimum maximum minLength maxLength pattern minItems maxItems items properties required anyOf"
    .split(" ")
    .concat(
      ["int-or-string", "preserve-unknown-fields", "list-type", "list-map-keys", "validations"].map(
        (w) => `x-kubernetes-${w}`,
      ),
    ),
);

function walk(node: Structural, path: string, visit: (node: Structural, path: string) => void): void {
  visit(node, path);
  if (node.items !== undefined) walk(node.items, `${path}[]`, visit);
  for (const [name, inner] of Object.entries(node.properties ?? {})) walk(inner, `${path}.${name}`, visit);
}

function holdsRule(node: Structural | undefined, isRule: (at: Structural | undefined) => boolean): boolean {
  if (node === undefined) return false;
  return (
    isRule(node) ||
    holdsRule(node.items, isRule) ||
    Object.values(node.properties ?? {}).some((one) => holdsRule(one, isRule))
  );
}
