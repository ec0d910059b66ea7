/** Capabilities of an OPEN (RFC 5492): what this speaker understands, and everything else kept as octets. */
import { type Family } from "../../ipam/net/address.ts";
import { Afi, CapabilityCode, SAFI_UNICAST } from "./codes.ts";
import { concat, octetsOfU16, octetsOfU32, u16, u32 } from "./octets.ts";

/** RFC 4724 3. */
export interface GracefulRestart {
  /** The R bit: this speaker has restarted. */
  readonly restarted: boolean;
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

export interface Capabilities {
  /** Families of Multiprotocol capabilities (RFC 4760 8) that we know: IPv4 and IPv6 unicast. */
  readonly families: readonly Family[];
  readonly routeRefresh: boolean;
  /** RFC 6793: the sender's AS number in four octets. */
  readonly fourOctetAs: number | undefined;
  readonly gracefulRestart: GracefulRestart | undefined;
}

export const NO_CAPABILITIES: Capabilities = {
  families: [],
  routeRefresh: false,
  fourOctetAs: undefined,
  gracefulRestart: undefined,
};

const GR_RESTARTED = 0x8000;
const GR_FORWARDING = 0x80;

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
 * it. A capability of a wrong length is ignored, as an unknown one is (RFC 5492 3).
 */
export function decodeCapabilities(octets: Uint8Array, before: Capabilities): Capabilities | undefined {
  const families = [...before.families];
  let { routeRefresh, fourOctetAs, gracefulRestart } = before;
  let at = 0;
  while (at < octets.length) {
    if (at + 2 > octets.length) return undefined;
    const code = octets[at] as number;
    const length = octets[at + 1] as number;
    const value = octets.subarray(at + 2, at + 2 + length);
    if (value.length !== length) return undefined;
    at += 2 + length;
    if (code === CapabilityCode.Multiprotocol && length === 4) {
      const family = familyOfAfi(u16(value, 0), value[3] as number);
      if (family !== undefined && !families.includes(family)) families.push(family);
    } else if (code === CapabilityCode.RouteRefresh && length === 0) {
      routeRefresh = true;
    } else if (code === CapabilityCode.FourOctetAs && length === 4) {
      fourOctetAs = u32(value, 0);
    } else if (code === CapabilityCode.GracefulRestart && length >= 2 && (length - 2) % 4 === 0) {
      // RFC 4724 3: of several instances the last one counts.
      gracefulRestart = decodeGracefulRestart(value);
    }
  }
  return { families, routeRefresh, fourOctetAs, gracefulRestart };
}

function decodeGracefulRestart(value: Uint8Array): GracefulRestart {
  const head = u16(value, 0);
  const families: { family: Family; forwardingPreserved: boolean }[] = [];
  for (let at = 2; at < value.length; at += 4) {
    const family = familyOfAfi(u16(value, at), value[at + 2] as number);
    if (family === undefined) continue;
    families.push({ family, forwardingPreserved: ((value[at + 3] as number) & GR_FORWARDING) !== 0 });
  }
  return { restarted: (head & GR_RESTARTED) !== 0, restartTime: head & 0x0fff, families };
}

/** One Capabilities parameter value. */
export function encodeCapabilities(capabilities: Capabilities): Uint8Array {
  const parts: Uint8Array[] = [];
  const put = (code: number, value: Uint8Array) => parts.push(Uint8Array.of(code, value.length), value);
  for (const family of capabilities.families) {
    put(CapabilityCode.Multiprotocol, Uint8Array.of(0, afiOf(family), 0, SAFI_UNICAST));
  }
  if (capabilities.routeRefresh) put(CapabilityCode.RouteRefresh, new Uint8Array(0));
  if (capabilities.gracefulRestart !== undefined) {
    put(CapabilityCode.GracefulRestart, encodeGracefulRestart(capabilities.gracefulRestart));
  }
  if (capabilities.fourOctetAs !== undefined) {
    put(CapabilityCode.FourOctetAs, octetsOfU32(capabilities.fourOctetAs));
  }
  return concat(parts);
}

function encodeGracefulRestart(restart: GracefulRestart): Uint8Array {
  const head = (restart.restarted ? GR_RESTARTED : 0) | Math.min(restart.restartTime, 0x0fff);
  const families = restart.families.map(({ family, forwardingPreserved }) =>
    Uint8Array.of(0, afiOf(family), SAFI_UNICAST, forwardingPreserved ? GR_FORWARDING : 0),
  );
  return concat([octetsOfU16(head), ...families]);
}
