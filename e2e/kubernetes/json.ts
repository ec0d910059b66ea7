/** JSON as the API server holds and writes it. */
import { isDeepStrictEqual } from "node:util";

export type Json = null | boolean | number | string | Json[] | JsonMap;
export type JsonMap = { [key: string]: Json };

export type Meta = {
  name: string;
  generateName?: string;
  namespace?: string;
  uid: string;
  resourceVersion: string;
  generation?: number;
  creationTimestamp: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: { [key: string]: string };
  annotations?: { [key: string]: string };
  finalizers?: string[];
  managedFields?: Json[];
};

/** As it is stored: without apiVersion and kind, which are those of the path it is asked for by. Never changed. */
export type KubeObject = { metadata: Meta; [field: string]: Json };

export const isMap = (value: unknown): value is JsonMap =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Empty where there is none, so that reading goes on without questions. */
export const mapAt = (value: Json | undefined, ...path: string[]): JsonMap => {
  const found = at(value, ...path);
  return isMap(found) ? found : {};
};

export const listAt = (value: Json | undefined, ...path: string[]): Json[] => {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
};

export const textAt = (value: Json | undefined, ...path: string[]): string => {
  const found = at(value, ...path);
  return found === undefined || found === null || typeof found === "object" ? "" : String(found);
};

export function at(value: Json | undefined, ...path: string[]): Json | undefined {
  let inner = value;
  for (const key of path) {
    if (!isMap(inner)) return undefined;
    inner = Object.hasOwn(inner, key) ? inner[key] : undefined;
  }
  return inner;
}

/** A copy that lacks some of what may be there. */
export function without<T extends object>(map: T, ...keys: string[]): T {
  const rest = { ...map } as Record<string, unknown>;
  for (const key of keys) delete rest[key];
  return rest as T;
}

export const same = (one: unknown, other: unknown): boolean => isDeepStrictEqual(one, other);

const ESCAPED = /[<>&\u2028\u2029]/g;
const escape = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** Go's encoding/json always escapes these five, unlike JSON.stringify; they occur inside strings only. */
export const goJson = (value: unknown): string => JSON.stringify(value).replace(ESCAPED, escape);

const texts = new WeakMap<object, string>();

/** Objects are never changed, so their text is made once, for all lists and watches. */
export function textOf(object: KubeObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    text = goJson(object);
    texts.set(object, text);
  }
  return text;
}

/** RFC 3339 with whole seconds, as metav1.Time is written. */
export const timestamp = (milliseconds = Date.now()): string =>
  new Date(milliseconds).toISOString().replace(/\.\d+Z$/, "Z");
