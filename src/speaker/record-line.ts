/**
 * A recording as a file: a line of JSON for each fact, the header first.
 *
 *   {"kind":"recording","format":1,"version":"…","seed":7,"restarting":false,"complete":true,"clock":{…},…}
 *   {"t":1012.5,"kind":"received","connection":2,"octets":"/////w…"}
 *
 * `t` is the speaker's clock in milliseconds. Octets are base64; inside other facts they are {"$octets": "…"}.
 * Passwords are not written: in their place stands which of them are the same.
 */

export const RECORDING_FORMAT = 1;

export interface RecordingHeader {
  readonly kind: "recording";
  readonly format: number;
  /** Of the program that wrote it. */
  readonly version: string;
  /** Of the speaker's random numbers. */
  readonly seed: number;
  /** The speaker began as one that restarts (RFC 4724). */
  readonly restarting: boolean;
  /** Whether it had a kernel to tell of its routes. */
  readonly forwards: boolean;
  /** Everything since the start is there: a replay ends in the very state the speaker was in. */
  readonly complete: boolean;
  /** The same moment on the speaker's clock (ms) and on the wall. */
  readonly clock: { readonly at: number; readonly wall: string };
}

const SECRETS: ReadonlySet<string> = new Set(["password"]);

/** Values to JSON and back. One writer for a whole recording: it numbers the secrets. */
export class RecordWriter {
  readonly #secrets = new Map<string, string>();

  line(value: object, time?: number): string {
    const plain = this.#plain(value) as object;
    return `${JSON.stringify(time === undefined ? plain : { t: time, ...plain })}\n`;
  }

  #plain(value: unknown): unknown {
    if (typeof value !== "object" || value === null) return value;
    if (value instanceof Uint8Array) return { $octets: base64(value) };
    if (Array.isArray(value)) return value.map((item) => this.#plain(item));
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        SECRETS.has(key) && typeof inner === "string" ? this.#hidden(inner) : this.#plain(inner),
      ]),
    );
  }

  #hidden(secret: string): string {
    const known = this.#secrets.get(secret) ?? `not recorded (${this.#secrets.size + 1})`;
    this.#secrets.set(secret, known);
    return known;
  }
}

/** `{"t":…,"kind":"received",…}` without building the object: there are many of them. */
export function receivedLine(time: number, connection: number, octets: Uint8Array): string {
  return `{"t":${time},"kind":"received","connection":${connection},"octets":"${base64(octets)}"}\n`;
}

/** What a line says; throws a sentence for one that is no JSON object. */
export function parseLine(line: string): { readonly [key: string]: unknown } {
  const value = revive(JSON.parse(line));
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error("not a JSON object");
  return value as { readonly [key: string]: unknown };
}

export function octetsOfBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, "base64"));
}

function revive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(revive);
  const { $octets } = value as { $octets?: unknown };
  if (typeof $octets === "string") return octetsOfBase64($octets);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

function base64(octets: Uint8Array): string {
  return Buffer.from(octets.buffer, octets.byteOffset, octets.length).toString("base64");
}
