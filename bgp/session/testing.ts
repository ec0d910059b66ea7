/** For tests: a peer as resources give one, an external router. */
import { addressOf } from "../../ipam/net/address.ts";
import type { PeerConfig } from "./peer-config.ts";

export const PEER_CONFIG: PeerConfig = {
  name: "tor1",
  address: addressOf("10.0.0.1"),
  port: 179,
  asNumber: 65001,
  localAsNumber: 64512,
  routerId: addressOf("10.0.0.11"),
  sourceAddress: undefined,
  passive: false,
  families: [4, 6],
  holdTime: 9,
  keepaliveTime: undefined,
  connectRetryTime: 5,
  restartTime: 120,
  localAddresses: { 4: addressOf("10.0.0.11") },
  nextHopMode: "Auto",
  numAllowedLocalAsNumbers: 0,
  ttlSecurity: undefined,
  exportScope: "all",
};
