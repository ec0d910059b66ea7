/**
 * Path attributes (RFC 4271 4.3, 5; RFC 7606 for every fault): octets checked, brought into one form, and read.
 *
 * A set of attributes is kept as octets in canonical form: ascending types, four-octet AS numbers, what two-octet
 * speakers passed along merged in, nothing that was discarded; the next hop is always in NEXT_HOP, 16 or 32 octets
 * long where it came in MP_REACH_NLRI. known-attributes.ts has a row per attribute.
 */
import { mergeAs4Path } from "./as-path.ts";
import { AS_TRANS, AttributeFlag, ErrorCode } from "./codes.ts";
import { encodeCanonical } from "./encode-attributes.ts";
import type { Fault } from "./fault.ts";
import { ATTRIBUTES, type Descriptor, type Draft } from "./known-attributes.ts";
import { u16 } from "./octets.ts";
import {
  type AttributeContext,
  CANONICAL,
  Origin,
  type PathAttributes,
  type UnknownAttribute,
} from "./path-attributes.ts";

/** RFC 7606 3 c: only the Optional and Transitive bits are looked at. */
const FLAGS_THAT_COUNT = AttributeFlag.Optional | AttributeFlag.Transitive;

export interface CheckedAttributes {
  /** Faults that cost no more than the attribute. */
  readonly discarded: readonly Fault[];
  /** The canonical form; undefined: the octets have it already. */
  readonly canonical: Uint8Array | undefined;
}

const CANONICAL_ALREADY: CheckedAttributes = { discarded: [], canonical: undefined };

/**
 * Checks a list of whole attributes, each type at most once, MP_REACH_NLRI and MP_UNREACH_NLRI not among them. A fault
 * that costs the routes comes back as the Fault: `withdraw`, or `reset` for an unknown well-known attribute (RFC 4271
 * 6.3). Which attributes are mandatory is update.ts's business: it knows the routes.
 */
export function checkAttributes(
  octets: Uint8Array,
  start: number,
  end: number,
  context: AttributeContext,
): CheckedAttributes | Fault {
  let canonical = context.asOctets === 4;
  let discarded: Fault[] | undefined;
  let withdraw: Fault | undefined;
  let before = -1;
  for (let at = start; at < end; ) {
    const flags = octets[at] as number;
    const type = octets[at + 1] as number;
    const extended = (flags & AttributeFlag.ExtendedLength) !== 0;
    const length = extended ? u16(octets, at + 2) : (octets[at + 2] as number);
    const value = at + (extended ? 4 : 3);
    if (type < before) canonical = false;
    before = type;
    const descriptor = ATTRIBUTES[type];
    if (descriptor === undefined) {
      if ((flags & AttributeFlag.Optional) === 0) return unknownWellKnown(octets, at, value + length);
      // RFC 4271 5: unrecognised optional attributes are passed on if transitive, and quietly ignored if not.
      if ((flags & AttributeFlag.Transitive) === 0) canonical = false;
    } else {
      const fault = faultIn(descriptor, flags, octets, at, value, length, context);
      if (fault === undefined) {
        const ignored = descriptor.isIgnored?.(context) === true;
        if (ignored || descriptor.isRedundant?.(octets, value, length) === true) canonical = false;
      } else if (fault.action === "discard") {
        canonical = false;
        discarded = [...(discarded ?? []), fault];
      } else {
        withdraw ??= fault;
      }
    }
    at = value + length;
  }
  if (withdraw !== undefined) return withdraw;
  if (canonical) return CANONICAL_ALREADY;
  const attributes = read(octets, start, end, context);
  return { discarded: discarded ?? [], canonical: encodeCanonical(attributes) };
}

/** What a canonical form says. */
export function readAttributes(octets: Uint8Array): PathAttributes {
  return read(octets, 0, octets.length, CANONICAL);
}

function faultIn(
  descriptor: Descriptor,
  flags: number,
  octets: Uint8Array,
  at: number,
  value: number,
  length: number,
  context: AttributeContext,
): Fault | undefined {
  const ignored = descriptor.isIgnored?.(context) === true;
  const wrongFlags = (flags & FLAGS_THAT_COUNT) !== descriptor.flags;
  if (ignored && !wrongFlags) return undefined;
  const problem = wrongFlags
    ? ([4, `flags 0x${flags.toString(16)} do not fit the attribute`, undefined] as const)
    : descriptor.check(octets, value, length, context);
  if (problem === undefined) return undefined;
  const discard = descriptor.onFault === "discard" || (descriptor.onFault === "discard-external" && context.external);
  return {
    action: problem[2] ?? (discard ? "discard" : "withdraw"),
    code: ErrorCode.Update,
    subcode: problem[0],
    // RFC 4271 6.3: the attribute itself, as much of it as is sensible.
    data: octets.slice(at, Math.min(value + length, at + 64)),
    text: `${descriptor.name}: ${problem[1]}`,
    attribute: descriptor.name,
  };
}

function unknownWellKnown(octets: Uint8Array, at: number, end: number): Fault {
  const text = `attribute ${octets[at + 1]} is said to be well-known but is not`;
  const data = octets.slice(at, Math.min(end, at + 64));
  return { action: "reset", code: ErrorCode.Update, subcode: 2, data, text, attribute: `type ${octets[at + 1]}` };
}

/** Reads what has no fault and counts; the rest is passed over. */
function read(octets: Uint8Array, start: number, end: number, context: AttributeContext): PathAttributes {
  const draft: Draft = {};
  const unknown: UnknownAttribute[] = [];
  for (let at = start; at < end; ) {
    const flags = octets[at] as number;
    const type = octets[at + 1] as number;
    const extended = (flags & AttributeFlag.ExtendedLength) !== 0;
    const length = extended ? u16(octets, at + 2) : (octets[at + 2] as number);
    const value = at + (extended ? 4 : 3);
    const descriptor = ATTRIBUTES[type];
    if (descriptor === undefined) {
      const transitive = (flags & AttributeFlag.Transitive) !== 0;
      if (transitive) unknown.push({ type, flags, value: octets.slice(value, value + length) });
    } else if (
      descriptor.isIgnored?.(context) !== true &&
      (context === CANONICAL || faultIn(descriptor, flags, octets, at, value, length, context) === undefined)
    ) {
      descriptor.read(octets.subarray(value, value + length), draft, context);
    }
    at = value + length;
  }
  mergeFourOctet(draft);
  const { as4Path: _path, as4Aggregator: _aggregator, ...rest } = draft;
  return {
    ...rest,
    origin: draft.origin ?? Origin.Incomplete,
    asPath: draft.asPath ?? [],
    nextHop: draft.nextHop ?? new Uint8Array(0),
    ...(unknown.length > 0 ? { unknown } : {}),
  };
}

/** RFC 6793 4.2.3: what a two-octet speaker passed along in AS4_PATH and AS4_AGGREGATOR. */
function mergeFourOctet(draft: Draft): void {
  if (draft.aggregator !== undefined && draft.as4Aggregator !== undefined) {
    // An AGGREGATOR that is not AS_TRANS was made later by a two-octet speaker: AS4_* are stale then.
    if (draft.aggregator.asNumber !== AS_TRANS) return;
    draft.aggregator = draft.as4Aggregator;
  }
  if (draft.as4Path !== undefined) draft.asPath = mergeAs4Path(draft.asPath ?? [], draft.as4Path);
}
