/**
 * Follows one selection whatever fails. A watch begins with everything there is (KEP-3157), or with a list page by page
 * where the server cannot do that; when a stream ends, the next goes on from the last version heard; everything is read
 * again only when the server no longer has that version.
 *
 * Nothing that was told is kept here, but the version. What was missed is told as a new snapshot.
 */
import { bodyOf, Ending, pause } from "./calls.ts";
import { listPages, newestVersion, selectedWords } from "./list.ts";
import { selectionPath } from "./paths.ts";
import { ClusterError, type KubeObject, keyOf, type Selection, type WatchListener } from "./port.ts";
import { type Asked, refusalOf } from "./refusal.ts";
import type { Transport } from "./transport.ts";
import { BrokenStream, QuietStream, readStream, type StreamEvent } from "./watch-stream.ts";

/** Times in milliseconds. */
export interface Pace {
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** Longest pause while each stream brings something before it ends. */
  readonly longestPauseWithProgressMs: number;
  /** A stream that lasted this long ends the row of failures. */
  readonly steadyMs: number;
  /** Streams are asked for with a length from this one to twice this, lest all nodes come back together. */
  readonly streamMs: number;
  /** So long without an octet, and the stream is taken for dead. */
  readonly quietMs: number;
  /** Within which the head of an answer must come. */
  readonly answerMs: number;
  /** From 0 to 1. */
  random(): number;
  now(): number;
}

export const usualPace: Pace = {
  firstPauseMs: 100,
  longestPauseMs: 30_000,
  longestPauseWithProgressMs: 2_000,
  steadyMs: 10_000,
  streamMs: 300_000,
  quietMs: 180_000,
  answerMs: 15_000,
  random: Math.random,
  now: () => performance.now(),
};

/** Ends of the first part of a stream, in which everything is told, until pages are asked for instead. */
const FIRST_PARTS_LOST = 3;
/** It is told without pauses. */
const FIRST_PART_QUIET_MS = 30_000;
/** Streams that break at once, in a row, of which nothing is said. */
const BREAKS_UNSAID = 3;
/** What a type that is not served counts as at most, so that pauses stay below 2 s: it may be installed any moment. */
const FAILURES_WHILE_ABSENT = 4;
/** Refusals in a row of a version that other calls do not have, until it is given up: it may be malformed or from a
 * future that a restored backup took back. */
const REFUSALS_OF_VERSION = 2;

/** For the log: what came and could not be used, and why. */
export type Warn = (message: string, about: Readonly<Record<string, unknown>>) => void;

const FROM_THE_BEGINNING = { sendInitialEvents: "true", resourceVersionMatch: "NotOlderThan" };

export class Reflector<T extends KubeObject = KubeObject, Kept = unknown> {
  readonly #transport: Transport;
  readonly #selection: Selection;
  readonly #keep: (object: T) => Kept;
  readonly #to: WatchListener<Kept>;
  readonly #pace: Pace;
  readonly #warn: Warn;
  readonly #asked: Asked;
  readonly #stopping = new AbortController();
  /** Undefined: to be listed. */
  #version: string | undefined;
  /** Everything there is, while it is being told by a stream. */
  #collected: Map<string, Kept> | undefined;
  #told = false;
  #problem: string | undefined;
  #failures = 0;
  #refusals = 0;
  #firstPartsLost = 0;

  constructor(
    transport: Transport,
    selection: Selection,
    keep: (object: T) => Kept,
    to: WatchListener<Kept>,
    pace: Pace,
    warn: Warn,
  ) {
    this.#transport = transport;
    this.#selection = selection;
    this.#keep = keep;
    this.#to = to;
    this.#pace = pace;
    this.#warn = warn;
    this.#asked = { verb: "watch", type: selection.type, what: selectedWords(selection) };
  }

  get synced(): boolean {
    return this.#told && this.#version !== undefined && this.#problem === undefined && !this.#stopped;
  }

  get #stopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  start(): void {
    void this.#run();
  }

  stop(): void {
    this.#stopping.abort();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const began = this.#pace.now();
      let wait = 0;
      let heard = false;
      try {
        if (this.#version === undefined && this.#firstPartsLost >= FIRST_PARTS_LOST) await this.#list();
        if (this.#stopped) return;
        await this.#follow(() => {
          heard = true;
        });
      } catch (error) {
        if (this.#stopped) return;
        wait = await this.#doubt(error as Error, heard);
      }
      if (this.#collected !== undefined) this.#firstPartsLost++;
      this.#collected = undefined;
      if (this.#pace.now() - began >= this.#pace.steadyMs) this.#failures = 0;
      await pause(Math.max(wait, this.#nextPause(heard)), this.#stopping.signal);
    }
  }

  async #list(): Promise<void> {
    let objects = new Map<string, Kept>();
    const version = await listPages(this.#transport, this.#selection, this.#stopping.signal, {
      begin: () => {
        objects = new Map();
      },
      item: (object) => {
        const kept = this.#kept(object);
        if (kept !== undefined) objects.set(keyOf(object), kept);
      },
    });
    if (!this.#stopped) this.#snapshot(objects, version);
  }

  #snapshot(objects: Map<string, Kept>, version: string): void {
    this.#version = version;
    this.#told = true;
    this.#tell(() => this.#to.snapshot(objects));
  }

  /** Until the stream ends. */
  async #follow(heard: () => void): Promise<void> {
    const seconds = Math.ceil((this.#pace.streamMs * (1 + this.#pace.random())) / 1000);
    const isFirst = this.#version === undefined;
    const path = selectionPath(this.#selection, {
      watch: "1",
      allowWatchBookmarks: "true",
      ...(isFirst ? FROM_THE_BEGINNING : { resourceVersion: this.#version }),
      timeoutSeconds: String(seconds),
    });
    const quietMs = () =>
      this.#collected === undefined ? this.#pace.quietMs : Math.min(this.#pace.quietMs, FIRST_PART_QUIET_MS);
    const ending = new Ending(this.#stopping.signal);
    ending.within(this.#pace.answerMs);
    let well: NodeJS.Timeout | undefined;
    try {
      const response = await this.#transport.send({ method: "GET", path, signal: ending.signal });
      if (response.statusCode !== 200) {
        throw refusalOf(this.#asked, response, (await bodyOf(response, this.#asked)).toString());
      }
      if (isFirst) this.#collected = new Map();
      // A server that does not end the stream when it is over has forgotten it.
      ending.within(seconds * 1000 + this.#pace.answerMs);
      // The first thing in a stream may be that the version is gone: only then is it known whether all is well.
      well = setTimeout(() => this.#recovered(), Math.min(1000, quietMs() / 2));
      await readStream(response, this.#asked, quietMs, (event) => {
        if (this.#stopped) return;
        if (this.#collected !== undefined) return this.#collect(this.#collected, event);
        this.#take(event);
        heard();
        this.#recovered();
      });
      this.#recovered();
    } finally {
      clearTimeout(well);
      ending.settle();
    }
  }

  #collect(collected: Map<string, Kept>, { type, object }: StreamEvent): void {
    if (type === "BOOKMARK") {
      if (object.metadata.annotations?.["k8s.io/initial-events-end"] !== "true") return;
      this.#collected = undefined;
      this.#firstPartsLost = 0;
      this.#snapshot(collected, object.metadata.resourceVersion ?? "");
      this.#recovered();
      return;
    }
    const kept = type === "DELETED" ? undefined : this.#kept(object);
    if (kept === undefined) collected.delete(keyOf(object));
    else collected.set(keyOf(object), kept);
  }

  #take({ type, object }: StreamEvent): void {
    if (type !== "BOOKMARK") {
      const kept = type === "DELETED" ? undefined : this.#kept(object);
      this.#tell(() => this.#to.change(keyOf(object), kept));
    }
    this.#version = object.metadata.resourceVersion ?? this.#version;
    this.#refusals = 0;
  }

  #recovered(): void {
    if (this.#problem === undefined || this.#collected !== undefined || this.#stopped) return;
    this.#problem = undefined;
    this.#tell(() => this.#to.health(undefined));
  }

  /** What cannot be understood is as if it were not there; the rest goes on. */
  #kept(object: KubeObject): Kept | undefined {
    try {
      return this.#keep(object as T);
    } catch (error) {
      this.#warn("an object of the API server cannot be understood; it is left out", {
        what: `${this.#selection.type.kind} ${keyOf(object)}`,
        error,
      });
      return undefined;
    }
  }

  /** A fault of the listener's must not end the watch. */
  #tell(say: () => void): void {
    try {
      say();
    } catch (error) {
      this.#warn("what the API server told was not taken", { watch: this.#asked.what, error });
    }
  }

  /** Says what is wrong and answers how long to wait at least. */
  async #doubt(error: Error, heard = false): Promise<number> {
    const { status = 0, retryAfterMs } = error as Partial<ClusterError>;
    if (this.#version === undefined && (status === 400 || status === 422)) {
      // The server is older than KEP-3157, or has it switched off.
      if (this.#firstPartsLost < FIRST_PARTS_LOST) {
        this.#firstPartsLost = Number.POSITIVE_INFINITY;
        return 0;
      }
    }
    if (status === 410) {
      this.#version = undefined;
      return 0;
    }
    if (error instanceof QuietStream && this.#version !== undefined) await this.#checkVersion(this.#version);
    // One stream that broke is no news; several in a row that brought nothing are.
    if (error instanceof QuietStream || (error instanceof BrokenStream && (heard || this.#failures < BREAKS_UNSAID))) {
      return 0;
    }
    if (status === 401) this.#transport.refused();
    if (status === 404) this.#failures = Math.min(this.#failures, FAILURES_WHILE_ABSENT);
    if (status === 400 || status === 500 || status === 504) this.#refusals++;
    if (this.#refusals >= REFUSALS_OF_VERSION) {
      this.#refusals = 0;
      this.#version = undefined;
    }
    this.#problem = error.message;
    this.#tell(() => this.#to.health(error.message));
    return (retryAfterMs ?? 0) * (1 + this.#pace.random() / 4);
  }

  /** A watch at a version that the server has not reached yet is silent for ever: a restored backup does that. */
  async #checkVersion(heard: string): Promise<void> {
    try {
      const newest = await newestVersion(this.#transport, this.#selection, this.#stopping.signal);
      if (isOlder(newest, heard)) this.#version = undefined;
    } catch (error) {
      if (!this.#stopped) await this.#doubt(error as Error);
    }
  }

  #nextPause(heard: boolean): number {
    const { firstPauseMs, longestPauseMs, longestPauseWithProgressMs, random } = this.#pace;
    const longest = heard ? longestPauseWithProgressMs : longestPauseMs;
    return Math.min(longest, firstPauseMs * 2 ** this.#failures++) * (0.5 + random() / 2);
  }
}

/** Versions of one server are numbers that grow (KEP-5504); what is no number is not compared. */
function isOlder(one: string, other: string): boolean {
  return /^\d+$/.test(one) && /^\d+$/.test(other) && BigInt(one) < BigInt(other);
}
