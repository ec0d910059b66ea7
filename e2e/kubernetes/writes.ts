/** Create, replace, patch and delete, by the rules that hold of all kinds. */
import { NAMESPACES } from "./built-in.ts";
import type { Catalog } from "./catalog.ts";
import { brokenRules } from "./cel-rules.ts";
import { pruned, withDefaults } from "./custom-schema.ts";
import { schemaProblems } from "./custom-validation.ts";
import { definitionProblems } from "./definitions.ts";
import { born, decode, inherited, wishes } from "./draft.ts";
import { isMap, type Json, type KubeObject, same, without } from "./json.ts";
import { filled, problemsOf } from "./kind-rules.ts";
import { metadataProblems } from "./metadata-rules.ts";
import { alreadyExists, badRequest, forbidden, invalid, invalidField, notFound } from "./refusal.ts";
import { collectionOf, groupResource, keyOf, type Resource } from "./resource.ts";
import type { ServiceRanges } from "./service-rules.ts";
import type { Store } from "./store.ts";

export interface Wish {
  readonly resource: Resource;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
  readonly dryRun: boolean;
  /** What is done about fields that a custom kind's schema does not know. */
  readonly unknownFields: "Strict" | "Warn" | "Ignore";
  warn(words: string): void;
}

/** Given what is there, what shall be. */
export type Edit = (old: KubeObject) => KubeObject;

export class Writes {
  readonly store: Store;
  readonly catalog: Catalog;
  readonly #ranges: ServiceRanges;

  constructor(store: Store, catalog: Catalog, ranges: ServiceRanges) {
    this.store = store;
    this.catalog = catalog;
    this.#ranges = ranges;
  }

  find({ resource, namespace, name = "" }: Pick<Wish, "resource" | "namespace" | "name">): KubeObject {
    const found = this.store.get(collectionOf(resource), keyOf(namespace, name));
    if (found === undefined) throw notFound(resource, name);
    return found;
  }

  create(wish: Wish, body: unknown): KubeObject {
    const { resource, namespace } = wish;
    const draft = withoutStatus(resource, born(resource, decode(resource, body), namespace, wish.name));
    this.#checkNamespace(resource, namespace);
    const key = keyOf(draft.metadata.namespace, draft.metadata.name);
    if (this.store.get(collectionOf(resource), key) !== undefined) throw alreadyExists(resource, draft.metadata.name);
    const object = this.#accepted(wish, draft, undefined);
    return wish.dryRun ? object : this.store.put(collectionOf(resource), key, object);
  }

  replace(wish: Wish, body: unknown): KubeObject {
    const { resource, name = "" } = wish;
    const given = decode(resource, body);
    const old = this.find(wish);
    if (given.metadata.resourceVersion === "" && !resource.unconditional) {
      const cause = invalidField("metadata.resourceVersion", 0, "must be specified for an update");
      throw invalid(resource, name, [cause]);
    }
    return this.write(wish, old, given);
  }

  /** Over what is there: the main path leaves status alone, /status everything that is wished for. */
  write(wish: Wish, old: KubeObject, given: KubeObject): KubeObject {
    const { resource, subresource, dryRun } = wish;
    const draft = inherited(resource, given, old);
    const meant = subresource === "status" ? onlyStatus(resource, draft, old) : exceptStatus(resource, draft, old);
    const object = this.#accepted(wish, meant, old);
    const changed = { ...object, metadata: { ...object.metadata, resourceVersion: old.metadata.resourceVersion } };
    const { generation } = old.metadata;
    if (generation !== undefined && !same(wishes(object), wishes(old))) changed.metadata.generation = generation + 1;
    if (unchanged(changed, old)) return old;
    if (dryRun) return changed;
    const key = keyOf(old.metadata.namespace, old.metadata.name);
    // The last finalizer is gone from what was only waiting for it: that change is the deletion.
    const { deletionTimestamp, deletionGracePeriodSeconds = 0, finalizers = [] } = changed.metadata;
    const over = deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0 && finalizers.length === 0;
    if (over && collectionOf(resource) !== collectionOf(NAMESPACES)) {
      this.store.remove(collectionOf(resource), key);
      return changed;
    }
    return this.store.put(collectionOf(resource), key, changed);
  }

  #accepted(wish: Wish, draft: KubeObject, old: KubeObject | undefined): KubeObject {
    const { resource } = wish;
    const { name } = draft.metadata;
    const unfit = metadataProblems(draft);
    if (unfit.length > 0) throw invalid(resource, name, unfit);
    if (resource.custom === undefined) {
      const full = filled(resource, draft, old, this.#ranges);
      const causes = [...problemsOf(resource, full, old), ...definitionProblems(resource, full, old)];
      if (causes.length > 0) throw invalid(resource, name, causes);
      return full;
    }
    const { object, unknown } = pruned(resource.custom.schema, draft);
    this.#tellUnknown(wish, unknown);
    const full = withDefaults(resource.custom.schema, object);
    const { schema } = resource.custom;
    const wrong = schemaProblems(schema, full, old);
    // Rules are not asked about what is not even of the right shape.
    const causes = wrong.length > 0 ? wrong : brokenRules(schema, full, old);
    if (causes.length > 0) throw invalid(resource, name, causes);
    return full;
  }

  #tellUnknown({ resource, unknownFields, warn }: Wish, unknown: readonly string[]): void {
    const words = unknown.map((field) => `unknown field "${field}"`);
    if (words.length === 0 || unknownFields === "Ignore") return;
    if (unknownFields === "Strict") {
      const whose = `${resource.kind} in version "${resource.version}" cannot be handled as a ${resource.kind}`;
      throw badRequest(`${whose}: strict decoding error: ${words.join(", ")}`);
    }
    for (const each of words) warn(each);
  }

  #checkNamespace(resource: Resource, namespace: string | undefined): void {
    if (!resource.namespaced || namespace === undefined) return;
    const found = this.store.get(collectionOf(NAMESPACES), namespace);
    if (found === undefined) throw notFound(NAMESPACES, namespace);
    if (found.metadata.deletionTimestamp === undefined) return;
    const message = `namespace ${namespace} is being terminated`;
    const causes: Json[] = [{ reason: "NamespaceTerminating", message, field: "metadata.namespace" }];
    const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
    throw forbidden(`${groupResource(resource)} is forbidden: ${why}`, { causes });
  }
}

/** Nodes may be born with a status: kubelet registers them so. */
const withoutStatus = (resource: Resource, draft: KubeObject): KubeObject =>
  !resource.status || resource.kind === "Node" ? draft : without(draft, "status");

function exceptStatus(resource: Resource, draft: KubeObject, { status }: KubeObject): KubeObject {
  if (!resource.status) return draft;
  const rest = without(draft, "status");
  return status === undefined ? rest : { ...rest, status };
}

/** Built-in kinds let labels and annotations through with their status, custom ones nothing but the status. */
function onlyStatus(resource: Resource, draft: KubeObject, old: KubeObject): KubeObject {
  const { managedFields } = draft.metadata;
  const fixed = { ...without(old.metadata, "managedFields"), ...(managedFields !== undefined && { managedFields }) };
  const { status } = draft;
  const rest = without(old, "status");
  const metadata = resource.custom === undefined ? draft.metadata : fixed;
  return { ...rest, metadata, ...(status !== undefined && { status }) };
}

/** Who last wrote what, and when, is no change by itself. */
function unchanged(one: KubeObject, other: KubeObject): boolean {
  const bare = (object: KubeObject) => ({ ...object, metadata: without(object.metadata, "managedFields") });
  return same(bare(one), bare(other)) && same(owners(one), owners(other));
}

const owners = ({ metadata: { managedFields = [] } }: KubeObject): Json[] =>
  managedFields.map((entry) => (isMap(entry) ? { ...entry, time: null } : entry));
