/** x-kubernetes-validations of a schema: checked when the definition is made, worked out for each object. */
import { evaluate } from "./cel-evaluate.ts";
import { CelError, mentions, parse } from "./cel-syntax.ts";
import { check, rootSchema, typeOfSchema } from "./cel-types.ts";
import type { Value } from "./cel-values.ts";
import { isMap, type Json, type JsonMap, type KubeObject, same, textAt } from "./json.ts";
import { type Cause, invalidField } from "./refusal.ts";

const rulesOf = (schema: JsonMap): JsonMap[] => {
  const rules = schema["x-kubernetes-validations"];
  return Array.isArray(rules) ? rules.filter(isMap) : [];
};

/** Where the rule's words do not fit its schema; `correlated`: an older value can be told from the new one's place. */
export function ruleProblems(schema: JsonMap, field: string, root: boolean, correlated: boolean): Cause[] {
  const type = typeOfSchema(root ? rootSchema(schema) : schema);
  return rulesOf(schema).flatMap((rule, place): Cause[] => {
    const where = `${field}.x-kubernetes-validations[${place}]`;
    return [...ruleProblem(rule, "rule", "bool"), ...ruleProblem(rule, "messageExpression", "string")];

    function ruleProblem(of: JsonMap, part: string, wanted: string): Cause[] {
      const text = textAt(of, part);
      if (text === "") return [];
      try {
        const expression = parse(text);
        const result = check(expression, { self: type, oldSelf: type });
        if (result !== wanted && result !== "dyn") throw new CelError(`must evaluate to a ${wanted}`);
        if (!correlated && mentions(expression, "oldSelf")) {
          throw new CelError("oldSelf cannot be used on the uncorrelatable portion of the schema within a list");
        }
        return [];
      } catch (error) {
        return [invalidField(`${where}.${part}`, text, `compilation failed: ERROR: ${(error as Error).message}`)];
      }
    }
  });
}

/** Rules that an object breaks; those that speak of oldSelf hold for changes only. */
export function brokenRules(schema: JsonMap, object: KubeObject, old: KubeObject | undefined): Cause[] {
  const causes: Cause[] = [];
  walk(schema, seen(object), old === undefined ? undefined : seen(old), "", causes);
  return causes;
}

/** Of metadata, rules see the name alone. */
function seen({ metadata: { name, generateName }, ...rest }: KubeObject): JsonMap {
  return { ...rest, metadata: { name, ...(generateName !== undefined && { generateName }) } };
}

function walk(schema: JsonMap, value: Json, old: Json | undefined, field: string, causes: Cause[]): void {
  for (const rule of rulesOf(schema)) {
    const kept = old !== undefined && same(old, value) && !mentions(parse(textAt(rule, "rule")), "oldSelf");
    const broken = value === null || kept ? undefined : brokenBy(rule, value, old);
    if (broken === undefined) continue;
    const path = textAt(rule, "fieldPath");
    const message = `Invalid value: ${JSON.stringify(schema["type"] ?? "")}: ${broken}`;
    causes.push({
      reason: textAt(rule, "reason") || "FieldValueInvalid",
      message,
      field: `${field}${path}` || "<nil>",
    });
  }
  const { properties, additionalProperties, items } = schema;
  if (Array.isArray(value)) {
    if (isMap(items))
      value.forEach((item, place) => walk(items, item, counterpart(schema, item, old), `${field}[${place}]`, causes));
    return;
  }
  if (!isMap(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    const known = isMap(properties) && Object.hasOwn(properties, key) ? properties[key] : additionalProperties;
    const before = isMap(old) && Object.hasOwn(old, key) ? old[key] : undefined;
    if (isMap(known)) walk(known, inner, before, field === "" ? key : `${field}.${key}`, causes);
  }
}

/** Of a list that is a map, the item of the same keys; of others nobody knows which was which. */
function counterpart(schema: JsonMap, item: Json, old: Json | undefined): Json | undefined {
  const keys = schema["x-kubernetes-list-map-keys"];
  if (!Array.isArray(old) || !Array.isArray(keys) || !isMap(item)) return undefined;
  return old.find((one) => isMap(one) && keys.every((key) => typeof key === "string" && same(one[key], item[key])));
}

/** Words, when it does not hold. */
function brokenBy(rule: JsonMap, self: Json, old: Json | undefined): string | undefined {
  const text = textAt(rule, "rule");
  try {
    const expression = parse(text);
    if (old === undefined && mentions(expression, "oldSelf")) return undefined;
    const names = { self: self as Value, ...(old !== undefined && { oldSelf: old as Value }) };
    if (evaluate(expression, names) === true) return undefined;
    const words = textAt(rule, "messageExpression");
    const said = words === "" ? "" : evaluate(parse(words), names);
    return (typeof said === "string" && said) || textAt(rule, "message") || `failed rule: ${text}`;
  } catch (error) {
    return `rule evaluation error: ${(error as Error).message} evaluating rule: ${textAt(rule, "message") || text}`;
  }
}
