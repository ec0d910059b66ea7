/** Named timers as plain due times: nothing runs by itself, whoever holds the clock asks what is due. */

export type TimerName = "ConnectRetry" | "IdleHold" | "Hold" | "Keepalive" | "SendHold";

export class Timers {
  readonly #due = new Map<TimerName, number>();

  /** Milliseconds on the caller's clock. */
  set(name: TimerName, due: number): void {
    this.#due.set(name, due);
  }

  clear(...names: readonly TimerName[]): void {
    for (const name of names) this.#due.delete(name);
  }

  clearAll(): void {
    this.#due.clear();
  }

  isRunning(name: TimerName): boolean {
    return this.#due.has(name);
  }

  /** What runs, with its due time. */
  get running(): readonly { readonly name: TimerName; readonly due: number }[] {
    return [...this.#due].map(([name, due]) => ({ name, due }));
  }

  /** The earliest due time; Infinity when none runs. */
  next(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const due of this.#due.values()) next = Math.min(next, due);
    return next;
  }

  /** The earliest timer that is due by now, stopped; call until undefined. */
  takeExpired(now: number): TimerName | undefined {
    let earliest: TimerName | undefined;
    for (const [name, due] of this.#due) {
      if (due <= now && (earliest === undefined || due < (this.#due.get(earliest) as number))) earliest = name;
    }
    if (earliest !== undefined) this.#due.delete(earliest);
    return earliest;
  }
}
