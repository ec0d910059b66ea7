/**
 * Every change, a line of a file, written before anybody is told: a server that is killed has lost nothing it
 * acknowledged. Read again at the next start.
 */
import { closeSync, existsSync, openSync, readFileSync, readSync, renameSync, statSync, writeSync } from "node:fs";
import type { KubeObject } from "./json.ts";
import type { Store } from "./store.ts";

interface Entry {
  readonly revision: number;
  readonly collection: string;
  readonly key: string;
  /** Null: it was deleted. */
  readonly object: KubeObject | null;
}

/** Keeps the store in the file from now on, after what the file has is in the store again. */
export function keepIn(file: string, store: Store, keepHistory: boolean): void {
  for (const { revision, collection, key, object } of entries(file)) {
    store.record(revision, collection, key, object ?? undefined);
  }
  if (!keepHistory) {
    store.forgetHistory();
    shorten(file, store);
  }
  const descriptor = openSync(file, "a");
  store.journal = (revision, collection, key, object) =>
    writeSync(descriptor, line({ revision, collection, key, object: object ?? null }));
}

/**
 * What another server writes into the file from now on is told here too: as with two real servers on one etcd, of which
 * one is about to end.
 */
export function followFile(file: string, store: Store, everyMs: number): void {
  store.journal = undefined;
  let [known, offset] = [statSync(file).ino, statSync(file).size];
  setInterval(() => {
    const { ino, size } = statSync(file);
    // The next server has written the file anew, and goes on at its end.
    if (ino !== known) [known, offset] = [ino, 0];
    const text = between(file, offset, size);
    const whole = text.lastIndexOf("\n") + 1;
    offset += Buffer.byteLength(text.slice(0, whole));
    const news = parsed(text.slice(0, whole)).filter(({ revision }) => revision > store.revision);
    for (const { revision, collection, key, object } of news.sort((one, other) => one.revision - other.revision)) {
      store.record(revision, collection, key, object ?? undefined);
    }
  }, everyMs);
}

function between(file: string, start: number, end: number): string {
  const bytes = Buffer.alloc(Math.max(0, end - start));
  const descriptor = openSync(file, "r");
  try {
    return bytes.subarray(0, readSync(descriptor, bytes, 0, bytes.length, start)).toString();
  } finally {
    closeSync(descriptor);
  }
}

const line = (entry: Entry): string => `${JSON.stringify(entry)}\n`;

const entries = (file: string): Entry[] => (existsSync(file) ? parsed(readFileSync(file, "utf8")) : []);

const parsed = (lines: string): Entry[] =>
  lines.split("\n").flatMap((text): Entry[] => {
    try {
      return [JSON.parse(text) as Entry];
    } catch {
      // The last line of a server that was killed while it wrote.
      return [];
    }
  });

/** Only what there is now, and the counter. */
function shorten(file: string, store: Store): void {
  const descriptor = openSync(`${file}.new`, "w");
  for (const collection of store.names()) {
    const { keys, get } = store.snapshot(collection, store.revision);
    for (const key of keys) {
      const object = get(key);
      if (object === undefined) continue;
      writeSync(descriptor, line({ revision: Number(object.metadata.resourceVersion), collection, key, object }));
    }
  }
  writeSync(descriptor, line({ revision: store.revision, collection: "counter", key: "", object: null }));
  closeSync(descriptor);
  renameSync(`${file}.new`, file);
}
