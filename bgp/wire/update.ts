/**
 * UPDATE (RFC 4271 4.3, RFC 4760 3 and 4, RFC 7606): routes to withdraw, routes to announce, and their attributes.
 *
 * The routes stay octets, in place; the attributes are handed on undecoded, so that a table of known sets can spare
 * the decoding (see bgp/rib/attribute-table.ts). Only faults in the message's own structure are found here.
 */
import { isLoopback, isMulticast, isUnspecified } from "../../ipam/net/address.ts";
import { hasAttribute, type RawAttribute } from "./attributes.ts";
import { familyOfAfi } from "./capability.ts";
import { AttributeFlag, AttributeType, ErrorCode } from "./codes.ts";
import { type Fault, resetFault } from "./fault.ts";
import { type NlriBlock, nlriProblem } from "./nlri.ts";
import { u16 } from "./octets.ts";

export interface Announcement {
  readonly nlri: NlriBlock;
  /**
   * 4, 16 or 32 octets (global and link-local, RFC 2545 3); empty for IPv4 routes: NEXT_HOP is among the attributes.
   */
  readonly nextHop: Uint8Array;
}

export interface Update {
  readonly withdrawn: readonly NlriBlock[];
  readonly announced: readonly Announcement[];
  /** All but MP_REACH_NLRI and MP_UNREACH_NLRI; of a type that came twice, the first. */
  readonly attributes: readonly RawAttribute[];
  /** Set: every route announced here is to be treated as withdrawn (RFC 7606 2). */
  readonly withdraw: Fault | undefined;
  /** Attributes dropped for being there twice. */
  readonly discarded: readonly Fault[];
  /** The family whose initial routes are complete (RFC 4724 2). */
  readonly endOfRib: 4 | 6 | undefined;
}

export function decodeUpdate(body: Uint8Array): Update | Fault {
  const malformed = (text: string) => resetFault(ErrorCode.Update, 1, text);
  const withdrawnLength = u16(body, 0);
  if (withdrawnLength + 4 > body.length) return malformed("withdrawn routes overrun the message");
  const attributesStart = withdrawnLength + 4;
  const attributesLength = u16(body, attributesStart - 2);
  const nlriStart = attributesStart + attributesLength;
  if (nlriStart > body.length) return malformed("path attributes overrun the message");
  const withdrawn: NlriBlock[] = [];
  const announced: Announcement[] = [];
  const v4Withdrawn: NlriBlock = { family: 4, octets: body.subarray(2, 2 + withdrawnLength) };
  const v4Announced: NlriBlock = { family: 4, octets: body.subarray(nlriStart) };
  const problem = nlriProblem(v4Withdrawn) ?? nlriProblem(v4Announced);
  if (problem !== undefined) return resetFault(ErrorCode.Update, 10, problem);
  if (withdrawnLength > 0) withdrawn.push(v4Withdrawn);
  if (v4Announced.octets.length > 0) announced.push({ nlri: v4Announced, nextHop: new Uint8Array(0) });

  const scan = scanAttributes(body.subarray(attributesStart, nlriStart));
  if ("action" in scan) return scan;
  let endOfRib: 4 | 6 | undefined = body.length === 4 ? 4 : undefined;
  if (scan.unreach !== undefined) {
    const block = decodeMpUnreach(scan.unreach);
    if (block !== undefined && "action" in block) return block;
    const alone = scan.attributes.length === 0 && scan.reach === undefined && withdrawnLength === 0;
    if (block?.octets.length === 0 && alone && announced.length === 0) endOfRib = block.family;
    else if (block !== undefined) withdrawn.push(block);
  }
  let { withdraw } = scan;
  if (scan.reach !== undefined) {
    const reach = decodeMpReach(scan.reach);
    if (reach !== undefined && "action" in reach) return reach;
    if (reach !== undefined) announced.push(reach);
  }
  if (announced.length > 0) withdraw ??= missingAttribute(scan.attributes, announced);
  // RFC 7606 5.2: with no route to withdraw in its place, a broken attribute list ends the session.
  else if (withdraw !== undefined) return { ...withdraw, action: "reset" };
  return { withdrawn, announced, attributes: scan.attributes, withdraw, discarded: scan.discarded, endOfRib };
}

interface Scan {
  readonly attributes: RawAttribute[];
  readonly reach: Uint8Array | undefined;
  readonly unreach: Uint8Array | undefined;
  readonly withdraw: Fault | undefined;
  readonly discarded: Fault[];
}

function scanAttributes(octets: Uint8Array): Scan | Fault {
  const attributes: RawAttribute[] = [];
  const discarded: Fault[] = [];
  const seen = new Set<number>();
  let reach: Uint8Array | undefined;
  let unreach: Uint8Array | undefined;
  let withdraw: Fault | undefined;
  let at = 0;
  while (at < octets.length) {
    const flags = octets[at] as number;
    const type = octets[at + 1] as number;
    const extended = (flags & AttributeFlag.ExtendedLength) !== 0;
    const headLength = extended ? 4 : 3;
    const length = extended ? u16(octets, at + 2) : (octets[at + 2] as number);
    if (at + headLength > octets.length || at + headLength + length > octets.length) {
      // RFC 7606 4: the total length still tells where the routes are, so only they are lost.
      withdraw = updateFault("withdraw", 1, "the last path attribute overruns the attribute list");
      break;
    }
    const value = octets.subarray(at + headLength, at + headLength + length);
    at += headLength + length;
    const multiprotocol = type === AttributeType.MpReach || type === AttributeType.MpUnreach;
    if (seen.has(type)) {
      // RFC 7606 3 g.
      if (multiprotocol) return resetFault(ErrorCode.Update, 1, `attribute ${type} is there twice`);
      discarded.push(updateFault("discard", 1, `attribute ${type} is there twice`));
      continue;
    }
    seen.add(type);
    if (multiprotocol && (flags & 0xc0) !== AttributeFlag.Optional) {
      // RFC 7606 3 c: treat-as-withdraw of routes that can be read all the same.
      withdraw ??= updateFault("withdraw", 4, `flags 0x${flags.toString(16)} do not fit attribute ${type}`);
    }
    if (type === AttributeType.MpReach) reach = value;
    else if (type === AttributeType.MpUnreach) unreach = value;
    else attributes.push({ flags, type, value });
  }
  return { attributes, reach, unreach, withdraw, discarded };
}

/** Undefined for a family we do not speak: its routes are nothing to us (RFC 4760 7 leaves the session up). */
function decodeMpUnreach(value: Uint8Array): NlriBlock | Fault | undefined {
  if (value.length < 3) return resetFault(ErrorCode.Update, 9, `MP_UNREACH_NLRI of ${value.length} octets`);
  const family = familyOfAfi(u16(value, 0), value[2] as number);
  if (family === undefined) return undefined;
  const block: NlriBlock = { family, octets: value.subarray(3) };
  const problem = nlriProblem(block);
  return problem === undefined ? block : resetFault(ErrorCode.Update, 9, `MP_UNREACH_NLRI: ${problem}`);
}

function decodeMpReach(value: Uint8Array): Announcement | Fault | undefined {
  const fault = (text: string) => resetFault(ErrorCode.Update, 9, `MP_REACH_NLRI: ${text}`);
  if (value.length < 5) return fault(`${value.length} octets are too few`);
  const family = familyOfAfi(u16(value, 0), value[2] as number);
  const nextHopLength = value[3] as number;
  const nlriAt = 4 + nextHopLength + 1;
  if (nlriAt > value.length) return fault("the next hop overruns the attribute");
  if (family === undefined) return undefined;
  const fits = family === 4 ? nextHopLength === 4 : nextHopLength === 16 || nextHopLength === 32;
  if (!fits) return fault(`next hop of ${nextHopLength} octets`);
  const nlri: NlriBlock = { family, octets: value.subarray(nlriAt) };
  const problem = nlriProblem(nlri);
  return problem === undefined ? { nlri, nextHop: value.slice(4, 4 + nextHopLength) } : fault(problem);
}

/** RFC 7606 3 d: a route without a mandatory attribute is a route withdrawn. LOCAL_PREF is the session's business. */
function missingAttribute(attributes: readonly RawAttribute[], announced: readonly Announcement[]): Fault | undefined {
  const needsNextHop = announced.some(({ nextHop }) => nextHop.length === 0);
  const wanted: [number, string][] = [
    [AttributeType.Origin, "ORIGIN"],
    [AttributeType.AsPath, "AS_PATH"],
    ...(needsNextHop ? [[AttributeType.NextHop, "NEXT_HOP"] as [number, string]] : []),
  ];
  for (const [type, name] of wanted) {
    if (!hasAttribute(attributes, type)) return updateFault("withdraw", 3, `${name} is missing`, Uint8Array.of(type));
  }
  return undefined;
}

/** What no next hop can be (RFC 4271 5.1.3, 6.3); the routes are then treated as withdrawn. */
export function nextHopProblem(nextHop: Uint8Array): string | undefined {
  if (isUnspecified(nextHop)) return "is unspecified";
  if (isMulticast(nextHop)) return "is a multicast address";
  if (isLoopback(nextHop)) return "is a loopback address";
  if (nextHop.length === 4 && (nextHop[0] === 0 || (nextHop[0] as number) >= 240)) return "is no host address";
  return undefined;
}

export function updateFault(
  action: "withdraw" | "discard",
  subcode: number,
  text: string,
  data: Uint8Array = new Uint8Array(0),
): Fault {
  return { action, code: ErrorCode.Update, subcode, data, text };
}
