/** What is wrong with a document, field by field, before anybody knows the line it stands on. */
export type FieldPath = readonly (string | number)[];

export interface Problem {
  readonly path: FieldPath;
  /** A phrase that follows `path: `, with the value and what to do. */
  readonly message: string;
}

/** `spec.bgp.asNumber`, `spec.filters[2]`, `metadata.labels["a.b/c"]`; the document itself is "". */
export function pathText(path: FieldPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[A-Za-z_$][\w$-]*$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** A value as a message shows it: JSON, cut to a length one can read. */
export function shown(value: unknown): string {
  const text =
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? `${inner}` : inner)) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

/** `a string`, `a list`, … for "expected a number, found …". */
export function typeText(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "boolean") return "a boolean";
  return typeof value === "string" ? "a string" : "a number";
}
