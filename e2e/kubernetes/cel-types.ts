/** CEL expressions checked against a schema before any object is there: undeclared fields, operands that never fit. */
import { CelError, type Expression } from "./cel-syntax.ts";
import { isMap, type JsonMap } from "./json.ts";

/** A schema's own: an object with its fields, a list with its items. "dyn" is anything. */
export type CelType = string | { readonly list: CelType } | { readonly schema: JsonMap } | { readonly map: CelType };
type Scope = Readonly<Record<string, CelType>>;

const INT_OR_STRING = "x-kubernetes-int-or-string";
const PLAIN: Readonly<Record<string, string>> = { integer: "int", number: "double", boolean: "bool" };
const FORMATS: Readonly<Record<string, string>> = {
  duration: "duration",
  "date-time": "timestamp",
  date: "timestamp",
  byte: "bytes",
};

export function typeOfSchema(schema: JsonMap): CelType {
  const { type, format, items, properties, additionalProperties } = schema;
  if (schema[INT_OR_STRING] === true || typeof type !== "string") return "dyn";
  if (type === "string") return typeof format === "string" ? (FORMATS[format] ?? "string") : "string";
  if (type === "array") return { list: isMap(items) ? typeOfSchema(items) : "dyn" };
  if (type !== "object") return PLAIN[type] ?? "dyn";
  if (isMap(additionalProperties)) return { map: typeOfSchema(additionalProperties) };
  return isMap(properties) || schema["x-kubernetes-preserve-unknown-fields"] !== true ? { schema } : "dyn";
}

const METADATA: JsonMap = {
  type: "object",
  properties: { name: { type: "string" }, generateName: { type: "string" } },
};
const TEXT: JsonMap = { type: "string" };

/** At the root apiVersion, kind and two fields of metadata are there without being declared. */
export const rootSchema = (schema: JsonMap): JsonMap => {
  const properties = isMap(schema["properties"]) ? schema["properties"] : {};
  return { ...schema, properties: { ...properties, apiVersion: TEXT, kind: TEXT, metadata: METADATA } };
};

const shown = (type: CelType): string => {
  if (typeof type === "string") return type;
  if ("list" in type) return `list(${shown(type.list)})`;
  return "map" in type ? `map(string, ${shown(type.map)})` : "object";
};

/** Whether a value can be of both. */
function meet(one: CelType, other: CelType): boolean {
  if (one === "dyn" || other === "dyn" || one === "null" || other === "null") return true;
  if (typeof one === "string" || typeof other === "string") return one === other;
  if ("list" in one && "list" in other) return meet(one.list, other.list);
  return "list" in one === "list" in other;
}

const noOverload = (name: string, ...types: CelType[]) =>
  new CelError(`found no matching overload for '${name}' applied to '(${types.map(shown).join(", ")})'`);

export function check(expression: Expression, scope: Scope): CelType {
  switch (expression.is) {
    case "literal": {
      const { value, double } = expression;
      if (typeof value === "number") return double ? "double" : "int";
      return value === null ? "null" : typeof value === "string" ? "string" : "bool";
    }
    case "name":
      return named(expression.name, scope);
    case "select":
      return selected(check(expression.of, scope), expression.field);
    case "index": {
      const [of, at] = [check(expression.of, scope), check(expression.at, scope)];
      if (typeof of === "string") return expect("_[_]", of === "dyn", "dyn", of, at);
      if ("list" in of) return expect("_[_]", meet(at, "int"), of.list, of, at);
      return expect("_[_]", "map" in of && meet(at, "string"), "map" in of ? of.map : "dyn", of, at);
    }
    case "list": {
      const [first = "dyn", ...rest] = expression.items.map((item) => check(item, scope));
      // Kubernetes wants lists of one type.
      const other = rest.find((type) => !meet(type, first));
      if (other !== undefined) fail(`expected type '${shown(first)}' but found '${shown(other)}'`);
      return { list: first };
    }
    case "map":
      for (const each of expression.entries.flat()) check(each, scope);
      return { map: "dyn" };
    case "not":
      return needs("!_", "bool", check(expression.of, scope));
    case "minus":
      return check(expression.of, scope);
    case "choice": {
      needs("_?_:_", "bool", check(expression.when, scope));
      const [yes, no] = [check(expression.yes, scope), check(expression.no, scope)];
      return expect("_?_:_", meet(yes, no), yes === "dyn" || yes === "null" ? no : yes, "bool", yes, no);
    }
    case "operator":
      return operator(expression.name, check(expression.left, scope), check(expression.right, scope));
    case "call":
      return call(expression, scope);
  }
}

function expect(name: string, holds: boolean, result: CelType, ...types: CelType[]): CelType {
  if (!holds) throw noOverload(name, ...types);
  return result;
}

const needs = (name: string, wanted: CelType, type: CelType): CelType => expect(name, meet(type, wanted), wanted, type);

const TYPE_NAMES = ["int", "uint", "double", "string", "bool", "bytes", "list", "map", "null_type", "type"];

function named(name: string, scope: Scope): CelType {
  const type = Object.hasOwn(scope, name) ? scope[name] : undefined;
  if (type !== undefined) return type;
  if (TYPE_NAMES.includes(name)) return "type";
  throw new CelError(`undeclared reference to '${name}' (in container '')`);
}

function selected(of: CelType, field: string): CelType {
  if (of === "dyn") return "dyn";
  if (typeof of === "string") throw new CelError(`type '${of}' does not support field selection`);
  if ("map" in of) return of.map;
  if ("list" in of) throw new CelError(`type '${shown(of)}' does not support field selection`);
  const { properties } = of.schema;
  const known = isMap(properties) && Object.hasOwn(properties, field) ? properties[field] : undefined;
  if (!isMap(known)) throw new CelError(`undefined field '${field}'`);
  return typeOfSchema(known);
}

const ORDERED = ["int", "double", "string", "bool", "duration", "timestamp", "dyn"];

function operator(name: string, left: CelType, right: CelType): CelType {
  const both = [left, right] as const;
  const fit = meet(left, right);
  const plain = both.every((type) => typeof type === "string" && ORDERED.includes(type));
  if (name === "&&" || name === "||")
    return expect(
      `_${name}_`,
      both.every((type) => meet(type, "bool")),
      "bool",
      ...both,
    );
  if (name === "==" || name === "!=") return expect(`_${name}_`, fit, "bool", ...both);
  if (name === "in") {
    const inside = typeof right === "string" ? right : "list" in right ? right.list : "string";
    return expect("@in", (typeof right !== "string" || right === "dyn") && meet(left, inside), "bool", ...both);
  }
  if (["<", "<=", ">", ">="].includes(name)) {
    const numbers = both.every((type) => type === "int" || type === "double");
    return expect(`_${name}_`, numbers || (fit && plain), "bool", ...both);
  }
  return expect(`_${name}_`, fit, left === "dyn" ? right : left, ...both);
}

/** Of texts: what they take, and give. */
const OF_TEXT: Readonly<Record<string, readonly [args: readonly string[], result: CelType]>> = {
  contains: [["string"], "bool"],
  startsWith: [["string"], "bool"],
  endsWith: [["string"], "bool"],
  matches: [["string"], "bool"],
  split: [["string"], { list: "string" }],
  lowerAscii: [[], "string"],
  upperAscii: [[], "string"],
  trim: [[], "string"],
  indexOf: [["string"], "int"],
  lastIndexOf: [["string"], "int"],
  replace: [["string", "string"], "string"],
  charAt: [["int"], "string"],
};
const CONVERSIONS: Readonly<Record<string, CelType>> = {
  int: "int",
  double: "double",
  string: "string",
  bool: "bool",
  dyn: "dyn",
  type: "type",
  duration: "duration",
};
const MACROS = ["all", "exists", "exists_one", "filter", "map"];

function call({ target, name, args }: Extract<Expression, { is: "call" }>, scope: Scope): CelType {
  if (target === undefined) {
    const types = args.map((arg) => check(arg, scope));
    const [first = "dyn"] = types;
    if (name === "has") return args[0]?.is === "select" ? "bool" : fail("invalid argument to has() macro");
    if (name === "size") return expect("size", typeof first !== "string" || meet(first, "string"), "int", first);
    const result = CONVERSIONS[name] ?? fail(`undeclared reference to '${name}' (in container '')`);
    const fits = name !== "duration" || meet(first, "string") || first === "duration";
    return expect(name, fits && types.length === 1 && typeof first === "string", result, ...types);
  }
  const of = check(target, scope);
  if (MACROS.includes(name)) return macro(name, of, args, scope);
  const types = args.map((arg) => check(arg, scope));
  if (name === "size") return expect(name, typeof of !== "string" || meet(of, "string"), "int", of);
  if (/^get(?:Hours|Minutes|Seconds|Milliseconds)$/.test(name)) return expect(name, meet(of, "duration"), "int", of);
  if (name === "join") return expect(name, of === "dyn" || typeof of !== "string", "string", of);
  if (name === "substring") return expect(name, meet(of, "string"), "string", of, ...types);
  const [wanted, result] = OF_TEXT[name] ?? fail(`undeclared reference to '${name}' (in container '')`);
  const fits = wanted.length === types.length && types.every((type, place) => meet(type, wanted[place] ?? "dyn"));
  return expect(name, meet(of, "string") && fits, result, of, ...types);
}

function macro(name: string, of: CelType, args: readonly Expression[], scope: Scope): CelType {
  const [variable, body, last] = args;
  if (variable?.is !== "name" || body === undefined) return fail(`argument to ${name}() must be a simple name`);
  if (typeof of === "string" && of !== "dyn")
    return fail(`expression of type '${of}' cannot be range of a comprehension`);
  if (typeof of === "object" && "schema" in of)
    return fail("expression of type 'object' cannot be range of a comprehension");
  const item: CelType = typeof of === "string" ? "dyn" : "list" in of ? of.list : "string";
  const inside = { ...scope, [variable.name]: item };
  const result = check(body, inside);
  if (name === "map") return { list: last === undefined ? result : check(last, inside) };
  needs(name, "bool", result);
  return name === "filter" ? { list: item } : "bool";
}

function fail(why: string): never {
  throw new CelError(why);
}
