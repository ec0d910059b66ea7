/** The kinds of patch, by their content type. */

import { objectText } from "./forms.ts";
import { isMap, type Json, type KubeObject } from "./json.ts";
import { jsonPatched, mergePatched } from "./json-patch.ts";
import { badRequest, unsupported } from "./refusal.ts";
import type { Resource } from "./resource.ts";
import { strategicPatched } from "./strategic-merge.ts";

const [JSON_PATCH, MERGE, STRATEGIC] = ["json-patch", "merge-patch", "strategic-merge-patch"].map(
  (name) => `application/${name}+json`,
) as [string, string, string];
export const APPLY = "application/apply-patch+yaml";

/** What the patch makes of the object, as a document still to be decoded. Custom kinds have no strategic merge. */
export function patched(resource: Resource, object: KubeObject, contentType: string, patch: unknown): Json {
  const before = JSON.parse(objectText(resource, object)) as Json;
  const known = [JSON_PATCH, MERGE, ...(resource.custom === undefined ? [STRATEGIC] : []), APPLY];
  if (!known.includes(contentType)) throw unsupported(contentType, known);
  if (contentType === JSON_PATCH) return jsonPatched(before, patch as Json);
  if (!isMap(patch))
    throw badRequest("error decoding patch: json: cannot unmarshal into Go value of type map[string]interface {}");
  return contentType === MERGE ? mergePatched(before, patch) : strategicPatched(resource.kind, before, patch);
}
