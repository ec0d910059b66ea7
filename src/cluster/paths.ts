/** Where the API server has what a reference or a selection means. */
import type { ObjectRef, ResourceType, Selection } from "./port.ts";

export function typePath({ group, version, plural }: ResourceType, namespace?: string): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return namespace === undefined
    ? `${root}/${plural}`
    : `${root}/namespaces/${encodeURIComponent(namespace)}/${plural}`;
}

export function objectPath({ type, namespace, name }: ObjectRef, subresource?: string): string {
  const path = `${typePath(type, type.namespaced ? namespace : undefined)}/${encodeURIComponent(name)}`;
  return subresource === undefined ? path : `${path}/${subresource}`;
}

export function selectionPath(
  { type, namespace, labelSelector, fieldSelector }: Selection,
  query: Readonly<Record<string, string | undefined>> = {},
): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries({ labelSelector, fieldSelector, ...query })) {
    if (value !== undefined && value !== "") parameters.set(name, value);
  }
  const text = parameters.toString();
  return `${typePath(type, namespace)}${text === "" ? "" : `?${text}`}`;
}

/** `nodes`, `bgppeers.overland.dev`: as RBAC and kubectl call it. */
export function typeName({ group, plural }: ResourceType): string {
  return group === "" ? plural : `${plural}.${group}`;
}
