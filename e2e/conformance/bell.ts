/** Waiting for what others do, without polling: whoever sees a change rings, and everybody waiting looks again. */
export class Bell {
  readonly #waiting = new Set<() => void>();

  ring(): void {
    for (const look of [...this.#waiting]) look();
  }

  /** Whether it came to hold in time. */
  until(holds: () => boolean, seconds: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const end = (result: boolean) => {
        clearTimeout(limit);
        this.#waiting.delete(look);
        resolve(result);
      };
      const look = () => {
        if (holds()) end(true);
      };
      const limit = setTimeout(() => end(holds()), seconds * 1000);
      this.#waiting.add(look);
    });
  }
}
