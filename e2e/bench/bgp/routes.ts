/**
 * The routes of a scenario, shaped like the public table: lengths /16 to /24 in its shares, neighbouring blocks of one
 * origin together, one attribute set for about five prefixes with a heavy tail (most have one, some hundreds). For the
 * reflector scenarios instead /26 blocks of pods, the sender itself as the next hop.
 *
 * A prefix, an attribute set and a sender are numbers; everything about them is in typed arrays.
 */
import { Chance } from "./chance.ts";
import { PrefixIndex } from "./prefix-index.ts";
import type { Scenario } from "./scenarios.ts";

/** Owner of a prefix that every sender announces. */
export const EVERYONE = 0xffff;

/** Shares of the lengths /16 … /24, in per mille. */
const LENGTHS = [13, 8, 14, 25, 44, 52, 115, 104, 625];
/** Shares of AS paths of 1 … 6 hops, in per mille. */
const HOPS = [30, 120, 280, 300, 180, 90];
/** Exponent and cut of a Pareto distribution whose mean is five. */
const TAIL = 1.125;
const BIGGEST_SET = 600;
/** First octets with special use, the address plan of the benchmark among them. */
const SPECIAL = new Set([0, 10, 100, 127, 169, 172, 192, 198, 203]);

const PURPOSE = { prefixes: 1, hops: 2 };

export class Routes {
  readonly count: number;
  readonly addresses: Uint32Array;
  readonly lengths: Uint8Array;
  /** Prefix to attribute set. */
  readonly setOf: Uint32Array;
  /** Prefix to the one sender that has it, or {@link EVERYONE}. */
  readonly ownerOf: Uint16Array;
  readonly index: PrefixIndex;
  /** First prefix of each set, and the end of the last. */
  readonly setStart: number[] = [];
  readonly #firstSet: number[] = [];
  readonly #hops: Uint8Array[];
  readonly #scenario: Scenario;

  constructor(scenario: Scenario, seed: number) {
    this.#scenario = scenario;
    const parts = scenario.same ? 1 : scenario.senders;
    this.count = parts * scenario.prefixes;
    this.addresses = new Uint32Array(this.count);
    this.lengths = new Uint8Array(this.count);
    this.setOf = new Uint32Array(this.count);
    this.ownerOf = new Uint16Array(this.count).fill(EVERYONE);
    this.index = new PrefixIndex(this.count);
    const chance = new Chance(seed, PURPOSE.prefixes);
    for (let part = 0; part < parts; part++) this.#makePart(part, chance);
    this.#firstSet.push(this.setStart.length);
    this.setStart.push(this.count);
    this.#hops = Array.from({ length: scenario.senders }, (_, sender) => this.#makeHops(sender, seed));
  }

  /** The attribute sets that a sender announces, from … to (excluded). */
  setsOf(sender: number): { from: number; to: number } {
    const part = this.#scenario.same ? 0 : sender;
    return { from: this.#firstSet[part] as number, to: this.#firstSet[part + 1] as number };
  }

  /** Hops of the AS path that a sender announces for a set. */
  hops(sender: number, set: number): number {
    return this.#hops[sender]?.[set - this.setsOf(sender).from] ?? Number.NaN;
  }

  /** For each prefix the hops of the shortest path on offer by the senders from this one on. */
  shortest(firstSender: number): Uint8Array {
    const shortest = new Uint8Array(this.count).fill(255);
    for (let sender = firstSender; sender < this.#scenario.senders; sender++) {
      const { from, to } = this.setsOf(sender);
      for (let set = from; set < to; set++) {
        const hops = this.hops(sender, set);
        const end = this.setStart[set + 1] as number;
        for (let i = this.setStart[set] as number; i < end; i++) {
          if (hops < (shortest[i] as number)) shortest[i] = hops;
        }
      }
    }
    return shortest;
  }

  #makePart(part: number, chance: Chance): void {
    this.#firstSet.push(this.setStart.length);
    const end = (part + 1) * this.#scenario.prefixes;
    for (let next = part * this.#scenario.prefixes; next < end; ) {
      const size = Math.min(end - next, this.#scenario.reflector ? end : paretoSize(chance));
      this.#makeSet(next, size, chance);
      if (!this.#scenario.same) this.ownerOf.fill(part, next, next + size);
      next += size;
    }
  }

  #makeSet(first: number, size: number, chance: Chance): void {
    const set = this.setStart.length;
    this.setStart.push(first);
    this.setOf.fill(set, first, first + size);
    let [address, length] = [0, 0];
    for (let i = first; i < first + size; ) {
      if (this.#scenario.reflector) {
        [address, length] = [(0x0a800000 | (chance.below(1 << 17) << 6)) >>> 0, 26];
      } else if (i > first && chance.percent(55)) {
        address = (address + 2 ** (32 - length)) >>> 0;
      } else {
        length = 16 + chance.share(LENGTHS);
        address = (chance.next() & -(2 ** (32 - length))) >>> 0;
      }
      const usable = this.#scenario.reflector || isPublic(address);
      if (!usable || !this.index.add(address, length, i)) {
        // The next neighbour would be no better: somewhere else.
        address = (chance.next() & -(2 ** (32 - length))) >>> 0;
        continue;
      }
      this.addresses[i] = address;
      this.lengths[i++] = length;
    }
  }

  /** Where the best sender is to die, its paths are shorter than all others': then every prefix moves. */
  #makeHops(sender: number, seed: number): Uint8Array {
    const { from, to } = this.setsOf(sender);
    const hops = new Uint8Array(to - from);
    if (this.#scenario.reflector) return hops;
    if (this.#scenario.bestDies && sender === 0) return hops.fill(1);
    const chance = new Chance(seed, PURPOSE.hops, sender);
    const least = this.#scenario.bestDies ? 2 : 1;
    return hops.map(() => Math.max(least, 1 + chance.share(HOPS)));
  }
}

function paretoSize(chance: Chance): number {
  return Math.min(BIGGEST_SET, Math.floor((1 - chance.unit()) ** (-1 / TAIL)));
}

function isPublic(address: number): boolean {
  const first = address >>> 24;
  return first < 224 && !SPECIAL.has(first);
}
