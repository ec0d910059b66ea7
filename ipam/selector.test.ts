import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { type Labels, matches, parseSelector, type Selector } from "./selector.ts";

function holds(text: string, labels: Labels): boolean {
  const parsed = parseSelector(text);
  if ("error" in parsed) throw new Error(`${text}: ${parsed.error} at ${parsed.at}`);
  return matches(parsed.selector, labels);
}

const node = { rack: "rack-1", "node.kubernetes.io/type": "big", "a-b_c.d": "", in: "x" };

describe("what holds for a node in rack-1", () => {
  it.each([
    ["", true],
    ["  ", true],
    ["all()", true],
    ["global()", true],
    [" all( ) ", true],
    ["rack == 'rack-1'", true],
    ['rack == "rack-1"', true],
    ["rack=='rack-2'", false],
    ["rack != 'rack-1'", false],
    ["missing == ''", false],
    ["missing != 'x'", true],
    ["rack in { 'rack-0', 'rack-1' }", true],
    ["rack in {}", false],
    ["rack in {'rack-2'}", false],
    ["missing in {'x'}", false],
    ["rack not in {'rack-1'}", false],
    ["rack not  in {'rack-2'}", true],
    ["missing not in {'x'}", true],
    ["has(rack)", true],
    ["has( missing )", false],
    ["!has(missing)", true],
    ["!!has(rack)", true],
    ["rack contains 'ck-'", true],
    ["rack contains 'x'", false],
    ["rack starts with 'rack'", true],
    ["rack startswith 'r'", true],
    ["rack starts with '1'", false],
    ["rack ends with '-1'", true],
    ["rack ends with 'k'", false],
    ["missing contains ''", false],
    ["node.kubernetes.io/type == 'big'", true],
    ["a-b_c.d == ''", true],
    ["in in {'x'}", true],
    ["has(rack) && rack == 'rack-1'", true],
    ["has(missing) || rack == 'rack-1'", true],
    ["has(rack) || has(x) && has(y)", true],
    ["(has(rack) || has(x)) && has(y)", false],
    ["!(has(rack) && has(x))", true],
    ["! ( ( has(rack) ) )", false],
    ['rack == "it\'s"', false],
    ["constructor == 'x'", false],
    ["has(toString)", false],
  ])("%j: %s", (text, expected) => expect(holds(text, node)).toBe(expected));
});

describe("what is refused, and where", () => {
  it.each([
    ["rack = 'x'", 5, "expected ==, !=, in, not in, contains, starts with or ends with"],
    ["rack == x", 8, "a value in quotes"],
    ["rack == 'x", 8, "a value in quotes"],
    ["rack == 'x' &", 12, "expected && or || or the end"],
    ["rack == 'x' has(y)", 12, "expected && or || or the end"],
    ["rack", 4, "found the end"],
    ["(all()", 6, "a closing parenthesis"],
    ["all())", 5, "the end"],
    ["all(", 3, "expected =="],
    ["has()", 4, "a label's name"],
    ["has(a", 5, "a closing parenthesis"],
    ["rack in ['a']", 8, "a set such as {'a', 'b'}"],
    ["rack in {'a' 'b'}", 13, "a comma or a closing brace"],
    ["rack in {'a',}", 13, "a value in quotes"],
    ["&& all()", 0, "a label's name, has(), all() or a parenthesis"],
    ["!", 1, "a label's name, has(), all() or a parenthesis"],
    ["rack inside {'a'}", 5, "expected =="],
    ["é == 'x'", 0, "a label's name"],
    ["(".repeat(200), 101, "nested more than 100 deep"],
  ])("%j at %i", (text, at, error) => {
    const parsed = parseSelector(text);
    expect(parsed).toEqual({ at, error: expect.stringContaining(error) });
  });

  it("never throws, whatever the text", () => {
    const part = fc.constantFrom(
      "a",
      "==",
      "'x'",
      "(",
      ")",
      "!",
      "&&",
      "||",
      "in",
      "not",
      "{",
      "}",
      ",",
      "has(",
      " ",
      "\0",
    );
    fc.assert(
      fc.property(
        fc.array(part).map((parts) => parts.join(" ")),
        (text) => {
          expect(parseSelector(text)).toBeDefined();
        },
      ),
    );
  });
});

describe("the reader", () => {
  const key = fc.constantFrom("a", "b", "k8s.io/c");
  const value = fc.constantFrom("", "x", "xy", "it's");
  const { selector } = fc.letrec<{ selector: Selector }>((tie) => ({
    selector: fc.oneof(
      { maxDepth: 4 },
      fc.constant<Selector>({ kind: "all" }),
      fc.record({ kind: fc.constant("has" as const), key }),
      fc.record({
        kind: fc.constant("compare" as const),
        key,
        operator: fc.constantFrom("==", "!=", "contains", "starts with", "ends with"),
        values: fc.tuple(value),
      }),
      fc.record({
        kind: fc.constant("compare" as const),
        key,
        operator: fc.constantFrom("in", "not in"),
        values: fc.array(value, { maxLength: 3 }),
      }),
      fc.record({ kind: fc.constant("not" as const), operand: tie("selector") }),
      fc.record({
        kind: fc.constantFrom("and" as const, "or" as const),
        operands: fc.array(tie("selector"), { minLength: 2, maxLength: 3 }),
      }),
    ),
  }));

  const quoted = (text: string) => (text.includes("'") ? `"${text}"` : `'${text}'`);
  function print(one: Selector): string {
    switch (one.kind) {
      case "all":
        return "all()";
      case "has":
        return `has(${one.key})`;
      case "not":
        return `!(${print(one.operand)})`;
      case "compare": {
        const values = one.values.map(quoted);
        return `${one.key} ${one.operator} ${one.operator.endsWith("in") ? `{${values.join(", ")}}` : values[0]}`;
      }
      default:
        return one.operands.map((operand) => `(${print(operand)})`).join(one.kind === "and" ? " && " : "||");
    }
  }

  it("reads what is printed as the same selector", () => {
    fc.assert(fc.property(selector, (one) => expect(parseSelector(print(one))).toEqual({ selector: one })));
  });
});
