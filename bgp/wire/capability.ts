/** Capabilities of an OPEN (RFC 5492): what this speaker understands; everything else is passed over. */
import { type Family } from "../../ipam/net/address.ts";
import { Afi, CapabilityCode, SAFI_UNICAST } from "./codes.ts";
import { concat, octetsOfU16, octetsOfU32, u16, u32 } from "./octets.ts";

/** RFC 4724 3, RFC 8538 2. */
export interface GracefulRestart {
  /** The R bit: this speaker has restarted. */
  readonly restarted: boolean;
  /** The N bit: routes are kept over a NOTIFICATION too. */
  readonly notification: boolean;
  /** Seconds, 0 to 4095. */
  readonly restartTime: number;
  readonly families: readonly { readonly family: Family; readonly forwardingPreserved: boolean }[];
}

/** RFC 9494 3.1. */
export interface LongLivedFamily {
  readonly family: Family;
  readonly forwardingPreserved: boolean;
  /** Seconds, 24 bits. */
  readonly staleTime: number;
}

/** RFC 7911 4: what the sender wants to do in a family. */
export interface AddPathFamily {
  readonly family: Family;
  readonly send: boolean;
  readonly receive: boolean;
}

export interface Capabilities {
  /** Families of Multiprotocol capabilities (RFC 4760 8) that we know: IPv4 and IPv6 unicast. */
  readonly families: readonly Family[];
  /** The sender has Multiprotocol capabilities, if perhaps for other families only. */
  readonly multiprotocol: boolean;
  readonly routeRefresh: boolean;
  /** RFC 7313. */
  readonly enhancedRefresh: boolean;
  /** RFC 8654. */
  readonly extendedMessage: boolean;
  /** RFC 8950: IPv4 unicast with IPv6 next hops. */
  readonly extendedNextHop: boolean;
  /** RFC 9234 4.1: every value given; more than one different is an error. */
  readonly roles: readonly number[];
  /** RFC 6793: the sender's AS number in four octets. */
  readonly fourOctetAs: number | undefined;
  readonly gracefulRestart: GracefulRestart | undefined;
  readonly longLived: readonly LongLivedFamily[];
  readonly addPath: readonly AddPathFamily[];
}

export const NO_CAPABILITIES: Capabilities = {
  families: [],
  multiprotocol: false,
  routeRefresh: false,
  enhancedRefresh: false,
  extendedMessage: false,
  extendedNextHop: false,
  roles: [],
  fourOctetAs: undefined,
  gracefulRestart: undefined,
  longLived: [],
  addPath: [],
};

const GR_RESTARTED = 0x8000;
const GR_NOTIFICATION = 0x4000;
const FORWARDING = 0x80;
const RECEIVE = 1;
const SEND = 2;

/** IPv4 or IPv6 unicast; undefined for every family we do not speak. */
export function familyOfAfi(afi: number, safi: number): Family | undefined {
  if (safi !== SAFI_UNICAST) return undefined;
  return afi === Afi.IPv4 ? 4 : afi === Afi.IPv6 ? 6 : undefined;
}

export function afiOf(family: Family): number {
  return family === 4 ? Afi.IPv4 : Afi.IPv6;
}

/**
 * Reads the value of one Capabilities parameter on top of what earlier ones said. Undefined when a capability overruns
 * it, or when one that is a list is cut off inside an item (RFC 4271 6.2: recognised but malformed). One of fixed
 * length
 * and another length is ignored, as an unknown one is (RFC 5492 3).
 */
export function decodeCapabilities(octets: Uint8Array, before: Capabilities): Capabilities | undefined {
  const capabilities = { ...before };
  let at = 0;
  while (at < octets.length) {
    if (at + 2 > octets.length) return undefined;
    const length = octets[at + 1] as number;
    const value = octets.subarray(at + 2, at + 2 + length);
    if (value.length !== length) return undefined;
    const said = CAPABILITIES[octets[at] as number]?.(value, capabilities);
    if (said === CUT_OFF) return undefined;
    if (said !== undefined) Object.assign(capabilities, said);
    at += 2 + length;
  }
  return capabilities;
}

/** What the value says; undefined: nothing. */
type Reader = (value: Uint8Array, before: Capabilities) => Partial<Capabilities> | undefined;

const CUT_OFF: Partial<Capabilities> = {};

const ifEmpty =
  (said: Partial<Capabilities>): Reader =>
  (value) =>
    value.length === 0 ? said : undefined;

const CAPABILITIES: Readonly<Record<number, Reader>> = {
  [CapabilityCode.Multiprotocol]: (value, { families }) => {
    if (value.length !== 4) return undefined;
    const family = familyOfAfi(u16(value, 0), value[3] as number);
    const isNew = family !== undefined && !families.includes(family);
    return { multiprotocol: true, ...(isNew ? { families: [...families, family] } : {}) };
  },
  [CapabilityCode.RouteRefresh]: ifEmpty({ routeRefresh: true }),
  [CapabilityCode.EnhancedRefresh]: ifEmpty({ enhancedRefresh: true }),
  [CapabilityCode.ExtendedMessage]: ifEmpty({ extendedMessage: true }),
  [CapabilityCode.ExtendedNextHop]: (value) => {
    if (value.length % 6 !== 0) return CUT_OFF;
    for (let at = 0; at < value.length; at += 6) {
      const ipv4Unicast = u16(value, at) === Afi.IPv4 && u16(value, at + 2) === SAFI_UNICAST;
      if (ipv4Unicast && u16(value, at + 4) === Afi.IPv6) return { extendedNextHop: true };
    }
    return undefined;
  },
  [CapabilityCode.Role]: (value, { roles }) =>
    value.length === 1 ? { roles: [...roles, value[0] as number] } : undefined,
  [CapabilityCode.FourOctetAs]: (value) => (value.length === 4 ? { fourOctetAs: u32(value, 0) } : undefined),
  // RFC 4724 3: of several instances the last one counts.
  [CapabilityCode.GracefulRestart]: (value) =>
    value.length >= 2 && (value.length - 2) % 4 === 0 ? { gracefulRestart: decodeGracefulRestart(value) } : CUT_OFF,
  [CapabilityCode.LongLived]: (value) => (value.length % 7 === 0 ? { longLived: decodeLongLived(value) } : CUT_OFF),
  [CapabilityCode.AddPath]: (value) => (value.length % 4 === 0 ? { addPath: decodeAddPath(value) } : CUT_OFF),
};

function decodeGracefulRestart(value: Uint8Array): GracefulRestart {
  const head = u16(value, 0);
  const families: { family: Family; forwardingPreserved: boolean }[] = [];
  for (let at = 2; at < value.length; at += 4) {
    const family = familyOfAfi(u16(value, at), value[at + 2] as number);
    if (family === undefined || families.some((one) => one.family === family)) continue;
    families.push({ family, forwardingPreserved: ((value[at + 3] as number) & FORWARDING) !== 0 });
  }
  return {
    restarted: (head & GR_RESTARTED) !== 0,
    notification: (head & GR_NOTIFICATION) !== 0,
    restartTime: head & 0x0fff,
    families,
  };
}

function decodeLongLived(value: Uint8Array): LongLivedFamily[] {
  const families: LongLivedFamily[] = [];
  for (let at = 0; at < value.length; at += 7) {
    const family = familyOfAfi(u16(value, at), value[at + 2] as number);
    if (family === undefined || families.some((one) => one.family === family)) continue;
    const forwardingPreserved = ((value[at + 3] as number) & FORWARDING) !== 0;
    families.push({ family, forwardingPreserved, staleTime: u32(value, at + 3) & 0xffffff });
  }
  return families;
}

/**
 * RFC 7911 4: a Send/Receive value other than 1 to 3 is not understood. Only its own tuple is passed over: the sender
 * takes the others for agreed, and puts path identifiers into their UPDATEs.
 */
function decodeAddPath(value: Uint8Array): AddPathFamily[] {
  const families: AddPathFamily[] = [];
  for (let at = 0; at < value.length; at += 4) {
    const family = familyOfAfi(u16(value, at), value[at + 2] as number);
    const what = value[at + 3] as number;
    if (family === undefined || what < 1 || what > 3 || families.some((one) => one.family === family)) continue;
    families.push({ family, send: (what & SEND) !== 0, receive: (what & RECEIVE) !== 0 });
  }
  return families;
}

/** One after the other, as they go into Capabilities parameters. */
export function encodeCapabilities(capabilities: Capabilities): Uint8Array {
  const parts: Uint8Array[] = [];
  const put = (code: number, ...value: readonly number[]) => parts.push(Uint8Array.of(code, value.length, ...value));
  for (const family of capabilities.families) put(CapabilityCode.Multiprotocol, 0, afiOf(family), 0, SAFI_UNICAST);
  if (capabilities.routeRefresh) put(CapabilityCode.RouteRefresh);
  if (capabilities.extendedNextHop) {
    put(CapabilityCode.ExtendedNextHop, 0, Afi.IPv4, 0, SAFI_UNICAST, 0, Afi.IPv6);
  }
  if (capabilities.extendedMessage) put(CapabilityCode.ExtendedMessage);
  for (const role of capabilities.roles) put(CapabilityCode.Role, role);
  const { gracefulRestart, fourOctetAs, longLived, addPath } = capabilities;
  if (gracefulRestart !== undefined) {
    put(CapabilityCode.GracefulRestart, ...encodeGracefulRestart(gracefulRestart));
  }
  if (fourOctetAs !== undefined) put(CapabilityCode.FourOctetAs, ...octetsOfU32(fourOctetAs));
  if (addPath.length > 0) {
    const tuple = ({ family, send, receive }: AddPathFamily) =>
      [0, afiOf(family), SAFI_UNICAST, (send ? SEND : 0) | (receive ? RECEIVE : 0)] as const;
    put(CapabilityCode.AddPath, ...addPath.flatMap(tuple));
  }
  if (capabilities.enhancedRefresh) put(CapabilityCode.EnhancedRefresh);
  if (longLived.length > 0) put(CapabilityCode.LongLived, ...longLived.flatMap(encodeLongLived));
  return concat(parts);
}

function encodeGracefulRestart({ restarted, notification, restartTime, families }: GracefulRestart): number[] {
  const flags = (restarted ? GR_RESTARTED : 0) | (notification ? GR_NOTIFICATION : 0);
  const tuples = families.flatMap(({ family, forwardingPreserved }) => [
    0,
    afiOf(family),
    SAFI_UNICAST,
    forwardingPreserved ? FORWARDING : 0,
  ]);
  return [...octetsOfU16(flags | Math.min(restartTime, 0x0fff)), ...tuples];
}

function encodeLongLived({ family, forwardingPreserved, staleTime }: LongLivedFamily): number[] {
  const time = octetsOfU32(Math.min(staleTime, 0xffffff)).subarray(1);
  return [0, afiOf(family), SAFI_UNICAST, forwardingPreserved ? FORWARDING : 0, ...time];
}
