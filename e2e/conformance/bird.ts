/** The same for BIRD 2. */
import { address4, address6, endOf, PEER_NAMES, planOf, SUBJECT } from "./peers.ts";

const ROLES = { provider: "provider", customer: "customer", peer: "peer", rs: "rs_server", "rs-client": "rs_client" };

const route = (prefix = "") => `route ${prefix} blackhole;`;

export function birdConfig(): string {
  const protocols = PEER_NAMES.map((name) => {
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
    const limit = maxPrefixes === undefined ? "" : `import limit ${maxPrefixes} action restart;`;
    return `protocol bgp to_${name} {
  local ${endOf(SUBJECT.host, planOf(name))} as ${SUBJECT.asNumber};
  neighbor ${endOf(host, planOf(name))}${dialledOn === undefined ? "" : ` port ${dialledOn}`} as ${asNumber};
  passive ${dialledOn === undefined ? "on" : "off"};
  connect delay time 1;
  connect retry time 1;
  ${longLived === undefined ? "" : "long lived graceful restart on;"}
  ${asNumber === SUBJECT.asNumber ? "direct;" : ""}
  error wait time 1, 1;
  enable extended messages ${shortMessages ? "off" : "on"};
  enforce first as ${asNumber !== SUBJECT.asNumber ? "on" : "off"};
  ${reflectorClient ? `rr client; rr cluster id ${address4(SUBJECT.host)};` : ""}
  ${routeServerClient ? "rs client;" : ""}
  ${role === undefined ? "" : `local role ${ROLES[role]};`}
  ${strictRole ? "require roles on;" : ""}
  ipv4 {
    import all; ${limit} export all; add paths on; next hop address ${address4(SUBJECT.host)};
    extended next hop ${extendedNextHop ? "on" : "off"};
  };
  ipv6 { import all; ${limit} export all; add paths on; next hop address ${address6(SUBJECT.host)}; };
}`;
  });
  return `router id ${address4(SUBJECT.host)};
log stderr all;
protocol device {}
protocol static { ipv4; ${route(SUBJECT.networks[0])} }
protocol static { ipv6; ${route(SUBJECT.networks[1])} }
protocol direct { ipv4; ipv6; interface "lan"; }
${protocols.join("\n")}
`;
}
