/**
 * A received UPDATE's way into the RIB: attributes to a set, import rules, then announce or withdraw.
 *
 * One of these stands for a session. Nothing is made per route, and per UPDATE little: the message is read in place.
 */
import { formatPrefix } from "../../ipam/net/prefix.ts";
import { ImportRules } from "../policy/import.ts";
import type { LocalEnd } from "../session/local-end.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { checkAttributes } from "../wire/attributes.ts";
import { AttributeFlag, AttributeType } from "../wire/codes.ts";
import { type Fault, isFault } from "../wire/fault.ts";
import { prefixesIn } from "../wire/nlri.ts";
import { u16 } from "../wire/octets.ts";
import type { AttributeContext } from "../wire/path-attributes.ts";
import { type NlriRun, UpdateReader } from "../wire/update.ts";
import { contextOf, NO_SET } from "./attribute-table.ts";
import type { Rib } from "./rib.ts";

export interface Imported {
  /** Every fault that did not end the session, for the counters and the log. */
  readonly faults: readonly Fault[];
  readonly endOfRib: 4 | 6 | undefined;
  /** With faults: what the UPDATE is about (RFC 7606 8: an operator must be able to find out). */
  readonly prefixes: readonly string[];
}

const NOTHING_TO_SAY: Imported = { faults: [], endOfRib: undefined, prefixes: [] };
/** One message is read at a time, whoever sent it. */
const READER = new UpdateReader();
/** Attributes with the next hop of MP_REACH_NLRI among them. */
const SCRATCH = new Uint8Array(65_536 + 64);

export class AdjRibIn {
  readonly #rib: Rib;
  readonly #source: number;
  readonly #negotiated: Negotiated;
  readonly #local: LocalEnd | undefined;
  readonly #classic: AttributeContext;
  readonly #multiprotocol: AttributeContext;
  rules: ImportRules;
  /** Of the UPDATE at hand, those that do not end the session. */
  #faults: readonly Fault[] = [];
  /** How many prefixes a family may have; what is beyond is not taken. */
  limit = Number.POSITIVE_INFINITY;

  constructor(rib: Rib, source: number, config: PeerConfig, negotiated: Negotiated, local: LocalEnd | undefined) {
    this.#rib = rib;
    this.#source = source;
    this.#negotiated = negotiated;
    this.#local = local;
    const { asOctets, external } = negotiated;
    this.#classic = { asOctets, external, multiprotocol: false };
    this.#multiprotocol = { asOctets, external, multiprotocol: true };
    this.rules = this.#rulesOf(config);
  }

  /** The rules changed: every path of the peer is looked at again. */
  reconfigure(config: PeerConfig): void {
    this.rules = this.#rulesOf(config);
    for (const family of this.#negotiated.families) this.#rib.reimport(this.#source, family, this.rules);
  }

  /** Takes an UPDATE in. A Fault ends the session; nothing of the UPDATE has been applied then. */
  update(body: Uint8Array): Imported | Fault {
    const reader = READER;
    const fault = reader.read(body, this.#negotiated);
    if (fault !== undefined) return fault;
    const classic = reader.announced.end > reader.announced.start;
    const multiprotocol = reader.reach.end > reader.reach.start;
    if (!classic && !multiprotocol) return this.#withoutRoutes(reader);
    // Every set is read before anything changes: a fault that ends the session must leave the RIB alone.
    const one = classic ? this.#setOf(reader, this.#classic) : NO_SET;
    const two = multiprotocol ? this.#setOf(reader, this.#multiprotocol) : NO_SET;
    if (typeof one !== "number" && one.action === "reset") return this.#ends(one, two);
    if (typeof two !== "number" && two.action === "reset") return this.#ends(two, one);
    this.#faults = reader.discarded;
    if (typeof one !== "number") this.#note(one);
    if (typeof two !== "number" && two !== one) this.#note(two);
    this.#withdraw(reader.withdrawn);
    this.#withdraw(reader.unreach);
    if (classic) this.#announce(reader.announced, one);
    if (multiprotocol) this.#announce(reader.reach, two);
    if (this.#faults.length === 0) return NOTHING_TO_SAY;
    return { faults: this.#faults, endOfRib: undefined, prefixes: prefixesOf(reader) };
  }

  #note(fault: Fault): void {
    this.#faults = [...this.#faults, fault];
  }

  /** Gives back the other set of an UPDATE that ends the session. */
  #ends(fault: Fault, other: number | Fault): Fault {
    if (typeof other === "number" && other !== NO_SET) this.#rib.attributes.release(other);
    return fault;
  }

  #withoutRoutes(reader: UpdateReader): Imported | Fault {
    if (reader.attributesEnd > reader.attributesStart && reader.withdraw === undefined) {
      // RFC 7606 5.2: attributes of no route, with a fault that would cost the route: there is none to withdraw
      // instead.
      const { attributes, attributesStart, attributesEnd } = reader;
      const checked = checkAttributes(attributes, attributesStart, attributesEnd, this.#classic);
      if (isFault(checked)) return { ...checked, action: "reset" };
    }
    this.#withdraw(reader.withdrawn);
    this.#withdraw(reader.unreach);
    const { discarded, withdraw, endOfRib } = reader;
    if (discarded.length === 0 && withdraw === undefined && endOfRib === undefined) return NOTHING_TO_SAY;
    const faults = withdraw === undefined ? discarded : [...discarded, withdraw];
    return { faults, endOfRib, prefixes: faults.length === 0 ? [] : prefixesOf(reader) };
  }

  #speaks(run: NlriRun): boolean {
    return run.end > run.start && this.#negotiated.families.includes(run.family);
  }

  #withdraw(run: NlriRun): void {
    if (this.#speaks(run)) this.#rib.withdraw(this.#source, run);
  }

  #announce(run: NlriRun, set: number | Fault): void {
    if (typeof set !== "number") {
      // RFC 7606 2: treat-as-withdraw.
      this.#withdraw(run);
      return;
    }
    for (const fault of this.#rib.attributes.discarded(set)) this.#note(fault);
    if (this.#speaks(run)) this.#rib.announce(this.#source, run, set, this.rules, this.limit);
    this.#rib.attributes.release(set);
  }

  /** The set's id with one reference, or why the routes are lost. */
  #setOf(reader: UpdateReader, context: AttributeContext): number | Fault {
    const { attributes } = this.#rib;
    let { attributes: octets, attributesStart: start, attributesEnd: end } = reader;
    if (reader.withdraw !== undefined) {
      // RFC 7606 3 h: of several faults the one with the strongest remedy counts.
      const checked = checkAttributes(octets, start, end, context);
      return isFault(checked) && checked.action === "reset" ? checked : reader.withdraw;
    }
    let scope = 0;
    if (context.multiprotocol) {
      end = withNextHop(reader);
      octets = SCRATCH;
      start = 0;
      scope = reader.nextHopLength === 4 ? 0 : (this.#local?.interfaceIndex ?? 0);
    }
    const key = contextOf(context, scope);
    const known = attributes.find(octets, start, end, key);
    if (known !== NO_SET) return known;
    const checked = checkAttributes(octets, start, end, context);
    if (isFault(checked)) return checked;
    return attributes.add(octets, start, end, key, checked.canonical, checked.discarded);
  }

  #rulesOf(config: PeerConfig): ImportRules {
    const { attributes, nextHops } = this.#rib;
    return new ImportRules(attributes, nextHops, config, this.#negotiated, this.#local?.address);
  }
}

function prefixesOf({ withdrawn, announced, unreach, reach }: UpdateReader): string[] {
  return [announced, reach, withdrawn, unreach].flatMap(({ octets, start, end, family, addPath }) =>
    prefixesIn(octets, start, end, family, addPath).map(({ prefix }) => formatPrefix(prefix)),
  );
}

/** The attributes in SCRATCH, the next hop of MP_REACH_NLRI in the place of NEXT_HOP (RFC 4760 3); returns the end. */
function withNextHop(reader: UpdateReader): number {
  const { attributes, attributesEnd } = reader;
  let to = 0;
  let placed = false;
  for (let at = reader.attributesStart; at < attributesEnd; ) {
    const type = attributes[at + 1] as number;
    const extended = ((attributes[at] as number) & AttributeFlag.ExtendedLength) !== 0;
    const next = at + (extended ? 4 + u16(attributes, at + 2) : 3 + (attributes[at + 2] as number));
    if (!placed && type >= AttributeType.NextHop) {
      to = placeNextHop(reader, to);
      placed = true;
    }
    if (type === AttributeType.NextHop) at = next;
    while (at < next) SCRATCH[to++] = attributes[at++] as number;
  }
  return placed ? to : placeNextHop(reader, to);
}

function placeNextHop({ reach, nextHopAt, nextHopLength }: UpdateReader, to: number): number {
  SCRATCH[to] = AttributeFlag.Transitive;
  SCRATCH[to + 1] = AttributeType.NextHop;
  SCRATCH[to + 2] = nextHopLength;
  for (let i = 0; i < nextHopLength; i++) SCRATCH[to + 3 + i] = reach.octets[nextHopAt + i] as number;
  return to + 3 + nextHopLength;
}
