/** Labels, annotations, finalizers and taints: what their keys and values may be. */
import { type KubeObject, listAt, textAt } from "./json.ts";
import { type Cause, invalidField } from "./refusal.ts";

const NAME = /^[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?$/;
const VALUE = /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;
const MOST_ANNOTATED = 256 * 1024;

/** `example.com/name`, or the name alone. */
function isQualified(key: string): boolean {
  const [name = "", prefix, ...more] = key.split("/").reverse();
  return more.length === 0 && NAME.test(name) && (prefix === undefined || PREFIX.test(prefix));
}

const KEY_WORDS =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric " +
  "character (e.g. 'MyName', with an optional DNS subdomain prefix and '/', e.g. 'example.com/MyName')";
const VALUE_WORDS =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and " +
  "end with an alphanumeric character, and must be no more than 63 characters";

export function metadataProblems({ metadata }: KubeObject): Cause[] {
  const { labels = {}, annotations = {}, finalizers = [] } = metadata;
  const causes: Cause[] = [];
  const keys = (field: string, map: object, fits: (key: string) => boolean) => {
    for (const key of Object.keys(map)) if (!fits(key)) causes.push(invalidField(field, key, KEY_WORDS));
  };
  keys("metadata.labels", labels, isQualified);
  for (const value of Object.values(labels)) {
    if (!VALUE.test(value)) causes.push(invalidField("metadata.labels", value, VALUE_WORDS));
  }
  // Upper case is let through in annotations.
  keys("metadata.annotations", annotations, (key) => isQualified(key.toLowerCase()));
  const size = Object.entries(annotations).reduce((sum, [key, value]) => sum + key.length + value.length, 0);
  if (size > MOST_ANNOTATED) {
    const message = `Too long: may not be more than ${MOST_ANNOTATED} bytes`;
    causes.push({ reason: "FieldValueTooLong", message, field: "metadata.annotations" });
  }
  for (const name of finalizers) {
    if (typeof name !== "string" || !isQualified(name))
      causes.push(invalidField("metadata.finalizers", name, KEY_WORDS));
  }
  return causes;
}

const EFFECTS = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

export function nodeProblems(draft: KubeObject): Cause[] {
  const seen = new Set<string>();
  return listAt(draft, "spec", "taints").flatMap((taint, place): Cause[] => {
    const field = `metadata.taints[${place}]`;
    const [key, effect] = [textAt(taint, "key"), textAt(taint, "effect")];
    const causes: Cause[] = [];
    if (!isQualified(key)) causes.push(invalidField(`${field}.key`, key, KEY_WORDS));
    if (!EFFECTS.includes(effect)) {
      const supported = EFFECTS.map((one) => `"${one}"`).join(", ");
      const message = `Unsupported value: "${effect}": supported values: ${supported}`;
      causes.push({ reason: "FieldValueNotSupported", message, field: `${field}.effect` });
    }
    const identity = `${key}:${effect}`;
    if (seen.has(identity)) {
      const message = `Duplicate value: "${identity}"`;
      causes.push({ reason: "FieldValueDuplicate", message, field });
    }
    seen.add(identity);
    return causes;
  });
}
