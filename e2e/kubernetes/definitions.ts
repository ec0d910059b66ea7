/** What is refused of a CustomResourceDefinition, above all schemas that are not structural. */

import { DEFINITIONS } from "./built-in.ts";
import { ruleProblems } from "./cel-rules.ts";
import { regularExpression } from "./custom-validation.ts";
import { isMap, type Json, type JsonMap, type KubeObject, listAt, mapAt, textAt } from "./json.ts";
import { type Cause, forbiddenField, invalidField, requiredField } from "./refusal.ts";
import { collectionOf, type Resource } from "./resource.ts";

export function definitionProblems(resource: Resource, draft: KubeObject, old: KubeObject | undefined): Cause[] {
  if (collectionOf(resource) !== collectionOf(DEFINITIONS)) return [];
  const causes: Cause[] = [];
  const { name } = draft.metadata;
  const [group, plural] = [textAt(draft, "spec", "group"), textAt(draft, "spec", "names", "plural")];
  if (name !== `${plural}.${group}`) {
    causes.push(invalidField("metadata.name", name, `must be spec.names.plural+"."+spec.group`));
  }
  if (!["Namespaced", "Cluster"].includes(textAt(draft, "spec", "scope"))) {
    const message = `Unsupported value: "${textAt(draft, "spec", "scope")}": supported values: "Cluster", "Namespaced"`;
    causes.push({ reason: "FieldValueNotSupported", message, field: "spec.scope" });
  }
  for (const field of ["plural", "kind"]) {
    if (textAt(draft, "spec", "names", field) === "") causes.push(requiredField(`spec.names.${field}`));
  }
  for (const fixed of ["group", "scope"]) {
    const [was, is] = [textAt(old, "spec", fixed), textAt(draft, "spec", fixed)];
    if (old !== undefined && was !== is) causes.push(invalidField(`spec.${fixed}`, is, "field is immutable"));
  }
  const versions = listAt(draft, "spec", "versions");
  if (versions.filter((version) => mapAt(version)["storage"] === true).length !== 1) {
    causes.push(
      invalidField("spec.versions", versions.length, "must have exactly one version marked as storage version"),
    );
  }
  versions.forEach((version, place) => {
    const field = `spec.versions[${place}]`;
    if (!/^[a-z](?:[-a-z0-9]*[a-z0-9])?$/.test(textAt(version, "name"))) {
      causes.push(invalidField(`${field}.name`, textAt(version, "name"), "a DNS-1035 label is needed"));
    }
    const schema = mapAt(version, "schema")["openAPIV3Schema"];
    if (isMap(schema)) structural(schema, `${field}.schema.openAPIV3Schema`, causes, true);
    else causes.push(requiredField(`${field}.schema.openAPIV3Schema`, "schemas are required"));
  });
  return causes;
}

/** Never in the schemas of apiextensions.k8s.io/v1. */
const UNSUPPORTED = [
  "$ref",
  "definitions",
  "dependencies",
  "deprecated",
  "discriminator",
  "id",
  "patternProperties",
].concat(["readOnly", "writeOnly", "xml"]);
const TYPES = ["array", "boolean", "integer", "number", "object", "string"];
/** What only the structural part of a schema may say, not anyOf, allOf, oneOf and not. */
const STRUCTURAL_ONLY = ["type", "description", "title", "default", "nullable", "additionalProperties"];
const COMBINED = ["allOf", "anyOf", "oneOf"];

function structural(schema: JsonMap, field: string, causes: Cause[], root = false, correlated = true): void {
  const { type, items, properties, additionalProperties } = schema;
  const free = schema["x-kubernetes-int-or-string"] === true || schema["x-kubernetes-preserve-unknown-fields"] === true;
  if (root && type !== "object") {
    causes.push(
      type === undefined ? requiredField(`${field}.type`, "must not be empty at the root") : rootType(field, type),
    );
  } else if (type === undefined && !free) {
    causes.push(requiredField(`${field}.type`, "must not be empty for specified object fields"));
  } else if (type !== undefined && !TYPES.includes(textAt(type))) {
    causes.push(invalidField(`${field}.type`, type, `supported values: ${TYPES.join(", ")}`));
  }
  for (const word of UNSUPPORTED) {
    if (schema[word] !== undefined) causes.push(forbiddenField(`${field}.${word}`, `${word} is not supported`));
  }
  if (schema["uniqueItems"] === true) {
    causes.push(
      forbiddenField(
        `${field}.uniqueItems`,
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ),
    );
  }
  if (additionalProperties === false) {
    causes.push(forbiddenField(`${field}.additionalProperties`, "additionalProperties cannot be set to false"));
  }
  if (isMap(properties) && additionalProperties !== undefined) {
    causes.push(
      forbiddenField(`${field}.additionalProperties`, "additionalProperties and properties are mutual exclusive"),
    );
  }
  if (type === "array" && !isMap(items)) causes.push(requiredField(`${field}.items`, "must be specified"));
  causes.push(...ruleProblems(schema, field, root, correlated));
  const keyed = correlated && schema["x-kubernetes-list-type"] === "map";
  if (isMap(items)) structural(items, `${field}.items`, causes, false, keyed);
  if (isMap(additionalProperties))
    structural(additionalProperties, `${field}.additionalProperties`, causes, false, correlated);
  for (const [name, inner] of Object.entries(isMap(properties) ? properties : {})) {
    // Of metadata only name and generateName may be restricted; the rest is the server's.
    if (isMap(inner) && !(root && name === "metadata"))
      structural(inner, `${field}.properties[${name}]`, causes, false, correlated);
  }
  for (const word of COMBINED) {
    listAt(schema, word).forEach((inner, place) => valueOnly(inner, `${field}.${word}[${place}]`, causes, free));
  }
  if (isMap(schema["not"])) valueOnly(schema["not"], `${field}.not`, causes, free);
  pattern(schema["pattern"], `${field}.pattern`, causes);
}

const rootType = (field: string, type: Json): Cause =>
  invalidField(`${field}.type`, type, "must be object at the root");

function valueOnly(inner: Json, field: string, causes: Cause[], intOrString: boolean): void {
  if (!isMap(inner)) return;
  for (const word of STRUCTURAL_ONLY) {
    if (inner[word] === undefined || (word === "type" && intOrString)) continue;
    causes.push(forbiddenField(`${field}.${word}`, "must be empty to be structural"));
  }
  for (const [name, more] of Object.entries(mapAt(inner, "properties"))) {
    valueOnly(more, `${field}.properties[${name}]`, causes, false);
  }
  pattern(inner["pattern"], `${field}.pattern`, causes);
}

/** Go's RE2 has neither look-around nor back references. */
function pattern(text: Json | undefined, field: string, causes: Cause[]): void {
  if (typeof text !== "string") return;
  const bad = /\(\?[=!]|\(\?<[=!]|\\[1-9]/.test(text);
  if (bad || !isRegExp(text)) causes.push(invalidField(field, text, "must be a valid regular expression, but isn't"));
}

function isRegExp(text: string): boolean {
  try {
    regularExpression(text).test("");
    return true;
  } catch {
    return false;
  }
}
