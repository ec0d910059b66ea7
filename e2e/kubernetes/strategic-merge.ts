/**
 * Strategic merge patch of the built-in kinds: as RFC 7396, but lists that have a merge key are merged by it, with the
 * directives $patch, $retainKeys, $deleteFromPrimitiveList and $setElementOrder.
 */
import { isMap, type Json, type JsonMap, without } from "./json.ts";

/** Merge keys of Go's struct tags, by the list's field name; "" is a list of plain values that is a set. */
const MERGE_KEYS: Readonly<Record<string, string>> = {
  conditions: "type",
  addresses: "type",
  taints: "key",
  containers: "name",
  initContainers: "name",
  ephemeralContainers: "name",
  env: "name",
  volumes: "name",
  volumeMounts: "mountPath",
  volumeDevices: "devicePath",
  imagePullSecrets: "name",
  secrets: "name",
  hostAliases: "ip",
  topologySpreadConstraints: "topologyKey",
  resourceClaims: "name",
  ownerReferences: "uid",
  podIPs: "ip",
  hostIPs: "ip",
  finalizers: "",
};

/** A Service's ports go by number, a container's by its own. EndpointSlices' and the rest are replaced whole. */
const PORTS: Readonly<Record<string, string>> = { Service: "port", Pod: "containerPort" };
const WORKLOADS = new Set(["DaemonSet", "Deployment", "StatefulSet", "ReplicaSet", "ReplicationController", "Job"]);
/** `addresses` of these are plain lists of texts, replaced whole. */
const PLAIN_ADDRESSES = new Set(["EndpointSlice"]);

function mergeKey(kind: string, field: string): string | undefined {
  if (field === "ports") return WORKLOADS.has(kind) ? "containerPort" : PORTS[kind];
  if (field === "addresses" && PLAIN_ADDRESSES.has(kind)) return undefined;
  return Object.hasOwn(MERGE_KEYS, field) ? MERGE_KEYS[field] : undefined;
}

const DIRECTIVE = "$patch";
const REMOVED = "$deleteFromPrimitiveList/";
const ORDER = "$setElementOrder/";
const RETAINED = "$retainKeys";

export function strategicPatched(kind: string, target: Json | undefined, patch: Json): Json {
  if (!isMap(patch)) return patch;
  if (patch[DIRECTIVE] === "replace") return without(patch, DIRECTIVE);
  if (patch[DIRECTIVE] === "delete") return {};
  const result: JsonMap = isMap(target) ? { ...target } : {};
  retain(result, patch[RETAINED]);
  for (const [field, value] of Object.entries(patch)) {
    if (field === DIRECTIVE || field === RETAINED || field.startsWith(ORDER)) continue;
    if (field.startsWith(REMOVED)) {
      const name = field.slice(REMOVED.length);
      const gone = Array.isArray(value) ? value : [];
      if (Array.isArray(result[name])) result[name] = result[name].filter((item) => !gone.includes(item));
    } else if (value === null) delete result[field];
    else result[field] = patchedField(kind, field, result[field], value);
  }
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith(ORDER)) reorder(kind, result, field.slice(ORDER.length), value);
  }
  return result;
}

function patchedField(kind: string, field: string, target: Json | undefined, value: Json): Json {
  const key = mergeKey(kind, field);
  if (!Array.isArray(value)) return strategicPatched(kind, target, value);
  if (key === undefined) return value;
  const former = Array.isArray(target) ? target : [];
  return key === "" ? [...new Set([...former, ...value])] : mergedList(kind, key, former, value);
}

function mergedList(kind: string, key: string, target: readonly Json[], patch: readonly Json[]): Json[] {
  const replace = patch.some((item) => isMap(item) && item[DIRECTIVE] === "replace");
  const items = patch.filter((item) => !isMap(item) || item[DIRECTIVE] !== "replace" || Object.keys(item).length > 1);
  if (replace) return items.map((item) => (isMap(item) ? without(item, DIRECTIVE) : item));
  const result = [...target];
  for (const item of items) {
    const found = result.findIndex((former) => keyOf(former, key) === keyOf(item, key));
    if (isMap(item) && item[DIRECTIVE] === "delete") {
      if (found >= 0) result.splice(found, 1);
    } else if (found >= 0) result[found] = strategicPatched(kind, result[found], item);
    else result.push(strategicPatched(kind, undefined, item));
  }
  return result;
}

const keyOf = (item: Json | undefined, key: string): Json | undefined => (isMap(item) ? item[key] : undefined);

/** What is not named in the order stays behind what is. */
function reorder(kind: string, result: JsonMap, field: string, order: Json): void {
  const list = result[field];
  const key = mergeKey(kind, field) ?? "";
  if (!Array.isArray(list) || !Array.isArray(order)) return;
  const identity = (item: Json) => (key === "" ? item : keyOf(item, key));
  const places = new Map(order.map((item, place) => [identity(item), place]));
  const place = (item: Json) => places.get(identity(item)) ?? places.size;
  result[field] = [...list].sort((one, other) => place(one) - place(other));
}

function retain(result: JsonMap, kept: Json | undefined): void {
  if (!Array.isArray(kept)) return;
  for (const key of Object.keys(result)) if (!kept.includes(key)) delete result[key];
}
