/** Turns what zod found into phrases for people: the value, what was expected, the name that was probably meant. */
import { z } from "zod";
import { nearestName } from "../suggest.ts";
import { type FieldPath, type Problem, shown, typeText } from "./problem.ts";

/** The problems of one value; `base` is the path at which the schema stands in the document. */
export function problemsOf(error: z.ZodError, schema: z.ZodType, value: unknown, base: FieldPath): Problem[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, schema, value, base));
}

function problemsOfIssue(issue: z.core.$ZodIssue, schema: z.ZodType, value: unknown, base: FieldPath): Problem[] {
  const steps = issue.path as (string | number)[];
  const path = [...base, ...steps];
  if (issue.code === "unrecognized_keys") {
    const known = knownKeys(schema, steps);
    return issue.keys.map((key) => ({ path: [...path, key], message: unknownField(key, known) }));
  }
  return [{ path, message: phrase(issue, valueAt(value, steps)) }];
}

function unknownField(key: string, known: readonly string[]): string {
  const near = nearestName(key, known);
  if (near !== undefined) return `unknown field; did you mean ${near}?`;
  return known.length > 0 ? `unknown field; known here: ${known.join(", ")}` : "unknown field";
}

const EXPECTED: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "a map",
  record: "a map",
  array: "a list",
};

function phrase(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      if (value === undefined) return "is required";
      if (issue.expected === "string" && typeof value !== "object") {
        return `${shown(value)} is ${typeText(value)}; write it in quotes`;
      }
      return `expected ${EXPECTED[issue.expected] ?? issue.expected}, found ${shown(value)}`;
    case "invalid_value":
      if (value === undefined) return "is required";
      return `${shown(value)} is not one of ${issue.values.map(String).join(", ")}${caseHint(value, issue.values)}`;
    case "too_small":
      return `${shown(value)} is too ${isText(issue) ? "short" : "small"}; ${bound("at least", issue.minimum, issue)}`;
    case "too_big":
      return `${shown(value)} is too ${isText(issue) ? "long" : "large"}; ${bound("at most", issue.maximum, issue)}`;
    default:
      return issue.message;
  }
}

function isText({ origin }: { readonly origin: string }): boolean {
  return origin === "string" || origin === "array";
}

function bound(word: string, limit: number | bigint, { origin }: { readonly origin: string }): string {
  if (origin === "string") return `${word} ${limit} characters`;
  return origin === "array" ? `${word} ${limit} entries` : `${word} ${limit} is allowed`;
}

function caseHint(value: unknown, allowed: readonly unknown[]): string {
  const near = typeof value === "string" ? nearestName(value, allowed.map(String)) : undefined;
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** The names a map at that place may have; none where the schema has no names of its own (labels). */
function knownKeys(schema: z.ZodType, steps: FieldPath): string[] {
  let at: unknown = unwrapped(schema);
  for (const step of steps) {
    if (at instanceof z.ZodObject) at = unwrapped((at.shape as Record<string, unknown>)[step]);
    else if (at instanceof z.ZodArray) at = unwrapped(at.element);
    else return [];
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrapped(schema: unknown): unknown {
  let at = schema;
  while (at instanceof z.ZodOptional || at instanceof z.ZodExactOptional || at instanceof z.ZodDefault)
    at = at.unwrap();
  return at instanceof z.ZodPipe ? unwrapped(at.in) : at;
}

function valueAt(value: unknown, steps: FieldPath): unknown {
  let at = value;
  for (const step of steps) {
    if (typeof at !== "object" || at === null) return undefined;
    at = (at as Record<string | number, unknown>)[step];
  }
  return at;
}
