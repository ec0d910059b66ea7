/** CEL, the language of x-kubernetes-validations: from text to a tree. The grammar, less messages and bytes. */

export type Expression =
  | { readonly is: "literal"; readonly value: null | boolean | number | string; readonly double: boolean }
  | { readonly is: "name"; readonly name: string }
  | { readonly is: "select"; readonly of: Expression; readonly field: string }
  | { readonly is: "index"; readonly of: Expression; readonly at: Expression }
  | { readonly is: "call"; readonly target: Expression | undefined; readonly name: string; readonly args: Expression[] }
  | { readonly is: "list"; readonly items: Expression[] }
  | { readonly is: "map"; readonly entries: [Expression, Expression][] }
  | { readonly is: "not" | "minus"; readonly of: Expression }
  | { readonly is: "operator"; readonly name: string; readonly left: Expression; readonly right: Expression }
  | { readonly is: "choice"; readonly when: Expression; readonly yes: Expression; readonly no: Expression };

export class CelError extends Error {}

interface Token {
  readonly kind: "number" | "text" | "name" | "sign" | "end";
  readonly text: string;
}

const TOKEN = new RegExp(
  [
    /(?<space>\s+|\/\/[^\n]*)/,
    /(?<number>0x[0-9a-fA-F]+|\d+\.\d+(?:[eE][-+]?\d+)?|\d+(?:[eE][-+]?\d+)?)u?/,
    /(?<raw>[rR](?:"[^"\n]*"|'[^'\n]*'))/,
    /(?<text>"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/,
    /(?<name>[A-Za-z_]\w*)/,
    /(?<sign>&&|\|\||==|!=|<=|>=|[-+*/%<>!?:.,()[\]{}])/,
  ]
    .map(({ source }) => source)
    .join("|"),
  "y",
);

function tokens(text: string): Token[] {
  const found: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const at = TOKEN.lastIndex;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined)
      throw new CelError(`Syntax error: token recognition error at: '${text.slice(at, at + 10)}'`);
    const { number, raw, text: quoted, name, sign } = groups;
    if (number !== undefined) found.push({ kind: "number", text: number });
    else if (raw !== undefined) found.push({ kind: "text", text: raw.slice(2, -1) });
    else if (quoted !== undefined) found.push({ kind: "text", text: unescaped(quoted.slice(1, -1)) });
    else if (name !== undefined) found.push({ kind: "name", text: name });
    else if (sign !== undefined) found.push({ kind: "sign", text: sign });
  }
  return [...found, { kind: "end", text: "the end" }];
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  "\\": "\\",
  "'": "'",
  '"': '"',
  "`": "`",
  "?": "?",
};

function unescaped(text: string): string {
  return text.replaceAll(/\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)/g, (_, code: string) => {
    if (code.length > 1) return String.fromCodePoint(Number.parseInt(code.slice(1), 16));
    const plain = ESCAPES[code];
    if (plain === undefined) throw new CelError(`Syntax error: unknown escape sequence \\${code}`);
    return plain;
  });
}

/** Loosest first. */
const LEVELS = [["||"], ["&&"], ["<", "<=", ">=", ">", "==", "!=", "in"], ["+", "-"], ["*", "/", "%"]];
const RESERVED = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(" "),
);

class Parser {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(text: string) {
    this.#tokens = tokens(text);
  }

  whole(): Expression {
    const found = this.#expression();
    if (this.#token.kind !== "end") throw this.#unexpected("the end");
    return found;
  }

  get #token(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #unexpected(wanted: string): CelError {
    return new CelError(`Syntax error: mismatched input '${this.#token.text}' expecting ${wanted}`);
  }

  #isSign = (...signs: string[]): boolean =>
    signs.includes(this.#token.text) && (this.#token.kind === "sign" || this.#token.text === "in");

  #take(...signs: string[]): string | undefined {
    if (!this.#isSign(...signs)) return undefined;
    const { text } = this.#token;
    this.#at++;
    return text;
  }

  #expect(sign: string): void {
    if (this.#take(sign) === undefined) throw this.#unexpected(`'${sign}'`);
  }

  #expression(): Expression {
    const when = this.#level(0);
    if (this.#take("?") === undefined) return when;
    const yes = this.#level(0);
    this.#expect(":");
    return { is: "choice", when, yes, no: this.#expression() };
  }

  #level(level: number): Expression {
    const signs = LEVELS[level];
    if (signs === undefined) return this.#unary();
    let left = this.#level(level + 1);
    for (let name = this.#take(...signs); name !== undefined; name = this.#take(...signs)) {
      left = { is: "operator", name, left, right: this.#level(level + 1) };
    }
    return left;
  }

  #unary(): Expression {
    if (this.#take("!") !== undefined) return { is: "not", of: this.#unary() };
    if (this.#take("-") !== undefined) return { is: "minus", of: this.#unary() };
    let found = this.#primary();
    for (;;) {
      if (this.#take(".") !== undefined) {
        const name = this.#name();
        found = this.#isSign("(")
          ? { is: "call", target: found, name, args: this.#arguments() }
          : { is: "select", of: found, field: name };
      } else if (this.#take("[") !== undefined) {
        found = { is: "index", of: found, at: this.#expression() };
        this.#expect("]");
      } else return found;
    }
  }

  #name(): string {
    const { kind, text } = this.#token;
    if (kind !== "name") throw this.#unexpected("IDENTIFIER");
    this.#at++;
    return text;
  }

  #arguments(): Expression[] {
    this.#expect("(");
    return this.#until(")", () => this.#expression());
  }

  #until<T>(sign: string, item: () => T): T[] {
    const found: T[] = [];
    while (this.#take(sign) === undefined) {
      if (found.length > 0) {
        this.#expect(",");
        if (this.#take(sign) !== undefined) break;
      }
      found.push(item());
    }
    return found;
  }

  #primary(): Expression {
    const { kind, text } = this.#token;
    if (kind === "number" || kind === "text") {
      this.#at++;
      const double = kind === "number" && /[.eE]/.test(text) && !text.startsWith("0x");
      return { is: "literal", value: kind === "text" ? text : Number(text), double };
    }
    if (this.#take("(") !== undefined) {
      const inner = this.#expression();
      this.#expect(")");
      return inner;
    }
    if (this.#take("[") !== undefined) return { is: "list", items: this.#until("]", () => this.#expression()) };
    if (this.#take("{") !== undefined) {
      const entry = (): [Expression, Expression] => {
        const key = this.#expression();
        this.#expect(":");
        return [key, this.#expression()];
      };
      return { is: "map", entries: this.#until("}", entry) };
    }
    const name = this.#name();
    if (name === "true" || name === "false") return { is: "literal", value: name === "true", double: false };
    if (name === "null") return { is: "literal", value: null, double: false };
    if (name === "in" || RESERVED.has(name)) throw new CelError(`Syntax error: reserved identifier: ${name}`);
    return this.#isSign("(") ? { is: "call", target: undefined, name, args: this.#arguments() } : { is: "name", name };
  }
}

const parsed = new Map<string, Expression>();

export function parse(text: string): Expression {
  let found = parsed.get(text);
  if (found === undefined) {
    found = new Parser(text).whole();
    parsed.set(text, found);
  }
  return found;
}

/** Whether the expression speaks of the name, such as oldSelf. */
export function mentions(expression: Expression, name: string): boolean {
  const inner = (part: unknown): boolean => {
    if (Array.isArray(part)) return part.some(inner);
    if (typeof part !== "object" || part === null) return false;
    const { is, name: own } = part as { is?: string; name?: string };
    return (is === "name" && own === name) || Object.values(part).some(inner);
  };
  return inner(expression);
}
