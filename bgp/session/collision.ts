/**
 * Connection collision (RFC 4271 6.8, RFC 6286 2.3): two connections between the same two speakers, one opened by each.
 *
 * The one opened by the speaker with the higher BGP Identifier stays. Both sides know both identifiers as soon as one
 * OPEN has come, so the rule is applied then, also against a connection that still waits for its OPEN: the two ends
 * then choose the same one without a second round.
 */
import { compareAddresses } from "../../ipam/net/address.ts";
import type { Open } from "../wire/open.ts";
import type { Fsm } from "./fsm.ts";
import type { PeerConfig } from "./peer-config.ts";

/**
 * A session younger than this is not taken for one that its peer has lost in a restart: the second connection is then
 * the other half of a simultaneous start. A process that dies this soon has its connections closed by its kernel.
 */
const LOST_SESSION_AGE_MS = 5_000;

/**
 * RFC 4724 5: a peer that speaks graceful restart for at least one family and opens a new connection beside an
 * established session has lost
 * that session.
 */
export function isLostSession(established: Fsm, now: number): boolean {
  const restarts = (established.negotiated?.peerRestart?.families.length ?? 0) > 0;
  return restarts && now - established.since >= LOST_SESSION_AGE_MS;
}

/** Which of the two has to go; undefined when they don't collide yet. `fresh` has just received its OPEN. */
export function loser(config: PeerConfig, fresh: Fsm, other: Fsm, open: Open, now: number): Fsm | undefined {
  if (other.state === "Established") return !fresh.dials && isLostSession(other, now) ? other : fresh;
  if (other.state !== "OpenSent" && other.state !== "OpenConfirm") return undefined;
  const winner = weWin(config, open) === fresh.dials ? fresh : other;
  return winner === fresh ? other : fresh;
}

function weWin(config: PeerConfig, open: Open): boolean {
  const order = compareAddresses(config.routerId, open.bgpIdentifier);
  // RFC 6286 2.3: equal identifiers in two ASes, the larger AS number decides.
  return order === 0 ? config.localAsNumber > open.asNumber : order > 0;
}
