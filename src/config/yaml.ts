/** YAML (and JSON, which is YAML) read as plain data that remembers on which line each field stands. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  stringify,
  type YAMLError,
} from "yaml";
import type { FieldPath } from "./schema/problem.ts";

export interface YamlDocument {
  /** Plain data; undefined when the document is empty. */
  readonly value: unknown;
  readonly line: number;
  /** The line of a field, or of the nearest thing around it when the field is not written. */
  lineOf(path: FieldPath): number;
}

export interface YamlFault {
  readonly line: number;
  readonly message: string;
}

/** Characters of a text beyond which it is refused. */
export const MAX_LENGTH = 8 * 1024 * 1024;
// An anchor used often is a file that grows while it is read: a few lines can stand for gigabytes.
const MAX_ALIASES = 100;
const MAX_FAULTS = 20;
const TOO_DEEP = "is nested too deeply";

/** Every document of the text, or every fault in its syntax. Never throws. */
export function readYaml(text: string): { readonly documents: YamlDocument[]; readonly faults: YamlFault[] } {
  if (text.length > MAX_LENGTH) {
    return {
      documents: [],
      faults: [{ line: 0, message: "is longer than 8 Mi characters; split it into smaller files" }],
    };
  }
  try {
    const lines = new LineCounter();
    const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false, logLevel: "silent" });
    const list: Document[] = Array.isArray(parsed) ? (parsed as Document[]) : [];
    const faults = syntaxFaults(list, text, lines);
    return faults.length > 0 ? { documents: [], faults } : readDocuments(list, lines);
  } catch (error) {
    // The parser recurses: brackets nested some thousand deep end its stack.
    const deep = (error as Error).name === "RangeError";
    return { documents: [], faults: [{ line: 0, message: deep ? TOO_DEEP : `is not YAML: ${firstLine(error)}` }] };
  }
}

function readDocuments(list: readonly Document[], lines: LineCounter) {
  const documents: YamlDocument[] = [];
  const faults: YamlFault[] = [];
  for (const document of list) {
    const root = document.contents;
    const line = root === null ? 1 : lineAt(lines, root.range?.[0] ?? 0);
    try {
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
      if (refersToItself(value)) throw new Error("an alias (*name) stands inside its own anchor (&name)");
      documents.push({ value: value ?? undefined, line, lineOf: (path) => lineOfPath(document, path, lines, line) });
    } catch (error) {
      const many = (error as Error).message.includes("alias count");
      const message = many
        ? "uses aliases (*name) to repeat too much; write it out"
        : `is not YAML: ${firstLine(error)}`;
      faults.push({ line, message });
    }
  }
  return { documents, faults };
}

function refersToItself(value: unknown): boolean {
  try {
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? String(inner) : inner));
    return false;
  } catch (error) {
    if ((error as Error).name === "TypeError") return true;
    throw error;
  }
}

function lineOfPath(document: Document, path: FieldPath, lines: LineCounter, otherwise: number): number {
  let node: unknown = document.contents;
  let line = otherwise;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(step));
      if (pair === undefined) return line;
      line = lineAt(lines, (pair.key as Node).range?.[0] ?? 0);
      node = pair.value;
    } else if (isSeq(node) && typeof step === "number" && step < node.items.length) {
      node = node.items[step];
      line = lineAt(lines, (node as Node | null)?.range?.[0] ?? 0);
    } else {
      return line;
    }
  }
  return line;
}

// One fault a line: what follows the first is mostly its echo.
function syntaxFaults(list: readonly Document[], text: string, lines: LineCounter): YamlFault[] {
  const errors = list.flatMap((document) => document.errors);
  if (errors.some((error) => error.message.includes("call stack"))) return [{ line: 0, message: TOO_DEEP }];
  const faults = new Map<number, YamlFault>();
  for (const error of errors) {
    const fault = faultOf(error, text, lines);
    if (!faults.has(fault.line)) faults.set(fault.line, fault);
  }
  return [...faults.values()].slice(0, MAX_FAULTS);
}

function faultOf(error: YAMLError, text: string, lines: LineCounter): YamlFault {
  const line = lineAt(lines, error.pos[0]);
  const near = /^[^\s:]*/.exec(text.slice(error.pos[0], error.pos[0] + 80))?.[0] ?? "";
  switch (error.code) {
    case "TAB_AS_INDENT":
      return { line, message: "a tab indents this line; YAML wants spaces" };
    case "DUPLICATE_KEY":
      return {
        line,
        message: `${near || "a key"} is written twice in the same map; remove one`,
      };
    default:
      return { line, message: `not YAML: ${firstLine(error)}` };
  }
}

function lineAt(lines: LineCounter, offset: number): number {
  return Math.max(1, lines.linePos(offset).line);
}

function firstLine(error: unknown): string {
  return ((error as Error).message.split("\n")[0] as string).replace(/:$/, "");
}

/** Plain data as YAML text for people: no line is folded, no alias is used. */
export function writeYaml(value: unknown): string {
  return stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
}
