/** Custom objects against their openAPIV3Schema: unknown fields are pruned, defaults filled in. */
import { isMap, type Json, type JsonMap, type KubeObject } from "./json.ts";

export interface Pruned {
  readonly object: KubeObject;
  /** Paths of what the schema does not know. */
  readonly unknown: readonly string[];
}

/** apiVersion, kind and metadata are not the schema's. */
export function pruned(schema: JsonMap, object: KubeObject): Pruned {
  const unknown: string[] = [];
  const { metadata, ...rest } = object;
  const kept = prune(schema, rest, "", unknown);
  return { object: { ...(isMap(kept) ? kept : {}), metadata }, unknown };
}

const keeps = (schema: JsonMap): boolean => schema["x-kubernetes-preserve-unknown-fields"] === true;

function prune(schema: JsonMap, value: Json, path: string, unknown: string[]): Json {
  if (Array.isArray(value)) {
    const { items } = schema;
    return isMap(items) ? value.map((item, place) => prune(items, item, `${path}[${place}]`, unknown)) : value;
  }
  if (!isMap(value)) return value;
  const { properties, additionalProperties } = schema;
  const known: JsonMap = isMap(properties) ? properties : {};
  const result: JsonMap = {};
  for (const [key, inner] of Object.entries(value)) {
    const where = path === "" ? key : `${path}.${key}`;
    const embedded =
      schema["x-kubernetes-embedded-resource"] === true && ["apiVersion", "kind", "metadata"].includes(key);
    const its = Object.hasOwn(known, key) ? known[key] : undefined;
    if (isMap(its)) result[key] = prune(its, inner, where, unknown);
    else if (isMap(additionalProperties)) result[key] = prune(additionalProperties, inner, where, unknown);
    else if (additionalProperties === true || keeps(schema) || embedded) result[key] = inner;
    else unknown.push(where);
  }
  return result;
}

export function withDefaults(schema: JsonMap, object: KubeObject): KubeObject {
  const { metadata, ...rest } = object;
  const full = fill(schema, rest);
  return { ...(isMap(full) ? full : {}), metadata };
}

function fill(schema: JsonMap, value: Json): Json {
  const { properties, additionalProperties, items } = schema;
  if (Array.isArray(value)) return isMap(items) ? value.map((item) => fill(items, item)) : value;
  if (!isMap(value)) return value;
  const result: JsonMap = { ...value };
  for (const [key, inner] of Object.entries(isMap(properties) ? properties : {})) {
    if (!isMap(inner)) continue;
    const fallback = inner["default"];
    // A null where none may be counts as absent, when there is a default to take its place.
    const absent = result[key] === undefined || (result[key] === null && inner["nullable"] !== true);
    if (fallback !== undefined && absent) result[key] = structuredClone(fallback);
    const present = result[key];
    if (present !== undefined) result[key] = fill(inner, present);
  }
  if (isMap(additionalProperties)) {
    for (const [key, inner] of Object.entries(result)) {
      if (!isMap(properties) || !Object.hasOwn(properties, key)) result[key] = fill(additionalProperties, inner);
    }
  }
  return result;
}
