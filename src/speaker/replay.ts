/**
 * Runs a recording through the speaker: the same facts, the same questions, the recorded clock, the recorded chance.
 *
 * A complete recording ends in the state the speaker was in. One whose beginning was forgotten starts with the sessions
 * it knows of: the speaker then dials under numbers of its own, and recorded connections are put onto them by peer.
 */
import type { Fact, Work } from "../../bgp/facts.ts";
import { seededRandom } from "../../bgp/simulate/random.ts";
import { Speaker } from "../../bgp/speaker.ts";
import { formatAddress } from "../../ipam/net/address.ts";
import { octetsOfBase64, parseLine, RECORDING_FORMAT, type RecordingHeader } from "./record-line.ts";
import type { Told } from "./record-past.ts";

/** As long as a speaker may wait before it dials. */
const DIAL_PATIENCE_MS = 120_000;
/** Questions for work after the last fact: decisions come in portions. */
const LAST_WORK = 100_000;

export interface Replayed {
  readonly header: RecordingHeader;
  readonly speaker: Speaker;
  /** The speaker's clock at the end (ms). */
  readonly now: number;
  readonly facts: number;
  /** What could not be replayed as it was, in words. */
  readonly notes: readonly string[];
}

type Line = (Told | { readonly kind: "work" } | Missing) & { readonly t: number };

interface Missing {
  readonly kind: "missing";
  readonly connection: number;
  readonly messages: number;
  readonly octets: number;
}

/** Throws with the line's number and a sentence when the lines are no recording. */
export async function replay(lines: AsyncIterable<string> | Iterable<string>): Promise<Replayed> {
  let run: Run | undefined;
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line === "") continue;
    try {
      const said = parseLine(line);
      if (run === undefined) run = new Run(headerOf(said));
      else run.line(said as unknown as Line);
    } catch (error) {
      throw new Error(`line ${number}: ${(error as Error).message}`, { cause: error });
    }
  }
  if (run === undefined) throw new Error("the recording is empty");
  return run.end();
}

function headerOf(said: { readonly [key: string]: unknown }): RecordingHeader {
  const header = said as unknown as RecordingHeader;
  if (header.kind !== "recording" || typeof header.seed !== "number") {
    throw new Error("not a recording of `overland bgp record`: the first line is no header");
  }
  if (header.format !== RECORDING_FORMAT) {
    throw new Error(`recording format ${header.format} of overland ${header.version} is not known here`);
  }
  return header;
}

class Run {
  readonly #header: RecordingHeader;
  readonly #speaker: Speaker;
  /** By recorded connection: the one the speaker has for it now, the peer it dialled, or the address it came from. */
  readonly #connections = new Map<number, number>();
  readonly #dialled = new Map<number, string>();
  readonly #accepted = new Map<number, string>();
  /** By peer: its dial that nothing has come of yet. */
  readonly #dialing = new Map<string, number>();
  readonly #notes: string[] = [];
  #now = 0;
  #facts = 0;

  constructor(header: RecordingHeader) {
    this.#header = header;
    this.#speaker = new Speaker({
      random: seededRandom(header.seed),
      restarting: header.restarting,
      forwards: header.forwards,
    });
    if (!header.complete) this.#notes.push("the beginning was forgotten: routes and counters of before are missing");
  }

  line(line: Line): void {
    const { t, ...told } = line;
    if (typeof t !== "number") throw new Error("`t`, the time, is missing");
    this.#now = Math.max(this.#now, t);
    if (told.kind === "work") return this.#work();
    if (told.kind === "end-restart") return this.#speaker.endRestart();
    // What the speaker did it does again by itself.
    if (told.kind === "close") return;
    if (told.kind === "dial") return void this.#dialled.set(told.connection, told.peer);
    if (told.kind === "missing") {
      const peer = this.#dialled.get(told.connection) ?? this.#accepted.get(told.connection) ?? "a peer";
      const { messages, octets } = told;
      this.#notes.push(`${peer}: messages forgotten: ${messages} (${octets} octets)`);
      return;
    }
    this.#tell(told);
  }

  end(): Replayed {
    for (let i = 0; i < LAST_WORK && this.#speaker.nextDue(this.#now) <= this.#now; i++) this.#work();
    return {
      header: this.#header,
      speaker: this.#speaker,
      now: this.#now,
      facts: this.#facts,
      notes: this.#notes,
    };
  }

  #tell(fact: Fact): void {
    this.#facts++;
    if (fact.kind === "received") {
      const octets = octetsOfBase64(fact.octets as unknown as string);
      const connection = this.#connections.get(fact.connection) ?? fact.connection;
      return this.#speaker.tell({ kind: "received", connection, octets }, this.#now);
    }
    if (fact.kind === "connected") this.#findDial(fact.connection);
    else if (fact.kind === "accepted") this.#accepted.set(fact.connection, formatAddress(fact.address));
    if (!("connection" in fact)) return this.#speaker.tell(fact, this.#now);
    const connection = this.#connections.get(fact.connection) ?? fact.connection;
    this.#speaker.tell({ ...fact, connection }, this.#now);
  }

  #findDial(recorded: number): void {
    const peer = this.#dialled.get(recorded);
    if (peer === undefined) return;
    const patience = this.#now + DIAL_PATIENCE_MS;
    while (!this.#dialing.has(peer) && this.#speaker.nextDue(this.#now) <= patience) {
      this.#now = Math.max(this.#now, this.#speaker.nextDue(this.#now));
      this.#work();
    }
    const connection = this.#dialing.get(peer);
    if (connection === undefined) this.#notes.push(`${peer}: the speaker did not dial; its connection is left out`);
    else this.#connections.set(recorded, connection);
    this.#dialing.delete(peer);
  }

  #work(): void {
    for (const work of this.#speaker.work(this.#now)) this.#do(work);
    // Taken as the kernel would, so that nothing waits for it.
    this.#speaker.takeForwardingChanges(Number.MAX_SAFE_INTEGER, () => undefined);
  }

  #do(work: Work): void {
    if (work.kind === "dial") this.#dialing.set(work.peer.name, work.connection);
  }
}
