/** POST to a pod's /eviction, as `kubectl drain` does: a deletion that no disruption budget forbids here. */
import { PODS } from "./built-in.ts";
import { deleted, deleteWish } from "./deletion.ts";
import { isMap, type JsonMap } from "./json.ts";
import type { Writes } from "./writes.ts";

export function podEvicted(
  writes: Writes,
  namespace: string | undefined,
  name: string | undefined,
  body: unknown,
  query: URLSearchParams,
): JsonMap {
  const pod = writes.find({ resource: PODS, namespace, name });
  const options = isMap(body) ? body["deleteOptions"] : undefined;
  deleted(writes.store, PODS, pod, deleteWish(options, query));
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}
