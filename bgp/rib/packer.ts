/** From what a peer has still to be told to UPDATE messages: one attribute set, as many prefixes as fit. */
import type { Family } from "../../ipam/net/address.ts";
import { exportRoute, type RouteSource } from "../policy/export.ts";
import type { Negotiated } from "../session/negotiate.ts";
import type { PeerConfig } from "../session/peer-config.ts";
import { MAX_MESSAGE_LENGTH } from "../wire/codes.ts";
import { encodeAttributes } from "../wire/encode-attributes.ts";
import { encodeAnnouncements, encodeEndOfRib, encodeWithdrawals } from "../wire/encode-update.ts";
import { concat } from "../wire/octets.ts";
import type { PathAttributes } from "../wire/path-attributes.ts";
import { type AdjRibOut, NOT_ANNOUNCED } from "./adj-rib-out.ts";
import type { AttributeTable } from "./attribute-table.ts";
import type { FamilyRib } from "./family-rib.ts";
import { NO_PATH } from "./paths.ts";

/** Prefixes looked at in one go: about one socket buffer's worth. */
const BATCH = 4096;

export interface PackContext {
  readonly config: PeerConfig;
  readonly negotiated: Negotiated;
  readonly rib: FamilyRib;
  readonly attributes: AttributeTable;
  /** The peer's own number among the sources: its routes do not go back to it. */
  readonly source: number;
  kindOf(source: number): RouteSource;
}

/** The next messages for the peer; empty when it has been told everything. */
export function packUpdates(out: AdjRibOut, context: PackContext): Uint8Array[] {
  const { rib, attributes } = context;
  const groups = new Map<number, number[]>();
  const withdrawn: number[] = [];
  const exported = new Map<number, number>();
  for (let n = 0; n < BATCH; n++) {
    const prefix = out.pending.take();
    if (prefix === undefined) break;
    // Its best path may be gone already; it comes again once it is decided.
    if (rib.marked.has(prefix)) continue;
    const wanted = exportOf(prefix, context, exported);
    const before = out.announced(prefix);
    if (wanted === before) continue;
    if (wanted === NOT_ANNOUNCED) withdrawn.push(prefix);
    else push(groups, wanted, prefix);
  }
  const messages = announceGroups(groups, withdrawn, out, context);
  for (const id of exported.values()) if (id !== NOT_ANNOUNCED) attributes.release(id);
  // Withdrawals go first: what they free may be what a limit at the peer is waiting for.
  const gone = withdrawn.map((prefix) => rib.prefixes.prefix(prefix));
  const withdrawals = encodeWithdrawals(rib.family, gone, MAX_MESSAGE_LENGTH);
  for (const prefix of withdrawn) forget(prefix, out, context);
  if (out.pending.size === 0 && rib.marked.size === 0 && out.endOfRibDue) {
    out.endOfRibDue = false;
    messages.push(encodeEndOfRib(rib.family));
  }
  return [...withdrawals, ...messages];
}

function announceGroups(
  groups: ReadonlyMap<number, readonly number[]>,
  withdrawn: number[],
  out: AdjRibOut,
  { rib, attributes, negotiated }: PackContext,
): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (const [id, ids] of groups) {
    const prefixes = ids.map((prefix) => rib.prefixes.prefix(prefix));
    const { nextHop: address, linkLocalNextHop: linkLocal } = attributes.attributes(id);
    const octets = attributes.encoded(id, negotiated.asOctets);
    const encoded = encodeAnnouncements(rib.family, prefixes, octets, { address, linkLocal }, MAX_MESSAGE_LENGTH);
    if (encoded === undefined) {
      // RFC 4271 9.2: a route that does not fit must not leave an older one standing.
      withdrawn.push(...ids.filter((prefix) => out.announced(prefix) !== NOT_ANNOUNCED));
      continue;
    }
    messages.push(...encoded);
    for (const prefix of ids) {
      const before = out.announced(prefix);
      attributes.retain(id);
      out.setAnnounced(prefix, id);
      if (before === NOT_ANNOUNCED) rib.hold(prefix);
      else attributes.release(before);
    }
  }
  return messages;
}

/** The peer no longer has the prefix from us. */
export function forget(
  prefix: number,
  out: AdjRibOut,
  { rib, attributes }: Pick<PackContext, "rib" | "attributes">,
): void {
  const before = out.announced(prefix);
  if (before === NOT_ANNOUNCED) return;
  out.setAnnounced(prefix, NOT_ANNOUNCED);
  attributes.release(before);
  rib.unhold(prefix);
}

/**
 * The attribute set to announce for a prefix. `exported` remembers the outcome per set and kind of source for this
 * batch, with one reference each, so that export rules run once per set and not once per prefix.
 */
function exportOf(prefix: number, context: PackContext, exported: Map<number, number>): number {
  const { rib, attributes, config } = context;
  const best = rib.best(prefix);
  if (best === NO_PATH) return NOT_ANNOUNCED;
  const source = rib.paths.source(best);
  if (source === context.source) return NOT_ANNOUNCED;
  const kind = context.kindOf(source);
  const set = rib.paths.attributes(best);
  const memo = set * 3 + (kind === "local" ? 0 : kind === "external" ? 1 : 2);
  const known = exported.get(memo);
  if (known !== undefined) return known;
  const outcome = exportRoute(config, rib.family, kind, attributes.attributes(set));
  const id = typeof outcome === "string" ? NOT_ANNOUNCED : internAttributes(attributes, rib.family, outcome);
  exported.set(memo, id);
  return id;
}

/** A set of our own making in the table, with one reference. */
export function internAttributes(table: AttributeTable, family: Family, attributes: PathAttributes): number {
  const key = concat([
    Uint8Array.of(0x80 | family),
    attributes.nextHop,
    attributes.linkLocalNextHop ?? new Uint8Array(0),
    encodeAttributes(attributes, 4),
  ]);
  return table.intern(key, () => ({ attributes, discarded: [] })) as number;
}

function push(groups: Map<number, number[]>, key: number, prefix: number): void {
  const group = groups.get(key);
  if (group === undefined) groups.set(key, [prefix]);
  else group.push(prefix);
}
