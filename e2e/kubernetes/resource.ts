/** A kind of object the server knows, built in or by a CustomResourceDefinition. */
import type { JsonMap } from "./json.ts";

export interface PrinterColumn {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  readonly priority?: number;
  readonly jsonPath: string;
}

/** What a CustomResourceDefinition adds. */
export interface Custom {
  readonly schema: JsonMap;
  readonly columns: readonly PrinterColumn[];
  readonly selectable: readonly string[];
}

export interface Resource {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Writes to the main path leave status alone, and the other way round. */
  readonly status: boolean;
  /** metadata.generation counts changes of what is wished for. */
  readonly generation: boolean;
  /** PUT without a resourceVersion overwrites whatever is there. */
  readonly unconditional: boolean;
  /** Field selectors beside metadata.name and metadata.namespace. */
  readonly fields: readonly string[];
  readonly custom?: Custom;
}

export const groupVersion = ({ group, version }: Resource): string => (group === "" ? version : `${group}/${version}`);

/** As messages name it: `pods`, `leases.coordination.k8s.io`. */
export const groupResource = ({ group, plural }: Resource): string => (group === "" ? plural : `${plural}.${group}`);

/** Where objects are kept: the same for all versions of a kind. */
export const collectionOf = ({ group, plural }: Resource): string => `${group}/${plural}`;

export const keyOf = (namespace: string | undefined, name: string): string =>
  namespace === undefined ? name : `${namespace}/${name}`;
