/**
 * OpenAPI as far as kubectl goes by it: that writes can be validated by the server, and the schemas of custom kinds for
 * `kubectl explain`. The schemas of built-in kinds are not there.
 */
import type { Catalog } from "./catalog.ts";
import type { JsonMap } from "./json.ts";
import { NoSuchPath } from "./refusal.ts";
import { groupVersion, type Resource } from "./resource.ts";

export const V2: JsonMap = {
  swagger: "2.0",
  info: { title: "Kubernetes", version: "v1.33.0" },
  paths: {},
  definitions: {},
};

const rootOf = (resource: Resource): string => (resource.group === "" ? "api" : "apis") + `/${groupVersion(resource)}`;

export function openApi(catalog: Catalog, path: string): JsonMap {
  const wanted = path.replace(/^\/openapi\/v3\/?/, "");
  const roots = new Set(catalog.all().map(rootOf));
  if (wanted === "") {
    const paths = [...roots].map((root) => [
      root,
      { serverRelativeURL: `/openapi/v3/${root}?hash=${catalog.all().length}` },
    ]);
    return { paths: Object.fromEntries(paths) as JsonMap };
  }
  if (!roots.has(wanted)) throw new NoSuchPath();
  const resources = catalog.all().filter((resource) => rootOf(resource) === wanted);
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "v1.33.0" },
    paths: Object.fromEntries(resources.flatMap(paths)) as JsonMap,
    components: {
      schemas: Object.fromEntries(resources.map((resource) => [schemaName(resource), schema(resource)])) as JsonMap,
    },
  };
}

const schemaName = ({ group, version, kind }: Resource): string =>
  [...(group === "" ? "core" : group).split(".").reverse(), version, kind].join(".");

const meaning = ({ group, version, kind }: Resource): JsonMap => ({ group, version, kind });

function paths(resource: Resource): [string, JsonMap][] {
  const collection = `/${rootOf(resource)}${resource.namespaced ? "/namespaces/{namespace}" : ""}/${resource.plural}`;
  const parameter = (name: string): JsonMap => ({ name, in: "query", schema: { type: "string", uniqueItems: true } });
  const parameters = ["dryRun", "fieldManager", "fieldValidation"].map(parameter);
  const content = { "application/json": { schema: { $ref: `#/components/schemas/${schemaName(resource)}` } } };
  const responses = { "200": { description: "OK", content } };
  const operation = (action: string): JsonMap => ({
    "x-kubernetes-action": action,
    "x-kubernetes-group-version-kind": meaning(resource),
    parameters,
    responses,
  });
  return [
    [collection, { get: operation("list"), post: operation("post") }],
    [`${collection}/{name}`, { get: operation("get"), put: operation("put"), patch: operation("patch") }],
  ];
}

function schema(resource: Resource): JsonMap {
  const known = [meaning(resource)];
  if (resource.custom === undefined) return { type: "object", "x-kubernetes-group-version-kind": known };
  const { properties, ...rest } = resource.custom.schema;
  const own = { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: { type: "object" } };
  const all = { ...own, ...(properties as JsonMap | undefined) };
  return { ...rest, properties: all, "x-kubernetes-group-version-kind": known };
}
