/** The functions of CEL: the standard's, and the strings library. */
import { CelError } from "./cel-syntax.ts";
import { Duration, duration, isMap, noOverload, Type, typeOf, UNITS, type Value } from "./cel-values.ts";

export function func(name: string, args: readonly Value[]): Value {
  const [value = null] = args;
  switch (name) {
    case "size":
      return sizeOf(value);
    case "int":
      if (typeof value === "string" && /^-?\d+$/.test(value)) return Number(value);
      if (typeof value === "number") return Math.trunc(value);
      throw typeof value === "string"
        ? new CelError(`strconv.ParseInt: parsing "${value}": invalid syntax`)
        : noOverload(name, value);
    case "double":
      if (typeof value === "string" || typeof value === "number") return Number(value);
      throw noOverload(name, value);
    case "string":
      if (value instanceof Duration) return `${Number(value.nanoseconds) / 1e9}s`;
      if (typeof value === "object") throw noOverload(name, value);
      return String(value);
    case "duration":
      if (value instanceof Duration) return value;
      if (typeof value !== "string") throw noOverload(name, value);
      return duration(value);
    case "type":
      return new Type(typeOf(value));
    case "dyn":
      return value;
    case "matches":
      return method("matches", value, args.slice(1));
    default:
      throw new CelError(`undeclared reference to '${name}'`);
  }
}

function sizeOf(value: Value): number {
  if (typeof value === "string") return [...value].length;
  if (Array.isArray(value)) return value.length;
  if (isMap(value)) return Object.keys(value).length;
  throw noOverload("size", value);
}

export function method(name: string, of: Value, args: readonly Value[]): Value {
  if (name === "size" && args.length === 0) return sizeOf(of);
  if (of instanceof Duration) return ofDuration(name, of);
  if (Array.isArray(of) && name === "join") {
    const [separator = ""] = args;
    return of.map((item) => func("string", [item]) as string).join(typeof separator === "string" ? separator : "");
  }
  if (typeof of !== "string") throw noOverload(name, of, ...args);
  const [first = "", second] = args;
  const found = typeof first === "string" ? ofText(name, of, first, second) : undefined;
  if (found !== undefined) return found;
  if (name === "substring" && typeof first === "number") {
    return [...of].slice(first, typeof second === "number" ? second : undefined).join("");
  }
  if (name === "charAt" && typeof first === "number") return [...of][first] ?? "";
  throw noOverload(name, of, ...args);
}

function ofDuration(name: string, { nanoseconds }: Duration): number {
  const scale = { getHours: UNITS["h"], getMinutes: UNITS["m"], getSeconds: UNITS["s"], getMilliseconds: UNITS["ms"] }[
    name
  ];
  if (scale === undefined) throw new CelError(`no such overload: ${name}(duration)`);
  return Number(nanoseconds / scale);
}

function ofText(name: string, of: string, first: string, second: Value | undefined): Value | undefined {
  switch (name) {
    case "contains":
      return of.includes(first);
    case "startsWith":
      return of.startsWith(first);
    case "endsWith":
      return of.endsWith(first);
    case "matches":
      return new RegExp(first, "u").test(of);
    case "split":
      return of.split(first);
    case "lowerAscii":
      return of.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
    case "upperAscii":
      return of.replaceAll(/[a-z]/g, (letter) => letter.toUpperCase());
    case "trim":
      return of.trim();
    case "indexOf":
      return of.indexOf(first);
    case "lastIndexOf":
      return of.lastIndexOf(first);
    case "replace":
      return typeof second === "string" ? of.replaceAll(first, second) : undefined;
    default:
      return undefined;
  }
}
