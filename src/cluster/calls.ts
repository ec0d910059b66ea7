/** One call: sent, its body read as JSON, all in bounded time; anything but success is a ClusterError. */
import type { IncomingMessage } from "node:http";
import { ClusterError } from "./port.ts";
import { type Asked, refusalOf } from "./refusal.ts";
import type { Request, Transport } from "./transport.ts";

const CALL_MS = 15_000;
/** A pause that the server asks for is kept when it fits into the call's time. */
const PATIENCE_MS = 5_000;

export interface Answer {
  readonly value: unknown;
  readonly bytes: number;
}

export async function call(
  transport: Transport,
  asked: Asked,
  request: Omit<Request, "signal">,
  { withinMs = CALL_MS, signal }: { readonly withinMs?: number; readonly signal: AbortSignal },
): Promise<Answer> {
  const ending = new Ending(signal);
  ending.within(withinMs);
  try {
    for (let attempt = 1; ; attempt++) {
      try {
        return await once(transport, asked, { ...request, signal: ending.signal });
      } catch (error) {
        if (!(error instanceof ClusterError) || attempt > 3 || ending.signal.aborted) throw error;
        if (error.status === 401 && attempt === 1) {
          transport.refused();
          continue;
        }
        // 429 says that nothing was done, so even a write can be sent again.
        if (error.status !== 429 || (error.retryAfterMs ?? 0) > PATIENCE_MS) throw error;
        await pause((error.retryAfterMs ?? 1000) * (1 + Math.random() / 4), ending.signal);
      }
    }
  } finally {
    ending.settle();
  }
}

/** Aborts when another signal does or when a time is over, and leaves nothing behind. */
export class Ending {
  readonly #outer: AbortSignal;
  readonly #own = new AbortController();
  readonly #end = () => this.#own.abort();
  #timer: NodeJS.Timeout | undefined;

  constructor(outer: AbortSignal) {
    this.#outer = outer;
    outer.addEventListener("abort", this.#end);
    if (outer.aborted) this.#end();
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** From now on, instead of what was said before. */
  within(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#end, ms);
  }

  settle(): void {
    clearTimeout(this.#timer);
    this.#outer.removeEventListener("abort", this.#end);
  }
}

async function once(transport: Transport, asked: Asked, request: Request): Promise<Answer> {
  const response = await transport.send(request);
  const body = await bodyOf(response, asked);
  const { statusCode = 0 } = response;
  if (statusCode < 200 || statusCode > 299) throw refusalOf(asked, response, body.toString());
  try {
    return { value: JSON.parse(body.toString()) as unknown, bytes: body.length };
  } catch {
    throw new ClusterError(`cannot ${asked.verb} ${asked.what}: the answer is not JSON`, statusCode);
  }
}

export async function bodyOf(response: IncomingMessage, { verb, what }: Asked): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of response) chunks.push(chunk as Buffer);
  } catch (error) {
    throw new ClusterError(`cannot ${verb} ${what}: the answer broke off: ${(error as Error).message}`, 0);
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
}

/** Over early when the signal aborts. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
    if (signal.aborted) done();
  });
}
