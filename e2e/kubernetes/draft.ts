/** An object as a client sent it, checked for what holds of all kinds, on its way to be stored. */
import { randomInt, randomUUID } from "node:crypto";
import { isMap, type Json, type JsonMap, type KubeObject, type Meta, textAt, timestamp, without } from "./json.ts";
import { badRequest, conflict, invalid, invalidField, Refusal, requiredField } from "./refusal.ts";
import { groupVersion, type Resource } from "./resource.ts";

/** A document of this kind: apiVersion and kind are checked and taken off, metadata has the right shape. */
export function decode(resource: Resource, body: unknown): KubeObject {
  if (!isMap(body)) throw badRequest("the body of the request is not an object");
  const { apiVersion, kind, metadata = {}, ...rest } = body;
  if (kind !== undefined && kind !== resource.kind) {
    throw badRequest(
      `${textAt(kind)} in version "${textAt(apiVersion)}" cannot be handled as a ${resource.kind}: no kind ` +
        `"${textAt(kind)}" is registered for version "${textAt(apiVersion)}"`,
    );
  }
  if (apiVersion !== undefined && apiVersion !== groupVersion(resource)) {
    const is = `the API version in the data (${textAt(apiVersion)})`;
    throw badRequest(`${is} does not match the expected API version (${groupVersion(resource)})`);
  }
  if (resource.custom !== undefined && (apiVersion === undefined || kind === undefined)) {
    throw badRequest(`Object '${apiVersion === undefined ? "apiVersion" : "Kind"}' is missing in the request's body`);
  }
  if (!isMap(metadata)) throw badRequest("json: cannot unmarshal metadata into Go struct field of type v1.ObjectMeta");
  return { ...rest, metadata: metaOf(resource, metadata) };
}

function metaOf(resource: Resource, given: JsonMap): Meta {
  const meta: JsonMap = { name: "", uid: "", resourceVersion: "", creationTimestamp: "" };
  const unfit = (field: string, type: string) =>
    badRequest(
      `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}: json: cannot ` +
        `unmarshal into Go struct field ObjectMeta.metadata.${field} of type ${type}`,
    );
  for (const field of ["name", "generateName", "namespace", "uid", "resourceVersion", "creationTimestamp"] as const) {
    const value = given[field];
    if (value === undefined || value === null) continue;
    if (typeof value !== "string") throw unfit(field, "string");
    if (value !== "") meta[field] = value;
  }
  if (typeof given["deletionTimestamp"] === "string") meta["deletionTimestamp"] = given["deletionTimestamp"];
  for (const field of ["labels", "annotations"]) {
    const value = given[field];
    if (value === undefined || value === null) continue;
    if (!isMap(value)) throw unfit(field, "map[string]string");
    if (Object.values(value).some((text) => typeof text !== "string")) throw unfit(field, "string");
    if (Object.keys(value).length > 0) meta[field] = value;
  }
  for (const field of ["finalizers", "ownerReferences"]) {
    const value = given[field];
    if (value === undefined || value === null) continue;
    if (!Array.isArray(value)) throw unfit(field, "[]string");
    if (value.length > 0) meta[field] = value;
  }
  if (Array.isArray(given["managedFields"]) && given["managedFields"].length > 0) {
    meta["managedFields"] = given["managedFields"];
  }
  return meta as Meta;
}

const LETTERS = "bcdfghjklmnpqrstvwxz2456789";
const suffix = (): string => Array.from({ length: 5 }, () => LETTERS[randomInt(LETTERS.length)]).join("");

/** Name, namespace, uid and time of a new object. */
export function born(resource: Resource, draft: KubeObject, namespace: string | undefined, name?: string): KubeObject {
  const { metadata } = draft;
  if (metadata.resourceVersion !== "") {
    throw new Refusal(500, "", "resourceVersion should not be set on objects to be created");
  }
  const meta: Meta = { ...metadata, uid: randomUUID(), creationTimestamp: timestamp() };
  delete meta.deletionTimestamp;
  meta.name = named(resource, metadata, name);
  placed(resource, meta, namespace);
  if (resource.generation) meta.generation = 1;
  return { ...draft, metadata: meta };
}

function named(resource: Resource, { name, generateName = "" }: Meta, wanted: string | undefined): string {
  const given = name === "" && wanted !== undefined ? wanted : name;
  if (wanted !== undefined && given !== wanted) {
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${wanted})`);
  }
  if (given === "" && generateName === "") {
    throw invalid(resource, "", [requiredField("metadata.name", "name or generateName is required")]);
  }
  const chosen = given === "" ? `${generateName.slice(0, 58)}${suffix()}` : given;
  const cause = nameProblem(resource, chosen);
  if (cause !== undefined) throw invalid(resource, chosen, [invalidField("metadata.name", chosen, cause)]);
  return chosen;
}

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;

function nameProblem({ group, kind }: Resource, name: string): string | undefined {
  if (group === "rbac.authorization.k8s.io") {
    return /[/%]/.test(name) || name === "." || name === ".." ? "may not contain '/' or '%'" : undefined;
  }
  if (kind === "Namespace" || kind === "Service") {
    return LABEL.test(name) && name.length <= 63
      ? undefined
      : "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and " +
          "end with an alphanumeric character";
  }
  return SUBDOMAIN.test(name) && name.length <= 253
    ? undefined
    : "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start " +
        "and end with an alphanumeric character";
}

function placed(resource: Resource, meta: Meta, namespace: string | undefined): void {
  if (!resource.namespaced) {
    delete meta.namespace;
    return;
  }
  if (namespace === undefined) throw badRequest("an empty namespace may not be set during creation");
  if (meta.namespace !== undefined && meta.namespace !== namespace) {
    throw badRequest(
      "the namespace of the provided object does not match the namespace sent on the request " +
        `(${meta.namespace} is not ${namespace})`,
    );
  }
  meta.namespace = namespace;
}

/** What a client may not change of an object that is there; a wrong uid or an older version is a conflict. */
export function inherited(resource: Resource, draft: KubeObject, old: KubeObject): KubeObject {
  const { metadata } = draft;
  const { name, namespace, uid, resourceVersion } = old.metadata;
  const wrong = metadata.name !== "" && metadata.name !== name;
  if (wrong) throw badRequest(`the name of the object (${metadata.name}) does not match the name on the URL (${name})`);
  if (metadata.namespace !== undefined && metadata.namespace !== namespace) {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  if (metadata.uid !== "" && metadata.uid !== uid) {
    const why = `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${uid}`;
    throw conflict(resource, name, why);
  }
  if (metadata.resourceVersion !== "" && metadata.resourceVersion !== resourceVersion) throw conflict(resource, name);
  const meta: Meta = { ...metadata, name, uid, resourceVersion, creationTimestamp: old.metadata.creationTimestamp };
  for (const field of ["namespace", "generateName", "generation", "deletionTimestamp", "deletionGracePeriodSeconds"]) {
    (meta as JsonMap)[field] = old.metadata[field as "name"] as Json;
    if (old.metadata[field as "name"] === undefined) delete (meta as JsonMap)[field];
  }
  return { ...draft, metadata: meta };
}

/** Everything but metadata and status: what is wished for, counted by metadata.generation. */
export const wishes = (object: KubeObject): JsonMap => without(object, "metadata", "status");
