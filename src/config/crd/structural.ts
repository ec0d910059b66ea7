/**
 * A zod schema as the API server takes it: a *structural* schema (every value has one type, written outside of anyOf).
 *
 * What zod checks by code is said by the schema's own meta, its twin for the API server (schema/fields.ts). The result
 * may let pass more than the zod schema, never less. Defaults are left out: the API server would write them into the
 * resource, where nobody could tell them from what a person wrote.
 */
import { z } from "zod";

export interface Validation {
  readonly rule: string;
  readonly message: string;
}

/** The words of a JSON schema that a custom resource definition knows and that occur here. */
export interface Structural {
  readonly description?: string;
  readonly type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: Structural;
  readonly properties?: Readonly<Record<string, Structural>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Structural;
  readonly anyOf?: readonly Structural[];
  readonly "x-kubernetes-int-or-string"?: true;
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
  readonly "x-kubernetes-list-type"?: "set" | "map";
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly Validation[];
}

/** Any value: what is refused about it is refused by the controller, in words. */
const ANYTHING: Structural = { "x-kubernetes-preserve-unknown-fields": true };

/** Throws with the path of a value whose type nobody said. */
export function structuralSchema(schema: z.ZodType): Structural {
  const json = z.toJSONSchema(schema, { target: "openapi-3.0", io: "input", unrepresentable: "any" });
  return structural(json as Structural & Extra, "spec");
}

/** What zod writes beside. */
interface Extra {
  readonly default?: unknown;
  readonly $schema?: string;
}

function structural(node: Structural & Extra, path: string): Structural {
  if (node.anyOf !== undefined && node["x-kubernetes-int-or-string"] === undefined) {
    return union(node.anyOf.map((variant, i) => structural(variant, `${path}|${i}`)));
  }
  const { default: _default, $schema: _schema, additionalProperties, properties, items, ...kept } = node;
  if (kept["x-kubernetes-int-or-string"] === true) {
    return { ...kept, anyOf: [{ type: "integer" }, { type: "string" }] };
  }
  if (kept.type === undefined && kept["x-kubernetes-preserve-unknown-fields"] === undefined) {
    throw new Error(`${path} has no type: say one with .meta() in its zod schema`);
  }
  return {
    ...kept,
    ...(kept.type === "integer" && (kept.maximum ?? 0) > 0x7fffffff && { format: "int64" }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, inner]) => [name, structural(inner, `${path}.${name}`)]),
      ),
    }),
    ...(items !== undefined && { items: structural(items, `${path}[]`) }),
    ...(typeof additionalProperties === "object" && {
      additionalProperties: structural(additionalProperties, `${path}.*`),
    }),
  };
}

/** One type for what may be several: text or "", a number or text. Of anything else nothing is checked here. */
function union(variants: readonly Structural[]): Structural {
  const empty = variants.filter(({ enum: values }) => values?.length === 1 && values[0] === "");
  const others = variants.filter((variant) => !empty.includes(variant));
  const [first, second] = others;
  if (first === undefined) return ANYTHING;
  if (second === undefined) return empty.length === 0 ? first : orEmpty(first);
  const number = others.find(({ type }) => type === "integer");
  const text = others.find(({ type }) => type === "string");
  if (others.length > 2 || number === undefined || text === undefined || empty.length > 0) return ANYTHING;
  const { type: _number, ...numberLimits } = number;
  const { type: _text, "x-kubernetes-validations": rules = [], ...textLimits } = text;
  return {
    "x-kubernetes-int-or-string": true,
    ...numberLimits,
    ...textLimits,
    ...validations(rules.map(({ rule, message }) => ({ rule: `type(self) == int || (${rule})`, message }))),
    anyOf: [{ type: "integer" }, { type: "string" }],
  };
}

function orEmpty(text: Structural): Structural {
  const { pattern, "x-kubernetes-validations": rules = [], ...rest } = text;
  return {
    ...rest,
    ...(pattern !== undefined && { pattern: `^$|${pattern}` }),
    ...validations(rules.map(({ rule, message }) => ({ rule: `self == '' || (${rule})`, message }))),
  };
}

function validations(rules: readonly Validation[]): Structural {
  return rules.length === 0 ? {} : { "x-kubernetes-validations": rules };
}
