/** Seeded chance (Doty-Humphrey's sfc32): the same words give the same routes on every machine. */
export class Chance {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** What the numbers are for, in words: a seed and what it is used for. */
  constructor(seed: number, purpose: number, detail = 0) {
    this.#a = seed | 0;
    this.#b = purpose | 0;
    this.#c = detail | 0;
    for (let round = 0; round < 12; round++) this.next();
  }

  /** 0 … 2³² - 1 */
  next(): number {
    const sum = (this.#a + this.#b + this.#counter++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 ≤ x < 1 */
  unit(): number {
    return this.next() / 0x1_0000_0000;
  }

  /** 0 … limit - 1 */
  below(limit: number): number {
    return Math.floor(this.unit() * limit);
  }

  percent(share: number): boolean {
    return this.unit() * 100 < share;
  }

  /** The place in a list of shares that sum to 1000. */
  share(perMille: readonly number[]): number {
    let left = this.below(1000);
    let place = 0;
    for (const share of perMille) {
      if (left < share) break;
      left -= share;
      place++;
    }
    return place;
  }

  /** Fisher and Yates. */
  shuffle(values: Uint32Array): void {
    for (let i = values.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const value = values[i] as number;
      values[i] = values[j] as number;
      values[j] = value;
    }
  }
}
