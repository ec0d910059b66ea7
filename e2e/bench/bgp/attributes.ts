/** Path attributes of one attribute set as one sender announces them: what a transit router sends, in its mixture. */
import type { BenchPeer } from "./addresses.ts";
import { toNumber } from "./addresses.ts";
import { Chance } from "./chance.ts";
import { write32 } from "./message.ts";

/** More than any set needs. */
export const MOST_OCTETS = 256;

const PURPOSE = 3;
const [TRANSITIVE, OPTIONAL] = [0x40, 0x80];
const ORIGIN = 1;
const AS_PATH = 2;
const NEXT_HOP = 3;
const MED = 4;
const LOCAL_PREF = 5;
const ATOMIC_AGGREGATE = 6;
const AGGREGATOR = 7;
const COMMUNITIES = 8;
const LARGE_COMMUNITIES = 32;
const INCOMPLETE = 2;

export interface Terms {
  readonly sender: BenchPeer;
  readonly internal: boolean;
  readonly seed: number;
}

export class AttributeWriter {
  readonly octets = new Uint8Array(MOST_OCTETS);
  length = 0;
  readonly #terms: Terms;
  readonly #nextHop: number;

  constructor(terms: Terms) {
    this.#terms = terms;
    this.#nextHop = toNumber(terms.sender.address);
  }

  /** Fills {@link octets} up to {@link length}. The origin AS is the same whoever announces the set. */
  write(set: number, hops: number): void {
    const { sender, internal, seed } = this.#terms;
    this.length = 0;
    const originAs = publicAs(new Chance(seed, PURPOSE, set), 390_000);
    const chance = new Chance(seed ^ sender.asNumber, PURPOSE + 1, set ^ (this.#nextHop << 8));
    this.#begin(TRANSITIVE, ORIGIN, 1);
    this.octets[this.length++] = !internal && chance.percent(7) ? INCOMPLETE : 0;
    this.#path(hops, originAs, chance);
    this.#begin(TRANSITIVE, NEXT_HOP, 4);
    this.#put32(this.#nextHop);
    if (internal) {
      this.#begin(TRANSITIVE, LOCAL_PREF, 4);
      this.#put32(100);
      return;
    }
    if (chance.percent(30)) {
      this.#begin(OPTIONAL, MED, 4);
      this.#put32(chance.below(250));
    }
    this.#aggregation(originAs, chance);
    this.#communities(chance);
  }

  /** The sender's neighbours are few, what lies behind them many. */
  #path(hops: number, originAs: number, chance: Chance): void {
    this.#begin(TRANSITIVE, AS_PATH, hops === 0 ? 0 : 2 + 4 * hops);
    if (hops === 0) return;
    this.octets[this.length++] = 2;
    this.octets[this.length++] = hops;
    this.#put32(this.#terms.sender.asNumber);
    for (let hop = 1; hop < hops - 1; hop++) this.#put32(publicAs(chance, hop < 3 ? 300 : 70_000));
    if (hops > 1) this.#put32(originAs);
  }

  #aggregation(originAs: number, chance: Chance): void {
    if (!chance.percent(5)) return;
    this.#begin(TRANSITIVE, ATOMIC_AGGREGATE, 0);
    this.#begin(TRANSITIVE | OPTIONAL, AGGREGATOR, 8);
    this.#put32(originAs);
    this.#put32(chance.next() | 1);
  }

  #communities(chance: Chance): void {
    if (chance.percent(60)) {
      const count = 1 + chance.below(8);
      this.#begin(TRANSITIVE | OPTIONAL, COMMUNITIES, 4 * count);
      for (let i = 0; i < count; i++) this.#put32(((1000 + chance.below(300)) << 16) | (1 + chance.below(4000)));
    }
    if (chance.percent(10)) {
      this.#begin(TRANSITIVE | OPTIONAL, LARGE_COMMUNITIES, 12);
      this.#put32(200_000 + chance.below(100));
      this.#put32(chance.below(50));
      this.#put32(chance.below(50));
    }
  }

  #begin(flags: number, type: number, length: number): void {
    this.octets[this.length++] = flags;
    this.octets[this.length++] = type;
    this.octets[this.length++] = length;
  }

  #put32(value: number): void {
    this.length = write32(this.octets, this.length, value);
  }
}

/** One that no device takes for its own, for private or for a stand-in: any of those could cost the route. */
function publicAs(chance: Chance, many: number): number {
  const asNumber = 1000 + chance.below(many);
  const reserved = asNumber === 23_456 || (asNumber >= 64_496 && asNumber < 131_072);
  return reserved ? asNumber + 200_000 : asNumber;
}
