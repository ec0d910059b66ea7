/**
 * Path attributes (RFC 4271 4.3, 5; RFC 7606 for every fault): octets to values.
 *
 * known-attributes.ts has a row per attribute. MP_REACH_NLRI and MP_UNREACH_NLRI carry routes, not attributes of a
 * route: update.ts takes them out before.
 */
import { mergeAs4Path } from "./as-path.ts";
import { AS_TRANS, AttributeFlag, ErrorCode } from "./codes.ts";
import { type Fault } from "./fault.ts";
import { ATTRIBUTES, type Descriptor, type Draft } from "./known-attributes.ts";
import { type AttributeContext, Origin, type PathAttributes, type UnknownAttribute } from "./path-attributes.ts";

export interface DecodedAttributes {
  readonly attributes: PathAttributes;
  /** Faults that cost no more than the attribute. */
  readonly discarded: readonly Fault[];
}

/** RFC 7606 3 c: only the Optional and Transitive bits are looked at. */
const FLAGS_THAT_COUNT = AttributeFlag.Optional | AttributeFlag.Transitive;

/** One attribute as it stands in the message. */
export interface RawAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

/**
 * Reads a route's attributes. A fault that costs the route comes back as the Fault (`withdraw`, or `reset` for an
 * unknown well-known attribute, RFC 4271 6.3). Mandatory attributes are update.ts's business: it knows the routes.
 */
export function decodeAttributes(list: readonly RawAttribute[], context: AttributeContext): DecodedAttributes | Fault {
  const draft: Draft = {};
  const discarded: Fault[] = [];
  const unknown: UnknownAttribute[] = [];
  let withdraw: Fault | undefined;
  for (const attribute of list) {
    const descriptor = ATTRIBUTES[attribute.type];
    if (descriptor === undefined) {
      const fault = keepUnknown(attribute, unknown);
      if (fault !== undefined) return fault;
      continue;
    }
    const fault = decodeKnown(attribute, descriptor, draft, context);
    if (fault?.action === "discard") discarded.push(fault);
    else withdraw ??= fault;
  }
  if (withdraw !== undefined) return withdraw;
  mergeFourOctet(draft);
  const { as4Path: _path, as4Aggregator: _aggregator, ...rest } = draft;
  const attributes = {
    ...rest,
    origin: draft.origin ?? Origin.Incomplete,
    asPath: draft.asPath ?? [],
    nextHop: draft.nextHop ?? new Uint8Array(0),
    ...(unknown.length > 0 ? { unknown } : {}),
  };
  return { attributes, discarded };
}

function decodeKnown(
  { flags, type, value }: RawAttribute,
  descriptor: Descriptor,
  draft: Draft,
  context: AttributeContext,
): Fault | undefined {
  const wrongFlags = (flags & FLAGS_THAT_COUNT) !== descriptor.flags;
  const problem = wrongFlags
    ? ([4, `flags 0x${flags.toString(16)} do not fit the attribute`] as const)
    : descriptor.decode(value, draft, context);
  if (problem === undefined) return undefined;
  const [subcode, words] = problem;
  const discard = descriptor.onFault === "discard" || (descriptor.onFault === "discard-external" && context.external);
  return {
    action: discard ? "discard" : "withdraw",
    code: ErrorCode.Update,
    subcode,
    data: Uint8Array.of(flags, type, value.length & 0xff, ...value.subarray(0, 64)),
    text: `${descriptor.name}: ${words}`,
  };
}

function keepUnknown({ flags, type, value }: RawAttribute, unknown: UnknownAttribute[]): Fault | undefined {
  if ((flags & AttributeFlag.Optional) === 0) {
    const data = Uint8Array.of(flags, type, value.length & 0xff, ...value.subarray(0, 64));
    const text = `attribute ${type} is said to be well-known but is not`;
    return { action: "reset", code: ErrorCode.Update, subcode: 2, data, text };
  }
  // RFC 4271 5: an unrecognised optional attribute is passed on if transitive, and quietly ignored if not.
  if ((flags & AttributeFlag.Transitive) !== 0) unknown.push({ type, flags, value: value.slice() });
  return undefined;
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

export function hasAttribute(list: readonly RawAttribute[], type: number): boolean {
  return list.some((attribute) => attribute.type === type);
}
