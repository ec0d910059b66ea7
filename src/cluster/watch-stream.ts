/** One stream of a watch: JSON documents, one a line, until it ends. */
import type { IncomingMessage } from "node:http";
import { ClusterError, type KubeObject } from "./port.ts";
import { type Asked, refusalInStream } from "./refusal.ts";

const NEWLINE = 0x0a;
/** etcd takes no object beyond 1.5 MB; more than this is no watch. */
const LINE_BYTES = 32 << 20;

export interface StreamEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK";
  readonly object: KubeObject;
}

/**
 * Resolves at an orderly end, with a last line that was cut off forgotten: it comes again after the version before it.
 * Rejects for a connection that broke, an ERROR event, what is no event, and when nothing came for as long as `quietMs`
 * says at that time.
 */
export async function readStream(
  response: IncomingMessage,
  asked: Asked,
  quietMs: () => number,
  event: (event: StreamEvent) => void,
): Promise<void> {
  const lines = new Lines();
  let quiet = 0;
  const watch = () => {
    const ms = quietMs();
    return setTimeout(() => {
      quiet = ms;
      response.destroy();
    }, ms);
  };
  let watchdog = watch();
  try {
    for await (const chunk of response) {
      clearTimeout(watchdog);
      for (const line of lines.take(chunk as Buffer)) event(eventOf(line, asked));
      watchdog = watch();
    }
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    if (quiet > 0)
      throw new QuietStream(`cannot watch ${asked.what}: nothing came for ${Math.round(quiet / 1000)} s`, 0);
    throw new BrokenStream(`cannot watch ${asked.what}: the connection broke: ${(error as Error).message}`, 0);
  } finally {
    clearTimeout(watchdog);
    response.destroy();
  }
}

/** The connection ended in the middle. Whether something is wrong, the next attempt tells. */
export class BrokenStream extends ClusterError {}

/** Nothing came for long: the server may be gone, or have nothing to say. */
export class QuietStream extends BrokenStream {}

/** Cuts at octet 0x0A only: inside of JSON text any other line separator is text (U+2028 among them). */
class Lines {
  #held: Buffer[] = [];
  #heldBytes = 0;

  *take(chunk: Buffer): Generator<string> {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const part = chunk.subarray(start, end);
      start = end + 1;
      const line = this.#heldBytes === 0 ? part.toString() : Buffer.concat([...this.#held, part]).toString();
      this.#held = [];
      this.#heldBytes = 0;
      if (line.trim() !== "") yield line;
    }
    if (start === chunk.length) return;
    this.#held.push(chunk.subarray(start));
    this.#heldBytes += chunk.length - start;
    if (this.#heldBytes > LINE_BYTES) throw new ClusterError("the API server sends a line that does not end", 0);
  }
}

function eventOf(line: string, asked: Asked): StreamEvent {
  let value: { type?: unknown; object?: unknown } | null;
  try {
    value = JSON.parse(line) as { type?: unknown; object?: unknown } | null;
  } catch {
    throw new ClusterError(`cannot watch ${asked.what}: a line is not JSON: ${line.slice(0, 80)}`, 500);
  }
  const { type, object } = value ?? {};
  if (type === "ERROR") throw refusalInStream(asked, object ?? {});
  const isKnown = type === "ADDED" || type === "MODIFIED" || type === "DELETED" || type === "BOOKMARK";
  const metadata = (object as Partial<KubeObject> | undefined)?.metadata;
  if (!isKnown || metadata === undefined || (type !== "BOOKMARK" && typeof metadata.name !== "string")) {
    throw new ClusterError(`cannot watch ${asked.what}: a line is no event: ${line.slice(0, 80)}`, 500);
  }
  return { type, object: object as KubeObject };
}
