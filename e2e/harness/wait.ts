/** Waiting for the world to reach a state. No scenario sleeps and hopes. */
import { setTimeout as sleep } from "node:timers/promises";

/**
 * Tries until the attempt no longer throws, and gives its value; the last reason it threw is part of the failure.
 * An attempt that answers undefined or false counts as "not yet".
 */
export async function eventually<T>(
  what: string,
  seconds: number,
  attempt: () => Promise<T> | T,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    let reason = "";
    try {
      const value = await attempt();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      reason = `\n${(error as Error).message}`;
    }
    if (performance.now() > deadline) throw new Error(`not within ${seconds} s: ${what}${reason}`);
    await sleep(50);
  }
}

/** Fails as soon as the condition fails, for as long as that: for what must *not* happen. */
export async function always(what: string, seconds: number, holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    if (!(await holds())) throw new Error(`did not stay so for ${seconds} s: ${what}`);
    await sleep(50);
  }
}
