/**
 * As much of CEL as the rules in this folder use, so that their twins can be compared: operators, has(), size(),
 * type(), duration(), the macros filter, all and exists, and some functions of text. What it does not know it throws for.
 */

type Scope = Readonly<Record<string, unknown>>;
type Expression = (scope: Scope) => unknown;

const TOKEN = /\s*(?:(\d+)|'((?:[^'\\]|\\.)*)'|([A-Za-z_]\w*)|(&&|\|\||[=!<>]=|[-+*%/!<>?:.,()[\]]))/y;

/** Milliseconds as CEL's duration: never equal to a number. */
class Duration {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
}

const UNIT_MS: Scope = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 };

function durationOf(text: unknown): Duration {
  let ms = 0;
  const rest = String(text).replaceAll(/(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|ns)/g, (_, amount: string, unit: string) => {
    ms += Number(amount) * (UNIT_MS[unit] as number);
    return "";
  });
  if (rest !== "" && text !== "0") throw new Error(`${String(text)} is no duration`);
  return new Duration(ms);
}

/** True or false as the rule says of the scope; throws as CEL fails. */
export function evaluateRule(rule: string, scope: Scope): boolean {
  const value = parse(rule)({ ...scope, int: "int", string: "string" });
  if (typeof value !== "boolean") throw new Error(`${rule} is no condition`);
  return value;
}

function parse(text: string): Expression {
  const tokens = tokensOf(text);
  let at = 0;
  const peek = () => tokens[at];
  const take = (wanted?: string) => {
    const token = tokens[at++];
    if (token === undefined || (wanted !== undefined && token.text !== wanted)) {
      throw new Error(`${text}: expected ${wanted ?? "more"} at ${token?.text ?? "the end"}`);
    }
    return token;
  };
  const taken = (wanted: string) => peek()?.text === wanted && peek()?.kind === "mark" && at++ >= 0;

  const ternary = (): Expression => {
    const condition = logical(0);
    if (!taken("?")) return condition;
    const [yes] = [ternary(), take(":")];
    const no = ternary();
    return (scope) => (condition(scope) === true ? yes(scope) : no(scope));
  };
  const LOGICAL = ["||", "&&"];
  const logical = (level: number): Expression => {
    const word = LOGICAL[level];
    if (word === undefined) return relation();
    let left = logical(level + 1);
    while (taken(word)) {
      const [before, right] = [left, logical(level + 1)];
      left = (scope) => ((word === "||") === before(scope) ? word === "||" : right(scope));
    }
    return left;
  };
  const relation = (): Expression => {
    const left = sum();
    const word = peek();
    if (word === undefined || !["==", "!=", "<", "<=", ">", ">=", "in"].includes(word.text)) return left;
    take();
    const right = sum();
    return (scope) => compare(word.text, left(scope), right(scope));
  };
  const sum = (): Expression => {
    let left = unary();
    while (taken("+")) {
      const [before, right] = [left, unary()];
      left = (scope) => (before(scope) as string) + (right(scope) as string);
    }
    return left;
  };
  const unary = (): Expression => {
    if (!taken("!")) return postfix();
    const inner = unary();
    return (scope) => !inner(scope);
  };
  const args = (): Expression[] => {
    const list: Expression[] = [];
    while (!taken(")")) {
      list.push(ternary());
      taken(",");
    }
    return list;
  };
  const postfix = (): Expression => {
    let left = primary();
    for (;;) {
      const target = left;
      if (taken("[")) {
        const index = ternary();
        take("]");
        left = (scope) => known((target(scope) as unknown[])[index(scope) as number], "the entry");
      } else if (taken(".")) {
        const name = take().text;
        if (!taken("(")) left = (scope) => known((target(scope) as Scope)[name], name);
        else if (["filter", "all", "exists"].includes(name)) left = macro(name, target);
        else {
          const given = args();
          left = (scope) =>
            method(
              name,
              target(scope),
              given.map((one) => one(scope)),
            );
        }
      } else return left;
    }
  };
  const macro = (name: string, list: Expression): Expression => {
    const variable = take().text;
    take(",");
    const body = ternary();
    take(")");
    return (scope) => {
      const test = (item: unknown) => body({ ...scope, [variable]: item }) === true;
      const items = list(scope) as unknown[];
      if (name === "filter") return items.filter(test);
      return name === "all" ? items.every(test) : items.some(test);
    };
  };
  const primary = (): Expression => {
    const token = take();
    if (token.kind === "number") return () => Number(token.text);
    if (token.kind === "text") return () => token.text;
    if (token.text === "(") {
      const inner = ternary();
      take(")");
      return inner;
    }
    if (token.text === "[") {
      const items: Expression[] = [];
      while (!taken("]")) {
        items.push(ternary());
        taken(",");
      }
      return (scope) => items.map((item) => item(scope));
    }
    if (token.text === "true" || token.text === "false") return () => token.text === "true";
    if (!taken("(")) return (scope) => known(scope[token.text], token.text);
    const given = args();
    const [first] = given as [Expression];
    if (token.text === "has") return (scope) => isThere(first, scope);
    return (scope) => called(token.text, first(scope));
  };

  const whole = ternary();
  if (at !== tokens.length) throw new Error(`${text}: ${tokens[at]?.text} is too much`);
  return whole;
}

/** What is absent is a fault in CEL, and what has() asks about: its last step alone may be absent. */
class Absent extends Error {}

function known(value: unknown, name: string): unknown {
  if (value === undefined) throw new Absent(`no such key: ${name}`);
  return value;
}

function isThere(field: Expression, scope: Scope): boolean {
  try {
    field(scope);
    return true;
  } catch (error) {
    if (error instanceof Absent) return false;
    throw error;
  }
}

function compare(word: string, left: unknown, right: unknown): boolean {
  if (word === "in") return (right as unknown[]).includes(left);
  const [a, b] = [left, right].map((side) => (side instanceof Duration ? side.ms : side)) as [number, number];
  if (typeof a !== typeof b) throw new Error(`${String(left)} ${word} ${String(right)}: not of one type`);
  if (word === "==") return a === b;
  if (word === "!=") return a !== b;
  if (word === "<") return a < b;
  if (word === "<=") return a <= b;
  return word === ">" ? a > b : a >= b;
}

function called(name: string, value: unknown): unknown {
  if (name === "size") return (value as string).length;
  if (name === "string") return String(value);
  if (name === "duration") return durationOf(value);
  if (name === "type") return typeof value === "number" ? "int" : typeof value;
  if (name === "int" && /^-?\d+$/.test(String(value))) return Number(value);
  throw new Error(`${name}(${String(value)}) is not known here`);
}

function method(name: string, target: unknown, [first]: readonly unknown[]): unknown {
  if (name === "size") return (target as string).length;
  if (name === "getSeconds") return Math.trunc((target as Duration).ms / 1000);
  const text = target as string;
  const what = first as string;
  if (name === "contains") return text.includes(what);
  if (name === "startsWith") return text.startsWith(what);
  if (name === "endsWith") return text.endsWith(what);
  if (name === "matches") return new RegExp(what, "u").test(text);
  if (name === "split") return text.split(what);
  if (name === "lowerAscii") return text.toLowerCase();
  throw new Error(`.${name}() is not known here`);
}

interface Token {
  readonly kind: "number" | "text" | "mark";
  readonly text: string;
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.trimEnd().length) {
    const at = TOKEN.lastIndex;
    const found = TOKEN.exec(text);
    if (found === null) throw new Error(`${text}: cannot be read at ${text.slice(at)}`);
    const [, number, quoted, word, mark] = found;
    if (number !== undefined) tokens.push({ kind: "number", text: number });
    else if (quoted !== undefined) tokens.push({ kind: "text", text: quoted });
    else tokens.push({ kind: "mark", text: (word ?? mark) as string });
  }
  return tokens;
}
