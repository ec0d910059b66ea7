/** What a custom resource's status says of it: the condition Accepted, written only when it says something else. */
import { type Cluster, ClusterError } from "../cluster/port.ts";
import { type Condition, type CustomResource, type ReflectedKind, typeOf } from "./custom-resources.ts";
import type { Refusal, Verdict } from "./judge.ts";

const ACCEPTED = "Accepted";
/** As long as the API server takes a condition's message. */
const LONGEST = 32_768;

/** The condition that is to be written; undefined: it is there already. */
export function conditionFor({ object, refusal }: Verdict, wall: number): Condition | undefined {
  const before = object.status?.conditions?.find(({ type }) => type === ACCEPTED);
  const { generation } = object.metadata;
  const said = {
    type: ACCEPTED,
    status: refusal === undefined ? ("True" as const) : ("False" as const),
    reason: refusal?.reason ?? "Accepted",
    message: messageOf(refusal, generation).slice(0, LONGEST),
    ...(generation !== undefined && { observedGeneration: generation }),
  };
  const same =
    before !== undefined &&
    before.status === said.status &&
    before.reason === said.reason &&
    before.message === said.message &&
    before.observedGeneration === said.observedGeneration;
  if (same) return undefined;
  const now = `${new Date(wall).toISOString().slice(0, 19)}Z`;
  const since = before?.status === said.status ? before.lastTransitionTime : undefined;
  return { ...said, lastTransitionTime: since ?? now };
}

function messageOf(refusal: Refusal | undefined, generation: number | undefined): string {
  if (refusal === undefined) return generation === undefined ? "in force" : `generation ${generation} is in force`;
  const { reason, message, inForce } = refusal;
  if (reason === "InUse") return message;
  if (reason === "NotManaged") return `${message}; until then that one is in force`;
  return `${message}; ${inForce === undefined ? "nothing of it is in force" : `generation ${inForce} stays in force`}`;
}

/**
 * Over the object that was judged and no other: what somebody wrote meanwhile is 409, and judged anew.
 *
 * False: it is gone. Throws ClusterError.
 */
export async function writeCondition(
  cluster: Cluster,
  kind: ReflectedKind,
  { metadata, status }: CustomResource,
  condition: Condition,
): Promise<boolean> {
  const others = (status?.conditions ?? []).filter(({ type }) => type !== ACCEPTED);
  const body = {
    metadata: { resourceVersion: metadata.resourceVersion },
    status: { conditions: [...others, condition] },
  };
  const ref = { type: typeOf(kind), name: metadata.name };
  return await unlessGone(cluster.patch(ref, { how: "merge", body, subresource: "status" }));
}

/** The object as it is then; undefined: it is gone. Throws ClusterError. */
export async function writeFinalizers(
  cluster: Cluster,
  kind: ReflectedKind,
  { metadata }: CustomResource,
  finalizers: readonly string[],
): Promise<CustomResource | undefined> {
  const body = { metadata: { resourceVersion: metadata.resourceVersion, finalizers } };
  try {
    return await cluster.patch<CustomResource>({ type: typeOf(kind), name: metadata.name }, { how: "merge", body });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function unlessGone(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof ClusterError && error.status === 404;
}
