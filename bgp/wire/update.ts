/**
 * UPDATE (RFC 4271 4.3), with the routes of MP_REACH_NLRI and MP_UNREACH_NLRI beside those of the message's own fields.
 *
 * Nothing is copied and nothing made per route: a reader says where in the message the routes and the attributes are.
 * Faults in the message's structure are found here, those in an attribute's value in attributes.ts.
 */
import { type Family, isLoopback, isMulticast, isUnspecified } from "../../ipam/net/address.ts";
import { familyOfAfi } from "./capability.ts";
import { AttributeFlag, AttributeType, ErrorCode } from "./codes.ts";
import { type Fault, resetFault } from "./fault.ts";
import { nlriProblem } from "./nlri.ts";
import { u16 } from "./octets.ts";

/** What the session agreed on, as far as it says how an UPDATE is read. */
export interface UpdateContext {
  /** Families whose NLRI carry path identifiers (RFC 7911). */
  readonly addPathReceive: readonly Family[];
  /** RFC 8950: IPv4 routes may have an IPv6 next hop. */
  readonly extendedNextHop: boolean;
}

/** A run of prefixes in place. */
export interface NlriRun {
  octets: Uint8Array;
  start: number;
  end: number;
  family: Family;
  addPath: boolean;
}

const NOTHING = new Uint8Array(0);
const NO_FAULTS: readonly Fault[] = [];
const run = (family: Family): NlriRun => ({ octets: NOTHING, start: 0, end: 0, family, addPath: false });

/** One UPDATE at a time, read in place: what it says is good until the next. */
export class UpdateReader {
  /** Of the message's own fields: IPv4. */
  readonly withdrawn = run(4);
  readonly announced = run(4);
  /** Of MP_UNREACH_NLRI and MP_REACH_NLRI; empty for a family we do not speak. */
  readonly unreach = run(4);
  readonly reach = run(4);
  /** 4, 16 or 32 octets of MP_REACH_NLRI (global and link-local, RFC 2545 3), in place. */
  nextHopAt = 0;
  nextHopLength = 0;
  /** The attributes without MP_*, each type once: in place where they stand together, else a copy. */
  attributes: Uint8Array = NOTHING;
  attributesStart = 0;
  attributesEnd = 0;
  /** Set: every route announced here is to be treated as withdrawn (RFC 7606 2). */
  withdraw: Fault | undefined;
  /** Attributes dropped for being there twice. */
  discarded: readonly Fault[] = NO_FAULTS;
  /** The family whose initial routes are complete (RFC 4724 2). */
  endOfRib: Family | undefined;
  #seen = new Uint8Array(256);
  #seenMark = 0;
  #hasReach = false;
  #hasUnreach = false;

  read(body: Uint8Array, context: UpdateContext): Fault | undefined {
    const withdrawnLength = u16(body, 0);
    if (withdrawnLength + 4 > body.length) return malformed("withdrawn routes overrun the message");
    const start = withdrawnLength + 4;
    const nlriStart = start + u16(body, start - 2);
    if (nlriStart > body.length) return malformed("path attributes overrun the message");
    const addPath = context.addPathReceive.includes(4);
    const problem =
      place(this.withdrawn, body, 2, 2 + withdrawnLength, 4, addPath) ??
      place(this.announced, body, nlriStart, body.length, 4, addPath);
    if (problem !== undefined) return resetFault(ErrorCode.Update, 10, problem);
    clear(this.unreach);
    clear(this.reach);
    this.endOfRib = body.length === 4 ? 4 : undefined;
    const fault = this.#attributes(body, start, nlriStart, context);
    if (fault !== undefined) return fault;
    if (this.announced.end > this.announced.start || this.#hasReach) this.withdraw ??= this.#missing();
    // RFC 7606 5.2: with no route to withdraw in its place, a broken attribute list ends the session.
    else if (this.withdraw !== undefined) return { ...this.withdraw, action: "reset" };
    return undefined;
  }

  #attributes(body: Uint8Array, start: number, end: number, context: UpdateContext): Fault | undefined {
    this.withdraw = undefined;
    this.discarded = NO_FAULTS;
    this.attributes = body;
    this.attributesStart = start;
    this.attributesEnd = start;
    this.#hasReach = false;
    this.#hasUnreach = false;
    this.#nextMessage();
    let kept = 0;
    for (let at = start; at < end; ) {
      const flags = body[at] as number;
      const type = body[at + 1] as number;
      const extended = (flags & AttributeFlag.ExtendedLength) !== 0;
      const value = at + (extended ? 4 : 3);
      const next = value + (extended ? u16(body, at + 2) : (body[at + 2] as number));
      if (value > end || next > end) {
        // RFC 7606 4: the total length still tells where the routes are, so only they are lost.
        this.withdraw = updateFault("withdraw", 1, "the last path attribute overruns the attribute list");
        break;
      }
      const multiprotocol = type === AttributeType.MpReach || type === AttributeType.MpUnreach;
      if (this.#seen[type] === this.#seenMark) {
        // RFC 7606 3 g.
        if (multiprotocol) return malformed(`attribute ${type} is there twice`);
        const text = `attribute ${type} is there twice`;
        this.discarded = [...this.discarded, { ...updateFault("discard", 1, text), attribute: `type ${type}` }];
      } else {
        this.#seen[type] = this.#seenMark;
        if (multiprotocol) {
          const fault = this.#multiprotocol(body, flags, type, value, next, context);
          if (fault !== undefined) return fault;
        } else {
          this.#keep(body, at, next, kept++ === 0);
        }
      }
      at = next;
    }
    const onlyUnreach = this.#hasUnreach && !this.#hasReach && kept === 0 && body.length === end && start === 4;
    if (onlyUnreach && this.unreach.start === this.unreach.end && this.unreach.end > 0) {
      this.endOfRib = this.unreach.family;
    }
    return undefined;
  }

  /** Where attributes stand together they are left in place; the first gap makes a copy. */
  #keep(body: Uint8Array, at: number, next: number, first: boolean): void {
    if (first) this.attributesStart = at;
    else if (this.attributes === body && this.attributesEnd !== at) {
      const copy = new Uint8Array(body.length);
      copy.set(body.subarray(this.attributesStart, this.attributesEnd));
      this.attributesEnd -= this.attributesStart;
      this.attributesStart = 0;
      this.attributes = copy;
    }
    if (this.attributes === body) {
      this.attributesEnd = next;
    } else {
      this.attributes.set(body.subarray(at, next), this.attributesEnd);
      this.attributesEnd += next - at;
    }
  }

  #multiprotocol(
    body: Uint8Array,
    flags: number,
    type: number,
    value: number,
    end: number,
    context: UpdateContext,
  ): Fault | undefined {
    if ((flags & 0xc0) !== AttributeFlag.Optional) {
      // RFC 7606 5.3: what says so of itself may not hold the routes that it seems to, so 3 c does not apply.
      const name = type === AttributeType.MpReach ? "MP_REACH_NLRI" : "MP_UNREACH_NLRI";
      return resetFault(ErrorCode.Update, 9, `flags 0x${flags.toString(16)} do not fit ${name}`);
    }
    return type === AttributeType.MpReach
      ? this.#reach(body, value, end, context)
      : this.#unreach(body, value, end, context);
  }

  /** A family we do not speak is nothing to us (RFC 4760 7 leaves the session up). */
  #unreach(body: Uint8Array, at: number, end: number, context: UpdateContext): Fault | undefined {
    this.#hasUnreach = true;
    if (end - at < 3) return resetFault(ErrorCode.Update, 9, `MP_UNREACH_NLRI of ${end - at} octets`);
    const family = familyOfAfi(u16(body, at), body[at + 2] as number);
    if (family === undefined) return undefined;
    const problem = place(this.unreach, body, at + 3, end, family, context.addPathReceive.includes(family));
    return problem === undefined ? undefined : resetFault(ErrorCode.Update, 9, `MP_UNREACH_NLRI: ${problem}`);
  }

  #reach(body: Uint8Array, at: number, end: number, context: UpdateContext): Fault | undefined {
    const fault = (text: string) => resetFault(ErrorCode.Update, 9, `MP_REACH_NLRI: ${text}`);
    this.#hasReach = true;
    if (end - at < 5) return fault(`${end - at} octets are too few`);
    const family = familyOfAfi(u16(body, at), body[at + 2] as number);
    const length = body[at + 3] as number;
    const nlriAt = at + 4 + length + 1;
    if (nlriAt > end) return fault("the next hop overruns the attribute");
    if (family === undefined) return undefined;
    const ipv6 = length === 16 || length === 32;
    const fits = family === 6 ? ipv6 : length === 4 || (ipv6 && context.extendedNextHop);
    if (!fits) return fault(`next hop of ${length} octets`);
    this.nextHopAt = at + 4;
    this.nextHopLength = length;
    const problem = place(this.reach, body, nlriAt, end, family, context.addPathReceive.includes(family));
    return problem === undefined ? undefined : fault(problem);
  }

  /** RFC 7606 3 d: a route without a mandatory attribute is a route withdrawn. LOCAL_PREF is the session's business. */
  #missing(): Fault | undefined {
    const needsNextHop = this.announced.end > this.announced.start;
    if (!this.has(AttributeType.Origin)) return missing(AttributeType.Origin, "ORIGIN");
    if (!this.has(AttributeType.AsPath)) return missing(AttributeType.AsPath, "AS_PATH");
    if (needsNextHop && !this.has(AttributeType.NextHop)) return missing(AttributeType.NextHop, "NEXT_HOP");
    return undefined;
  }

  /** Whether the message has an attribute of the type. */
  has(type: number): boolean {
    return this.#seen[type] === this.#seenMark;
  }

  #nextMessage(): void {
    this.#seenMark = (this.#seenMark + 1) & 0xff;
    if (this.#seenMark !== 0) return;
    this.#seen.fill(0);
    this.#seenMark = 1;
  }
}

function place(
  into: NlriRun,
  octets: Uint8Array,
  start: number,
  end: number,
  family: Family,
  addPath: boolean,
): string | undefined {
  into.octets = octets;
  into.start = start;
  into.end = end;
  into.family = family;
  into.addPath = addPath;
  return start === end ? undefined : nlriProblem(octets, start, end, family, addPath);
}

function clear(into: NlriRun): void {
  into.start = 0;
  into.end = 0;
}

function malformed(text: string): Fault {
  return resetFault(ErrorCode.Update, 1, text);
}

function missing(type: number, name: string): Fault {
  return { ...updateFault("withdraw", 3, `${name} is missing`, Uint8Array.of(type)), attribute: name };
}

const MAPPED = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/** What no next hop can be (RFC 4271 5.1.3, 6.3); the routes are then treated as withdrawn. */
export function nextHopProblem(nextHop: Uint8Array): string | undefined {
  // ::ffff:0:0/96 stands for IPv4 addresses (RFC 4291 2.5.5.2), and for what those cannot be.
  if (nextHop.length === 16 && nextHop[0] === 0 && MAPPED.every((octet, i) => nextHop[i] === octet)) {
    return nextHopProblem(nextHop.subarray(12));
  }
  if (isUnspecified(nextHop)) return "is unspecified";
  if (isMulticast(nextHop)) return "is a multicast address";
  if (isLoopback(nextHop)) return "is a loopback address";
  if (nextHop.length === 4 && (nextHop[0] === 0 || (nextHop[0] as number) >= 240)) return "is no host address";
  return undefined;
}

function updateFault(action: "withdraw" | "discard", subcode: number, text: string, data: Uint8Array = NOTHING): Fault {
  return { action, code: ErrorCode.Update, subcode, data, text };
}
