/** What becomes of the neighbours when all peers are told anew. Sessions are found again by name, else by address. */
import { formatAddress } from "../ipam/net/address.ts";
import type { Neighbor } from "./neighbor.ts";
import type { Peer } from "./session/peer.ts";
import type { PeerConfig } from "./session/peer-config.ts";
import { sameOctets } from "./wire/octets.ts";

export interface PeerChanges {
  /** Those that go on, and what they are told from now on. */
  readonly kept: readonly (readonly [Neighbor, PeerConfig])[];
  readonly gone: readonly Neighbor[];
  readonly fresh: readonly PeerConfig[];
}

/** `fromRange`: for a neighbour that came by itself, undefined when it may not any more. */
export function peerChanges(
  neighbors: readonly Neighbor[],
  configs: readonly PeerConfig[],
  fromRange: (config: PeerConfig) => PeerConfig | undefined,
): PeerChanges {
  const wanted = new Map(configs.map((config) => [config.name, config]));
  const known = new Set(neighbors.map(({ peer }) => peer.config.name));
  const heirs = new Map(configs.flatMap((config) => (known.has(config.name) ? [] : [[placeOf(config), config]])));
  const kept: [Neighbor, PeerConfig][] = [];
  const gone: Neighbor[] = [];
  const inherited = new Set<string>();
  for (const neighbor of neighbors) {
    const { config: before } = neighbor.peer;
    const heir = neighbor.dynamic ? undefined : heirs.get(placeOf(before));
    const config = wanted.get(before.name) ?? (neighbor.dynamic ? fromRange(before) : undefined) ?? heir;
    if (config === undefined) gone.push(neighbor);
    else kept.push([neighbor, config]);
    if (config === heir && heir !== undefined) {
      // One session goes on under the new name.
      heirs.delete(placeOf(before));
      inherited.add(heir.name);
    }
  }
  return { kept, gone, fresh: configs.filter(({ name }) => !known.has(name) && !inherited.has(name)) };
}

/** Where the session is, whatever it is called: the same neighbour under another name goes on. */
function placeOf({ address, port, device = "" }: PeerConfig): string {
  return `${formatAddress(address)} ${port} ${device}`;
}

/**
 * Whether a session may be made anew as after a restart, with the routes of both sides kept (RFC 4724): the same two
 * speakers, at the same addresses, and both said so.
 */
export function renewsQuietly({ config: before, session }: Peer, config: PeerConfig): boolean {
  if (config.endsQuietly === undefined || !config.enabled || config.held !== undefined) return false;
  if (before.restartTime === undefined) return false;
  // Without a session there may be routes that are kept for its return.
  if (session !== undefined && session.negotiated.peerRestart === undefined) return false;
  const { sourceAddress } = config;
  const sameSource =
    before.sourceAddress === undefined || sourceAddress === undefined
      ? before.sourceAddress === sourceAddress
      : sameOctets(before.sourceAddress, sourceAddress);
  return (
    sameSource &&
    sameOctets(before.address, config.address) &&
    sameOctets(before.routerId, config.routerId) &&
    before.device === config.device &&
    before.asNumber === config.asNumber &&
    before.localAsNumber === config.localAsNumber
  );
}
