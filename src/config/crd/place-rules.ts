/** Puts the rules between fields into a schema, where they belong. */
import type { PlacedRule } from "./cel-rules.ts";
import type { Structural } from "./structural.ts";

/** `exportV4[]` is a list and its entry: two steps. */
export function stepsOf(path: string): string[] {
  return path === ""
    ? []
    : path.split(".").flatMap((step) => (step.endsWith("[]") ? [step.slice(0, -2), "[]"] : [step]));
}

/** Throws for a place that the schema does not have. */
export function changedAt(
  schema: Structural,
  steps: readonly string[],
  change: (at: Structural) => Structural,
): Structural {
  const [step, ...rest] = steps;
  if (step === undefined) return change(schema);
  if (step === "[]" && schema.items !== undefined) return { ...schema, items: changedAt(schema.items, rest, change) };
  const inner = schema.properties?.[step];
  if (inner === undefined) throw new Error(`a rule is about ${step}, which the schema does not have`);
  return { ...schema, properties: { ...schema.properties, [step]: changedAt(inner, rest, change) } };
}

export function withRules(schema: Structural, rules: readonly PlacedRule[]): Structural {
  let at = schema;
  for (const { at: place, rule, message, reads = [] } of rules) {
    if (!reads.every((field) => isTyped(schema, place, field))) continue;
    at = changedAt(at, stepsOf(place), (node) => ({
      ...node,
      "x-kubernetes-validations": [...(node["x-kubernetes-validations"] ?? []), { rule, message }],
    }));
  }
  return at;
}

/** Whether a rule may look at that field of `spec`, or of where it stands. */
function isTyped(schema: Structural, place: string, field: string): boolean {
  let typed = false;
  changedAt(schema, stepsOf(place === "" ? "spec" : place), (node) => {
    const found = node.properties?.[field];
    typed = found !== undefined && found["x-kubernetes-preserve-unknown-fields"] === undefined;
    return node;
  });
  return typed;
}
