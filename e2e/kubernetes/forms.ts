/** The forms an answer takes, as the Accept header asks: objects, kubectl's tables, or metadata alone. */
import { goJson, type Json, type JsonMap, type KubeObject, textOf } from "./json.ts";
import { jsonPath } from "./json-path.ts";
import type { Page } from "./paging.ts";
import { AGE, age, type Column, NAME, PRINTED } from "./printed-columns.ts";
import { Refusal } from "./refusal.ts";
import { collectionOf, groupVersion, type PrinterColumn, type Resource } from "./resource.ts";

export type Form = "object" | "table" | "metadata";

const META = "meta.k8s.io/v1";

/** The first of the header that can be given; none of them is 406. */
export function formOf(accept: string): Form {
  const offers = accept === "" ? ["*/*"] : accept.split(",");
  for (const offer of offers) {
    const [type = "", ...parameters] = offer.split(";").map((part) => part.trim());
    if (!["application/json", "*/*", "application/*"].includes(type)) continue;
    const as = parameters.find((parameter) => parameter.startsWith("as="))?.slice(3);
    if (as === undefined) return "object";
    const served = parameters.includes("v=v1") && parameters.includes("g=meta.k8s.io");
    if (served && as === "Table") return "table";
    if (served && as.startsWith("PartialObjectMetadata")) return "metadata";
  }
  throw new Refusal(
    406,
    "NotAcceptable",
    "only the following media types are accepted: application/json, application/json;as=Table;v=v1;g=meta.k8s.io",
  );
}

/** Built-in kinds are written by Go structs, custom ones as maps in the order of their keys. */
const typeText = (resource: Resource): string => {
  const [kind, version] = [goJson(resource.kind), goJson(groupVersion(resource))];
  return resource.custom === undefined
    ? `"kind":${kind},"apiVersion":${version}`
    : `"apiVersion":${version},"kind":${kind}`;
};

export const objectText = (resource: Resource, object: KubeObject): string =>
  `{${typeText(resource)},${textOf(object).slice(1)}`;

const partial = (object: KubeObject): JsonMap => ({
  kind: "PartialObjectMetadata",
  apiVersion: META,
  metadata: object.metadata,
});

export function oneText(resource: Resource, object: KubeObject, form: Form, include: string): string {
  if (form === "metadata") return goJson(partial(object));
  if (form === "table") {
    const { resourceVersion } = object.metadata;
    return goJson(table(resource, [object], include, { resourceVersion }, true));
  }
  return objectText(resource, object);
}

export function listText(resource: Resource, page: Page, form: Form, include: string): string {
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.token !== undefined && { continue: page.token }),
    ...(page.remaining !== undefined && { remainingItemCount: page.remaining }),
  };
  if (form === "table") return goJson(table(resource, page.objects, include, metadata, true));
  if (form === "metadata") {
    const items = page.objects.map(partial);
    return goJson({ kind: "PartialObjectMetadataList", apiVersion: META, metadata, items });
  }
  // Items of built-in lists do not repeat what they are; those of custom kinds do.
  const item = resource.custom === undefined ? textOf : (object: KubeObject) => objectText(resource, object);
  const head = goJson({ kind: `${resource.kind}List`, apiVersion: groupVersion(resource), metadata });
  return `${head.slice(0, -1)},"items":[${page.objects.map(item).join(",")}]}`;
}

export interface EventForm {
  readonly resource: Resource;
  readonly form: Form;
  readonly include: string;
}

/** One line of a watch; only the first table of a stream has the columns' names. */
export function eventText(
  type: string,
  object: KubeObject,
  { resource, form, include }: EventForm,
  first: boolean,
): string {
  const { resourceVersion } = object.metadata;
  const text =
    form === "table"
      ? goJson(table(resource, [object], include, { resourceVersion }, first))
      : oneText(resource, object, form, include);
  return `{"type":"${type}","object":${text}}\n`;
}

export function bookmarkText(revision: number, initialEnd: boolean, { resource, form }: EventForm): string {
  const metadata = {
    resourceVersion: String(revision),
    ...(initialEnd && { annotations: { "k8s.io/initial-events-end": "true" } }),
  };
  const object =
    form === "object"
      ? { kind: resource.kind, apiVersion: groupVersion(resource), metadata }
      : form === "table"
        ? { kind: "Table", apiVersion: META, metadata, columnDefinitions: null, rows: [] }
        : { kind: "PartialObjectMetadata", apiVersion: META, metadata };
  return `${goJson({ type: "BOOKMARK", object })}\n`;
}

function table(resource: Resource, objects: readonly KubeObject[], include: string, metadata: JsonMap, named: boolean) {
  const columns = columnsOf(resource);
  const columnDefinitions = columns.map(({ name, type = "string", priority = 0 }): JsonMap => {
    const format = name === "Name" ? "name" : "";
    return { name, type, format, description: name, priority };
  });
  const rows = objects.map((object): JsonMap => {
    const row: JsonMap = { cells: columns.map((column) => column.cell(object)) };
    if (include === "Object") row["object"] = JSON.parse(objectText(resource, object)) as Json;
    else if (include !== "None") row["object"] = partial(object);
    return row;
  });
  return { kind: "Table", apiVersion: META, metadata, columnDefinitions: named ? columnDefinitions : null, rows };
}

function columnsOf(resource: Resource): readonly Column[] {
  if (resource.custom === undefined) return PRINTED[collectionOf(resource)] ?? [NAME, AGE];
  const { columns } = resource.custom;
  return columns.length === 0 ? [NAME, AGE] : [NAME, ...columns.map(customColumn)];
}

const customColumn = ({ name, type, priority = 0, jsonPath: path }: PrinterColumn): Column => ({
  name,
  type,
  priority,
  cell(object) {
    const [found] = jsonPath(path, object);
    if (found === undefined) return null;
    if (type === "date") return age(typeof found === "string" ? found : "");
    if (type === "string") return typeof found === "object" ? goJson(found) : String(found);
    return found;
  },
});
