/** For tests: UPDATEs between four-octet speakers, from values and back. */
import { type Family, familyOf } from "../../ipam/net/address.ts";
import type { Prefix } from "../../ipam/net/prefix.ts";
import { encodeAttributes } from "./encode-attributes.ts";
import { fits, type NlriTable, UpdateWriter } from "./encode-update.ts";
import { type Fault, isFault } from "./fault.ts";
import { Framer, type RawMessage } from "./framer.ts";
import { encodePrefix, type PathPrefix, prefixesIn } from "./nlri.ts";
import { concat } from "./octets.ts";
import type { PathAttributes } from "./path-attributes.ts";
import { type NlriRun, UpdateReader } from "./update.ts";

/** Prefixes by their place in a list. */
export function nlriTable(prefixes: readonly Prefix[]): NlriTable {
  const octets = prefixes.map(encodePrefix);
  return {
    nlriLength: (id) => (octets[id] as Uint8Array).length,
    write(id, into, at) {
      into.set(octets[id] as Uint8Array, at);
      return at + (octets[id] as Uint8Array).length;
    },
  };
}

/** Undefined when a prefix does not fit. */
export function announcements(
  family: Family,
  prefixes: readonly Prefix[],
  attributes: PathAttributes,
  maxLength = 4096,
): Uint8Array[] | undefined {
  const octets = encodeAttributes(attributes, 4);
  const { nextHop, linkLocalNextHop } = attributes;
  const hops = linkLocalNextHop === undefined ? nextHop : concat([nextHop, linkLocalNextHop]);
  const writer = new UpdateWriter(maxLength);
  writer.announce(family, familyOf(nextHop) === 4 ? undefined : hops, octets, 0, octets.length);
  const table = nlriTable(prefixes);
  const reach = familyOf(nextHop) === 4 ? undefined : hops;
  for (const id of prefixes.keys()) {
    if (!fits(octets.length, reach, table.nlriLength(id), maxLength)) return undefined;
    writer.add(table, id, undefined);
  }
  return messagesIn(writer.take());
}

export function withdrawals(family: Family, prefixes: readonly Prefix[], maxLength = 4096): Uint8Array[] {
  const writer = new UpdateWriter(maxLength);
  writer.withdraw(family);
  const table = nlriTable(prefixes);
  for (const id of prefixes.keys()) writer.add(table, id, undefined);
  return messagesIn(writer.take());
}

/** One array per message, headers included. */
export function messagesIn(octets: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at < octets.length; ) {
    const length = ((octets[at + 16] as number) << 8) | (octets[at + 17] as number);
    messages.push(octets.slice(at, at + length));
    at += length;
  }
  return messages;
}

export function bodyOf(message: Uint8Array): Uint8Array {
  const framer = new Framer();
  framer.push(message);
  return (framer.next() as RawMessage).body;
}

/** What an UPDATE's body says, as values. */
export interface ReadUpdate {
  readonly withdrawn: readonly PathPrefix[];
  readonly announced: readonly PathPrefix[];
  readonly withdraw: Fault | undefined;
  readonly discarded: readonly Fault[];
  readonly endOfRib: Family | undefined;
  readonly attributes: Uint8Array;
  /** Of MP_REACH_NLRI; empty without one. */
  readonly nextHop: Uint8Array;
}

export function readUpdate(body: Uint8Array, addPathReceive: readonly Family[] = []): ReadUpdate | Fault {
  const reader = new UpdateReader();
  const fault = reader.read(body, { addPathReceive, extendedNextHop: true });
  if (fault !== undefined && isFault(fault)) return fault;
  const prefixes = ({ octets, start, end, family, addPath }: NlriRun) =>
    prefixesIn(octets, start, end, family, addPath);
  const hasReach = reader.reach.end > reader.reach.start;
  return {
    withdrawn: [...prefixes(reader.withdrawn), ...prefixes(reader.unreach)],
    announced: [...prefixes(reader.announced), ...prefixes(reader.reach)],
    withdraw: reader.withdraw,
    discarded: reader.discarded,
    endOfRib: reader.endOfRib,
    attributes: reader.attributes.slice(reader.attributesStart, reader.attributesEnd),
    nextHop: hasReach ? body.slice(reader.nextHopAt, reader.nextHopAt + reader.nextHopLength) : new Uint8Array(0),
  };
}
