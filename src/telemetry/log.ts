/**
 * The program's log: one JSON object a line, to stderr or a file. The only place that knows winston.
 *
 * Streams buffer without end when the other side is slow (a full disk, a stuck collector), so lines beyond a limit are
 * dropped and counted, and the count is logged when there is room again: a log never costs the process its memory.
 */
import { createWriteStream, fstatSync, openSync } from "node:fs";
import type { Writable } from "node:stream";
import winston from "winston";

const LEVELS = ["debug", "info", "warn", "error"] as const;
export type Level = (typeof LEVELS)[number];

/** Values of any type; an Error becomes its message, code and causes, octets become hex. */
export type Fields = Readonly<Record<string, unknown>>;

export interface Log {
  debug(message: string, fields?: Fields): void;
  info(message: string, fields?: Fields): void;
  warn(message: string, fields?: Fields): void;
  error(message: string, fields?: Fields): void;
  /** False: a line of that level would be thrown away. Ask before building costly fields. */
  enabled(level: Level): boolean;
  /** A log that adds the fields to each of its lines. */
  child(fields: Fields): Log;
  /** For this log and all its children. */
  setLevel(level: Level): void;
  /** Resolves when everything logged so far is written. Lines logged afterwards are lost. */
  close(): Promise<void>;
}

export interface LogOptions {
  readonly level?: Level;
  /** Appended to, made if absent; else stderr. An unusable file throws an error that says so. */
  readonly file?: string;
  /** Instead of both, for tests. */
  readonly stream?: Writable;
  /** Octets waiting to be written beyond which lines are dropped. */
  readonly limit?: number;
}

const DEFAULT_LIMIT = 8 * 1024 * 1024;

export function openLog(options: LogOptions = {}): Log {
  const stream = options.stream ?? (options.file === undefined ? process.stderr : appendTo(options.file));
  const root = new Sink(stream, options.level ?? "info", options.limit ?? DEFAULT_LIMIT);
  return new FieldLog(root, {});
}

/** What winston is given to write, with the limit in front of it. */
class Sink {
  readonly #stream: Writable;
  readonly #logger: winston.Logger;
  readonly #limit: number;
  #rank: number;
  #dropped = 0;

  constructor(stream: Writable, level: Level, limit: number) {
    this.#stream = stream;
    this.#limit = limit;
    this.#rank = LEVELS.indexOf(level);
    // The level is decided here, before a line is built (2.5 µs a line otherwise), so winston lets everything through.
    this.#logger = winston.createLogger({
      levels: { error: 0, warn: 1, info: 2, debug: 3 },
      level: "debug",
      format: winston.format.json({ deterministic: false }),
      transports: [new winston.transports.Stream({ stream })],
    });
    // A log that cannot be written must not end the agent: what cannot be said is lost.
    this.#logger.on("error", () => undefined);
    stream.on("error", () => undefined);
  }

  setLevel(level: Level): void {
    this.#rank = LEVELS.indexOf(level);
  }

  enabled(level: Level): boolean {
    return LEVELS.indexOf(level) >= this.#rank;
  }

  write(level: Level, message: string, fields: Fields): void {
    if (this.#logger.writableLength + this.#stream.writableLength > 0 && this.#waiting() > this.#limit) {
      this.#dropped++;
      return;
    }
    if (this.#dropped > 0) {
      const dropped = this.#dropped;
      this.#dropped = 0;
      const notice = "log lines were dropped: the log could not be written fast enough";
      this.#logger.log({ time: now(), level: "warn", message: notice, dropped });
    }
    // The head comes first in the line and cannot be replaced by a field of the same name.
    const head = { time: now(), level, message };
    this.#logger.log({ ...head, ...plainFields(fields), ...head });
  }

  async close(): Promise<void> {
    const finished = new Promise((resolve) => this.#logger.once("finish", resolve));
    this.#logger.end();
    await finished;
    if (this.#stream === process.stderr || this.#stream.destroyed) return;
    await new Promise<void>((resolve) => {
      this.#stream.once("error", () => resolve());
      this.#stream.end(() => resolve());
    });
  }

  // The logger counts lines, the stream octets: lines are taken as 256 octets each.
  #waiting(): number {
    return this.#logger.writableLength * 256 + this.#stream.writableLength;
  }
}

class FieldLog implements Log {
  readonly #sink: Sink;
  readonly #fields: Fields;

  constructor(sink: Sink, fields: Fields) {
    this.#sink = sink;
    this.#fields = fields;
  }

  debug(message: string, fields?: Fields): void {
    this.#write("debug", message, fields);
  }

  info(message: string, fields?: Fields): void {
    this.#write("info", message, fields);
  }

  warn(message: string, fields?: Fields): void {
    this.#write("warn", message, fields);
  }

  error(message: string, fields?: Fields): void {
    this.#write("error", message, fields);
  }

  enabled(level: Level): boolean {
    return this.#sink.enabled(level);
  }

  child(fields: Fields): Log {
    return new FieldLog(this.#sink, { ...this.#fields, ...fields });
  }

  setLevel(level: Level): void {
    this.#sink.setLevel(level);
  }

  close(): Promise<void> {
    return this.#sink.close();
  }

  #write(level: Level, message: string, fields: Fields | undefined): void {
    if (this.#sink.enabled(level)) this.#sink.write(level, message, { ...this.#fields, ...fields });
  }
}

function now(): string {
  return new Date().toISOString();
}

function appendTo(file: string): Writable {
  try {
    const fd = openSync(file, "a", 0o640);
    if (fstatSync(fd).isDirectory()) throw new Error("is a directory");
    return createWriteStream(file, { fd });
  } catch (error) {
    throw new Error(`cannot write the log file ${file}: ${(error as Error).message}`, { cause: error });
  }
}

function plainFields(fields: Fields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(fields)) plain[key] = plainValue(value, 0);
  return plain;
}

const MAX_DEPTH = 4;

function plainValue(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (isError(value)) return plainError(value, depth);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("hex");
  if (typeof (value as { toJSON?: unknown }).toJSON === "function") return value;
  if (depth >= MAX_DEPTH) return Array.isArray(value) ? "[list]" : "[map]";
  if (Array.isArray(value)) return value.map((inner) => plainValue(inner, depth + 1));
  const entries = value instanceof Map ? [...value.entries()] : Object.entries(value);
  return Object.fromEntries(entries.map(([key, inner]) => [String(key), plainValue(inner, depth + 1)]));
}

// Not instanceof alone: errors of node's own modules can come from another realm.
function isError(value: object): value is Error {
  return value instanceof Error || ("message" in value && "stack" in value);
}

function plainError(error: Error & { code?: unknown }, depth: number): unknown {
  const unexpected = error.code === undefined && error.stack !== undefined;
  return {
    message: error.message,
    ...(error.name !== "Error" && { name: error.name }),
    ...(error.code !== undefined && { code: error.code }),
    // An error with a code was foreseen and says enough; any other is a fault of ours and needs its place.
    ...(unexpected && depth === 0 && { stack: error.stack }),
    ...(error.cause !== undefined && depth < MAX_DEPTH && { cause: plainValue(error.cause, depth + 1) }),
  };
}
