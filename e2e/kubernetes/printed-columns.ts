/** The columns `kubectl get` prints of the built-in kinds. */
import { type Json, type KubeObject, listAt, mapAt, textAt } from "./json.ts";

export interface Column {
  readonly name: string;
  readonly type?: string;
  /** Above 0: with `-o wide` only. */
  readonly priority?: number;
  cell(object: KubeObject): Json;
}

const column = (name: string, cell: (object: KubeObject) => Json, priority = 0): Column => ({ name, cell, priority });

export const NAME: Column = { name: "Name", type: "string", cell: ({ metadata }) => metadata.name };
export const AGE: Column = column("Age", ({ metadata }) => age(metadata.creationTimestamp));

/** As duration.HumanDuration writes it. */
export function age(since: string): string {
  const seconds = Math.floor((Date.now() - Date.parse(since)) / 1000);
  if (Number.isNaN(seconds)) return "<unknown>";
  if (seconds < 0) return "0s";
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m${seconds % 60}s`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 === 0 ? `${hours}h` : `${hours}h${minutes % 60}m`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  if (days < 8) return hours % 24 === 0 ? `${days}d` : `${days}d${hours % 24}h`;
  return days < 2 * 365 ? `${days}d` : `${Math.floor(days / 365)}y`;
}

const or = (text: string, otherwise: string): string => (text === "" ? otherwise : text);
const joined = (list: readonly Json[], otherwise = "<none>"): string => or(list.map(String).join(","), otherwise);
const count = (object: KubeObject, ...path: string[]): Json =>
  Array.isArray(object[path[0] ?? ""]) ? listAt(object, ...path).length : Object.keys(mapAt(object, ...path)).length;
const number = (object: KubeObject, ...path: string[]): Json => Number(textAt(object, ...path) || 0);

const ROLE = "node-role.kubernetes.io/";

function nodeState(object: KubeObject): string {
  const ready = listAt(object, "status", "conditions").find((condition) => textAt(condition, "type") === "Ready");
  const state = ready === undefined ? "Unknown" : textAt(ready, "status") === "True" ? "Ready" : "NotReady";
  return textAt(object, "spec", "unschedulable") === "true" ? `${state},SchedulingDisabled` : state;
}

const nodeAddress = (type: string) => (object: KubeObject) =>
  or(
    textAt(
      listAt(object, "status", "addresses").find((address) => textAt(address, "type") === type),
      "address",
    ),
    "<none>",
  );

const nodeRoles = ({ metadata }: KubeObject): string =>
  joined(
    Object.keys(metadata.labels ?? {})
      .filter((label) => label.startsWith(ROLE))
      .map((label) => label.slice(ROLE.length))
      .sort(),
  );

function podState(object: KubeObject): string {
  if (object.metadata.deletionTimestamp !== undefined) return "Terminating";
  const waiting = listAt(object, "status", "containerStatuses")
    .map((status) => textAt(status, "state", "waiting", "reason"))
    .find((reason) => reason !== "");
  return waiting ?? or(textAt(object, "status", "reason"), textAt(object, "status", "phase"));
}

function podReady(object: KubeObject): string {
  const statuses = listAt(object, "status", "containerStatuses");
  const ready = statuses.filter((status) => textAt(status, "ready") === "true").length;
  return `${ready}/${listAt(object, "spec", "containers").length}`;
}

const restarts = (object: KubeObject): string =>
  String(
    listAt(object, "status", "containerStatuses").reduce<number>(
      (sum, status) => sum + Number(textAt(status, "restartCount")),
      0,
    ),
  );

function externalAddresses(object: KubeObject): string {
  const type = textAt(object, "spec", "type");
  if (type === "ExternalName") return textAt(object, "spec", "externalName");
  const ingress = listAt(object, "status", "loadBalancer", "ingress").map(
    (one) => textAt(one, "ip") || textAt(one, "hostname"),
  );
  const given = type === "LoadBalancer" ? [...ingress, ...listAt(object, "spec", "externalIPs")] : [];
  const all = type === "LoadBalancer" ? given : listAt(object, "spec", "externalIPs");
  return joined(all, type === "LoadBalancer" ? "<pending>" : "<none>");
}

const servicePorts = (object: KubeObject): string =>
  joined(
    listAt(object, "spec", "ports").map((port) => {
      const node = textAt(port, "nodePort");
      return `${textAt(port, "port")}${node === "" ? "" : `:${node}`}/${textAt(port, "protocol")}`;
    }),
  );

const selector = (object: KubeObject): string =>
  joined(Object.entries(mapAt(object, "spec", "selector")).map(([key, value]) => `${key}=${textAt(value)}`));

const slicePorts = (object: KubeObject): string =>
  joined(
    listAt(object, "ports").map((port) => textAt(port, "port")),
    "<unset>",
  );

function sliceEndpoints(object: KubeObject): string {
  const all = listAt(object, "endpoints").flatMap((endpoint) => listAt(endpoint, "addresses"));
  return all.length > 3 ? `${joined(all.slice(0, 3))} + ${all.length - 3} more...` : joined(all, "<unset>");
}

const eventObject = (object: KubeObject): string =>
  `${textAt(object, "involvedObject", "kind").toLowerCase()}/${textAt(object, "involvedObject", "name")}`;

const lastSeen = (object: KubeObject): string => {
  const times = ["lastTimestamp", "eventTime", "firstTimestamp"].map((field) => textAt(object, field));
  return age(textAt(object, "series", "lastObservedTime") || (times.find((time) => time !== "") ?? ""));
};

const status = (field: string) => (object: KubeObject) => number(object, "status", field);

export const PRINTED: Readonly<Record<string, readonly Column[]>> = {
  "/nodes": [
    NAME,
    column("Status", nodeState),
    column("Roles", nodeRoles),
    AGE,
    column("Version", (object) => textAt(object, "status", "nodeInfo", "kubeletVersion")),
    column("Internal-IP", nodeAddress("InternalIP"), 1),
    column("External-IP", nodeAddress("ExternalIP"), 1),
  ],
  "/namespaces": [NAME, column("Status", (object) => textAt(object, "status", "phase")), AGE],
  "/pods": [
    NAME,
    column("Ready", podReady),
    column("Status", podState),
    column("Restarts", restarts),
    AGE,
    column("IP", (object) => or(textAt(object, "status", "podIP"), "<none>"), 1),
    column("Node", (object) => or(textAt(object, "spec", "nodeName"), "<none>"), 1),
  ],
  "/services": [
    NAME,
    column("Type", (object) => textAt(object, "spec", "type")),
    column("Cluster-IP", (object) => or(textAt(object, "spec", "clusterIP"), "<none>")),
    column("External-IP", externalAddresses),
    column("Port(s)", servicePorts),
    AGE,
    column("Selector", selector, 1),
  ],
  "/configmaps": [NAME, column("Data", (object) => count(object, "data")), AGE],
  "/secrets": [
    NAME,
    column("Type", (object) => textAt(object, "type")),
    column("Data", (object) => count(object, "data")),
    AGE,
  ],
  "/serviceaccounts": [NAME, column("Secrets", (object) => listAt(object, "secrets").length), AGE],
  "/events": [
    column("Last Seen", lastSeen),
    column("Type", (object) => textAt(object, "type")),
    column("Reason", (object) => textAt(object, "reason")),
    column("Object", eventObject),
    column("Message", (object) => textAt(object, "message")),
  ],
  "discovery.k8s.io/endpointslices": [
    NAME,
    column("AddressType", (object) => textAt(object, "addressType")),
    column("Ports", slicePorts),
    column("Endpoints", sliceEndpoints),
    AGE,
  ],
  "coordination.k8s.io/leases": [NAME, column("Holder", (object) => textAt(object, "spec", "holderIdentity")), AGE],
  "apps/daemonsets": [
    NAME,
    column("Desired", status("desiredNumberScheduled")),
    column("Current", status("currentNumberScheduled")),
    column("Ready", status("numberReady")),
    column("Up-to-date", status("updatedNumberScheduled")),
    column("Available", status("numberAvailable")),
    AGE,
  ],
  "apps/deployments": [
    NAME,
    column(
      "Ready",
      (object) => `${textAt(object, "status", "readyReplicas") || 0}/${textAt(object, "spec", "replicas")}`,
    ),
    column("Up-to-date", status("updatedReplicas")),
    column("Available", status("availableReplicas")),
    AGE,
  ],
  "apiextensions.k8s.io/customresourcedefinitions": [
    NAME,
    column("Created At", ({ metadata }) => metadata.creationTimestamp),
  ],
};
