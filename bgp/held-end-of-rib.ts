/**
 * End-of-RIB of a speaker that restarts waits for the peers on this machine alone (RFC 4724 4.1): what they announce
 * goes on as our own routes do, and a peer that heard End-of-RIB before would drop what it kept of it for us.
 */
import type { Neighbor } from "./neighbor.ts";

/** True: it waits on. Else whoever it was held back from is told. */
export function holdsEndOfRib(neighbors: readonly Neighbor[], restarting: boolean): boolean {
  const waits = neighbors.length === 0 || neighbors.some((neighbor) => isAwaited(neighbor));
  if (restarting && waits) return true;
  for (const { groups, members } of neighbors) {
    for (const [family, member] of members) if (member.holdsEndOfRib) groups.get(family)?.endHold(member);
  }
  return false;
}

function isAwaited({ peer: { config, session }, endOfRib }: Neighbor): boolean {
  if (config.attached !== true || !config.enabled || config.held !== undefined) return false;
  return session === undefined || !session.negotiated.families.every((family) => endOfRib.has(family));
}
