/**
 * A Warning event for what is refused, as `kubectl describe` and `kubectl get events` show it. Its name says what it is
 * about, so that the same thing said again, after a crash or by another controller, is no second event.
 */
import { createHash } from "node:crypto";
import { type Cluster, ClusterError, EVENTS, type KubeObject } from "../cluster/port.ts";
import { API_VERSION } from "../config/kinds.ts";
import type { Condition, CustomResource, ReflectedKind } from "./custom-resources.ts";

/** Events of objects without a namespace are there. */
const NAMESPACE = "default";
/** As long as the API server takes an event's message. */
const LONGEST = 1024;
const COMPONENT = "overland-controller";

interface Event extends KubeObject {
  readonly [field: string]: unknown;
}

export interface Involved {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly uid?: string };
}

interface Words {
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

/** Throws ClusterError. */
export async function tellRefusal(
  cluster: Cluster,
  kind: ReflectedKind,
  { metadata }: CustomResource,
  condition: Condition,
  wall: number,
): Promise<void> {
  const { name, uid } = metadata;
  const about = { apiVersion: API_VERSION, kind, metadata: { name, ...(uid !== undefined && { uid }) } };
  await tellWarning(cluster, about, condition, wall);
}

/** Throws ClusterError. */
export async function tellWarning(
  cluster: Cluster,
  { apiVersion, kind, metadata: { name, namespace, uid = "" } }: Involved,
  { reason, message, observedGeneration = 0 }: Words,
  wall: number,
): Promise<void> {
  const about = createHash("sha256")
    .update(JSON.stringify([uid, observedGeneration, reason, message]))
    .digest("hex");
  const now = `${new Date(wall).toISOString().slice(0, 19)}Z`;
  const event: Event = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name.slice(0, 200)}.${about.slice(0, 16)}`, namespace: namespace ?? NAMESPACE },
    involvedObject: { apiVersion, kind, name, uid, ...(namespace !== undefined && { namespace }) },
    type: "Warning",
    reason,
    message: message.length > LONGEST ? `${message.slice(0, LONGEST - 3)}...` : message,
    source: { component: COMPONENT },
    reportingComponent: COMPONENT,
    reportingInstance: "",
    firstTimestamp: now,
    lastTimestamp: now,
    count: 1,
  };
  try {
    await cluster.create(EVENTS, event);
  } catch (error) {
    if (!(error instanceof ClusterError && error.reason === "AlreadyExists")) throw error;
  }
}
