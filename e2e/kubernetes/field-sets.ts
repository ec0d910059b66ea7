/** Sets of fields as metadata.managedFields writes them (FieldsV1), and what a document has of each. */

import { identify, type Shape } from "./field-shape.ts";
import { isMap, type Json, type JsonMap, type KubeObject } from "./json.ts";

/** Paths of values that are owned as one, steps joined by zero bytes: `f:spec`, `k:{"name":"a"}`, `v:"x"`. */
export type FieldSet = Set<string>;

const SEPARATOR = "\0";
const IN_METADATA = new Set(["labels", "annotations", "finalizers", "ownerReferences"]);

/** Every owned value of the document, by its path; who and where it is, is nobody's. */
export function valuesOf(document: JsonMap | KubeObject, shape: Shape): Map<string, Json> {
  const found = new Map<string, Json>();
  for (const [field, value] of Object.entries(document)) {
    if (field === "apiVersion" || field === "kind") continue;
    if (field !== "metadata") collect(value, shape.under(field), [`f:${field}`], found);
    else if (isMap(value)) {
      for (const [name, inner] of Object.entries(value)) {
        if (IN_METADATA.has(name)) collect(inner, shape.under(field).under(name), ["f:metadata", `f:${name}`], found);
      }
    }
  }
  return found;
}

function collect(value: Json, shape: Shape, path: readonly string[], found: Map<string, Json>): void {
  const whole = () => void found.set(path.join(SEPARATOR), value);
  if (Array.isArray(value)) {
    const identity = identify(shape);
    if (identity === undefined || value.length === 0) whole();
    else for (const item of value) collect(item, shape.item, [...path, identity(item)], found);
  } else if (isMap(value) && shape.merging !== "whole" && Object.keys(value).length > 0) {
    for (const [field, inner] of Object.entries(value))
      collect(inner, shape.under(field), [...path, `f:${field}`], found);
  } else whole();
}

export function fieldsV1(set: FieldSet): JsonMap {
  const root: JsonMap = {};
  for (const path of [...set].sort()) {
    let node = root;
    for (const step of path.split(SEPARATOR)) {
      const inner = node[step];
      const next: JsonMap = isMap(inner) ? inner : {};
      node[step] = next;
      if (step.startsWith("k:")) next["."] = {};
      node = next;
    }
  }
  return root;
}

export function readFieldsV1(
  node: Json | undefined,
  path: readonly string[] = [],
  set: FieldSet = new Set(),
): FieldSet {
  const inner = isMap(node) ? Object.entries(node).filter(([step]) => step !== ".") : [];
  if (inner.length === 0 && path.length > 0) set.add(path.join(SEPARATOR));
  for (const [step, more] of inner) readFieldsV1(more, [...path, step], set);
  return set;
}

/** As conflicts name it: `.spec.ports[port=80].name`. */
export const fieldText = (path: string): string =>
  path
    .split(SEPARATOR)
    .map((step) => {
      if (step.startsWith("f:")) return `.${step.slice(2)}`;
      if (step.startsWith("v:")) return `[=${step.slice(2)}]`;
      const keys = Object.entries(JSON.parse(step.slice(2)) as JsonMap);
      return `[${keys.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(",")}]`;
    })
    .join("");

/** The document laid over what is there; nothing is changed in place. */
export function laidOver(below: Json | undefined, above: Json, shape: Shape): Json {
  if (Array.isArray(above) && Array.isArray(below)) {
    const identity = identify(shape);
    if (identity === undefined) return above;
    const result = [...below];
    for (const item of above) {
      const place = result.findIndex((one) => identity(one) === identity(item));
      if (place < 0) result.push(item);
      else result[place] = laidOver(result[place], item, shape.item);
    }
    return result;
  }
  if (!isMap(above) || !isMap(below) || shape.merging === "whole") return above;
  const result: JsonMap = { ...below };
  for (const [field, value] of Object.entries(above)) result[field] = laidOver(below[field], value, shape.under(field));
  return result;
}

/** Without one value, nor what is empty for the lack of it. */
export function cutOut(value: Json, steps: readonly string[], shape: Shape): Json | undefined {
  const [step, ...rest] = steps;
  if (step === undefined) return undefined;
  if (Array.isArray(value)) {
    const identity = identify(shape);
    const result = value.flatMap((item): Json[] => {
      if (identity?.(item) !== step) return [item];
      const left = cutOut(item, rest, shape.item);
      return left === undefined ? [] : [left];
    });
    return result.length === 0 && value.length > 0 ? undefined : result;
  }
  if (!isMap(value)) return value;
  const field = step.slice(2);
  const inner = value[field];
  if (inner === undefined) return value;
  const left = cutOut(inner, rest, shape.under(field));
  const { [field]: gone, ...others } = value;
  if (left !== undefined) return { ...value, [field]: left };
  return Object.keys(others).length === 0 && gone !== undefined ? undefined : others;
}

export const stepsOf = (path: string): string[] => path.split(SEPARATOR);
