/** What a request asks for, worked out from its method and path as the API server does. */
import { notAllowed } from "./refusal.ts";

export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

export interface Asked {
  readonly verb: string;
  readonly path: string;
  readonly query: URLSearchParams;
  /** Undefined: /version, /apis and their like. */
  readonly target: ResourcePath | undefined;
}

export function asked(method: string, url: string): Asked {
  const [path = "/", text = ""] = url.split(/\?(.*)/s);
  const query = new URLSearchParams(text);
  const target = targetOf(path);
  const verb = target === undefined ? method.toLowerCase() : verbOf(method, target, query);
  return { verb, path, query, target };
}

function targetOf(path: string): ResourcePath | undefined {
  const parts = path
    .split("/")
    .filter((part) => part !== "")
    .map(decoded);
  const [root, ...rest] = parts;
  if (root !== "api" && root !== "apis") return undefined;
  const group = root === "api" ? "" : rest.shift();
  const version = rest.shift();
  if (group === undefined || version === undefined || rest.length === 0) return undefined;
  const [first = "", namespace, plural, ...more] = rest;
  // Behind /namespaces/NAME comes a kind, but for the namespace's own two subresources.
  if (first === "namespaces" && namespace !== undefined && plural !== undefined) {
    if (plural !== "status" && plural !== "finalize") {
      const [name, subresource] = more;
      return { group, version, plural, namespace, name, subresource };
    }
  }
  return { group, version, plural: first, namespace: undefined, name: namespace, subresource: plural };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const isTrue = (value: string | null): boolean => value !== null && !["", "0", "false"].includes(value);

function verbOf(method: string, { name }: ResourcePath, query: URLSearchParams): string {
  switch (method) {
    case "GET":
    case "HEAD":
      if (isTrue(query.get("watch"))) return "watch";
      return name === undefined ? "list" : "get";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return name === undefined ? "deletecollection" : "delete";
    default:
      throw notAllowed("the server does not allow this method on the requested resource");
  }
}
