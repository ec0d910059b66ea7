/** The configuration of `overland speaker` for the stand. */
import { address4, address6, endOf, PEER_NAMES, planOf, SUBJECT } from "./peers.ts";

export function speakerConfig(socket: string): string {
  const peers = PEER_NAMES.map((name) => {
    const {
      host,
      asNumber,
      reflectorClient,
      routeServerClient,
      role,
      strictRole,
      shortMessages,
      extendedNextHop,
      longLived,
      dialledOn,
      maxPrefixes,
    } = planOf(name);
    return {
      name: name.toLowerCase(),
      address: endOf(host, planOf(name)),
      asNumber,
      ...(dialledOn === undefined ? { passive: true } : { port: dialledOn, connectRetryTime: "1s" }),
      families: ["ipv4-unicast", "ipv6-unicast"],
      addPath: { send: true, receive: true },
      ...(reflectorClient ? { routeReflectorClient: true } : {}),
      ...(routeServerClient ? { routeServerClient: true } : {}),
      ...(role === undefined ? {} : { role }),
      extendedMessages: shortMessages === undefined,
      ...(extendedNextHop ? { extendedNextHop: true } : {}),
      ...(longLived === undefined ? {} : { longLivedRestartTime: `${longLived}s` }),
      ...(maxPrefixes === undefined
        ? {}
        : { maxPrefixes: { limit: maxPrefixes, action: "restart", restartAfter: "1s" } }),
      ...(strictRole ? { strictRole: true } : {}),
    };
  });
  // JSON is YAML.
  return JSON.stringify({
    asNumber: SUBJECT.asNumber,
    routerID: address4(SUBJECT.host),
    listen: [address4, address6].map((address) => ({ address: address(SUBJECT.host), port: SUBJECT.port })),
    peers,
    networks: SUBJECT.networks,
    kernel: { install: false },
    api: { socket, http: "off" },
  });
}
