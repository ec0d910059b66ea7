/** Where paths come from: a number for each peer, and what the decision process has to know of it. */
import { type Address, addressOf, compareAddresses } from "../../ipam/net/address.ts";
import { u32 } from "../wire/octets.ts";

/** Source number of the speaker's own routes. */
export const LOCAL_SOURCE = 0;

export interface Source {
  readonly name: string;
  readonly external: boolean;
  /** The peer's BGP Identifier, four octets. */
  readonly peerId: Address;
  readonly peerAddress: Address;
  /** A client of this speaker as route reflector (RFC 4456). */
  readonly client: boolean;
  /** On this machine alone: PeerConfig says what follows. */
  readonly attached: boolean;
}

/** Before anything is known. */
export const UNKNOWN: Source = {
  name: "",
  external: false,
  peerId: addressOf("0.0.0.0"),
  peerAddress: addressOf("0.0.0.0"),
  client: false,
  attached: false,
};

export class Sources {
  readonly #sources: (Source | undefined)[] = [UNKNOWN];
  readonly #free: number[] = [];
  /** By source number; what one comparison of the decision reads. */
  external: boolean[] = [false];
  peerId: number[] = [0];
  #rank: number[] = [];
  #ranked = false;

  /** A number for a new peer. */
  allocate(): number {
    const source = this.#free.pop() ?? this.#sources.length;
    this.set(source, UNKNOWN);
    return source;
  }

  set(number: number, source: Source): void {
    this.#sources[number] = source;
    this.external[number] = source.external;
    this.peerId[number] = u32(source.peerId, 0);
    this.#ranked = false;
  }

  /** No path of it may be left. */
  release(number: number): void {
    this.#sources[number] = undefined;
    this.#free.push(number);
  }

  get(number: number): Source {
    return this.#sources[number] ?? UNKNOWN;
  }

  /** Place in the order of peer addresses. */
  rank(number: number): number {
    if (!this.#ranked) this.#order();
    return this.#rank[number] as number;
  }

  #order(): void {
    const numbers = [...this.#sources.keys()];
    const key = (number: number) => this.get(number).peerAddress;
    numbers.sort((a, b) => key(a).length - key(b).length || compareAddresses(key(a), key(b)) || a - b);
    for (const [place, number] of numbers.entries()) this.#rank[number] = place;
    this.#ranked = true;
  }
}
