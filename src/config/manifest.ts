/** Resource files: text to resources, with every fault of the file named at once. */
import type { Fault } from "./fault.ts";
import type { Resource } from "./resource.ts";
import { checkDocument } from "./schema/document.ts";
import { type FieldPath, type Problem, pathText } from "./schema/problem.ts";
import { readYaml, type YamlDocument } from "./yaml.ts";

export { type Fault, faultText } from "./fault.ts";

/** A resource and where it was written, for faults found later. */
export interface SourcedResource {
  readonly resource: Resource;
  readonly file: string;
  readonly line: number;
  /** The fault of a field of this resource. */
  fault(path: FieldPath, message: string): Fault;
}

export interface Manifests {
  readonly resources: readonly Resource[];
  readonly sourced: readonly SourcedResource[];
  /** When there is any, the file is not to be applied at all. */
  readonly faults: readonly Fault[];
}

/** Reads YAML or JSON of any number of documents, lists among them. `file` is what faults call the text. */
export function readManifests(text: string, file: string): Manifests {
  const { documents, faults: syntax } = readYaml(text);
  const faults: Fault[] = syntax.map(({ line, message }) => ({ file, line, field: "", message }));
  const sourced: SourcedResource[] = [];
  const written = documents.filter((document) => document.value !== undefined);
  for (const document of written) {
    for (const item of itemsOf(document.value)) {
      const path = item.path;
      const fault = (inner: FieldPath, message: string) => faultAt(document, file, [...path, ...inner], message);
      const checked = checkDocument(item.value);
      if ("resource" in checked) {
        sourced.push({ resource: checked.resource, file, line: document.lineOf(path), fault });
      } else {
        faults.push(...inOrder(checked.problems.map(({ path: inner, message }: Problem) => fault(inner, message))));
      }
    }
  }
  faults.push(...duplicateFaults(sourced));
  if (faults.length === 0 && sourced.length === 0)
    faults.push({ file, line: 0, field: "", message: "holds no resource" });
  return { resources: sourced.map(({ resource }) => resource), sourced, faults };
}

/** One fault for each resource that stands a second time, over any number of files. */
export function duplicateFaults(sourced: readonly SourcedResource[]): Fault[] {
  const first = new Map<string, SourcedResource>();
  const faults: Fault[] = [];
  for (const item of sourced) {
    const key = `${item.resource.kind} ${item.resource.metadata.name}`;
    const earlier = first.get(key);
    if (earlier === undefined) first.set(key, item);
    else {
      const place = `${earlier.file}:${earlier.line}`;
      faults.push(item.fault(["metadata", "name"], `${key} stands already at ${place}; remove one of the two`));
    }
  }
  return faults;
}

function faultAt(document: YamlDocument, file: string, path: FieldPath, message: string): Fault {
  return { file, line: document.lineOf(path), field: pathText(path), message };
}

function inOrder(faults: Fault[]): Fault[] {
  return faults.sort((a, b) => a.line - b.line);
}

interface Item {
  readonly value: unknown;
  readonly path: FieldPath;
}

/** The resources in one document: itself, the items of a List (or IPPoolList, …), or those of a bare list. */
function itemsOf(value: unknown): Item[] {
  if (Array.isArray(value)) return value.flatMap((inner, i) => nested(itemsOf(inner), [i]));
  const list = value as { kind?: unknown; apiVersion?: unknown; items?: unknown } | null;
  if (typeof list !== "object" || list === null || !Array.isArray(list.items)) return [{ value, path: [] }];
  const kind = String(list.kind);
  if (!/^[A-Za-z]*List$/.test(kind)) return [{ value, path: [] }];
  // A typed list says once what its items are.
  const inherited = kind === "List" ? {} : { kind: kind.slice(0, -"List".length), apiVersion: list.apiVersion };
  return list.items.flatMap((inner, i) => {
    const isMap = typeof inner === "object" && inner !== null && !Array.isArray(inner);
    return nested(isMap ? itemsOf({ ...inherited, ...inner }) : [{ value: inner, path: [] }], ["items", i]);
  });
}

function nested(items: readonly Item[], prefix: FieldPath): Item[] {
  return items.map(({ value, path }) => ({ value, path: [...prefix, ...path] }));
}
