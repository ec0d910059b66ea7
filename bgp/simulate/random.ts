/** Seeded random numbers in [0, 1): mulberry32. The same seed is the same run. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What random numbers are asked for. */
export class Chance {
  readonly random: () => number;

  constructor(random: () => number) {
    this.random = random;
  }

  happens(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number from 0, below this one. */
  below(most: number): number {
    return Math.floor(this.random() * most);
  }

  oneOf<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  someOf<T>(items: readonly T[]): T[] {
    return items.filter(() => this.happens(0.5));
  }
}
