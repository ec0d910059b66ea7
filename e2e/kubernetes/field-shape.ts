/** How lists and maps merge under server-side apply: whole, as a set, or by the keys of their items. */
import { isMap, type Json, type JsonMap, textAt } from "./json.ts";
import type { Resource } from "./resource.ts";

/** "whole": replaced as one value. A list of keys: items are told apart by them; none: by themselves. */
type Merging = "whole" | "by field" | readonly string[];

export interface Shape {
  readonly merging: Merging;
  /** Of a field, or of a list's items. */
  under(field: string): Shape;
  readonly item: Shape;
}

export const shapeOf = (resource: Resource): Shape =>
  resource.custom === undefined ? builtIn(resource.kind, "") : custom(resource.custom.schema, true);

/** metadata is shaped alike in all kinds. */
function custom(schema: JsonMap, root = false): Shape {
  const properties = isMap(schema["properties"]) ? schema["properties"] : {};
  const inner = (node: Json | undefined): Shape => custom(isMap(node) ? node : {});
  return {
    get merging() {
      if (schema["x-kubernetes-map-type"] === "atomic") return "whole";
      const type = schema["x-kubernetes-list-type"];
      if (type === "set") return [];
      const keys = schema["x-kubernetes-list-map-keys"];
      if (type === "map" && Array.isArray(keys)) return keys.map((key) => textAt(key));
      return schema["type"] === "array" ? "whole" : "by field";
    },
    under: (field) => {
      if (root && field === "metadata") return builtIn("", "metadata");
      return inner(Object.hasOwn(properties, field) ? properties[field] : schema["additionalProperties"]);
    },
    get item() {
      return inner(schema["items"]);
    },
  };
}

const KEYS: Readonly<Record<string, readonly string[]>> = {
  finalizers: [],
  ownerReferences: ["uid"],
  conditions: ["type"],
  containers: ["name"],
  initContainers: ["name"],
  env: ["name"],
  volumes: ["name"],
  volumeMounts: ["mountPath"],
  imagePullSecrets: ["name"],
  podIPs: ["ip"],
  hostIPs: ["ip"],
};
const PORT_KEYS: Readonly<Record<string, readonly string[]>> = {
  Service: ["port", "protocol"],
  EndpointSlice: [],
};
const WHOLE_MAPS = new Set(["selector", "nodeSelector", "resources"]);
const WHOLE_LISTS = new Set(["EndpointSlice/ports", "EndpointSlice/conditions"]);

const builtIn = (kind: string, field: string): Shape => ({
  get merging() {
    if (WHOLE_MAPS.has(field) || WHOLE_LISTS.has(`${kind}/${field}`)) return "whole";
    if (field === "ports") return PORT_KEYS[kind] ?? ["containerPort", "protocol"];
    if (field === "addresses" && kind === "Node") return ["type"];
    return Object.hasOwn(KEYS, field) ? (KEYS[field] as readonly string[]) : "by field";
  },
  under: (inner) => builtIn(kind, inner),
  get item() {
    return builtIn(kind, "");
  },
});

const DEFAULTS: JsonMap = { protocol: "TCP" };

/** Undefined: the list is one value. */
export function identify(shape: Shape): ((item: Json) => string) | undefined {
  const { merging } = shape;
  if (typeof merging === "string") return undefined;
  if (merging.length === 0) return (item) => `v:${JSON.stringify(item)}`;
  return (item) => {
    const keys = [...merging]
      .sort()
      .map((key) => [key, (isMap(item) ? item[key] : undefined) ?? DEFAULTS[key] ?? null]);
    return `k:${JSON.stringify(Object.fromEntries(keys))}`;
  };
}
