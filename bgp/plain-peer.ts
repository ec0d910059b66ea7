/** What a peer is told where nobody asks for more: everything in {@link PeerConfig} that is not about who it is. */
import { OPEN_CHAIN } from "./policy/chain.ts";
import type { PeerConfig } from "./session/peer-config.ts";

type Own = "name" | "address" | "asNumber" | "localAsNumber" | "routerId" | "clusterId" | "localAddresses";

export const PLAIN_PEER: Omit<PeerConfig, Own> = {
  port: 179,
  enabled: true,
  passive: false,
  sourceAddress: undefined,
  device: undefined,
  password: undefined,
  ttlSecurity: undefined,
  ttl: undefined,
  families: [4, 6],
  holdTime: 90,
  keepaliveTime: undefined,
  connectRetryTime: 5,
  restartTime: undefined,
  longLivedStaleTime: undefined,
  addPath: { send: false, receive: false },
  extendedMessages: false,
  extendedNextHop: false,
  role: undefined,
  strictRole: false,
  nextHopMode: "Auto",
  numAllowedLocalAsNumbers: 0,
  removePrivateAs: false,
  exportScope: "all",
  reflectorClient: false,
  routeServerClient: false,
  gracefulShutdown: false,
  importChain: OPEN_CHAIN,
  exportChain: OPEN_CHAIN,
  requiresPolicy: false,
  maxPrefixes: undefined,
  maxPrefixesOut: undefined,
};
