/** What an API server would refuse about a resource, by a definition's schema and rules. */
import { evaluateRule } from "./cel-for-tests.ts";
import type { Structural } from "./structural.ts";

/** Faults, each with its path. `before` is the resource that is there already. */
export function refusals(schema: Structural, value: unknown, before?: unknown): string[] {
  const faults: string[] = [];
  check(schema, value, before, "", faults);
  return faults;
}

type Written = Readonly<Record<string, unknown>>;

function check(schema: Structural, value: unknown, before: unknown, path: string, faults: string[]): void {
  const count = faults.length;
  const say = (what: string) => faults.push(`${path}: ${what}`);
  if (schema["x-kubernetes-preserve-unknown-fields"] === true) return;
  if (!hasType(schema, value)) {
    say(`${JSON.stringify(value)} is not of the type ${schema.type ?? "integer or string"}`);
    return;
  }
  if (schema.enum !== undefined && !schema.enum.includes(value)) say(`${String(value)} is not in the enum`);
  if (typeof value === "number") checkNumber(schema, value, say);
  if (typeof value === "string") checkText(schema, value, say);
  if (Array.isArray(value)) {
    checkList(schema, value, say);
    for (const [i, item] of value.entries()) check(schema.items ?? {}, item, undefined, `${path}[${i}]`, faults);
  } else if (schema.type === "object") {
    checkFields(schema, value as Written, before as Written | undefined, path, faults);
  }
  // The API server asks the rules of what is well formed.
  if (faults.length > count) return;
  for (const { rule, message } of schema["x-kubernetes-validations"] ?? []) {
    if (rule.includes("oldSelf") && before === undefined) continue;
    if (!evaluateRule(rule, { self: value, oldSelf: before })) say(message);
  }
}

function hasType(schema: Structural, value: unknown): boolean {
  if (schema["x-kubernetes-int-or-string"] === true) return typeof value === "string" || Number.isInteger(value);
  if (schema.type === "array") return Array.isArray(value);
  if (schema.type === "integer") return Number.isInteger(value);
  if (schema.type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  return typeof value === schema.type;
}

function checkNumber({ minimum = -Infinity, maximum = Infinity }: Structural, value: number, say: (w: string) => void) {
  if (value < minimum || value > maximum) say(`${value} is out of range`);
}

function checkText(
  { minLength = 0, maxLength = Infinity, pattern }: Structural,
  value: string,
  say: (w: string) => void,
) {
  if (value.length < minLength || value.length > maxLength) say(`${value} has a wrong length`);
  if (pattern !== undefined && !new RegExp(pattern).test(value)) say(`${value} does not match`);
}

function checkList(schema: Structural, value: readonly unknown[], say: (what: string) => void): void {
  const { minItems = 0, maxItems = Infinity } = schema;
  if (value.length < minItems || value.length > maxItems) say("has a wrong number of entries");
  const keys = schema["x-kubernetes-list-map-keys"] ?? [];
  const unique = value.map((item) =>
    schema["x-kubernetes-list-type"] === "map" ? keys.map((key) => (item as Written)[key]).join() : String(item),
  );
  if (schema["x-kubernetes-list-type"] !== undefined && new Set(unique).size < value.length) say("has an entry twice");
}

/** A field that is not known is refused by kubectl, and else lost on the way. */
function checkFields(schema: Structural, value: Written, before: Written | undefined, path: string, faults: string[]) {
  const { properties = {}, required = [] } = schema;
  for (const name of required) if (value[name] === undefined) faults.push(`${path}.${name}: is required`);
  for (const [name, inner] of Object.entries(value)) {
    const known = properties[name];
    if (known === undefined) {
      if (Object.keys(properties).length > 0) faults.push(`${path}.${name}: unknown field`);
    } else if (name === "metadata" && path === "") {
      continue;
    } else check(known, inner, before?.[name], `${path}.${name}`, faults);
  }
}
