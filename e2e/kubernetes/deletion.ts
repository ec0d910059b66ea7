/** Deleting: preconditions, the grace pods are given, and finalizers that hold an object until they are gone. */
import { DEFINITIONS, NAMESPACES, PODS } from "./built-in.ts";
import { isMap, type Json, type JsonMap, type KubeObject, mapAt, textAt, timestamp } from "./json.ts";
import { badRequest, conflict } from "./refusal.ts";
import { collectionOf, keyOf, type Resource } from "./resource.ts";
import type { Store } from "./store.ts";

export interface Deletion {
  readonly object: KubeObject;
  /** It is gone; otherwise it waits for its grace or its finalizers. */
  readonly gone: boolean;
}

/** DeleteOptions of the body, or as the query has them. */
export interface DeleteWish {
  readonly graceSeconds: number | undefined;
  readonly uid: string | undefined;
  readonly resourceVersion: string | undefined;
  readonly dryRun: boolean;
}

export function deleteWish(body: unknown, query: URLSearchParams): DeleteWish {
  const options: JsonMap = isMap(body) ? body : {};
  const grace = options["gracePeriodSeconds"] ?? query.get("gracePeriodSeconds") ?? undefined;
  if (grace !== undefined && !(Number.isSafeInteger(Number(grace)) && Number(grace) < 2 ** 31)) {
    throw badRequest("gracePeriodSeconds is to be a number of seconds");
  }
  const preconditions = mapAt(options, "preconditions");
  const text = (field: string) => (typeof preconditions[field] === "string" ? preconditions[field] : undefined);
  return {
    graceSeconds: grace === undefined ? undefined : Number(grace),
    uid: text("uid"),
    resourceVersion: text("resourceVersion"),
    dryRun: query.get("dryRun") === "All" || (Array.isArray(options["dryRun"]) && options["dryRun"].includes("All")),
  };
}

/** The cleaning up of instances is the server's own finalizer. */
const CLEANUP = "customresourcecleanup.apiextensions.k8s.io";

export function deleted(store: Store, resource: Resource, object: KubeObject, wish: DeleteWish): Deletion {
  const { metadata } = object;
  checkPreconditions(resource, object, wish);
  const collection = collectionOf(resource);
  const key = keyOf(metadata.namespace, metadata.name);
  const grace = graceOf(resource, object, wish.graceSeconds);
  // What the server itself, or a controller, has to clean up first.
  const kept = collection === collectionOf(NAMESPACES) || collection === collectionOf(DEFINITIONS);
  if (grace === 0 && !kept && (metadata.finalizers ?? []).length === 0) {
    if (wish.dryRun) return { object, gone: true };
    return { object: store.remove(collection, key) ?? object, gone: true };
  }
  const before = metadata.deletionGracePeriodSeconds;
  // A grace that has begun is only ever shortened.
  if (metadata.deletionTimestamp !== undefined && before !== undefined && before <= grace)
    return { object, gone: false };
  const leaving = departing(collection, object, grace);
  return { object: wish.dryRun ? leaving : store.put(collection, key, leaving), gone: false };
}

function checkPreconditions(resource: Resource, { metadata }: KubeObject, { uid, resourceVersion }: DeleteWish): void {
  const unmet = (what: string, wanted: string, is: string) =>
    conflict(
      resource,
      metadata.name,
      `Precondition failed: ${what} in precondition: ${wanted}, ${what} in object meta: ${is}`,
    );
  if (uid !== undefined && uid !== metadata.uid) throw unmet("UID", uid, metadata.uid);
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw unmet("ResourceVersion", resourceVersion, metadata.resourceVersion);
  }
}

/** Only pods are given time; those that no node runs, or that have ended, need none. */
function graceOf(resource: Resource, object: KubeObject, wished: number | undefined): number {
  if (collectionOf(resource) !== collectionOf(PODS)) return 0;
  const phase = textAt(object, "status", "phase");
  if (textAt(object, "spec", "nodeName") === "" || phase === "Failed" || phase === "Succeeded") return 0;
  const own = textAt(object, "spec", "terminationGracePeriodSeconds");
  return Math.max(0, wished ?? Number(own === "" ? 30 : own));
}

function departing(collection: string, object: KubeObject, grace: number): KubeObject {
  const first = object.metadata.deletionTimestamp === undefined;
  const metadata = {
    ...object.metadata,
    deletionTimestamp: timestamp(Date.now() + grace * 1000),
    deletionGracePeriodSeconds: grace,
    ...(object.metadata.generation !== undefined && { generation: object.metadata.generation + (first ? 1 : 0) }),
  };
  if (collection === collectionOf(NAMESPACES)) {
    return { ...object, metadata, status: { ...mapAt(object, "status"), phase: "Terminating" } };
  }
  if (collection !== collectionOf(DEFINITIONS)) return { ...object, metadata };
  return withCondition(
    { ...object, metadata: { ...metadata, finalizers: [...new Set([...(metadata.finalizers ?? []), CLEANUP])] } },
    {
      type: "Terminating",
      status: "True",
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion",
    },
  );
}

/** Sets one of status.conditions, with the time at which it came to be so. */
export function withCondition(object: KubeObject, condition: JsonMap): KubeObject {
  const { status } = object;
  const { conditions = [] } = isMap(status) ? status : {};
  const others = (Array.isArray(conditions) ? conditions : []).filter(
    (one: Json) => textAt(one, "type") !== condition["type"],
  );
  const all = [...others, { lastTransitionTime: timestamp(), ...condition }];
  return { ...object, status: { ...(isMap(status) ? status : {}), conditions: all } };
}

/** What a client is told of something that is gone. Of pods it is given the last content instead. */
export const deletedStatus = ({ group, plural }: Resource, { metadata: { name, uid } }: KubeObject): JsonMap => ({
  kind: "Status",
  apiVersion: "v1",
  metadata: {},
  status: "Success",
  details: { name, ...(group !== "" && { group }), kind: plural, uid },
});
