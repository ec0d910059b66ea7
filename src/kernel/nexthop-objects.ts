/**
 * Nexthop objects for the sets of next hops that routes share: a route that names one is made in half the time, since
 * the kernel need not look its gateways up again.
 *
 * An object can be lost at any time, and every route that uses it is lost with it: without a word when its link goes
 * down or loses carrier, else with an event. So before each listing of routes it is seen what is still there. An object
 * is deleted here only when a whole listing has shown that no route uses it, one that began after the last route could
 * have been written with it.
 */
import { formatAddress } from "../../ipam/net/address.ts";
import { RequestBatch } from "./netlink/batch.ts";
import {
  addNextHop,
  addNextHopGroup,
  deleteNextHop,
  dumpNextHops,
  type NextHopObject,
  readNextHop,
} from "./netlink/nexthop.ts";
import type { NextHop } from "./netlink/route.ts";
import { NetlinkSocket } from "./netlink/socket.ts";

/**
 * Ids are the namespace's. Ours begin with our protocol number, then bits of the table, then a number that follows from
 * the next hops: made again, an object has the id it had, and a listing of routes looks as it did.
 */
const TABLE_BITS = 12;
const NUMBER_BITS = 12;
const NUMBERS = 1 << NUMBER_BITS;

interface Shared {
  readonly id: number;
  /** Ids of a group's objects. */
  readonly members: readonly number[];
}

export class NextHopObjects {
  readonly #socket: NetlinkSocket;
  readonly #protocol: number;
  readonly #firstId: number;
  /** What a new route may use, by what it stands for. */
  readonly #byText = new Map<string, Shared>();
  /** No longer given to new routes; old ones may use them. What they stand for, unless that is no longer sure. */
  readonly #retired = new Map<number, string | undefined>();
  readonly #known = new WeakMap<readonly NextHop[], { readonly id: number; readonly age: number }>();
  #deletable: readonly number[] = [];
  /** Given out before the listing began. */
  #listed: ReadonlySet<number> = new Set();
  /** Grows when what was given out is no longer good. */
  #age = 0;
  #unsupported = false;

  constructor(netns: string | undefined, protocol: number, table: number) {
    this.#socket = NetlinkSocket.open(netns);
    this.#protocol = protocol;
    this.#firstId = ((protocol << (TABLE_BITS + NUMBER_BITS)) | ((table % (1 << TABLE_BITS)) << NUMBER_BITS)) >>> 0;
    this.#adopt();
  }

  get port(): number {
    return this.#socket.port;
  }

  /** Whoever remembers ids forgets them when this has changed. */
  get age(): number {
    return this.#age;
  }

  /** The id for routes by these next hops; undefined: they cannot have one, and are written out in each route. */
  idOf(nextHops: readonly NextHop[]): number | undefined {
    const known = this.idIfKnown(nextHops);
    if (known !== undefined) return known;
    const hops = nextHops.filter(isComplete);
    const texts = new Set(hops.map(describe));
    if (this.#unsupported || hops.length === 0 || texts.size < nextHops.length) return undefined;
    const members = hops.map((hop) => this.#object(describe(hop), [], (batch, id) => this.#addHop(batch, id, hop)));
    const id = members.length === 1 ? members[0] : this.#group([...texts], members);
    if (id !== undefined) this.#known.set(nextHops, { id, age: this.#age });
    return id;
  }

  /** As {@link idOf}, of next hops that were asked for before; makes nothing. */
  idIfKnown(nextHops: readonly NextHop[]): number | undefined {
    const known = this.#known.get(nextHops);
    return known?.age === this.#age ? known.id : undefined;
  }

  /** The object is gone or is another one now; true if it was one of ours. */
  lost(id: number): boolean {
    if (!this.#isOurs(id)) return false;
    this.#retire((object) => object.id === id || object.members.includes(id), false);
    return true;
  }

  /** Before a listing of all routes; `nothingWaits`: every route that was laid out before has been written. */
  beginListing(nothingWaits: boolean): void {
    const found = this.#read();
    this.#retire(({ id }, text) => found.get(id)?.text !== text, false);
    for (const [id, text] of this.#retired) {
      if (!found.has(id)) this.#retired.delete(id);
      else if (found.get(id)?.text !== text) this.#retired.set(id, undefined);
    }
    this.#deletable = nothingWaits ? [...this.#retired.keys()] : [];
    this.#listed = new Set([...this.#byText.values()].map(({ id }) => id));
  }

  /** After it: deletes what no route uses any more, and no longer gives out what no route uses now. */
  endListing(used: ReadonlySet<number>): void {
    this.#delete(this.#deletable.filter((id) => this.#retired.has(id) && !used.has(id)));
    this.#deletable = [];
    const inGroups = new Set([...this.#byText.values()].flatMap(({ members }) => members));
    this.#retire(({ id }) => this.#listed.has(id) && !used.has(id) && !inGroups.has(id), true);
  }

  /** Deletes all, and with them every route that uses one. */
  deleteAll(): void {
    this.#retire(() => true, true);
    this.#delete([...this.#retired.keys()]);
  }

  close(): void {
    this.#socket.close();
  }

  /** `sound`: each is still there, and what it was. */
  #retire(concerned: (object: Shared, text: string) => boolean, sound: boolean): void {
    for (const [text, object] of this.#byText) {
      if (!concerned(object, text)) continue;
      this.#byText.delete(text);
      this.#retired.set(object.id, sound ? text : undefined);
      this.#age++;
    }
  }

  #delete(ids: readonly number[]): void {
    const batch = new RequestBatch();
    for (const id of ids) deleteNextHop(batch, id);
    // One that is gone already was to go anyway.
    this.#socket.execute(batch);
    for (const id of ids) this.#retired.delete(id);
  }

  #isOurs(id: number): boolean {
    return id > this.#firstId && id < this.#firstId + NUMBERS;
  }

  #group(texts: readonly string[], members: readonly (number | undefined)[]): number | undefined {
    const whole = members.filter((id) => id !== undefined);
    if (whole.length < members.length) return undefined;
    return this.#object(texts.toSorted().join(), whole, (batch, id) =>
      addNextHopGroup(batch, id, whole, this.#protocol),
    );
  }

  #addHop(batch: RequestBatch, id: number, hop: Required<NextHop>): void {
    addNextHop(batch, id, hop, this.#protocol);
  }

  #object(
    text: string,
    members: readonly number[],
    add: (batch: RequestBatch, id: number) => void,
  ): number | undefined {
    const existing = this.#byText.get(text);
    if (existing !== undefined) return existing.id;
    const first = hash(text);
    for (let tries = 0; tries < NUMBERS - 1; tries++) {
      const id = this.#firstId + 1 + ((first + tries) % (NUMBERS - 1));
      if (this.#retired.get(id) !== text) {
        const batch = new RequestBatch();
        add(batch, id);
        const [refused] = this.#socket.execute(batch);
        if (refused?.errno === "EEXIST") continue;
        if (refused?.errno === "EOPNOTSUPP") this.#unsupported = true;
        if (refused !== undefined) return undefined;
      }
      this.#retired.delete(id);
      this.#byText.set(text, { id, members });
      return id;
    }
    return undefined;
  }

  /** What an earlier run left is used again, or deleted in time. */
  #adopt(): void {
    for (const [id, { text, members }] of this.#read()) {
      if (text === undefined || this.#byText.has(text)) this.#retired.set(id, undefined);
      else this.#byText.set(text, { id, members });
    }
  }

  /** Ours, as the kernel has them; no text: it is none that we make. */
  #read(): Map<number, { readonly text: string | undefined; readonly members: readonly number[] }> {
    const found: NextHopObject[] = [];
    const batch = new RequestBatch();
    dumpNextHops(batch);
    const refused = this.#socket.ask(batch, ({ payload }) => {
      const object = readNextHop(payload);
      if (object.protocol === this.#protocol && this.#isOurs(object.id)) found.push(object);
    });
    if (refused !== undefined) this.#unsupported = true;
    const texts = new Map(found.filter(isSingle).map(({ id, hop }) => [id, describe(hop)]));
    return new Map(
      found.map(({ id, members }) => {
        const parts = members.length === 0 ? [texts.get(id)] : members.map((member) => texts.get(member));
        return [id, { text: parts.includes(undefined) ? undefined : parts.toSorted().join(), members }];
      }),
    );
  }
}

function isSingle(object: NextHopObject): object is NextHopObject & { readonly hop: Required<NextHop> } {
  return object.members.length === 0 && isComplete(object.hop);
}

function isComplete(hop: NextHop): hop is Required<NextHop> {
  return hop.gateway !== undefined && hop.interfaceIndex !== undefined;
}

function describe({ gateway, interfaceIndex }: Required<NextHop>): string {
  return `${formatAddress(gateway)}%${interfaceIndex}`;
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
