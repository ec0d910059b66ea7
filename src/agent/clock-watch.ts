/**
 * Notices that the wall clock jumps: it is held against a clock that only goes forward. Ages of records (how long an
 * address rested, how long a block was empty) are told by the wall clock; whose an address is does not depend on it.
 */

/** A correction by NTP step is a jump; slewing never is. */
const JUMP_MS = 5_000;
const TOLD_FOR_MS = 600_000;

export class ClockWatch {
  #offset: number | undefined;
  #jump: { readonly ms: number; readonly at: number } | undefined;

  /** How far the wall clock jumped since the last look, in milliseconds; undefined: it did not. */
  look(wall: number, monotonic: number): number | undefined {
    const offset = wall - monotonic;
    const ms = offset - (this.#offset ?? offset);
    // Small steps add up: the offset is kept until the sum of them is a jump.
    if (this.#offset !== undefined && Math.abs(ms) < JUMP_MS) return undefined;
    const first = this.#offset === undefined;
    this.#offset = offset;
    if (first) return undefined;
    this.#jump = { ms, at: monotonic };
    return ms;
  }

  problems(monotonic: number): string[] {
    if (this.#jump === undefined || monotonic - this.#jump.at > TOLD_FOR_MS) return [];
    return [jumpText(this.#jump.ms)];
  }
}

export function jumpText(ms: number): string {
  const seconds = Math.round(Math.abs(ms) / 1000);
  return `this node's clock jumped ${ms > 0 ? "forward" : "back"} by ${seconds} s: look at its time service`;
}
