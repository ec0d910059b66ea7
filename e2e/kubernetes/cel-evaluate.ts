/** CEL expressions worked out over the values of names. */
import { func, method } from "./cel-functions.ts";
import { CelError, type Expression } from "./cel-syntax.ts";
import { isMap, noOverload, operated, Type, type Value } from "./cel-values.ts";

export type Names = Readonly<Record<string, Value>>;

export function evaluate(expression: Expression, names: Names): Value {
  switch (expression.is) {
    case "literal":
      return expression.value;
    case "name":
      return named(expression.name, names);
    case "select": {
      const of = evaluate(expression.of, names);
      if (!isMap(of)) throw noOverload("select", of);
      const value = Object.hasOwn(of, expression.field) ? of[expression.field] : undefined;
      if (value === undefined) throw new CelError(`no such key: ${expression.field}`);
      return value;
    }
    case "index":
      return indexed(evaluate(expression.of, names), evaluate(expression.at, names));
    case "list":
      return expression.items.map((item) => evaluate(item, names));
    case "map":
      return Object.fromEntries(
        expression.entries.map(([key, value]) => [
          func("string", [evaluate(key, names)]) as string,
          evaluate(value, names),
        ]),
      );
    case "not": {
      const of = evaluate(expression.of, names);
      if (typeof of !== "boolean") throw noOverload("!_", of);
      return !of;
    }
    case "minus": {
      const of = evaluate(expression.of, names);
      if (typeof of !== "number") throw noOverload("-_", of);
      return -of;
    }
    case "choice":
      return evaluate(truth(expression.when, names) ? expression.yes : expression.no, names);
    case "operator":
      if (expression.name === "&&" || expression.name === "||") return joined(expression, names);
      return operated(expression.name, evaluate(expression.left, names), evaluate(expression.right, names));
    case "call":
      return called(expression, names);
  }
}

const TYPES = ["int", "uint", "double", "string", "bool", "list", "map", "null_type", "type"];

function named(name: string, names: Names): Value {
  const value = Object.hasOwn(names, name) ? names[name] : undefined;
  if (value !== undefined) return value;
  if (TYPES.includes(name)) return new Type(name);
  throw new CelError(`undeclared reference to '${name}'`);
}

function truth(expression: Expression, names: Names): boolean {
  const value = evaluate(expression, names);
  if (typeof value !== "boolean") throw noOverload("_?_:_", value);
  return value;
}

/** Either side may fail when the other one decides. */
function joined({ name, left, right }: Extract<Expression, { is: "operator" }>, names: Names): boolean {
  const decides = name === "||";
  try {
    if (truth(left, names) === decides) return decides;
  } catch (error) {
    if (truth(right, names) === decides) return decides;
    throw error;
  }
  return truth(right, names);
}

function indexed(of: Value, at: Value): Value {
  if (Array.isArray(of) && typeof at === "number") {
    const item = of[at];
    if (item === undefined) throw new CelError(`index out of bounds: ${at}`);
    return item;
  }
  if (!isMap(of) || typeof at !== "string") throw noOverload("_[_]", of, at);
  const value = Object.hasOwn(of, at) ? of[at] : undefined;
  if (value === undefined) throw new CelError(`no such key: ${at}`);
  return value;
}

type Call = Extract<Expression, { is: "call" }>;

function called(call: Call, names: Names): Value {
  const { target, name, args } = call;
  if (name === "has" && target === undefined) return present(args, names);
  if (target !== undefined && MACROS.has(name)) return macro(call, target, names);
  const values = args.map((arg) => evaluate(arg, names));
  if (target === undefined) return func(name, values);
  return method(name, evaluate(target, names), values);
}

function present([of]: readonly Expression[], names: Names): boolean {
  if (of?.is !== "select") throw new CelError("invalid argument to has() macro");
  const value = evaluate(of.of, names);
  if (!isMap(value)) throw noOverload("has", value);
  return Object.hasOwn(value, of.field);
}

const MACROS = new Set(["all", "exists", "exists_one", "filter", "map"]);

function macro({ name, args }: Call, target: Expression, names: Names): Value {
  const over = evaluate(target, names);
  const items: Value[] = Array.isArray(over) ? over : isMap(over) ? Object.keys(over) : [];
  const [variable, body, last] = args;
  if (variable?.is !== "name" || body === undefined) throw new CelError(`argument to ${name}() must be a simple name`);
  const inside = (item: Value): Names => ({ ...names, [variable.name]: item });
  const holds = (item: Value): boolean => truth(body, inside(item));
  switch (name) {
    case "all":
      return items.every(holds);
    case "exists":
      return items.some(holds);
    case "exists_one":
      return items.filter(holds).length === 1;
    case "filter":
      return items.filter(holds);
    default:
      if (last === undefined) return items.map((item) => evaluate(body, inside(item)));
      return items.filter(holds).map((item) => evaluate(last, inside(item)));
  }
}
