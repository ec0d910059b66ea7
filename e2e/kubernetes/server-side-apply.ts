/** Who owns which field (metadata.managedFields), and server-side apply, which goes by it. */
import type { KubeObject } from "./json.ts";
import type { Resource } from "./resource.ts";

export function recorded(
  _resource: Resource,
  document: unknown,
  _old: KubeObject | undefined,
  _manager: string,
  _subresource: string | undefined,
): unknown {
  return document;
}

export function applied(
  _resource: Resource,
  document: unknown,
  _old: KubeObject | undefined,
  _manager: string,
  _force: boolean,
  _subresource: string | undefined,
): unknown {
  return document;
}
