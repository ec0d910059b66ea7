/** A received UPDATE's way into the RIB: attributes to a set, import rules, then announce or withdraw. */
import { importProblem } from "../policy/import.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { type DecodedAttributes, decodeAttributes, type RawAttribute } from "../wire/attributes.ts";
import { AttributeType } from "../wire/codes.ts";
import { type Fault, isFault } from "../wire/fault.ts";
import { type AttributeContext, type PathAttributes } from "../wire/path-attributes.ts";
import { type Announcement, decodeUpdate, type Update } from "../wire/update.ts";
import type { Rib } from "./rib.ts";

export interface ImportContext {
  readonly rib: Rib;
  readonly source: number;
  readonly config: PeerConfig;
  readonly negotiated: Negotiated;
}

export interface Imported {
  /** Every fault that did not end the session, for the counters and the log. */
  readonly faults: readonly Fault[];
  readonly endOfRib: 4 | 6 | undefined;
}

/** Takes an UPDATE in. A Fault ends the session; nothing of the UPDATE has been applied then. */
export function importUpdate(body: Uint8Array, context: ImportContext): Imported | Fault {
  const update = decodeUpdate(body);
  if (isFault(update)) return update;
  const faults: Fault[] = [...update.discarded];
  const orphans = orphanFault(update, context);
  if (orphans !== undefined) return orphans;
  // Every set is read before anything changes: a fault that ends the session must leave the RIB alone.
  const sets = update.announced.map((announcement) => internSet(update, announcement, context));
  const reset = sets.find((set) => typeof set !== "number" && set.action === "reset");
  if (reset !== undefined) {
    for (const set of sets) if (typeof set === "number") context.rib.attributes.release(set);
    return reset as Fault;
  }
  for (const block of update.withdrawn) {
    if (context.negotiated.families.includes(block.family)) context.rib.withdraw(context.source, block);
  }
  for (const [i, announcement] of update.announced.entries()) {
    applyAnnouncement(announcement, sets[i] as number | Fault, context, faults);
  }
  if (update.withdraw !== undefined && !faults.includes(update.withdraw)) faults.push(update.withdraw);
  return { faults, endOfRib: update.endOfRib };
}

/** RFC 7606 5.2: attributes of no route, with a fault that would cost the route: there is none to withdraw instead. */
function orphanFault(update: Update, { negotiated }: ImportContext): Fault | undefined {
  if (update.announced.length > 0 || update.attributes.length === 0) return undefined;
  const decoded = decodeAttributes(update.attributes, negotiated);
  return isFault(decoded) ? { ...decoded, action: "reset" } : undefined;
}

function applyAnnouncement(
  { nlri }: Announcement,
  set: number | Fault,
  { rib, source, config, negotiated }: ImportContext,
  faults: Fault[],
): void {
  if (typeof set !== "number") {
    faults.push(set);
    // RFC 7606 2: treat-as-withdraw.
    if (negotiated.families.includes(nlri.family)) rib.withdraw(source, nlri);
    return;
  }
  faults.push(...rib.attributes.discarded(set));
  if (negotiated.families.includes(nlri.family)) {
    const problem = importProblem(config, negotiated.external, rib.attributes.attributes(set));
    // RFC 4271 9: a route that cannot be used still replaces the one before it: by nothing.
    if (problem === undefined) rib.announce(source, nlri, set);
    else rib.withdraw(source, nlri);
  }
  rib.attributes.release(set);
}

/** The set's id with one reference, or why the routes are lost. */
function internSet(update: Update, { nextHop }: Announcement, context: ImportContext): number | Fault {
  const { asOctets, external } = context.negotiated;
  const attributeContext: AttributeContext = { asOctets, external };
  if (update.withdraw !== undefined) {
    // RFC 7606 3 h: of several faults the one with the strongest remedy counts.
    const decoded = decodeAttributes(update.attributes, attributeContext);
    return isFault(decoded) && decoded.action === "reset" ? decoded : update.withdraw;
  }
  const key = keyOf(update.attributes, nextHop, attributeContext);
  return context.rib.attributes.intern(key, () => {
    const decoded = decodeAttributes(update.attributes, attributeContext);
    return isFault(decoded) || nextHop.length === 0 ? decoded : withNextHop(decoded, nextHop);
  });
}

/** Next hops of MP_REACH_NLRI take the place of NEXT_HOP (RFC 4760 3). */
function withNextHop({ attributes, discarded }: DecodedAttributes, nextHop: Uint8Array): DecodedAttributes {
  const { linkLocalNextHop: _before, ...rest } = attributes;
  const linkLocal = nextHop.length === 32 ? { linkLocalNextHop: nextHop.slice(16) } : {};
  const replaced: PathAttributes = { ...rest, nextHop: nextHop.slice(0, nextHop.length === 4 ? 4 : 16), ...linkLocal };
  return { attributes: replaced, discarded };
}

/** Everything the decoded set depends on. NEXT_HOP is left out where MP_REACH_NLRI's next hop counts. */
function keyOf(list: readonly RawAttribute[], nextHop: Uint8Array, context: AttributeContext): Uint8Array {
  let length = 2 + nextHop.length;
  for (const { value } of list) length += 4 + value.length;
  const key = new Uint8Array(length);
  key[0] = (context.asOctets === 4 ? 1 : 0) | (context.external ? 2 : 0);
  key[1] = nextHop.length;
  key.set(nextHop, 2);
  let at = 2 + nextHop.length;
  for (const { flags, type, value } of list) {
    if (type === AttributeType.NextHop && nextHop.length > 0) continue;
    key[at] = flags;
    key[at + 1] = type;
    key[at + 2] = value.length >>> 8;
    key[at + 3] = value.length;
    key.set(value, at + 4);
    at += 4 + value.length;
  }
  return key.subarray(0, at);
}
