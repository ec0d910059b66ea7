/** Messages as a peer may send them, from random numbers: all of them right, few of them plain. */
import type { Family } from "../../ipam/net/address.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { encodeEndOfRib, UpdateWriter } from "../wire/encode-update.ts";
import { encodeKeepalive } from "../wire/framer.ts";
import { encodeNotification } from "../wire/notification.ts";
import { concat } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { encodeRouteRefresh } from "../wire/route-refresh.ts";

/** What the session agreed on. */
export interface Manner {
  readonly asNumber: number;
  readonly external: boolean;
  readonly asOctets: 2 | 4;
  readonly addPath: boolean;
  readonly maxMessageLength: number;
}

/** Prefixes are few, so that they meet again. */
const PREFIXES = 40;
const WELL_KNOWN = [0xffffff01, 0xffffff02, 0xffffff03, 0xffff0000, 0xffff0006, 0xffff0007];

export class Messages {
  readonly #random: () => number;
  readonly #manner: Manner;

  constructor(random: () => number, manner: Manner) {
    this.#random = random;
    this.#manner = manner;
  }

  next(): Uint8Array {
    const dice = this.#below(20);
    const family = this.#oneOf([4, 6] as const);
    if (dice < 12) return this.#announcement(family);
    if (dice < 15) return this.#withdrawal(family);
    if (dice === 15) return encodeKeepalive();
    if (dice < 18) return encodeRouteRefresh(family, this.#oneOf(["request", "begin", "end"]));
    if (dice === 18) return encodeEndOfRib(family);
    // Not too often: it ends the session.
    if (this.#below(4) > 0) return encodeKeepalive();
    return encodeNotification({ code: this.#below(9), subcode: this.#below(12), data: this.#octets(this.#below(40)) });
  }

  #announcement(family: Family): Uint8Array {
    const attributes = this.#attributes(family);
    const octets = encodeAttributes(attributes, this.#manner.asOctets);
    const { nextHop, linkLocalNextHop } = attributes;
    const hops = linkLocalNextHop === undefined ? nextHop : concat([nextHop, linkLocalNextHop]);
    const writer = new UpdateWriter(this.#manner.maxMessageLength);
    writer.announce(family, nextHop.length === 4 ? undefined : hops, octets, 0, octets.length);
    return this.#fill(writer, family);
  }

  #withdrawal(family: Family): Uint8Array {
    const writer = new UpdateWriter(this.#manner.maxMessageLength);
    writer.withdraw(family);
    return this.#fill(writer, family);
  }

  #fill(writer: UpdateWriter, family: Family): Uint8Array {
    const nlri = Array.from({ length: 1 + this.#below(12) }, () => this.#nlri(family));
    const table = {
      nlriLength: (id: number) => (nlri[id] as Uint8Array).length,
      write(id: number, into: Uint8Array, at: number) {
        into.set(nlri[id] as Uint8Array, at);
        return at + (nlri[id] as Uint8Array).length;
      },
    };
    for (const id of nlri.keys()) writer.add(table, id, this.#manner.addPath ? this.#below(3) : undefined);
    return writer.take();
  }

  #nlri(family: Family): Uint8Array {
    const n = this.#below(PREFIXES);
    if (n === 0) return Uint8Array.of(0);
    return family === 4 ? Uint8Array.of(24, 10, 200, n) : Uint8Array.of(48, 0xfd, 0, 0x10, 0, 0, n);
  }

  #attributes(family: Family): PathAttributes {
    const { external, asNumber } = this.#manner;
    const length = this.#below(30) === 0 ? 250 + this.#below(20) : this.#below(5);
    const others = Array.from({ length }, () => 1 + this.#below(this.#below(2) === 0 ? 65000 : 4_294_967_294));
    const numbers = external ? [asNumber, ...others] : others;
    const segments = [numbers.slice(0, 255), numbers.slice(255)].filter((one) => one.length > 0);
    const nextHop =
      family === 4
        ? Uint8Array.of(10, 0, 0, 1 + this.#below(4))
        : Uint8Array.of(0xfd, ...new Uint8Array(14), 1 + this.#below(4));
    return {
      origin: this.#below(3),
      asPath: segments.map((asNumbers) => ({ type: 2, asNumbers })),
      nextHop,
      ...(family === 6 && this.#sometimes({ linkLocalNextHop: Uint8Array.of(0xfe, 0x80, ...new Uint8Array(13), 1) })),
      ...this.#sometimes({ med: this.#below(5) }),
      ...(external ? {} : { localPref: 100 + this.#below(3) }),
      ...this.#sometimes({ atomicAggregate: true }),
      ...this.#sometimes({ aggregator: { asNumber: 1 + this.#below(100_000), address: this.#octets(4) } }),
      ...this.#sometimes({ communities: this.#list(() => this.#community()) }),
      ...this.#sometimes({ largeCommunities: this.#octets(12 * (1 + this.#below(4))) }),
      ...this.#sometimes({ extendedCommunities: this.#octets(8 * (1 + this.#below(40))) }),
      ...this.#sometimes({ ipv6ExtendedCommunities: this.#octets(20) }),
      ...(external ? {} : this.#sometimes({ originatorId: this.#octets(4), clusterList: [this.#octets(4)] })),
      ...this.#sometimes({ onlyToCustomer: this.#oneOf([asNumber, 65009]) }),
      ...this.#sometimes({
        unknown: [{ type: 200 + this.#below(9), flags: 0xc0, value: this.#octets(this.#below(300)) }],
      }),
    };
  }

  #community(): number {
    return this.#below(4) === 0 ? this.#oneOf(WELL_KNOWN) : this.#below(0xffff0000);
  }

  #sometimes<T extends object>(value: T): Partial<T> {
    return this.#below(5) === 0 ? value : {};
  }

  #list<T>(make: () => T): T[] {
    return Array.from({ length: 1 + this.#below(6) }, make);
  }

  #octets(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.#below(256));
  }

  #below(most: number): number {
    return Math.floor(this.#random() * most);
  }

  #oneOf<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T;
  }
}
