/**
 * Waiting for the world to reach a state: asked again and again, with a limit, and cut short when the lab is
 * interrupted.
 */

export class Interrupted extends Error {
  readonly code = "LAB_INTERRUPTED";
}

export class TookTooLong extends Error {
  readonly code = "LAB_TOOK_TOO_LONG";
}

export interface WaitOptions {
  readonly what: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly intervalMs?: number;
}

/** Calls `ask` until it answers something; the last answer's reason for "not yet" is part of the error. */
export async function until<T>(ask: () => Promise<T | undefined>, options: WaitOptions): Promise<T> {
  const deadline = performance.now() + options.timeoutMs;
  let trouble = "";
  for (;;) {
    throwIfInterrupted(options.signal);
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      if ((error as { code?: string }).code === "LAB_FATAL") throw error;
      trouble = `: ${(error as Error).message}`;
    }
    if (performance.now() > deadline) {
      throw new TookTooLong(`${options.what}: not within ${Math.round(options.timeoutMs / 1000)} s${trouble}`);
    }
    await pause(options.intervalMs ?? 50, options.signal);
  }
}

/** Never comes true again, so waiting on is useless: a process that should serve has ended. */
export class Fatal extends Error {
  readonly code = "LAB_FATAL";
}

export function throwIfInterrupted(signal: AbortSignal): void {
  if (signal.aborted) throw new Interrupted("interrupted");
}

export function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
  });
}
