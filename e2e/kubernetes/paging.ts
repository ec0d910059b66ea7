/** Lists: which version of the store they show, a page at a time. */
import { setTimeout as sleep } from "node:timers/promises";
import { isMap, type Json, type KubeObject } from "./json.ts";
import { badRequest, expired, invalidField, Refusal } from "./refusal.ts";
import { collectionOf, type Resource } from "./resource.ts";
import type { Predicate } from "./selectors.ts";
import type { Store } from "./store.ts";

export interface Page {
  readonly objects: readonly KubeObject[];
  readonly revision: number;
  readonly token: string | undefined;
  readonly remaining: number | undefined;
}

interface Wanted {
  readonly revision: number;
  readonly after: string;
}

/** How long a list waits for a version that is not there yet. */
const PATIENCE_MS = 3000;
const LARGEST = 2 ** 63;

export async function page(
  store: Store,
  resource: Resource,
  namespace: string | undefined,
  selected: Predicate | undefined,
  query: URLSearchParams,
): Promise<Page> {
  // Version 0 is answered from the watch cache, which gives all there is.
  const fromCache = query.get("resourceVersion") === "0" && (query.get("continue") ?? "") === "";
  const limit = fromCache ? 0 : Math.max(0, Number.parseInt(query.get("limit") ?? "0", 10) || 0);
  const collection = collectionOf(resource);
  const { revision, after } = await wanted(store, collection, query, limit > 0);
  const { keys, get } = store.snapshot(collection, revision);
  const prefix = namespace === undefined ? "" : `${namespace}/`;
  const objects: KubeObject[] = [];
  let last = "";
  for (let i = firstAfter(keys, after); i < keys.length; i++) {
    const key = keys[i] as string;
    if (!key.startsWith(prefix)) continue;
    const object = get(key);
    if (object === undefined) continue;
    if (selected !== undefined && !selected(object)) continue;
    if (limit > 0 && objects.length === limit) {
      const token = encodeToken({ revision, after: last });
      // Nobody knows how many of the rest a selector would choose.
      const rest = () => keys.slice(i).filter((key) => key.startsWith(prefix) && get(key) !== undefined).length;
      return { objects, revision, token, remaining: selected === undefined ? rest() : undefined };
    }
    objects.push(object);
    last = key;
  }
  return { objects, revision, token: undefined, remaining: undefined };
}

async function wanted(store: Store, collection: string, query: URLSearchParams, paged: boolean): Promise<Wanted> {
  const token = query.get("continue") ?? "";
  const version = query.get("resourceVersion") ?? "";
  const match = query.get("resourceVersionMatch") ?? "";
  if (token !== "") {
    if (version !== "" && version !== "0") {
      throw badRequest("specifying resource version is not allowed when using continue");
    }
    return continued(store, collection, token);
  }
  checkMatch(match, version);
  const revision = parseVersion(version);
  if (revision === 0) return { revision: store.revision, after: "" };
  if (revision > store.revision) await reached(store, revision);
  if (match === "Exact" || (match === "" && paged)) {
    if (revision < store.oldest(collection)) throw expired(tooOld(revision, store.oldest(collection)));
    return { revision, after: "" };
  }
  return { revision: store.revision, after: "" };
}

export const tooOld = (asked: number, oldest: number): string => `too old resource version: ${asked} (${oldest})`;

function checkMatch(match: string, version: string): void {
  if (match === "") return;
  const why =
    version === ""
      ? "resourceVersionMatch is forbidden unless resourceVersion is provided"
      : match === "Exact" && version === "0"
        ? 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        : "";
  if (why !== "") throw badOptions("resourceVersionMatch", `Forbidden: ${why}`);
  if (match !== "Exact" && match !== "NotOlderThan") {
    const { message } = invalidField("resourceVersionMatch", match, 'supported values: "Exact", "NotOlderThan"');
    throw badOptions("resourceVersionMatch", message);
  }
}

export const badOptions = (field: string, message: string): Refusal =>
  new Refusal(422, "Invalid", `ListOptions.meta.k8s.io "" is invalid: ${field}: ${message}`, {
    details: {
      group: "meta.k8s.io",
      kind: "ListOptions",
      causes: [{ reason: "FieldValueForbidden", message, field }],
    },
  });

/** "" is 0: any version will do. */
export function parseVersion(text: string): number {
  if (text === "") return 0;
  const number = Number(text);
  if (/^\d+$/.test(text) && number < LARGEST) return number;
  throw new Refusal(500, "", `Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`);
}

async function reached(store: Store, revision: number): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  while (store.revision < revision) {
    if (Date.now() >= deadline) {
      const message = `Too large resource version: ${revision}, current: ${store.revision}`;
      const causes: Json[] = [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }];
      throw new Refusal(504, "Timeout", `Timeout: ${message}`, { details: { causes, retryAfterSeconds: 1 } });
    }
    await sleep(50);
  }
}

function continued(store: Store, collection: string, token: string): Wanted {
  const { revision, after } = decodeToken(token);
  if (revision < 0) return { revision: store.revision, after };
  if (revision >= store.oldest(collection)) return { revision, after };
  throw expired(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list " +
      "without the continue parameter, or use the continue token in this response to retrieve the remainder of the " +
      "results. Continuing with the provided token results in an inconsistent list - objects that were created, " +
      "modified, or deleted between the time the first chunk was returned and now may show up in the list.",
    encodeToken({ revision: -1, after }),
  );
}

const encodeToken = ({ revision, after }: Wanted): string =>
  Buffer.from(JSON.stringify({ v: "meta.k8s.io/v1", rv: revision, start: `${after}\0` })).toString("base64url");

function decodeToken(token: string): Wanted {
  try {
    const content: unknown = JSON.parse(Buffer.from(token, "base64url").toString());
    if (isMap(content) && typeof content["rv"] === "number" && typeof content["start"] === "string") {
      return { revision: content["rv"], after: content["start"].replace(/\0$/, "") };
    }
  } catch {
    // Told below.
  }
  throw badRequest("continue key is not valid: illegal base64 data or no such token");
}

/** Index of the first key behind the one given. */
function firstAfter(keys: readonly string[], key: string): number {
  if (key === "") return 0;
  let [low, high] = [0, keys.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}
