/** One batch of an update group on its way to messages: prefixes chained by outcome, and who gets which octets. */
import { fits, type UpdateWriter } from "../wire/encode-update.ts";
import type { ExportOutcomes } from "./export-outcomes.ts";
import type { FamilyRib } from "./family-rib.ts";
import { grown } from "./prefix-table.ts";

/** A piece of a batch's octets, and who gets it: all but `except`, or `only` one. Sources; NOBODY: none. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly messages: number;
  readonly except: number;
  readonly only: number;
}

export const NOBODY = -1;
const FIRST_SLOTS = 1024;
/** Octets of attributes beside which every prefix fits into 4096. */
const ALWAYS_FITS = 3500;

export class UpdateBatch {
  readonly #rib: FamilyRib;
  readonly #writer: UpdateWriter;
  readonly #outcomes: ExportOutcomes;
  readonly #maxLength: number;
  readonly #addPath: boolean;
  /** A slot per announced prefix (or path), chained by outcome. */
  #prefix = new Int32Array(FIRST_SLOTS);
  #pathId = new Int32Array(FIRST_SLOTS);
  #next = new Int32Array(FIRST_SLOTS);
  readonly #head: number[] = [];
  readonly #tail: number[] = [];
  #slots = 0;
  #segments: Segment[] = [];
  #start = 0;
  #messages = 0;

  constructor(
    rib: FamilyRib,
    writer: UpdateWriter,
    outcomes: ExportOutcomes,
    { maxMessageLength, addPath }: { readonly maxMessageLength: number; readonly addPath: boolean },
  ) {
    this.#rib = rib;
    this.#writer = writer;
    this.#outcomes = outcomes;
    this.#maxLength = maxMessageLength;
    this.#addPath = addPath;
  }

  begin(): void {
    this.#outcomes.clear();
    this.#slots = 0;
    this.#head.length = 0;
    this.#tail.length = 0;
    this.#segments = [];
    this.#start = 0;
    this.#messages = 0;
  }

  /** False: it does not fit into a message, and is not announced. */
  announce(prefix: number, pathId: number, outcome: number): boolean {
    if (!this.#fits(prefix, outcome)) return false;
    const slot = this.#slots++;
    if (slot === this.#prefix.length) this.#grow();
    this.#prefix[slot] = prefix;
    this.#pathId[slot] = pathId;
    this.#next[slot] = -1;
    const tail = this.#tail[outcome];
    if (tail === undefined) this.#head[outcome] = slot;
    else this.#next[tail] = slot;
    this.#tail[outcome] = slot;
    return true;
  }

  #fits(prefix: number, outcome: number): boolean {
    const { start, end, nextHop } = this.#outcomes;
    const attributes = (end[outcome] as number) - (start[outcome] as number);
    if (attributes < ALWAYS_FITS) return true;
    const length = this.#rib.prefixes.nlriLength(prefix) + (this.#addPath ? 4 : 0);
    return fits(attributes, nextHop[outcome], length, this.#maxLength);
  }

  /** Writes withdrawals; call before {@link write}: what they free may be what a limit at the peer is waiting for. */
  withdraw(prefixes: readonly number[], pathIds: readonly number[], except: number, only: number): void {
    if (prefixes.length === 0) return;
    this.#writer.withdraw(this.#rib.family);
    for (let i = 0; i < prefixes.length; i++) {
      this.#writer.add(this.#rib.prefixes, prefixes[i] as number, this.#addPath ? pathIds[i] : undefined);
    }
    this.#endSegment(except, only);
  }

  /**
   * Writes what is announced. `separate`: sources whose members must not get their own paths back; their prefixes stand
   * together. Calls `told` for each prefix and its set.
   */
  write(
    separate: (source: number) => boolean,
    told: (prefix: number, pathId: number, outcome: number) => void,
  ): Segment[] {
    const { count, from } = this.#outcomes;
    const mine = new Map<number, number[]>();
    for (let outcome = 0; outcome < count; outcome++) {
      if (this.#head[outcome] === undefined) continue;
      const source = from[outcome] as number;
      const key = separate(source) ? source : NOBODY;
      const list = mine.get(key);
      if (list === undefined) mine.set(key, [outcome]);
      else list.push(outcome);
    }
    for (const [source, list] of mine) {
      for (const outcome of list) this.#writeOutcome(outcome, told);
      this.#endSegment(source, NOBODY);
    }
    return this.#segments;
  }

  #writeOutcome(outcome: number, told: (prefix: number, pathId: number, outcome: number) => void): void {
    const { octets, start, end, nextHop } = this.#outcomes;
    const first = start[outcome] as number;
    this.#writer.announce(this.#rib.family, nextHop[outcome], octets, first, end[outcome] as number);
    for (let slot = this.#head[outcome] as number; slot >= 0; slot = this.#next[slot] as number) {
      const prefix = this.#prefix[slot] as number;
      const pathId = this.#pathId[slot] as number;
      this.#writer.add(this.#rib.prefixes, prefix, this.#addPath ? pathId : undefined);
      told(prefix, pathId, outcome);
    }
  }

  #endSegment(except: number, only: number): void {
    const end = this.#writer.position;
    const messages = this.#writer.messages;
    this.#segments.push({ start: this.#start, end, messages: messages - this.#messages, except, only });
    this.#start = end;
    this.#messages = messages;
  }

  #grow(): void {
    const length = this.#prefix.length * 2;
    this.#prefix = grown(this.#prefix, length);
    this.#pathId = grown(this.#pathId, length);
    this.#next = grown(this.#next, length);
  }
}
