/** Peers as values: in a line, or with everything there is to know. */
import { type Family, formatAddress } from "../../ipam/net/address.ts";
import type { Neighbor } from "../neighbor.ts";
import type { FilterChain } from "../policy/chain.ts";
import { NO_PATH } from "../rib/paths.ts";
import { FAMILIES, type Rib } from "../rib/rib.ts";
import type { Negotiated } from "../session/negotiate.ts";
import { isExternal } from "../session/peer-config.ts";
import { FAMILY_NAME, type FamilyName } from "./names.ts";
import { errorCounts, messageCounts, notificationViews, runningTimers, sessionCapabilities } from "./session-facts.ts";
import type {
  ChainView,
  FamilyCounts,
  NegotiatedView,
  PeerSummary,
  PeerView,
  RestartView,
  Steps,
  Wall,
} from "./types.ts";

/** Best and stale paths by source, counted in one walk for all peers. */
export interface PathCounts {
  readonly best: Readonly<Record<Family, readonly number[]>>;
  readonly stale: Readonly<Record<Family, readonly number[]>>;
}

/** Rows looked at between two steps: some tenths of a millisecond. */
const STEP_ROWS = 32_768;

export function* countPaths(rib: Rib, neighbors: readonly Neighbor[]): Steps<PathCounts> {
  const stale = neighbors.some(({ staleness }) => staleness.families.size > 0);
  return {
    best: { 4: yield* countBest(rib, 4), 6: yield* countBest(rib, 6) },
    stale: { 4: stale ? yield* countStale(rib, 4) : [], 6: stale ? yield* countStale(rib, 6) : [] },
  };
}

function* countBest(rib: Rib, family: Family): Steps<number[]> {
  const counts: number[] = [];
  const table = rib.families[family];
  for (let id = 0; id < table.prefixes.bound; id++) {
    if (id % STEP_ROWS === 0) yield;
    const best = table.best(id);
    if (best === NO_PATH || !table.prefixes.isInUse(id)) continue;
    const source = table.paths.source(best);
    counts[source] = (counts[source] ?? 0) + 1;
  }
  return counts;
}

function* countStale(rib: Rib, family: Family): Steps<number[]> {
  const counts: number[] = [];
  const { paths } = rib.families[family];
  for (let path = 0; path < paths.bound; path++) {
    if (path % STEP_ROWS === 0) yield;
    const source = paths.source(path);
    if (source >= 0 && paths.isStale(path)) counts[source] = (counts[source] ?? 0) + 1;
  }
  return counts;
}

export function peerSummary(rib: Rib, neighbor: Neighbor, counts: PathCounts, now: number, wall: Wall): PeerSummary {
  const { peer } = neighbor;
  const { config, session } = peer;
  return {
    name: config.name,
    address: formatAddress(config.address),
    port: config.port,
    asNumber: session?.negotiated.asNumber ?? config.asNumber,
    localASNumber: config.localAsNumber,
    type: (session?.negotiated.external ?? isExternal(config)) ? "external" : "internal",
    state: peer.state,
    enabled: config.enabled && !peer.disabled,
    since: wall(peer.since),
    uptime: Math.max(0, (now - peer.since) / 1000),
    established: peer.establishedCount,
    lastError: peer.lastError,
    families: FAMILIES.filter((family) => config.families.includes(family)).map((family) =>
      familyCounts(rib, neighbor, counts, family),
    ),
  };
}

function familyCounts(rib: Rib, neighbor: Neighbor, counts: PathCounts, family: Family): FamilyCounts {
  return {
    family: FAMILY_NAME[family],
    received: neighbor.received(family),
    accepted: rib.families[family].paths.usableOf(neighbor.source),
    best: counts.best[family][neighbor.source] ?? 0,
    advertised: neighbor.advertised(family),
    stale: counts.stale[family][neighbor.source] ?? 0,
  };
}

export function peerView(rib: Rib, neighbor: Neighbor, counts: PathCounts, now: number, wall: Wall): PeerView {
  const { peer } = neighbor;
  const { config, session } = peer;
  const { maxPrefixes, maxPrefixesOut } = config;
  return {
    ...peerSummary(rib, neighbor, counts, now, wall),
    routerID: formatAddress(config.routerId),
    timers: {
      holdTime: config.holdTime,
      ...(config.keepaliveTime !== undefined && { keepaliveTime: config.keepaliveTime }),
      connectRetryTime: config.connectRetryTime,
      running: runningTimers(peer, now),
    },
    capabilities: sessionCapabilities(peer),
    ...(session !== undefined && { negotiated: negotiatedView(session.negotiated) }),
    ...(session?.local !== undefined && { localAddress: formatAddress(session.local.address) }),
    messages: messageCounts(peer),
    errors: errorCounts(neighbor),
    notifications: notificationViews(peer, wall),
    restart: restartView(neighbor, counts, wall),
    limits: {
      ...(maxPrefixes !== undefined && {
        maxPrefixes: { limit: maxPrefixes.limit, action: maxPrefixes.action, reached: neighbor.overLimit.size > 0 },
      }),
      ...(maxPrefixesOut !== undefined && { maxPrefixesOut }),
    },
    policy: {
      import: chainView(config.importChain),
      export: chainView(config.exportChain),
      requiresPolicy: config.requiresPolicy,
    },
    roles: rolesOf(neighbor),
  };
}

function negotiatedView(negotiated: Negotiated): NegotiatedView {
  const { peerId, role, families, addPathSend, addPathReceive } = negotiated;
  return {
    families: families.map(nameOf),
    holdTime: negotiated.holdTime,
    keepaliveTime: negotiated.keepaliveTime,
    peerRouterID: formatAddress(peerId),
    asOctets: negotiated.asOctets,
    routeRefresh: negotiated.routeRefresh,
    enhancedRefresh: negotiated.enhancedRefresh,
    maxMessageLength: negotiated.maxMessageLength,
    addPathSend: addPathSend.map(nameOf),
    addPathReceive: addPathReceive.map(nameOf),
    extendedNextHop: negotiated.extendedNextHop,
    ...(role !== undefined && { role }),
  };
}

function restartView({ peer, endOfRib, staleness, source }: Neighbor, counts: PathCounts, wall: Wall): RestartView {
  const { peerRestart: restart, peerLongLived = [] } = peer.session?.negotiated ?? {};
  const kept = restart?.families.filter(({ forwardingPreserved }) => forwardingPreserved);
  return {
    ...(restart !== undefined && {
      peerRestartTime: restart.restartTime,
      peerRestarted: restart.restarted,
      peerNotification: restart.notification,
      peerFamilies: (kept ?? []).map(({ family }) => FAMILY_NAME[family]),
    }),
    ...(peerLongLived.length > 0 && {
      peerLongLived: peerLongLived.map(({ family, staleTime }) => ({ family: FAMILY_NAME[family], staleTime })),
    }),
    endOfRIB: FAMILIES.filter((family) => endOfRib.has(family)).map(nameOf),
    stale: [...staleness.families].map(([family, { phase, due }]) => ({
      family: FAMILY_NAME[family],
      phase,
      routes: counts.stale[family][source] ?? 0,
      ...(Number.isFinite(due) && { until: wall(due) }),
    })),
  };
}

function chainView({ filters, otherwise }: FilterChain): ChainView {
  return { filters: filters.map(({ name }) => name), otherwise };
}

/** What is special about the peer, in words. */
function rolesOf({ peer, dynamic }: Neighbor): string[] {
  const { config } = peer;
  return [
    ...(dynamic ? ["from a range of peers"] : []),
    ...(config.passive ? ["passive: we wait for it to connect"] : []),
    ...(config.attached === true ? ["a pod of this node: its routes go on as our own"] : []),
    ...(config.reflectorClient ? [`route-reflector client of cluster ${formatAddress(config.clusterId)}`] : []),
    ...(config.routeServerClient ? ["route-server client"] : []),
    ...(config.password === undefined ? [] : ["TCP MD5"]),
    ...(config.ttlSecurity === undefined ? [] : [`TTL security, ${config.ttlSecurity} hops`]),
    ...(config.gracefulShutdown ? ["graceful shutdown announced"] : []),
    ...(config.exportScope === "originated" ? ["told own routes only"] : []),
    ...(config.nextHopMode === "Auto" ? [] : [`next hop ${config.nextHopMode}`]),
  ];
}

function nameOf(family: Family): FamilyName {
  return FAMILY_NAME[family];
}
