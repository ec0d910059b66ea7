/** Label and field selectors, as the query of a list or a watch gives them. */
import { isMap, type Json, type KubeObject, textAt } from "./json.ts";
import { badRequest } from "./refusal.ts";
import { groupVersion, type Resource } from "./resource.ts";

export type Predicate = (object: KubeObject) => boolean;
type LabelPredicate = (labels: Readonly<Record<string, string>>) => boolean;

/** Undefined: everything is selected. */
export function selectorOf(resource: Resource, query: URLSearchParams): Predicate | undefined {
  const labels = labelPredicate(query.get("labelSelector") ?? "");
  const fields = fieldPredicate(resource, query.get("fieldSelector") ?? "");
  if (labels === undefined && fields === undefined) return undefined;
  return (object) => (labels?.(object.metadata.labels ?? {}) ?? true) && (fields?.(object) ?? true);
}

const SET = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/;
const EQUALITY = /^([^\s!=]+)\s*(==|!=|=)\s*([^\s!=]*)$/;
const EXISTS = /^(!?)\s*([^\s!=()]+)$/;
const KEY = /^(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-\w.]{0,61}[A-Za-z0-9])?)?$/;

function labelPredicate(selector: string): LabelPredicate | undefined {
  const tests = parts(selector).map(requirement);
  return tests.length === 0 ? undefined : (labels) => tests.every((test) => test(labels));
}

function requirement(text: string): LabelPredicate {
  const set = SET.exec(text);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = new Set(list.split(",").map((value) => checked(value.trim(), VALUE)));
    checked(key, KEY);
    if (operator === "in") return (labels) => Object.hasOwn(labels, key) && values.has(labels[key] as string);
    return (labels) => !Object.hasOwn(labels, key) || !values.has(labels[key] as string);
  }
  const equality = EQUALITY.exec(text);
  if (equality !== null) {
    const [, key = "", operator, value = ""] = equality;
    checked(key, KEY);
    checked(value, VALUE);
    // An absent label is not equal to anything.
    return operator === "!=" ? (labels) => labels[key] !== value : (labels) => labels[key] === value;
  }
  const exists = EXISTS.exec(text);
  if (exists === null) throw badRequest(`unable to parse requirement: found '${text}', expected a label requirement`);
  const [, not, key = ""] = exists;
  checked(key, KEY);
  return (labels) => Object.hasOwn(labels, key) === (not === "");
}

function checked(text: string, form: RegExp): string {
  if (form.test(text)) return text;
  throw badRequest(`unable to parse requirement: Invalid value: "${text}": must consist of alphanumeric characters`);
}

/** At commas, but those in parentheses. */
const parts = (selector: string): string[] =>
  selector
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter((part) => part !== "");

/** `spec.unschedulable` and its like are false where they are absent. */
const BOOLEANS = new Set(["spec.unschedulable", "spec.hostNetwork"]);

function fieldPredicate(resource: Resource, selector: string): Predicate | undefined {
  const tests = parts(selector).map((part): Predicate => {
    const match = /^([^\s!=]+?)\s*(==|!=|=)\s*(.*)$/.exec(part);
    if (match === null) throw badRequest(`invalid selector: '${selector}'; can't understand '${part}'`);
    const [, field = "", operator, wanted = ""] = match;
    const known = knownFields(resource);
    if (!known.includes(field)) {
      throw badRequest(
        `Unable to find "${groupVersion(resource)}, Resource=${resource.plural}" that match label selector "", field ` +
          `selector "${selector}": field label not supported: ${field} (known: ${known.join(", ")})`,
      );
    }
    const path = (field.startsWith(".") ? field.slice(1) : field).split(".");
    return (object) => (fieldOf(object, field, path) === wanted) === (operator !== "!=");
  });
  return tests.length === 0 ? undefined : (object) => tests.every((test) => test(object));
}

const knownFields = ({ namespaced, fields, custom }: Resource): string[] => [
  "metadata.name",
  ...(namespaced ? ["metadata.namespace"] : []),
  ...fields,
  ...(custom?.selectable ?? []),
];

function fieldOf(object: KubeObject, field: string, path: readonly string[]): string {
  if (field === "source") return textAt(object, "source", "component") || textAt(object, "reportingComponent");
  let inner: Json | undefined = object;
  for (const key of path) inner = isMap(inner) ? inner[key] : undefined;
  if (inner === undefined || inner === null) return BOOLEANS.has(field) ? "false" : "";
  return textAt(inner);
}
