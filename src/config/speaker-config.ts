/** A speaker's file: text to plain data, with every fault of the file named at once. */
import { type Fault, faultText } from "./fault.ts";
import { readText } from "./manifest-files.ts";
import { problemsOf } from "./schema/issues.ts";
import { type Problem, pathText, shown } from "./schema/problem.ts";
import { type SpeakerConfig, speakerSchema } from "./schema/speaker.ts";
import { speakerRules } from "./schema/speaker-rules.ts";
import { readYaml } from "./yaml.ts";

export type { SpeakerConfig } from "./schema/speaker.ts";
export type { SpeakerPeer } from "./schema/speaker-peer.ts";

export type SpeakerConfigResult = { readonly config: SpeakerConfig } | { readonly faults: readonly string[] };

/** Reads the file; never throws. */
export function loadSpeakerConfig(path: string): SpeakerConfigResult {
  const faults: Fault[] = [];
  const text = readText(path, faults);
  return text === undefined ? { faults: faults.map(faultText) } : readSpeakerConfig(text, path);
}

/** `file` is what faults call the text. */
export function readSpeakerConfig(text: string, file: string): SpeakerConfigResult {
  const { documents, faults: syntax } = readYaml(text);
  if (syntax.length > 0) return { faults: syntax.map((fault) => faultText({ file, field: "", ...fault })) };
  const written = documents.filter((document) => document.value !== undefined);
  const [document, second] = written;
  if (document === undefined) return { faults: [faultText({ file, line: 0, field: "", message: "is empty" })] };
  if (second !== undefined) {
    return { faults: [faultText({ file, line: second.line, field: "", message: "a second document; remove it" })] };
  }
  const value = withoutNulls(document.value);
  if (!isMap(value)) {
    const message = `expected settings (a map), found ${shown(value)}`;
    return { faults: [faultText({ file, line: document.line, field: "", message })] };
  }
  const result = speakerSchema.safeParse(value);
  const problems: Problem[] = result.success ? [] : problemsOf(result.error, speakerSchema, value, []);
  const wrong = new Set(problems.map(({ path }) => pathText(path)));
  // A field that is wrong by itself needs no second complaint.
  problems.push(...speakerRules(value).filter(({ path }) => !wrong.has(pathText(path))));
  if (problems.length === 0 && result.success) return { config: result.data };
  const faults = problems.map(({ path, message }) => ({
    file,
    line: document.lineOf(path),
    field: pathText(path),
    message,
  }));
  return { faults: faults.sort((a, b) => a.line - b.line).map(faultText) };
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// As in resources, `field:` with nothing behind it is a field not written. Entries of lists stay: their places count.
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isMap(value)) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null && inner !== undefined);
  return Object.fromEntries(kept.map(([key, inner]) => [key, withoutNulls(inner)]));
}
