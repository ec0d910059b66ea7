/** Custom resources of overland.dev/v1 as the API server has them, and as the documents that they are. */
import { type KubeObject, type ObjectRef, type ResourceType } from "../cluster/port.ts";
import { API_VERSION, type Kind, PLURALS } from "../config/kinds.ts";
import { type Origin, withOrigin } from "../config/managed.ts";
import type { SourcedResource } from "../config/manifest.ts";
import { checkDocument } from "../config/schema/document.ts";
import { pathText } from "../config/schema/problem.ts";

export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  /** RFC 3339. */
  readonly lastTransitionTime?: string;
}

export interface CustomResource extends KubeObject {
  readonly spec?: unknown;
  readonly status?: { readonly conditions?: readonly Condition[] };
}

/** A node's resource is written by its agent. */
export type ReflectedKind = Exclude<Kind, "Node">;
/** In the order in which they are written: what others name comes first. */
export const REFLECTED: readonly ReflectedKind[] = [
  "BGPFilter",
  "IPPool",
  "IPReservation",
  "IPAMConfiguration",
  "BGPConfiguration",
  "BGPPeer",
];

const [GROUP, VERSION] = API_VERSION.split("/") as [string, string];

export function typeOf(kind: ReflectedKind): ResourceType {
  return { group: GROUP, version: VERSION, plural: PLURALS[kind], kind, namespaced: false };
}

const DEFINITIONS: ResourceType = {
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

export function definitionOf(kind: ReflectedKind): ObjectRef {
  return { type: DEFINITIONS, name: `${PLURALS[kind]}.${GROUP}` };
}

/** Kept on a pool until no address of it is in use. */
export const POOL_FINALIZER = "overland.dev/ippool";

/** What is remembered of one: annotations of other tools mean nothing here, and kubectl's is as large as the rest. */
export function keptOf({ metadata, spec, status }: CustomResource): CustomResource {
  const { name, uid, resourceVersion, generation, labels, creationTimestamp, deletionTimestamp, finalizers } = metadata;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => OURS.test(key));
  return {
    metadata: {
      name,
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(generation !== undefined && { generation }),
      ...(labels !== undefined && { labels }),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
      ...(creationTimestamp !== undefined && { creationTimestamp }),
      ...(deletionTimestamp !== undefined && { deletionTimestamp }),
      ...(finalizers !== undefined && { finalizers }),
    },
    spec,
    ...(status?.conditions !== undefined && { status: { conditions: status.conditions } }),
  };
}

const OURS = /^([a-z0-9-]+\.)*(overland\.dev|projectcalico\.org)\//;

/** The resource it is, or what is wrong with it as it stands: `spec.asNumber: …`. */
export type Read = { readonly item: SourcedResource } | { readonly problems: readonly string[] };

/** @param definition UID of its CustomResourceDefinition */
export function readCustomResource(kind: ReflectedKind, object: CustomResource, definition: string): Read {
  const { name, labels, annotations, generation = 0, uid = "" } = object.metadata;
  const spec = object.spec === undefined ? {} : { spec: object.spec };
  const metadata = { name, ...(labels && { labels }), ...(annotations && { annotations }) };
  const checked = checkDocument({ apiVersion: API_VERSION, kind, metadata, ...spec });
  if ("problems" in checked) {
    return {
      problems: checked.problems.map(({ path, message }) =>
        path.length === 0 ? message : `${pathText(path)}: ${message}`,
      ),
    };
  }
  const origin: Origin = { uid, definition, generation };
  const file = `${kind}/${name}`;
  return {
    item: {
      resource: withOrigin(checked.resource, origin),
      file,
      line: 0,
      fault: (path, message) => ({ file, line: 0, field: pathText(path), message }),
    },
  };
}

export function isLeaving({ metadata }: CustomResource): boolean {
  return metadata.deletionTimestamp !== undefined;
}

export function hasFinalizer({ metadata }: CustomResource): boolean {
  return metadata.finalizers?.includes(POOL_FINALIZER) === true;
}
