/** Who owns which field (metadata.managedFields), and server-side apply (KEP-555), which goes by it. */
import { cutOut, type FieldSet, fieldsV1, fieldText, laidOver, readFieldsV1, stepsOf, valuesOf } from "./field-sets.ts";
import { shapeOf } from "./field-shape.ts";
import { isMap, type Json, type JsonMap, type KubeObject, same, textAt, timestamp, without } from "./json.ts";
import { badRequest, Refusal } from "./refusal.ts";
import { groupResource, groupVersion, type Resource } from "./resource.ts";

interface Owner {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly subresource: string;
  readonly apiVersion: string;
  fields: FieldSet;
  time: string;
}

/** The document of a create, replace or patch, with what its writer owns from now on. */
export function recorded(
  resource: Resource,
  document: unknown,
  old: KubeObject | undefined,
  manager: string,
  subresource = "",
): unknown {
  if (!isMap(document) || (document["metadata"] !== undefined && !isMap(document["metadata"]))) return document;
  const shape = shapeOf(resource);
  const is = written(resource, valuesOf(document, shape), subresource, old === undefined);
  const was = old === undefined ? new Map<string, Json>() : written(resource, valuesOf(old, shape), subresource, false);
  const changed = [...is].filter(([path, value]) => !same(was.get(path), value)).map(([path]) => path);
  const gone = [...was.keys()].filter((path) => !is.has(path));
  const owners = ownersOf(old);
  if (changed.length > 0 || gone.length > 0) {
    const mine = ownerOf(owners, { manager, operation: "Update", subresource, apiVersion: groupVersion(resource) });
    for (const owner of owners) for (const path of [...gone, ...changed]) owner.fields.delete(path);
    for (const path of changed) mine.fields.add(path);
    mine.time = timestamp();
  }
  return withOwners(document, owners);
}

/** What a write by this path can change. */
function written(
  resource: Resource,
  values: Map<string, Json>,
  subresource: string,
  isNew: boolean,
): Map<string, Json> {
  if (!resource.status || (isNew && resource.kind === "Node")) return values;
  const meant = (path: string): boolean => {
    const [first] = stepsOf(path);
    if (subresource === "") return first !== "f:status";
    return first === "f:status" || (first === "f:metadata" && resource.custom === undefined);
  };
  return new Map([...values].filter(([path]) => meant(path)));
}

/** What is there with the document laid over it, less what its manager once applied and now leaves out. */
export function applied(
  resource: Resource,
  document: unknown,
  old: KubeObject | undefined,
  manager: string,
  force: boolean,
  subresource = "",
): unknown {
  if (!isMap(document)) throw badRequest("the body of an apply is an object");
  if (isMap(document["metadata"]) && document["metadata"]["managedFields"] !== undefined) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const shape = shapeOf(resource);
  const wanted = written(resource, valuesOf(document, shape), subresource, old === undefined);
  const owners = ownersOf(old);
  const mine = ownerOf(owners, { manager, operation: "Apply", subresource, apiVersion: groupVersion(resource) });
  const was = old === undefined ? new Map<string, Json>() : valuesOf(old, shape);
  const others = owners.filter((owner) => owner !== mine);
  const conflicts = others.flatMap((owner) =>
    [...wanted]
      .filter(([path, value]) => owner.fields.has(path) && !same(was.get(path), value))
      .map(([path]) => ({ owner, path })),
  );
  if (conflicts.length > 0 && !force) throw conflicting(resource, textAt(document, "metadata", "name"), conflicts);
  for (const { owner, path } of conflicts) owner.fields.delete(path);
  const dropped = [...mine.fields].filter(
    (path) => !wanted.has(path) && !others.some(({ fields }) => fields.has(path)),
  );
  const fields = new Set(wanted.keys());
  if (!same(fields, mine.fields) || conflicts.length > 0) mine.time = timestamp();
  mine.fields = fields;
  const { apiVersion, kind, ...content } = document;
  const before: Json = old === undefined ? {} : (without(old) as JsonMap);
  const emptied = dropped.reduce<Json>((value, path) => cutOut(value, stepsOf(path), shape) ?? {}, before);
  const after = laidOver(emptied, content, shape) as JsonMap;
  return withOwners({ apiVersion: apiVersion ?? "", kind: kind ?? "", ...after }, owners);
}

function conflicting(resource: Resource, name: string, conflicts: readonly { owner: Owner; path: string }[]): Refusal {
  const causes = conflicts.map(({ owner, path }) => {
    const how = owner.operation === "Apply" ? "" : ` using ${owner.apiVersion}`;
    const where = owner.subresource === "" ? "" : ` with subresource "${owner.subresource}"`;
    const message = `conflict with "${owner.manager}"${where}${how}`;
    return { reason: "FieldManagerConflict", message, field: fieldText(path) };
  });
  const each = causes.map(({ message, field }) => `${message}: ${field}`);
  const many = each.length === 1 ? "1 conflict" : `${each.length} conflicts`;
  const message = `Apply failed with ${many}: ${each.join("\n")}`;
  const { group } = resource;
  return new Refusal(409, "Conflict", message, { details: { name, group, kind: groupResource(resource), causes } });
}

function ownersOf(object: KubeObject | undefined): Owner[] {
  return (object?.metadata.managedFields ?? []).filter(isMap).map((entry) => ({
    manager: textAt(entry, "manager"),
    operation: entry["operation"] === "Apply" ? "Apply" : "Update",
    subresource: textAt(entry, "subresource"),
    apiVersion: textAt(entry, "apiVersion"),
    fields: readFieldsV1(entry["fieldsV1"]),
    time: textAt(entry, "time"),
  }));
}

function ownerOf(owners: Owner[], wanted: Omit<Owner, "fields" | "time">): Owner {
  const { manager, operation, subresource } = wanted;
  const found = owners.find(
    (one) => one.manager === manager && one.operation === operation && one.subresource === subresource,
  );
  if (found !== undefined) return found;
  const made: Owner = { ...wanted, fields: new Set(), time: timestamp() };
  owners.push(made);
  return made;
}

function withOwners(document: JsonMap, owners: readonly Owner[]): JsonMap {
  const managedFields = owners
    .filter(({ fields }) => fields.size > 0)
    .map(
      ({ manager, operation, subresource, apiVersion, fields, time }): JsonMap => ({
        manager,
        operation,
        apiVersion,
        time,
        fieldsType: "FieldsV1",
        fieldsV1: fieldsV1(fields),
        ...(subresource !== "" && { subresource }),
      }),
    );
  const metadata = isMap(document["metadata"]) ? document["metadata"] : {};
  return { ...document, metadata: { ...without(metadata, "managedFields"), managedFields } };
}
