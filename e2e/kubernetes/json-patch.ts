/** JSON Patch (RFC 6902) and JSON Merge Patch (RFC 7396). Nothing that is given is changed. */
import { isMap, type Json, type JsonMap, same, textAt } from "./json.ts";
import { badRequest, Refusal } from "./refusal.ts";

export function mergePatched(target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch;
  const result: JsonMap = isMap(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatched(result[key], value);
  }
  return result;
}

export function jsonPatched(target: Json, patch: Json): Json {
  if (!Array.isArray(patch)) throw badRequest("a JSON patch is a list of operations");
  let document = structuredClone(target);
  for (const operation of patch) {
    if (!isMap(operation)) throw badRequest("an operation of a JSON patch is an object");
    document = operated(document, operation);
  }
  return document;
}

function operated(document: Json, { op, path, from, value }: JsonMap): Json {
  const to = pointer(path);
  switch (op) {
    case "add":
      return added(document, to, required(value));
    case "remove":
      return removed(document, to);
    case "replace":
      if (to.length === 0) return required(value);
      read(document, to);
      return written(document, to, required(value));
    case "test":
      if (!same(read(document, to), value)) throw failed(`testing path ${textAt(path)} value failed`);
      return document;
    case "copy":
      return added(document, to, structuredClone(read(document, pointer(from))));
    case "move": {
      const moved = read(document, pointer(from));
      return added(removed(document, pointer(from)), to, moved);
    }
    default:
      throw failed(`unexpected kind of operation: ${textAt(op)}`);
  }
}

const failed = (why: string) =>
  new Refusal(422, "Invalid", `the server rejected our request due to an error in our request: ${why}`);

function pointer(path: Json | undefined): string[] {
  if (typeof path !== "string" || (path !== "" && !path.startsWith("/"))) throw failed(`bad path ${textAt(path)}`);
  const decoded = (part: string) => part.replaceAll("~1", "/").replaceAll("~0", "~");
  return path === "" ? [] : path.slice(1).split("/").map(decoded);
}

function required(value: Json | undefined): Json {
  if (value === undefined) throw failed("the operation has no value");
  return structuredClone(value);
}

function read(document: Json, path: readonly string[]): Json {
  let inner: Json | undefined = document;
  for (const key of path) {
    if (Array.isArray(inner)) inner = inner[index(key, inner.length)];
    else inner = isMap(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined;
    if (inner === undefined) throw failed(`missing path: /${path.join("/")}`);
  }
  return inner;
}

function written(document: Json, path: readonly string[], value: Json): Json {
  const holder = read(document, path.slice(0, -1));
  const key = path.at(-1) ?? "";
  if (Array.isArray(holder)) holder[index(key, holder.length)] = value;
  else if (isMap(holder)) holder[key] = value;
  else throw failed(`missing path: /${path.join("/")}`);
  return document;
}

function added(document: Json, path: readonly string[], value: Json): Json {
  if (path.length === 0) return value;
  const holder = read(document, path.slice(0, -1));
  if (!Array.isArray(holder)) return written(document, path, value);
  const key = path.at(-1) ?? "";
  holder.splice(key === "-" ? holder.length : index(key, holder.length + 1), 0, value);
  return document;
}

function removed(document: Json, path: readonly string[]): Json {
  read(document, path);
  const holder = read(document, path.slice(0, -1));
  const key = path.at(-1) ?? "";
  if (Array.isArray(holder)) holder.splice(index(key, holder.length), 1);
  else if (isMap(holder)) delete holder[key];
  return document;
}

function index(key: string, length: number): number {
  const found = /^(?:0|[1-9]\d*)$/.test(key) ? Number(key) : -1;
  if (found < 0 || found >= length) throw failed(`invalid array index ${key}`);
  return found;
}
