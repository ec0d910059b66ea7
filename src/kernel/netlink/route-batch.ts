/**
 * Route changes laid out for the kernel, thousands in one datagram, without an object per route.
 *
 * Two changes that differ in nothing but the prefix differ in a few octets only. So the message for a target is laid
 * out once, and for each prefix copied word by word: 20 to 30 ns, where the kernel takes 2 µs.
 */
import type { Address } from "../../../ipam/net/address.ts";
import type { Prefix } from "../../../ipam/net/prefix.ts";
import { HOST_IS_LITTLE, RequestBatch } from "./batch.ts";
import { AF_INET, NLM_F_ACK, RTM_DELROUTE } from "./constants.ts";
import { type NextHop, type RouteMarks, removeRoute, replaceRoute, type WrittenTarget } from "./route.ts";

/** Offsets in words of 4 octets: `struct nlmsghdr`, `struct rtmsg`, then RTA_DST first of all. */
const TYPE = 1;
const FLAGS = 1;
const SEQUENCE = 2;
const RTMSG = 4;
const DESTINATION = 8;
/** nlmsg_type and nlmsg_flags share a word, and rtm_family and rtm_dst_len are the first two octets of theirs. */
const TYPE_SHIFT = HOST_IS_LITTLE ? 0 : 16;
const FLAGS_SHIFT = HOST_IS_LITTLE ? 16 : 0;
const LENGTH_SHIFT = HOST_IS_LITTLE ? 8 : 16;
const FAMILY_SHIFT = HOST_IS_LITTLE ? 0 : 24;

const DATAGRAM_CHANGES = 400;

/** Nexthop objects for sets of next hops, as far as there are any. */
export interface SharedNextHops {
  idOf(nextHops: readonly NextHop[]): number | undefined;
  /** Changes when ids are no longer good. */
  readonly age: number;
}

type Template = Uint32Array;

/** The messages of one family: for each target, with the prefix left zero. */
class Templates {
  readonly #any: Prefix;
  readonly #marks: RouteMarks;
  readonly #shared: SharedNextHops | undefined;
  /** A set of next hops is known again by being the same object. */
  #unicast = new WeakMap<readonly NextHop[], Template>();
  #age = 0;
  readonly blackhole: Template;
  readonly remove: Template;
  #lastHops: readonly NextHop[] | undefined;
  #lastTemplate: Template = new Uint32Array(0);

  constructor(octets: 4 | 16, marks: RouteMarks, shared: SharedNextHops | undefined) {
    this.#shared = shared;
    this.#any = { address: new Uint8Array(octets), length: 0 };
    this.#marks = marks;
    this.blackhole = this.#replace({ kind: "blackhole" });
    this.remove = templateOf((batch) => removeRoute(batch, this.#any, marks));
  }

  unicast(nextHops: readonly NextHop[]): Template {
    if (this.#shared !== undefined && this.#shared.age !== this.#age) this.#forget(this.#shared.age);
    // Neighbours in the table tend to go the same way.
    if (nextHops === this.#lastHops) return this.#lastTemplate;
    let template = this.#unicast.get(nextHops);
    if (template === undefined) {
      const id = this.#shared?.idOf(nextHops);
      template = this.#replace(id === undefined ? { kind: "unicast", nextHops } : { kind: "object", id });
      this.#unicast.set(nextHops, template);
    }
    this.#lastHops = nextHops;
    this.#lastTemplate = template;
    return template;
  }

  #forget(age: number): void {
    this.#age = age;
    this.#unicast = new WeakMap();
    this.#lastHops = undefined;
  }

  #replace(target: WrittenTarget): Template {
    return templateOf((batch) => replaceRoute(batch, this.#any, target, this.#marks));
  }
}

function templateOf(layOut: (batch: RequestBatch) => void): Template {
  const batch = new RequestBatch();
  layOut(batch);
  return new Uint32Array(batch.view.slice().buffer);
}

export interface RouteBatchSize {
  readonly changes: number;
  readonly octets: number;
}

/** Changes in the order they were put in. After a send: {@link RouteBatch.clear}, and it is filled anew. */
export class RouteBatch {
  readonly #templates: { readonly 4: Templates; readonly 16: Templates };
  readonly #words: Uint32Array;
  readonly #octets: Uint8Array;
  /** Word at which each change begins. */
  readonly #starts: Uint32Array;
  #length = 0;
  #count = 0;

  constructor(marks: RouteMarks, { changes, octets }: RouteBatchSize, shared?: SharedNextHops) {
    this.#templates = { 4: new Templates(4, marks, shared), 16: new Templates(16, marks, shared) };
    this.#words = new Uint32Array(octets >> 2);
    this.#octets = new Uint8Array(this.#words.buffer);
    this.#starts = new Uint32Array(changes);
  }

  get count(): number {
    return this.#count;
  }

  /** Datagrams of a few hundred changes are the quickest: what they hold is still in the cache. */
  get ends(): readonly number[] {
    const ends: number[] = [];
    for (let i = DATAGRAM_CHANGES; i < this.#count; i += DATAGRAM_CHANGES) ends.push(4 * (this.#starts[i] as number));
    return [...ends, 4 * this.#length];
  }

  clear(): void {
    this.#length = 0;
    this.#count = 0;
  }

  /**
   * Adds the route or replaces it as a whole. The next hops must never change: another set is another array. False:
   * there is no room left, and nothing was put in.
   */
  replace(address: Address, length: number, nextHops: readonly NextHop[]): boolean {
    return this.#put(this.#templatesFor(address).unicast(nextHops), address, length);
  }

  /** Packets to the prefix are dropped. Otherwise as {@link replace}. */
  blackhole(address: Address, length: number): boolean {
    return this.#put(this.#templatesFor(address).blackhole, address, length);
  }

  /** Removes the route of this prefix that has our marks. Otherwise as {@link replace}. */
  remove(address: Address, length: number): boolean {
    return this.#put(this.#templatesFor(address).remove, address, length);
  }

  /** A change that was put in since the last clearing. */
  changeAt(index: number): { readonly prefix: Prefix; readonly change: "replace" | "remove" } {
    const start = this.#starts[index] as number;
    const rtmsg = this.#words[start + RTMSG] as number;
    const family = (rtmsg >>> FAMILY_SHIFT) & 0xff;
    const at = 4 * (start + DESTINATION);
    const address = this.#octets.slice(at, at + (family === AF_INET ? 4 : 16));
    const type = ((this.#words[start + TYPE] as number) >>> TYPE_SHIFT) & 0xffff;
    return {
      prefix: { address, length: (rtmsg >>> LENGTH_SHIFT) & 0xff },
      change: type === RTM_DELROUTE ? "remove" : "replace",
    };
  }

  seal(firstSequence: number): Uint8Array {
    const words = this.#words;
    for (let i = 0; i < this.#count; i++) words[(this.#starts[i] as number) + SEQUENCE] = firstSequence + i;
    const last = (this.#starts[this.#count - 1] as number) + FLAGS;
    words[last] = (words[last] as number) | (NLM_F_ACK << FLAGS_SHIFT);
    return this.#octets.subarray(0, 4 * this.#length);
  }

  #templatesFor(address: Address): Templates {
    return address.length === 4 ? this.#templates[4] : this.#templates[16];
  }

  #put(template: Template, address: Address, length: number): boolean {
    const start = this.#length;
    const end = start + template.length;
    if (end > this.#words.length || this.#count === this.#starts.length) return false;
    const words = this.#words;
    // A loop, since a call of set() costs more than the 15 words of most messages.
    for (let i = 0; i < template.length; i++) words[start + i] = template[i] as number;
    words[start + RTMSG] = (words[start + RTMSG] as number) | (length << LENGTH_SHIFT);
    const at = 4 * (start + DESTINATION);
    for (let i = 0; i < address.length; i++) this.#octets[at + i] = address[i] as number;
    this.#starts[this.#count++] = start;
    this.#length = end;
    return true;
  }
}
