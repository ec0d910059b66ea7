/** Which kinds are served: those built in, and those of the CustomResourceDefinitions that are there. */
import { BUILT_IN } from "./built-in.ts";
import { isMap, type JsonMap, type KubeObject, listAt, mapAt, textAt } from "./json.ts";
import { collectionOf, groupVersion, type PrinterColumn, type Resource } from "./resource.ts";

const pathOf = (group: string, version: string, plural: string): string => `${group}/${version}/${plural}`;

export class Catalog {
  readonly #served = new Map<string, Resource>();
  /** Paths by the name of the definition they come from. */
  readonly #ofDefinition = new Map<string, readonly string[]>();

  constructor() {
    for (const resource of BUILT_IN) this.#serve(resource);
  }

  find(group: string, version: string, plural: string): Resource | undefined {
    return this.#served.get(pathOf(group, version, plural));
  }

  /** For a document that says what it is. */
  ofKind(apiVersion: string, kind: string): Resource | undefined {
    return this.all().find((resource) => resource.kind === kind && groupVersion(resource) === apiVersion);
  }

  all(): Resource[] {
    return [...this.#served.values()];
  }

  define(definition: KubeObject): void {
    this.forget(definition.metadata.name);
    const resources = resourcesOf(definition);
    for (const resource of resources) this.#serve(resource);
    this.#ofDefinition.set(
      definition.metadata.name,
      resources.map((one) => pathOf(one.group, one.version, one.plural)),
    );
  }

  forget(definition: string): void {
    for (const path of this.#ofDefinition.get(definition) ?? []) this.#served.delete(path);
    this.#ofDefinition.delete(definition);
  }

  #serve(resource: Resource): void {
    this.#served.set(pathOf(resource.group, resource.version, resource.plural), resource);
  }
}

export const definedCollection = (definition: KubeObject): string =>
  collectionOf({
    group: textAt(definition, "spec", "group"),
    plural: textAt(definition, "spec", "names", "plural"),
  } as Resource);

function resourcesOf(definition: KubeObject): Resource[] {
  const names = mapAt(definition, "spec", "names");
  return listAt(definition, "spec", "versions")
    .filter(isMap)
    .filter((version) => version["served"] === true)
    .map((version): Resource => {
      const subresources = mapAt(version, "subresources");
      return {
        group: textAt(definition, "spec", "group"),
        version: textAt(version, "name"),
        plural: textAt(names, "plural"),
        singular: textAt(names, "singular"),
        kind: textAt(names, "kind"),
        namespaced: textAt(definition, "spec", "scope") === "Namespaced",
        shortNames: listAt(names, "shortNames").map(String),
        categories: listAt(names, "categories").map(String),
        status: isMap(subresources["status"]),
        generation: true,
        unconditional: false,
        fields: [],
        custom: {
          schema: mapAt(version, "schema", "openAPIV3Schema"),
          columns: listAt(version, "additionalPrinterColumns").filter(isMap).map(columnOf),
          selectable: listAt(version, "selectableFields").map((field) => textAt(field, "jsonPath").replace(/^\./, "")),
        },
      };
    });
}

const columnOf = (column: JsonMap): PrinterColumn => ({
  name: textAt(column, "name"),
  type: textAt(column, "type"),
  format: textAt(column, "format"),
  description: textAt(column, "description"),
  priority: Number(textAt(column, "priority") || 0),
  jsonPath: textAt(column, "jsonPath"),
});
