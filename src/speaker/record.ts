/**
 * The last facts a speaker was told, always in memory, to be written out when something was strange and replayed.
 *
 * Beside the facts stands when the speaker was asked for work, since that is when its timers and decisions run: from
 * the start on, the same facts and the same questions give the same state. Beyond the limit the oldest go; record-past
 * keeps what the rest cannot be understood without.
 */
import type { Fact, Work } from "../../bgp/facts.ts";
import { RECORDING_FORMAT, type RecordingHeader, RecordWriter, receivedLine } from "./record-line.ts";
import { type Deed, RecordPast, type Told } from "./record-past.ts";
import { EntryKind, SEGMENT_OCTETS, Segment } from "./record-segments.ts";

export const DEFAULT_RECORD_LIMIT = 8 * 1024 * 1024;

export interface RecorderOptions {
  readonly seed: number;
  readonly restarting: boolean;
  /** False: nobody pulls forwarding changes. */
  readonly forwards?: boolean;
  /** Octets in memory; the facts that are always kept come on top. */
  readonly limit?: number;
}

export class Recorder {
  readonly #options: RecorderOptions;
  readonly #limit: number;
  #past = new RecordPast();
  #current = new Segment();
  #segments: Segment[] = [this.#current];
  #weight = 0;

  constructor(options: RecorderOptions) {
    this.#options = options;
    this.#limit = options.limit ?? DEFAULT_RECORD_LIMIT;
  }

  told(fact: Fact, now: number): void {
    if (fact.kind === "received") this.#received(fact.connection, fact.octets, now);
    else this.#value(fact, now);
  }

  /** The speaker is about to be asked for work. */
  asked(now: number): void {
    this.#reserve();
    this.#current.addWorked(now);
  }

  /** What came of it. */
  did(work: readonly Work[], now: number): void {
    for (const one of work) {
      if (one.kind === "dial") this.#value({ kind: "dial", connection: one.connection, peer: one.peer.name }, now);
      else if (one.kind === "close") this.#value({ kind: "close", connection: one.connection }, now);
    }
  }

  endedRestart(now: number): void {
    this.#value({ kind: "end-restart" }, now);
  }

  /** The recording as it is now, line by line; what is told while they are taken is not in it. */
  lines(about: Pick<RecordingHeader, "version" | "clock">): IterableIterator<string> {
    const past = this.#past.copy();
    const segments = this.#segments.map((segment) => segment.copy());
    const header: RecordingHeader = {
      kind: "recording",
      format: RECORDING_FORMAT,
      version: about.version,
      seed: this.#options.seed,
      restarting: this.#options.restarting && !past.restartEnded,
      forwards: this.#options.forwards !== false,
      complete: !past.any,
      clock: about.clock,
    };
    return recordingLines(header, past, segments);
  }

  #received(connection: number, octets: Uint8Array, now: number): void {
    for (let at = 0; at < octets.length; ) {
      this.#reserve();
      const end = Math.min(octets.length, at + this.#current.room());
      this.#current.addOctets(now, connection, octets.subarray(at, end));
      at = end;
    }
  }

  #value(told: Told, now: number): void {
    this.#reserve();
    const weight = weightOf(told);
    this.#current.addValue(now, told, weight);
    this.#weight += weight;
    if (this.#size() > this.#limit) this.#shrink();
  }

  /** Makes room for an entry with at least some octets. */
  #reserve(): void {
    if (this.#current.room() > 64) return;
    const size = this.#size() + SEGMENT_OCTETS;
    const oldest = size > this.#limit ? this.#forgetOldest() : undefined;
    this.#current = oldest ?? new Segment();
    this.#segments.push(this.#current);
  }

  /** One long list may be more than the whole limit: then only the list itself is left. */
  #shrink(): void {
    while (this.#size() > this.#limit && this.#weight > 0) {
      const freed = this.#forgetOldest();
      if (this.#segments.length > 0) continue;
      this.#current = freed;
      this.#segments.push(freed);
    }
  }

  #forgetOldest(): Segment {
    const oldest = this.#segments.shift() as Segment;
    this.#past.forget(oldest);
    this.#weight -= oldest.weight;
    oldest.clear();
    return oldest;
  }

  #size(): number {
    return this.#segments.length * SEGMENT_OCTETS + this.#weight;
  }
}

/** Roughly what a value takes in memory; its parts are often shared with the configuration. */
function weightOf(told: Told): number {
  switch (told.kind) {
    case "peers":
      return 200 + 1500 * told.peers.length;
    case "networks":
      return 200 + 150 * told.prefixes.length;
    case "networks-changed":
      return 200 + 150 * (told.announced.length + told.withdrawn.length);
    case "underlay":
      return 200 + 300 * told.routes.length;
    default:
      return 200;
  }
}

function* recordingLines(header: RecordingHeader, past: RecordPast, segments: readonly Segment[]): Generator<string> {
  const writer = new RecordWriter();
  const start = startOf(segments) ?? header.clock.at;
  // Messages whose front is gone go as a whole, and are counted before the rest is written.
  const skip = new Map<number, number>();
  for (const segment of segments) {
    for (const { kind, number, octets } of segment.entries()) {
      if (kind !== EntryKind.Received) continue;
      const gone = past.connections.get(number)?.forgetRestOfMessage(octets) ?? 0;
      if (gone > 0) skip.set(number, (skip.get(number) ?? 0) + gone);
    }
  }
  yield writer.line(header);
  yield* pastLines(writer, past, start);
  for (const segment of segments) {
    for (const { kind, time, number, octets } of segment.entries()) {
      if (kind === EntryKind.Worked) yield `{"t":${time},"kind":"work"}\n`;
      else if (kind === EntryKind.Value) yield writer.line(segment.values[number] as Fact | Deed, time);
      else {
        const gone = Math.min(skip.get(number) ?? 0, octets.length);
        if (gone > 0) skip.set(number, (skip.get(number) as number) - gone);
        if (gone < octets.length) yield receivedLine(time, number, octets.subarray(gone));
      }
    }
  }
}

/** What was forgotten, put at the moment from which everything is there: its own times mean nothing any more. */
function* pastLines(writer: RecordWriter, past: RecordPast, start: number): Generator<string> {
  for (const fact of past.whole()) yield writer.line(fact, start);
  for (const fact of past.takenDown()) yield writer.line(fact, start);
  if (past.any) yield `{"t":${start},"kind":"work"}\n`;
  for (const [connection, one] of past.connections) {
    if (one.dialled !== undefined) yield writer.line({ kind: "dial", connection, peer: one.dialled }, start);
    if (one.opened === undefined) continue;
    yield writer.line(one.opened, start);
    for (const octets of one.opening) yield receivedLine(start, connection, octets);
    if (one.congested) yield writer.line({ kind: "congested", connection }, start);
    if (one.missing.octets > 0) yield writer.line({ kind: "missing", connection, ...one.missing }, start);
  }
  if (past.any) yield `{"t":${start},"kind":"work"}\n`;
}

function startOf(segments: readonly Segment[]): number | undefined {
  for (const segment of segments) for (const { time } of segment.entries()) return time;
  return undefined;
}
