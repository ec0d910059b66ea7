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

/** Throws ClusterError. */
export async function tellRefusal(
  cluster: Cluster,
  kind: ReflectedKind,
  { metadata: { name, uid = "" } }: CustomResource,
  { reason, message, observedGeneration = 0 }: Condition,
  wall: number,
): Promise<void> {
  const about = createHash("sha256")
    .update(JSON.stringify([uid, observedGeneration, reason, message]))
    .digest("hex");
  const now = `${new Date(wall).toISOString().slice(0, 19)}Z`;
  const event: Event = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${name.slice(0, 200)}.${about.slice(0, 16)}`, namespace: NAMESPACE },
    involvedObject: { apiVersion: API_VERSION, kind, name, uid },
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
