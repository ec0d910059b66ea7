/** The speaker's metrics, from what an operator is shown of it. docs/reference/metrics.md explains each. */
import type { FamilyCounts, PeerView, RibSummary } from "../../bgp/inspect/types.ts";
import type { Metric, Sample } from "./exposition.ts";

export interface BgpState {
  readonly peers: readonly PeerView[];
  readonly rib: RibSummary;
  /** Absent: this speaker writes no kernel routes. */
  readonly forwarding?: { readonly installed: number; readonly refused?: number };
}

/** The order of RFC 4271 8.2.2, as the BGP4-MIB numbers them. */
const STATES = ["Idle", "Connect", "Active", "OpenSent", "OpenConfirm", "Established"] as const;

export function bgpMetrics({ peers, rib, forwarding }: BgpState): Metric[] {
  return [...peerMetrics(peers), ...familyMetrics(peers), ...ribMetrics(rib, forwarding)];
}

function peerMetrics(peers: readonly PeerView[]): Metric[] {
  const perPeer = (value: (peer: PeerView) => number): Sample[] =>
    peers.map((peer) => ({ labels: { peer: peer.name }, value: value(peer) }));
  return [
    {
      name: "overland_bgp_peer_info",
      type: "gauge",
      help: "Always 1; who the peer is, as labels.",
      samples: peers.map(({ name, address, asNumber, localASNumber, type }) => ({
        labels: { peer: name, address, asn: asNumber, local_asn: localASNumber, type },
        value: 1,
      })),
    },
    gauge(
      "overland_bgp_peer_up",
      "1: the session is Established.",
      perPeer((peer) => Number(isUp(peer))),
    ),
    gauge(
      "overland_bgp_peer_state",
      "State of the session as in BGP4-MIB: 1 Idle, 2 Connect, 3 Active, 4 OpenSent, 5 OpenConfirm, 6 Established.",
      perPeer(({ state }) => STATES.indexOf(state) + 1),
    ),
    gauge(
      "overland_bgp_peer_enabled",
      "0: taken down by an operator.",
      perPeer(({ enabled }) => Number(enabled)),
    ),
    gauge(
      "overland_bgp_peer_state_seconds",
      "How long the session is in its state.",
      perPeer(({ uptime }) => uptime),
    ),
    gauge(
      "overland_bgp_peer_uptime_seconds",
      "How long the session is Established; 0 when it is not.",
      perPeer((peer) => (isUp(peer) ? peer.uptime : 0)),
    ),
    counter(
      "overland_bgp_peer_established_total",
      "How often the session was established: one more than it flapped.",
      perPeer(({ established }) => established),
    ),
    {
      name: "overland_bgp_peer_last_error",
      type: "gauge",
      help: "Always 1; what went wrong last, in words; absent when nothing has.",
      samples: peers
        .filter(({ lastError }) => lastError !== "")
        .map(({ name, lastError }) => ({ labels: { peer: name, error: lastError }, value: 1 })),
    },
    counter("overland_bgp_peer_messages_total", "BGP messages by direction and type.", peers.flatMap(messageSamples)),
    counter(
      "overland_bgp_peer_update_errors_total",
      "Faults in UPDATEs by attribute and by what RFC 7606 made of them.",
      peers.flatMap(({ name, errors }) =>
        errors.map(({ attribute, action, count }) => ({ labels: { peer: name, attribute, action }, value: count })),
      ),
    ),
  ];
}

function familyMetrics(peers: readonly PeerView[]): Metric[] {
  const perFamily = (value: (counts: FamilyCounts) => number): Sample[] =>
    peers.flatMap(({ name, families }) =>
      families.map((counts) => ({ labels: { peer: name, family: counts.family }, value: value(counts) })),
    );
  return [
    gauge(
      "overland_bgp_peer_routes_received",
      "Paths that the peer announces.",
      perFamily(({ received }) => received),
    ),
    gauge(
      "overland_bgp_peer_routes_accepted",
      "Of those, let in by import rules.",
      perFamily(({ accepted }) => accepted),
    ),
    gauge(
      "overland_bgp_peer_routes_best",
      "Of those, the best of their prefix.",
      perFamily(({ best }) => best),
    ),
    gauge(
      "overland_bgp_peer_routes_advertised",
      "Routes that the peer was told.",
      perFamily(({ advertised }) => advertised),
    ),
    gauge(
      "overland_bgp_peer_routes_stale",
      "Paths kept from before the session was lost (RFC 4724).",
      perFamily(({ stale }) => stale),
    ),
    gauge(
      "overland_bgp_peer_prefix_limit",
      "How many prefixes of a family the peer may announce; absent without a limit.",
      peers.flatMap(({ name, families, limits }) =>
        limits.maxPrefixes === undefined
          ? []
          : families.map(({ family }) => ({
              labels: { peer: name, family, action: limits.maxPrefixes?.action ?? "" },
              value: limits.maxPrefixes?.limit ?? 0,
            })),
      ),
    ),
    gauge(
      "overland_bgp_peer_end_of_rib",
      "1: the peer has said everything it has to say at first (RFC 4724).",
      peers.flatMap(({ name, families, restart }) =>
        families.map(({ family }) => ({
          labels: { peer: name, family },
          value: Number(restart.endOfRIB.includes(family)),
        })),
      ),
    ),
  ];
}

function ribMetrics(rib: RibSummary, forwarding: BgpState["forwarding"]): Metric[] {
  const perFamily = (value: (family: RibSummary["families"][number]) => number): Sample[] =>
    rib.families.map((family) => ({ labels: { family: family.family }, value: value(family) }));
  return [
    gauge(
      "overland_bgp_rib_prefixes",
      "Prefixes in the routing table.",
      perFamily(({ prefixes }) => prefixes),
    ),
    gauge(
      "overland_bgp_rib_paths",
      "Paths in the routing table.",
      perFamily(({ paths }) => paths),
    ),
    gauge(
      "overland_bgp_rib_pending",
      "Prefixes that wait to be decided.",
      perFamily(({ pending }) => pending),
    ),
    gauge("overland_bgp_rib_attribute_sets", "Different sets of path attributes.", [{ value: rib.attributeSets }]),
    ...(forwarding === undefined
      ? []
      : [
          gauge("overland_forwarding_routes", "BGP routes in the kernel.", [{ value: forwarding.installed }]),
          gauge(
            "overland_forwarding_refused",
            "Routes that the kernel refuses.",
            forwarding.refused === undefined ? [] : [{ value: forwarding.refused }],
          ),
        ]),
  ];
}

function messageSamples({ name, messages }: PeerView): Sample[] {
  return (["received", "sent"] as const).flatMap((direction) =>
    Object.entries(messages[direction])
      .filter(([type]) => type !== "total")
      .map(([type, value]) => ({ labels: { peer: name, direction, type: type.toLowerCase() }, value })),
  );
}

function isUp({ state }: PeerView): boolean {
  return state === "Established";
}

function gauge(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "gauge", help, samples };
}

function counter(name: string, help: string, samples: readonly Sample[]): Metric {
  return { name, type: "counter", help, samples };
}
