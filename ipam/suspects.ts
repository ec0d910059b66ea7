/**
 * What was seen once is a suspicion: a request may be half way. What is seen again after the grace time, and at every
 * look in between, is so. By a clock that only goes forward: the wall clock may jump.
 */
export class Suspects {
  readonly #since = new Map<string, number>();

  /**
   * Takes what this look has found; those not found any more are forgotten.
   *
   * @param now monotonic milliseconds
   */
  look<T extends { readonly id: string }>(found: readonly T[], now: number, graceMs: number): T[] {
    const ids = new Set(found.map(({ id }) => id));
    for (const id of this.#since.keys()) if (!ids.has(id)) this.#since.delete(id);
    return found.filter(({ id }) => {
      const since = this.#since.get(id);
      if (since === undefined) this.#since.set(id, now);
      return since !== undefined && now - since >= graceMs;
    });
  }

  get count(): number {
    return this.#since.size;
  }
}
