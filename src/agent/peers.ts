/** From what the resources ask for to what the speaker is told. */
import { OPEN_CHAIN } from "../../bgp/policy/chain.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import type { Address } from "../../ipam/net/address.ts";
import type { NodeConfig } from "../config/resolve.ts";

/**
 * A node announces its own routes only, to routers and nodes alike: it never becomes a transit between two routers,
 * and a router hears of each block from its owner alone. See docs/decisions/announce-own-routes-only.md.
 */
export function peerConfigs(config: NodeConfig): PeerConfig[] {
  const localAddresses: { 4?: Address; 6?: Address } = {};
  if (config.ipv4 !== undefined) localAddresses[4] = config.ipv4.address;
  if (config.ipv6 !== undefined) localAddresses[6] = config.ipv6.address;
  const families = ([4, 6] as const).filter((family) => localAddresses[family] !== undefined);
  return config.peers.map((peer) => ({
    name: peer.name,
    address: peer.address,
    port: peer.port,
    asNumber: peer.asNumber,
    localAsNumber: peer.localASNumber,
    routerId: config.routerID,
    sourceAddress: peer.sourceAddress,
    passive: peer.passive,
    families,
    holdTime: peer.holdTime,
    keepaliveTime: peer.keepaliveTime,
    connectRetryTime: peer.connectRetryTime ?? 5,
    restartTime: peer.maxRestartTime,
    localAddresses,
    nextHopMode: peer.nextHopMode,
    numAllowedLocalAsNumbers: peer.numAllowedLocalASNumbers,
    ttlSecurity: peer.ttlSecurity,
    exportScope: "originated",
    enabled: true,
    device: undefined,
    password: undefined,
    ttl: undefined,
    longLivedStaleTime: undefined,
    addPath: { send: false, receive: true },
    extendedMessages: true,
    extendedNextHop: false,
    role: undefined,
    strictRole: false,
    removePrivateAs: false,
    reflectorClient: false,
    clusterId: config.routerID,
    routeServerClient: false,
    gracefulShutdown: false,
    importChain: OPEN_CHAIN,
    exportChain: OPEN_CHAIN,
    requiresPolicy: false,
    maxPrefixes: undefined,
    maxPrefixesOut: undefined,
  }));
}
