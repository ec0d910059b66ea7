/**
 * Resources that Kubernetes manages: an operator changes the custom resource, and the controller alone writes what
 * comes of it here, with a mark that says where it is from.
 */
import { isDeepStrictEqual } from "node:util";
import type { Fault } from "./fault.ts";
import type { SourcedResource } from "./manifest.ts";
import type { Resource } from "./resource.ts";

/** Who writes: a person with `overland`, the same who insists, or the controller for a custom resource. */
export type Writer = "operator" | "insisting" | "kubernetes";

const MANAGED_BY = "overland.dev/managed-by";
const UID = "overland.dev/kubernetes-uid";
const DEFINITION = "overland.dev/kubernetes-definition";
const GENERATION = "overland.dev/kubernetes-generation";
const MARKS: ReadonlySet<string> = new Set([MANAGED_BY, UID, DEFINITION, GENERATION]);

/** The custom resource a resource was written from. */
export interface Origin {
  readonly uid: string;
  /** UID of the CustomResourceDefinition: another one is another life of the API server's data. */
  readonly definition: string;
  readonly generation: number;
}

export function isManaged({ metadata: { annotations = {} } }: Resource): boolean {
  return annotations[MANAGED_BY] === "kubernetes";
}

/** Undefined: nobody's but the operator's. What a mark does not say is empty, and generation 0. */
export function originOf(resource: Resource): Origin | undefined {
  if (!isManaged(resource)) return undefined;
  const { annotations = {} } = resource.metadata;
  const generation = Number(annotations[GENERATION] ?? 0);
  return {
    uid: annotations[UID] ?? "",
    definition: annotations[DEFINITION] ?? "",
    generation: Number.isSafeInteger(generation) ? generation : 0,
  };
}

export function withOrigin(resource: Resource, { uid, definition, generation }: Origin): Resource {
  const marks = { [MANAGED_BY]: "kubernetes", [UID]: uid, [DEFINITION]: definition, [GENERATION]: `${generation}` };
  const { metadata } = withoutOrigin(resource);
  return { ...resource, metadata: { ...metadata, annotations: { ...metadata.annotations, ...marks } } };
}

export function withoutOrigin(resource: Resource): Resource {
  const { annotations, ...metadata } = resource.metadata;
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !MARKS.has(key));
  const others = kept.length === 0 ? {} : { annotations: Object.fromEntries(kept) };
  return { ...resource, metadata: { ...metadata, ...others } };
}

/** The same but for who made it, when, and where it is from. Through JSON: a key that is undefined is no difference. */
export function sameContent(a: Resource, b: Resource): boolean {
  const content = (resource: Resource): unknown => {
    const { kind, metadata, spec } = withoutOrigin(resource);
    const { labels = {}, annotations = {} } = metadata;
    return JSON.parse(JSON.stringify({ kind, labels, annotations, spec }));
  };
  return isDeepStrictEqual(content(a), content(b));
}

/** Why `writer` may not write this over what is held; undefined: it may. */
export function ownershipFault(item: SourcedResource, held: Resource | undefined, writer: Writer): Fault | undefined {
  if (held === undefined || writer === "insisting" || isManaged(held) === (writer === "kubernetes")) return undefined;
  const { kind, metadata } = held;
  if (writer === "operator") {
    return sameContent(held, item.resource) ? undefined : item.fault([], `${nameOf(held)} ${CHANGE_THERE}`);
  }
  if (held.kind === item.resource.kind && sameSpec(held, item.resource)) return undefined;
  const other = `\`overland delete ${kind.toLowerCase()} ${metadata.name}\``;
  const cure = `make both the same, and this one takes over, or ${other}`;
  return item.fault([], `the ${kind} of this name was made by \`overland apply\` and differs; ${cure}`);
}

const CHANGE_THERE = "is managed by Kubernetes; change it with kubectl";

/** Why `writer` may not delete this; undefined: it may. */
export function ownershipRefusal(held: Resource, writer: Writer): string | undefined {
  if (writer === "insisting" || isManaged(held) === (writer === "kubernetes")) return undefined;
  if (writer === "kubernetes") return `${nameOf(held)} was made anew by \`overland apply\``;
  return `${nameOf(held)} is managed by Kubernetes; delete it with kubectl`;
}

function sameSpec(a: Resource, b: Resource): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(a.spec)), JSON.parse(JSON.stringify(b.spec)));
}

function nameOf({ kind, metadata }: Resource): string {
  return `${kind} ${metadata.name}`;
}
