/** Reads what the speaker under test says. Strict: whatever is not exactly as the RFCs want it sent throws. */
import { ipText, type Octets } from "./octets.ts";

export interface Message {
  readonly type: number;
  readonly body: Octets;
}

export interface Attribute {
  /** Without the extended-length bit, which says nothing about the route. */
  readonly flags: number;
  readonly value: Octets;
}

/** Attributes by type; MP_REACH_NLRI and NEXT_HOP are in `nextHop`. */
export interface HeardRoute {
  readonly attributes: ReadonlyMap<number, Attribute>;
  /** As text; a second, link-local one behind a space. */
  readonly nextHop: string;
}

export interface Heard {
  /** `prefix`, or `prefix#pathId`. */
  readonly withdrawn: readonly string[];
  readonly announced: readonly string[];
  readonly route: HeardRoute;
  readonly endOfRib: 4 | 6 | undefined;
}

/** Families, by AFI, whose NLRI carry path identifiers. */
export type PathIds = ReadonlySet<number>;

/** `form`: "sent" as a speaker has to send it, "any" as one has to take it. */
export function decodeUpdate(body: Octets, pathIds: PathIds, form: "sent" | "any" = "sent"): Heard {
  const cursor = new Cursor(body);
  const withdrawn = readNlri(cursor.take(cursor.u16()), 1, pathIds);
  const list = readAttributes(cursor.take(cursor.u16()));
  const announced = readNlri(cursor.rest(), 1, pathIds);
  const attributes = new Map(list);
  if (attributes.size !== list.length) throw new Error("an attribute stands in an UPDATE twice");
  if (form === "sent") checkForm(list, withdrawn.length > 0, announced.length > 0);
  let nextHop = "";
  let endOfRib: Heard["endOfRib"] = body.length === 4 ? 4 : undefined;
  const reach = attributes.get(14);
  if (reach !== undefined) {
    const value = new Cursor(reach.value);
    const afi = value.u16();
    if (value.u8() !== 1) throw new Error("MP_REACH_NLRI of a SAFI nobody negotiated");
    nextHop = nextHopText(value.take(value.u8()));
    value.u8();
    announced.push(...readNlri(value.rest(), afi, pathIds));
    attributes.delete(14);
  }
  const unreach = attributes.get(15);
  if (unreach !== undefined) {
    const value = new Cursor(unreach.value);
    const afi = value.u16();
    if (value.u8() !== 1) throw new Error("MP_UNREACH_NLRI of a SAFI nobody negotiated");
    const gone = readNlri(value.rest(), afi, pathIds);
    if (gone.length === 0) endOfRib = afi === 1 ? 4 : 6;
    withdrawn.push(...gone);
    attributes.delete(15);
  }
  const classic = attributes.get(3);
  if (classic !== undefined) {
    if (reach === undefined) nextHop = nextHopText(classic.value);
    attributes.delete(3);
  }
  return { withdrawn, announced, route: { attributes, nextHop }, endOfRib };
}

/** What a sender owes (RFC 7606 5.1, RFC 4271 4.3), though a receiver takes other forms too. */
function checkForm(list: readonly [number, Attribute][], withdraws: boolean, announces: boolean): void {
  const multiprotocol = list.filter(([type]) => type === 14 || type === 15);
  if (multiprotocol.length > 0 && multiprotocol[0] !== list[0]) throw new Error("MP_* is not the first attribute");
  if ([withdraws, announces].filter(Boolean).length + multiprotocol.length > 1) {
    throw new Error("an UPDATE mixes withdrawn routes, NLRI and MP_*");
  }
  const odd = list.find(([, { flags }]) => (flags & 0x0f) !== 0);
  if (odd !== undefined) throw new Error(`attribute ${odd[0]} has low flag bits`);
}

export function readAttributes(octets: Octets): [number, Attribute][] {
  const cursor = new Cursor(octets);
  const list: [number, Attribute][] = [];
  while (cursor.left > 0) {
    const flags = cursor.u8();
    const type = cursor.u8();
    const length = flags & 0x10 ? cursor.u16() : cursor.u8();
    list.push([type, { flags: flags & ~0x10, value: cursor.take(length) }]);
  }
  return list;
}

export function readNlri(octets: Octets, afi: number, pathIds: PathIds): string[] {
  const cursor = new Cursor(octets);
  const list: string[] = [];
  while (cursor.left > 0) {
    const id = pathIds.has(afi) ? `#${cursor.u32()}` : "";
    const bits = cursor.u8();
    const width = afi === 1 ? 4 : 16;
    if (bits > width * 8) throw new Error(`a prefix length of ${bits}`);
    const address = new Uint8Array(width);
    address.set(cursor.take(Math.ceil(bits / 8)));
    list.push(`${ipText(address)}/${bits}${id}`);
  }
  return list;
}

function nextHopText(octets: Octets): string {
  if (octets.length === 32) return `${ipText(octets.subarray(0, 16))} ${ipText(octets.subarray(16))}`;
  if (octets.length !== 4 && octets.length !== 16) throw new Error(`a next hop of ${octets.length} octets`);
  return ipText(octets);
}

export class Cursor {
  readonly #octets: Octets;
  #at = 0;

  constructor(octets: Octets) {
    this.#octets = octets;
  }

  get left(): number {
    return this.#octets.length - this.#at;
  }

  take(count: number): Octets {
    if (count > this.left) throw new Error(`${count} octets wanted, ${this.left} are left`);
    this.#at += count;
    return this.#octets.subarray(this.#at - count, this.#at);
  }

  rest(): Octets {
    return this.take(this.left);
  }

  u8(): number {
    return this.take(1)[0] as number;
  }

  u16(): number {
    return this.u8() * 256 + this.u8();
  }

  u32(): number {
    return this.u16() * 65536 + this.u16();
  }
}

/** Cuts a stream into messages; what is not whole yet stays. */
export class Messages {
  #stream: Octets = new Uint8Array(0);

  push(chunk: Octets): Message[] {
    this.#stream = this.#stream.length === 0 ? chunk : Uint8Array.from([...this.#stream, ...chunk]);
    const list: Message[] = [];
    while (this.#stream.length >= 19) {
      const head = new Cursor(this.#stream);
      if (!head.take(16).every((octet) => octet === 0xff)) throw new Error("a marker that is not all ones");
      const length = head.u16();
      if (this.#stream.length < length) break;
      list.push({ type: head.u8(), body: this.#stream.subarray(19, length) });
      this.#stream = this.#stream.subarray(length);
    }
    return list;
  }
}

/** What a capability list of an OPEN says: values by code, in order. */
export function capabilitiesOf(open: Message): Map<number, Octets[]> {
  const found = new Map<number, Octets[]>();
  const cursor = new Cursor(open.body.subarray(9));
  let width: 1 | 2 = 1;
  const total = cursor.u8();
  if (total === 255 && open.body[10] === 255) {
    width = 2;
    cursor.u8();
    cursor.u16();
  }
  while (cursor.left > 0) {
    const type = cursor.u8();
    const value = new Cursor(cursor.take(width === 1 ? cursor.u8() : cursor.u16()));
    if (type !== 2) throw new Error(`optional parameter ${type}`);
    while (value.left > 0) {
      const code = value.u8();
      found.set(code, [...(found.get(code) ?? []), value.take(value.u8())]);
    }
  }
  return found;
}
