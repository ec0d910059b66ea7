/** What two OPENs agree on, and what makes one unacceptable (RFC 4271 4.2, 6.2; RFC 5492, 6286, 6793, 4724). */
import { compareAddresses, type Family } from "../../ipam/net/address.ts";
import type { Capabilities, GracefulRestart, LongLivedFamily } from "../wire/capability.ts";
import { ErrorCode } from "../wire/codes.ts";
import { type Fault, resetFault } from "../wire/fault.ts";
import { octetsOfU16 } from "../wire/octets.ts";
import type { Open } from "../wire/open.ts";
import { isExternal, type PeerConfig, type Role } from "./peer-config.ts";

export interface Negotiated {
  readonly families: readonly Family[];
  readonly asOctets: 2 | 4;
  /** The peer's AS number, as its OPEN says. */
  readonly asNumber: number;
  readonly external: boolean;
  readonly peerId: Uint8Array;
  /** Seconds; 0: neither KEEPALIVEs nor a hold timer. */
  readonly holdTime: number;
  readonly keepaliveTime: number;
  readonly routeRefresh: boolean;
  /** RFC 7313: both sides mark where a refresh begins and ends. */
  readonly enhancedRefresh: boolean;
  /** The longest message either side may send: 4096, or 65535 when both said so (RFC 8654 4). */
  readonly maxMessageLength: number;
  /** Families in which we send several paths to a prefix, and in which the peer does (RFC 7911 4). */
  readonly addPathSend: readonly Family[];
  readonly addPathReceive: readonly Family[];
  /** RFC 8950: IPv4 routes may carry an IPv6 next hop. */
  readonly extendedNextHop: boolean;
  /** Our role (RFC 9234) when it is in force. */
  readonly role: Role | undefined;
  /** The peer's own word on graceful restart. */
  readonly peerRestart: GracefulRestart | undefined;
  /** The peer's own word on long-lived graceful restart (RFC 9494). */
  readonly peerLongLived: readonly LongLivedFamily[];
}

/** Our OPEN. `restarted`: this speaker is back from a restart and the kernel went on forwarding (RFC 4724 3). */
export function ourOpen(config: PeerConfig, restarted: boolean): Open {
  const capabilities: Capabilities = {
    families: config.families,
    routeRefresh: true,
    fourOctetAs: config.localAsNumber,
    gracefulRestart:
      config.restartTime === undefined
        ? undefined
        : {
            restarted,
            restartTime: config.restartTime,
            families: config.families.map((family) => ({ family, forwardingPreserved: true })),
          },
  };
  return {
    asNumber: config.localAsNumber,
    holdTime: config.holdTime,
    bgpIdentifier: config.routerId,
    capabilities,
  };
}

export function checkOpen(config: PeerConfig, open: Open): Fault | undefined {
  if (open.asNumber !== config.asNumber) {
    const text = `the peer says AS ${open.asNumber}, configured is ${config.asNumber}`;
    return resetFault(ErrorCode.Open, 2, text, octetsOfU16(Math.min(config.asNumber, 0xffff)));
  }
  // RFC 6286 2.2: an identifier must be unique within an AS.
  if (!isExternal(config) && compareAddresses(open.bgpIdentifier, config.routerId) === 0) {
    return resetFault(ErrorCode.Open, 3, "the peer has our own BGP Identifier", open.bgpIdentifier);
  }
  if (agreedFamilies(config, open).length === 0) {
    return resetFault(ErrorCode.Open, 7, "the peer speaks none of our address families");
  }
  return undefined;
}

export function negotiate(config: PeerConfig, open: Open): Negotiated {
  const holdTime = Math.min(config.holdTime, open.holdTime);
  const third = holdTime / 3;
  return {
    families: agreedFamilies(config, open),
    asOctets: open.capabilities.fourOctetAs === undefined ? 2 : 4,
    asNumber: open.asNumber,
    holdTime,
    keepaliveTime: Math.min(config.keepaliveTime ?? third, third),
    routeRefresh: open.capabilities.routeRefresh,
    external: isExternal(config),
    peerId: open.bgpIdentifier,
    peerRestart: open.capabilities.gracefulRestart,
    enhancedRefresh: false,
    maxMessageLength: 4096,
    addPathSend: [],
    addPathReceive: [],
    extendedNextHop: false,
    role: undefined,
    peerLongLived: [],
  };
}

/** A peer without any Multiprotocol capability speaks IPv4 unicast (RFC 4760 8). */
function agreedFamilies(config: PeerConfig, open: Open): Family[] {
  const theirs = open.capabilities.families.length === 0 ? [4] : open.capabilities.families;
  return config.families.filter((family) => theirs.includes(family));
}
