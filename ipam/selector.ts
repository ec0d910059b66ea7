/**
 * Calico's selector language, by which pools and peers choose nodes: `rack == 'rack-1' && !has(gpu)`.
 *
 *     or        = and { "||" and }
 *     and       = operation { "&&" operation }
 *     operation = { "!" } ( "(" or ")" | all() | global() | has(key) | key comparison )
 *     comparison = "==" value | "!=" value | in {value, …} | not in {value, …}
 *                | contains value | starts with value | ends with value
 *
 * A key is of letters, digits and `_ . / -`; a value stands in ' or ". Nothing at all means all().
 */
export type Labels = Readonly<Record<string, string>>;

export type Selector =
  | { readonly kind: "all" }
  | { readonly kind: "has"; readonly key: string }
  | { readonly kind: "compare"; readonly key: string; readonly operator: Operator; readonly values: readonly string[] }
  | { readonly kind: "not"; readonly operand: Selector }
  | { readonly kind: "and" | "or"; readonly operands: readonly Selector[] };

type Operator = "==" | "!=" | "in" | "not in" | "contains" | "starts with" | "ends with";

/** `at` is the offset in the text (in UTF-16 units) at which the reader stumbled. */
export type ParsedSelector = { readonly selector: Selector } | { readonly error: string; readonly at: number };

export function parseSelector(text: string): ParsedSelector {
  if (text.trim() === "") return { selector: { kind: "all" } };
  try {
    const reader = new Reader(text);
    const selector = readOr(reader, 0);
    if (!reader.atEnd()) reader.fail("expected && or || or the end");
    return { selector };
  } catch (error) {
    if (error instanceof Stumble) return { error: error.message, at: error.at };
    throw error;
  }
}

/** A label that is missing differs from every value: `!=` and `not in` hold for it, the others do not. */
export function matches(selector: Selector, labels: Labels): boolean {
  switch (selector.kind) {
    case "all":
      return true;
    case "has":
      return Object.hasOwn(labels, selector.key);
    case "not":
      return !matches(selector.operand, labels);
    case "and":
      return selector.operands.every((operand) => matches(operand, labels));
    case "or":
      return selector.operands.some((operand) => matches(operand, labels));
    case "compare":
      return compares(selector.operator, valueOf(labels, selector.key), selector.values);
  }
}

function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function compares(operator: Operator, label: string | undefined, values: readonly string[]): boolean {
  if (operator === "!=" || operator === "not in") return label === undefined || !values.includes(label);
  if (label === undefined) return false;
  const value = values[0] ?? "";
  switch (operator) {
    case "==":
    case "in":
      return values.includes(label);
    case "contains":
      return label.includes(value);
    case "starts with":
      return label.startsWith(value);
    case "ends with":
      return label.endsWith(value);
  }
}

class Stumble extends Error {
  readonly at: number;

  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  atEnd(): boolean {
    this.#skipSpace();
    return this.#at === this.#text.length;
  }

  /** Takes what the sticky pattern matches here, after white space; undefined and nothing taken otherwise. */
  take(pattern: RegExp): string | undefined {
    this.#skipSpace();
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  expect(pattern: RegExp, what: string): string {
    return this.take(pattern) ?? this.fail(`expected ${what}`);
  }

  fail(message: string): never {
    this.#skipSpace();
    const rest = this.#text.slice(this.#at, this.#at + 20);
    throw new Stumble(`${message}, found ${rest === "" ? "the end" : JSON.stringify(rest)}`, this.#at);
  }

  #skipSpace(): void {
    while (/\s/.test(this.#text[this.#at] ?? "")) this.#at++;
  }
}

/** Deeper than any selector a person writes, and far from the end of the stack. */
const deepest = 100;

function readOr(reader: Reader, depth: number): Selector {
  if (depth > deepest) reader.fail(`nested more than ${deepest} deep`);
  return readList(reader, /\|\|/y, "or", () => readList(reader, /&&/y, "and", () => readOperation(reader, depth)));
}

function readList(reader: Reader, separator: RegExp, kind: "and" | "or", readOne: () => Selector): Selector {
  const first = readOne();
  const operands = [first];
  while (reader.take(separator) !== undefined) operands.push(readOne());
  return operands.length === 1 ? first : { kind, operands };
}

function readOperation(reader: Reader, depth: number): Selector {
  let negated = false;
  while (reader.take(/!/y) !== undefined) negated = !negated;
  const operand = readOperand(reader, depth);
  return negated ? { kind: "not", operand } : operand;
}

function readOperand(reader: Reader, depth: number): Selector {
  if (reader.take(/\(/y) !== undefined) {
    const inner = readOr(reader, depth + 1);
    reader.expect(/\)/y, "a closing parenthesis");
    return inner;
  }
  if (reader.take(/(all|global)\s*\(\s*\)/y) !== undefined) return { kind: "all" };
  if (reader.take(/has\s*\(/y) !== undefined) {
    const key = readKey(reader, "a label's name");
    reader.expect(/\)/y, "a closing parenthesis");
    return { kind: "has", key };
  }
  return readComparison(reader, readKey(reader, "a label's name, has(), all() or a parenthesis"));
}

function readKey(reader: Reader, what: string): string {
  return reader.expect(/[A-Za-z0-9_./-]{1,512}/y, what);
}

const wordOperators: readonly [RegExp, Operator][] = [
  [/==/y, "=="],
  [/!=/y, "!="],
  [/contains\b/y, "contains"],
  [/starts\s*with\b/y, "starts with"],
  [/ends\s*with\b/y, "ends with"],
];

function readComparison(reader: Reader, key: string): Selector {
  for (const [pattern, operator] of wordOperators) {
    if (reader.take(pattern) === undefined) continue;
    return { kind: "compare", key, operator, values: [readValue(reader)] };
  }
  if (reader.take(/in\b/y) !== undefined) return { kind: "compare", key, operator: "in", values: readSet(reader) };
  if (reader.take(/not\s*in\b/y) !== undefined) {
    return { kind: "compare", key, operator: "not in", values: readSet(reader) };
  }
  return reader.fail("expected ==, !=, in, not in, contains, starts with or ends with");
}

function readValue(reader: Reader): string {
  return reader.expect(/'[^']*'|"[^"]*"/y, "a value in quotes").slice(1, -1);
}

function readSet(reader: Reader): string[] {
  reader.expect(/\{/y, "a set such as {'a', 'b'}");
  const values: string[] = [];
  if (reader.take(/\}/y) !== undefined) return values;
  do values.push(readValue(reader));
  while (reader.take(/,/y) !== undefined);
  reader.expect(/\}/y, "a comma or a closing brace");
  return values;
}
