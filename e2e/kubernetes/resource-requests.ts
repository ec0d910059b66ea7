/** Requests for kinds: each verb's answer. */
import { PODS } from "./built-in.ts";
import { deleted, deletedStatus, deleteWish } from "./deletion.ts";
import { decode } from "./draft.ts";
import { type Form, formOf, listText, oneText } from "./forms.ts";
import { goJson, type KubeObject } from "./json.ts";
import { page } from "./paging.ts";
import { APPLY, patched } from "./patches.ts";
import { badRequest, notAllowed, notFound, Refusal } from "./refusal.ts";
import { isTrue } from "./request.ts";
import { collectionOf, keyOf, type Resource } from "./resource.ts";
import { selectorOf } from "./selectors.ts";
import { applied, recorded } from "./server-side-apply.ts";
import type { Wish, Writes } from "./writes.ts";

export interface ResourceRequest {
  readonly verb: string;
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly query: URLSearchParams;
  readonly accept: string;
  readonly contentType: string;
  readonly userAgent: string;
  readonly body: unknown;
  warn(words: string): void;
}

export interface Answer {
  readonly code: number;
  readonly text: string;
}

export async function answerTo(writes: Writes, request: ResourceRequest): Promise<Answer> {
  const { verb, resource, namespace, query } = request;
  checkScope(request);
  const form = formOf(request.accept);
  const one = (object: KubeObject, code = 200): Answer => ({ code, text: shown(request, object, form) });
  switch (verb) {
    case "list": {
      const selected = selectorOf(resource, query);
      const found = await page(writes.store, resource, namespace, selected, query);
      return { code: 200, text: listText(resource, found, form, query.get("includeObject") ?? "") };
    }
    case "get":
      return one(writes.find(request));
    case "create":
      return one(writes.create(wishOf(request), managed(request, request.body, undefined)), 201);
    case "update":
      return one(replaced(writes, request));
    case "patch":
      return patch(writes, request, one);
    case "delete":
      return remove(writes, request, one);
    case "deletecollection":
      return removeAll(writes, request, form);
    default:
      throw notAllowed("the server does not allow this method on the requested resource");
  }
}

const shown = ({ resource, query }: ResourceRequest, object: KubeObject, form: Form): string =>
  oneText(resource, object, form, query.get("includeObject") ?? "");

const SUBRESOURCES = new Set(["status"]);

function checkScope({ verb, resource, namespace, name, subresource }: ResourceRequest): void {
  if (subresource !== undefined && (!SUBRESOURCES.has(subresource) || !resource.status)) {
    throw new Refusal(404, "NotFound", "the server could not find the requested resource");
  }
  if (subresource !== undefined && !["get", "update", "patch"].includes(verb)) {
    throw notAllowed("the server does not allow this method on the requested resource");
  }
  const unplaced = resource.namespaced && namespace === undefined;
  if (resource.namespaced ? false : namespace !== undefined) {
    throw new Refusal(404, "NotFound", "the server could not find the requested resource");
  }
  if (unplaced && (name !== undefined || verb === "create" || verb === "deletecollection")) {
    throw notAllowed("the server does not allow this method on the requested resource");
  }
}

const dryRun = (query: URLSearchParams): boolean => query.get("dryRun") === "All";

function wishOf({ resource, namespace, name, subresource, query, warn }: ResourceRequest): Wish {
  const asked = query.get("fieldValidation") ?? "";
  const unknownFields = asked === "Strict" || asked === "Ignore" ? asked : "Warn";
  return { resource, namespace, name, subresource, dryRun: dryRun(query), unknownFields, warn };
}

/** Who writes: as the query names it, or the program's name. */
const managerOf = ({ query, userAgent }: ResourceRequest): string =>
  query.get("fieldManager") || userAgent.split("/")[0] || "unknown";

/** With metadata.managedFields as they are after this write. */
const managed = (request: ResourceRequest, document: unknown, old: KubeObject | undefined): unknown =>
  recorded(request.resource, document, old, managerOf(request), request.subresource);

function replaced(writes: Writes, request: ResourceRequest): KubeObject {
  const old = writes.find(request);
  return writes.replace(wishOf(request), managed(request, request.body, old));
}

function patch(writes: Writes, request: ResourceRequest, one: (object: KubeObject, code?: number) => Answer): Answer {
  const { resource, namespace, name = "", contentType, query, body } = request;
  const wish = wishOf(request);
  const old = writes.store.get(collectionOf(resource), keyOf(namespace, name));
  if (contentType === APPLY) {
    const manager = query.get("fieldManager") ?? "";
    if (manager === "")
      throw badRequest(
        "PatchOptions.meta.k8s.io is invalid: fieldManager: Required value: is required for apply patch",
      );
    const document = applied(resource, body, old, manager, isTrue(query.get("force")), request.subresource);
    if (old === undefined && request.subresource !== undefined) throw notFound(resource, name);
    if (old === undefined) return one(writes.create(wish, document), 201);
    return one(writes.write(wish, old, decode(resource, document)));
  }
  if (old === undefined) throw notFound(resource, name);
  const document = managed(request, patched(resource, old, contentType, body), old);
  return one(writes.write(wish, old, decode(resource, document)));
}

function remove(writes: Writes, request: ResourceRequest, one: (object: KubeObject) => Answer): Answer {
  const { resource, query, body } = request;
  const { object, gone } = deleted(writes.store, resource, writes.find(request), deleteWish(body, query));
  if (!gone || collectionOf(resource) === collectionOf(PODS)) return one(object);
  return { code: 200, text: goJson(deletedStatus(resource, object)) };
}

async function removeAll(writes: Writes, request: ResourceRequest, form: Form): Promise<Answer> {
  const { resource, namespace, query, body } = request;
  const found = await page(writes.store, resource, namespace, selectorOf(resource, query), query);
  const wish = deleteWish(body, query);
  const objects = found.objects.map((object) => deleted(writes.store, resource, object, wish).object);
  return { code: 200, text: listText(resource, { ...found, objects }, form, "") };
}
