/** A watch: what is there, when that is asked for, and then every change as it happens. */
import { bookmarkText, type EventForm, eventText } from "./forms.ts";
import { goJson, type KubeObject } from "./json.ts";
import type { LineStream } from "./line-stream.ts";
import { badOptions, parseVersion, tooOld } from "./paging.ts";
import { expired, type Refusal } from "./refusal.ts";
import { isTrue } from "./request.ts";
import { collectionOf } from "./resource.ts";
import type { Predicate } from "./selectors.ts";
import type { Change, Store } from "./store.ts";

export interface Watched extends EventForm {
  readonly namespace: string | undefined;
  readonly selected: Predicate | undefined;
  readonly query: URLSearchParams;
}

export class Watch {
  readonly watched: Watched;
  readonly #store: Store;
  readonly #stream: LineStream;
  readonly #ends: (() => void)[] = [];
  readonly #bookmarks: boolean;
  readonly #asked: number;
  #first = true;

  /** Throws a Refusal when the options make no sense; from then on the stream has been answered. */
  constructor(store: Store, stream: LineStream, watched: Watched, bookmarkMs: number) {
    this.#store = store;
    this.#stream = stream;
    this.watched = watched;
    const { query, resource } = watched;
    const text = query.get("resourceVersion") ?? "";
    const asked = parseVersion(text);
    const initial = initialEvents(query, asked);
    this.#bookmarks = isTrue(query.get("allowWatchBookmarks"));
    this.#asked = asked;
    stream.open();
    const collection = collectionOf(resource);
    if (!initial && asked !== 0 && asked < store.oldest(collection)) {
      this.fail(expired(tooOld(asked, store.oldest(collection))));
      return;
    }
    this.#ends.push(store.follow(collection, (change) => this.#tell(change, initial ? 0 : asked)));
    stream.onClose(() => this.#release());
    if (initial) this.#tellAll(collection, isTrue(query.get("sendInitialEvents")) || (this.#bookmarks && asked === 0));
    else for (const change of asked === 0 ? [] : store.changesAfter(collection, asked)) this.#tell(change, asked);
    this.#setTimers(query, bookmarkMs);
  }

  /** In the stream, as the API server tells errors of a watch that has begun; then it ends. */
  fail(refusal: Refusal): void {
    this.#stream.write(`{"type":"ERROR","object":${goJson(refusal.status)}}\n`);
    this.#stream.end();
  }

  end(): void {
    this.#stream.end();
  }

  bookmark(initialEnd = false): void {
    // A watch from a version to come has not seen any yet.
    if (!this.#bookmarks || this.#store.revision < this.#asked) return;
    this.#stream.write(bookmarkText(this.#store.revision, initialEnd, this.watched));
  }

  #tellAll(collection: string, marked: boolean): void {
    const { keys, get } = this.#store.snapshot(collection, this.#store.revision);
    for (const key of keys) {
      const object = get(key);
      if (object !== undefined && this.#inNamespace(key) && this.#selects(object)) this.#write("ADDED", object);
    }
    if (marked) this.bookmark(true);
  }

  #tell({ revision, key, before, after }: Change, from: number): void {
    if (revision <= from) return;
    if (!this.#inNamespace(key)) return;
    const was = before !== undefined && this.#selects(before);
    const is = after !== undefined && this.#selects(after);
    if (is) this.#write(was ? "MODIFIED" : "ADDED", after);
    // What left is told as it last was, but with the version at which it left.
    else if (was)
      this.#write("DELETED", { ...before, metadata: { ...before.metadata, resourceVersion: String(revision) } });
  }

  #write(type: string, object: KubeObject): void {
    this.#stream.write(eventText(type, object, this.watched, this.#first), true);
    this.#first = false;
  }

  #inNamespace = (key: string): boolean =>
    this.watched.namespace === undefined || key.startsWith(`${this.watched.namespace}/`);

  #selects = (object: KubeObject): boolean => this.watched.selected?.(object) ?? true;

  /** Without a limit of its own, a watch ends after half an hour to an hour. */
  #setTimers(query: URLSearchParams, bookmarkMs: number): void {
    const wished = Number.parseInt(query.get("timeoutSeconds") ?? "0", 10);
    const seconds = wished > 0 ? wished : 1800 + Math.random() * 1800;
    const end = setTimeout(() => this.end(), seconds * 1000);
    const bookmarks = setInterval(() => this.bookmark(), bookmarkMs);
    // Clients that go by bookmarks get one shortly before the end.
    const last = setTimeout(() => this.bookmark(), Math.max(0, seconds * 1000 - 2000));
    if (seconds <= 2) clearTimeout(last);
    this.#ends.push(() => {
      clearTimeout(end);
      clearTimeout(last);
      clearInterval(bookmarks);
    });
  }

  #release(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

/** Asked for (KEP-3157), or by the older rule that a watch from nowhere begins with what is there. */
function initialEvents(query: URLSearchParams, asked: number): boolean {
  const wish = query.get("sendInitialEvents");
  const match = query.get("resourceVersionMatch") ?? "";
  if (wish === null) {
    if (match !== "") {
      throw badOptions(
        "resourceVersionMatch",
        "Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
      );
    }
    return asked === 0;
  }
  if (match !== "NotOlderThan") {
    throw badOptions(
      "resourceVersionMatch",
      "Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
    );
  }
  return isTrue(wish);
}
