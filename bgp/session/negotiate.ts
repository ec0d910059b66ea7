/** What two OPENs agree on, and what makes one unacceptable (RFC 4271 4.2, 6.2; RFC 5492, 6286, 6793, 4724). */
import { compareAddresses, type Family } from "../../ipam/net/address.ts";
import {
  type Capabilities,
  encodeCapabilities,
  type GracefulRestart,
  type LongLivedFamily,
  NO_CAPABILITIES,
} from "../wire/capability.ts";
import { ErrorCode, MAX_EXTENDED_LENGTH, MAX_MESSAGE_LENGTH } from "../wire/codes.ts";
import { type Fault, resetFault } from "../wire/fault.ts";
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
  /** The peer's own word on graceful restart, where we offer it too. */
  readonly peerRestart: GracefulRestart | undefined;
  /** The peer's own word on long-lived graceful restart (RFC 9494). */
  readonly peerLongLived: readonly LongLivedFamily[];
}

/** RFC 9234 4.1: values of the role capability. */
const ROLES: readonly Role[] = ["provider", "rs", "rs-client", "customer", "peer"];

/** RFC 9234 4.2: what the other side has to be. */
const COUNTERPART: Readonly<Record<Role, Role>> = {
  provider: "customer",
  customer: "provider",
  rs: "rs-client",
  "rs-client": "rs",
  peer: "peer",
};

/** What our OPEN says about our own past (RFC 4724 3). */
export interface OurRestart {
  /** The R bit: this speaker is back from a restart. */
  readonly restarted: boolean;
  /** The F bit: what it announced before is still being forwarded. */
  readonly forwardingPreserved: boolean;
}

export function ourOpen(config: PeerConfig, { restarted, forwardingPreserved }: OurRestart): Open {
  const { families, restartTime, longLivedStaleTime, addPath } = config;
  const restarts = restartTime !== undefined;
  const kept = families.map((family) => ({ family, forwardingPreserved }));
  // RFC 9234 4: roles are of external sessions.
  const role = isExternal(config) ? config.role : undefined;
  const capabilities: Capabilities = {
    families,
    multiprotocol: families.length > 0,
    routeRefresh: true,
    enhancedRefresh: true,
    extendedMessage: config.extendedMessages,
    extendedNextHop: config.extendedNextHop && families.includes(4),
    roles: role === undefined ? [] : [ROLES.indexOf(role)],
    fourOctetAs: config.localAsNumber,
    gracefulRestart: restarts
      ? { restarted, notification: config.restartOnNotification === true, restartTime, families: kept }
      : undefined,
    // RFC 9494 3.1: only beside graceful restart.
    longLived:
      restarts && longLivedStaleTime !== undefined
        ? kept.map((one) => ({ ...one, staleTime: longLivedStaleTime }))
        : [],
    addPath: addPath.send || addPath.receive ? families.map((family) => ({ family, ...addPath })) : [],
  };
  return {
    asNumber: config.localAsNumber,
    holdTime: config.holdTime,
    bgpIdentifier: config.routerId,
    capabilities,
  };
}

export function checkOpen(config: PeerConfig, open: Open): Fault | undefined {
  if (config.asNumber !== 0 && open.asNumber !== config.asNumber) {
    return resetFault(ErrorCode.Open, 2, `the peer says AS ${open.asNumber}, configured is ${config.asNumber}`);
  }
  // RFC 6286 2.2: an identifier must be unique within an AS.
  if (open.asNumber === config.localAsNumber && compareAddresses(open.bgpIdentifier, config.routerId) === 0) {
    return resetFault(ErrorCode.Open, 3, "the peer has our own BGP Identifier", open.bgpIdentifier);
  }
  if (agreedFamilies(config, open).length === 0) {
    return resetFault(ErrorCode.Open, 7, "the peer speaks none of our address families", wantedFamilies(config));
  }
  return roleFault(config, open);
}

/** RFC 9234 4.2. */
function roleFault({ role, strictRole, localAsNumber }: PeerConfig, open: Open): Fault | undefined {
  const mismatch = (text: string) => resetFault(ErrorCode.Open, 11, text);
  const theirs = [...new Set(open.capabilities.roles)];
  if (role === undefined || open.asNumber === localAsNumber) return undefined;
  if (theirs.length > 1) return mismatch("the peer says several roles");
  const [first] = theirs;
  if (first === undefined) return strictRole ? mismatch("the peer does not say its role") : undefined;
  const name = ROLES[first];
  if (name === COUNTERPART[role]) return undefined;
  return mismatch(`the peer says it is ${name ?? `role ${first}`}, we are ${role}`);
}

/** RFC 5492 5: the capabilities that are asked for and missing. */
function wantedFamilies({ families }: PeerConfig): Uint8Array {
  return encodeCapabilities({ ...NO_CAPABILITIES, families });
}

export function negotiate(config: PeerConfig, open: Open): Negotiated {
  const { capabilities } = open;
  const holdTime = Math.min(config.holdTime, open.holdTime);
  // RFC 4271 4.4: a third of the hold time, and once a second at most.
  const third = holdTime / 3;
  const keepaliveTime = Math.max(Math.min(config.keepaliveTime ?? third, third), 1);
  const families = agreedFamilies(config, open);
  const external = open.asNumber !== config.localAsNumber;
  const peerRestart = config.restartTime === undefined ? undefined : capabilities.gracefulRestart;
  const routeRefresh = capabilities.routeRefresh || capabilities.enhancedRefresh;
  const addPathOf = (family: Family) => capabilities.addPath.find((one) => one.family === family);
  return {
    families,
    asOctets: capabilities.fourOctetAs === undefined ? 2 : 4,
    asNumber: open.asNumber,
    external,
    peerId: open.bgpIdentifier,
    holdTime,
    keepaliveTime: holdTime === 0 ? 0 : keepaliveTime,
    routeRefresh,
    enhancedRefresh: capabilities.enhancedRefresh,
    maxMessageLength:
      config.extendedMessages && capabilities.extendedMessage ? MAX_EXTENDED_LENGTH : MAX_MESSAGE_LENGTH,
    addPathSend: families.filter((family) => config.addPath.send && addPathOf(family)?.receive === true),
    addPathReceive: families.filter((family) => config.addPath.receive && addPathOf(family)?.send === true),
    extendedNextHop: config.extendedNextHop && families.includes(4) && capabilities.extendedNextHop,
    role: external ? config.role : undefined,
    peerRestart,
    // RFC 9494 4.1: it means nothing without graceful restart.
    peerLongLived: peerRestart === undefined ? [] : capabilities.longLived,
  };
}

/** RFC 8538 2: both sides keep routes over a NOTIFICATION. */
export function keepsOverNotification({ restartOnNotification }: PeerConfig, { peerRestart }: Negotiated): boolean {
  return restartOnNotification === true && peerRestart?.notification === true;
}

/** A peer without any Multiprotocol capability speaks IPv4 unicast (RFC 4760 8). */
function agreedFamilies(config: PeerConfig, { capabilities }: Open): Family[] {
  const theirs: readonly Family[] = capabilities.multiprotocol ? capabilities.families : [4];
  return config.families.filter((family) => theirs.includes(family));
}
