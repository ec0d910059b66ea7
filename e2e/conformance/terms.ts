/** What a tester says of itself in its OPEN: the context in which a case is to be read. */
import {
  addPath,
  enhancedRefresh,
  extendedMessage,
  extendedNextHop,
  fourOctetAs,
  multiprotocol,
  open,
  role,
  routeRefresh,
} from "./messages.ts";
import type { Octets } from "./octets.ts";
import { address4, type PeerPlan } from "./peers.ts";

export interface Terms {
  /** RFC 6793; default yes. */
  readonly as4?: boolean;
  /** AFIs; default both. Empty: no Multiprotocol capability at all. */
  readonly families?: readonly number[];
  /** AFI and mode of RFC 7911: 1 the tester receives, 2 it sends, 3 both. */
  readonly addPath?: readonly (readonly [number, number])[];
  /** RFC 8654. */
  readonly extendedMessages?: boolean;
  /** RFC 8950 for IPv4 unicast. */
  readonly extendedNextHop?: boolean;
  /** RFC 2918; default yes. */
  readonly refresh?: boolean;
  /** RFC 7313. */
  readonly enhancedRefresh?: boolean;
  /** RFC 9234 4.1. */
  readonly role?: number;
  readonly holdTime?: number;
  readonly identifier?: string;
  /** Capabilities beside those. */
  readonly more?: readonly Octets[];
}

export function capabilitiesFor(asNumber: number, terms: Terms): Octets[] {
  return [
    ...(terms.families ?? [1, 2]).map((afi) => multiprotocol(afi)),
    ...((terms.refresh ?? true) ? [routeRefresh()] : []),
    ...(terms.extendedNextHop ? [extendedNextHop([1, 1, 2])] : []),
    ...(terms.extendedMessages ? [extendedMessage()] : []),
    ...(terms.role === undefined ? [] : [role(terms.role)]),
    ...((terms.as4 ?? true) ? [fourOctetAs(asNumber)] : []),
    ...(terms.addPath === undefined ? [] : [addPath(...terms.addPath)]),
    ...(terms.enhancedRefresh ? [enhancedRefresh()] : []),
    ...(terms.more ?? []),
  ];
}

export const openOf = ({ host, asNumber }: PeerPlan, terms: Terms): Octets =>
  open({
    asNumber,
    identifier: terms.identifier ?? address4(host),
    holdTime: terms.holdTime ?? 240,
    capabilities: capabilitiesFor(asNumber, terms),
  });
