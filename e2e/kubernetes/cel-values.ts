/** The values of CEL and its operators. */
import { CelError } from "./cel-syntax.ts";
import { same } from "./json.ts";

export class Duration {
  readonly nanoseconds: bigint;
  constructor(nanoseconds: bigint) {
    this.nanoseconds = nanoseconds;
  }
}

export class Type {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export type Value = null | boolean | number | string | Duration | Type | Value[] | { [key: string]: Value };

export const isMap = (value: Value): value is { [key: string]: Value } =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Duration) &&
  !(value instanceof Type);

export function typeOf(value: Value): string {
  if (value === null) return "null_type";
  if (Array.isArray(value)) return "list";
  if (value instanceof Duration) return "google.protobuf.Duration";
  if (value instanceof Type) return "type";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return Number.isInteger(value) ? "int" : "double";
  return typeof value === "string" ? "string" : "map";
}

export const noOverload = (name: string, ...args: Value[]) =>
  new CelError(`no such overload: ${name}(${args.map(typeOf).join(", ")})`);

export const UNITS: Readonly<Record<string, bigint>> = {
  h: 3_600_000_000_000n,
  m: 60_000_000_000n,
  s: 1_000_000_000n,
  ms: 1_000_000n,
  us: 1000n,
  ns: 1n,
};

export function duration(text: string): Duration {
  const [, sign = "", rest = ""] = /^([-+]?)(.*)$/.exec(text) ?? [];
  const parts = [...rest.matchAll(/(\d+)(?:\.(\d+))?(h|ms|us|ns|m|s)/g)];
  const whole = parts.map(([part]) => part).join("");
  if (rest === "0") return new Duration(0n);
  if (whole !== rest || rest === "") throw new CelError(`time: invalid duration "${text}"`);
  const sum = parts.reduce((total, [, whole = "0", fraction = "", unit = "s"]) => {
    const scale = UNITS[unit] ?? 1n;
    return total + BigInt(whole) * scale + (BigInt(fraction || "0") * scale) / 10n ** BigInt(fraction.length);
  }, 0n);
  return new Duration(sign === "-" ? -sum : sum);
}

const comparable = (value: Value): number | string | bigint | boolean | undefined =>
  value instanceof Duration ? value.nanoseconds : typeof value === "object" ? undefined : value;

export function operated(name: string, left: Value, right: Value): Value {
  if (name === "==" || name === "!=") return same(left, right) === (name === "==");
  if (name === "in") {
    if (Array.isArray(right)) return right.some((item) => same(item, left));
    if (isMap(right) && typeof left === "string") return Object.hasOwn(right, left);
    throw noOverload("@in", left, right);
  }
  if (["<", "<=", ">", ">="].includes(name)) {
    const [one, other] = [comparable(left), comparable(right)];
    if (one === undefined || other === undefined || typeof one !== typeof other)
      throw noOverload(`_${name}_`, left, right);
    return name === "<" ? one < other : name === "<=" ? one <= other : name === ">" ? one > other : one >= other;
  }
  if (name === "+") {
    if (typeof left === "string" && typeof right === "string") return left + right;
    if (Array.isArray(left) && Array.isArray(right)) return [...left, ...right];
  }
  if (left instanceof Duration && right instanceof Duration) {
    if (name === "+") return new Duration(left.nanoseconds + right.nanoseconds);
    if (name === "-") return new Duration(left.nanoseconds - right.nanoseconds);
  }
  if (typeof left === "number" && typeof right === "number") return calculated(name, left, right);
  throw noOverload(`_${name}_`, left, right);
}

function calculated(name: string, left: number, right: number): number {
  const whole = Number.isInteger(left) && Number.isInteger(right);
  if (right === 0 && whole && (name === "/" || name === "%")) throw new CelError("division by zero");
  if (name === "/") return whole ? Math.trunc(left / right) : left / right;
  return name === "+" ? left + right : name === "-" ? left - right : name === "*" ? left * right : left % right;
}
