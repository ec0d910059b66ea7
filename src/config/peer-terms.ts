/** What a BGPPeer says of its sessions: defaults filled in, and seen from either end where that makes a difference. */
import type { Family } from "../../ipam/net/address.ts";
import { DEFAULTS, type NodeSettings } from "./cluster.ts";
import { secondsOf } from "./duration.ts";
import type { PeerTerms, Role, SecretKey } from "./peer-intent.ts";
import type { BGPFilterSpec, BGPPeerSpec } from "./resource.ts";
import type { PasswordSource } from "./schema/password.ts";

const DEFAULT_RESTART_AFTER = 300;

/** Which end of the peering this is: the one it was written for, or a node it chose, which peers back. */
export type End = "own" | "mirrored";

export type Filters = ReadonlyMap<string, BGPFilterSpec>;

export interface Ends {
  readonly asNumber: number;
  readonly localASNumber: number;
}

export function peerTerms(
  spec: BGPPeerSpec,
  settings: NodeSettings,
  end: End,
  ends: Ends,
  filters: Filters,
): PeerTerms {
  const external = ends.asNumber !== ends.localASNumber;
  const hops = spec.ttlSecurity ?? 0;
  const ttl = spec.multihop === false ? 1 : spec.multihop === true ? undefined : spec.multihop;
  const longLived = secondsOf(spec.longLivedRestartTime ?? 0);
  const named = spec.filters ?? [];
  return {
    holdTime: secondsOf(spec.holdTime ?? settings.holdTime),
    ...(spec.keepaliveTime !== undefined && { keepaliveTime: secondsOf(spec.keepaliveTime) }),
    connectRetryTime: secondsOf(spec.connectRetryTime ?? settings.connectRetryTime),
    maxRestartTime: secondsOf(spec.maxRestartTime ?? DEFAULTS.maxRestartTime),
    ...(longLived > 0 && { longLivedRestartTime: longLived }),
    nextHopMode: spec.nextHopMode ?? (spec.keepOriginalNextHop === true && external ? "Keep" : "Auto"),
    numAllowedLocalASNumbers: spec.numAllowedLocalASNumbers ?? 0,
    ...(hops > 0 && { ttlSecurity: hops }),
    ...(ttl !== undefined && { ttl }),
    ...(spec.families !== undefined && { families: spec.families.map((family) => FAMILIES[family]) }),
    ...(spec.addPath !== undefined && { addPath: end === "own" ? spec.addPath : mirrored(spec.addPath) }),
    ...(spec.extendedNextHop === true && { extendedNextHop: true }),
    ...(external && externalTerms(spec, end)),
    ...(end === "own" && spec.gracefulShutdown === true && { gracefulShutdown: true }),
    ...(spec.maxPrefixes !== undefined && { maxPrefixes: prefixLimit(spec.maxPrefixes) }),
    ...(spec.password !== undefined && { password: secretKeyOf(spec.password) }),
    ...(named.length > 0 && { filters: named.map((name) => ({ name, spec: filters.get(name) })) }),
  };
}

export function secretKeyOf({ secretKeyRef: { name, key } }: PasswordSource): SecretKey {
  return { name, key };
}

/** What of it cannot be had, or says nothing, in words. */
export function termProblems(name: string, spec: BGPPeerSpec, terms: PeerTerms, ends: Ends): string[] {
  const problems: string[] = [];
  for (const filter of terms.filters ?? []) {
    if (filter.spec !== undefined) continue;
    const cure = "apply it, or remove it from filters; until then nothing gets past its place";
    problems.push(`BGPPeer ${name}: there is no BGPFilter ${filter.name}: ${cure}`);
  }
  const idle = ends.asNumber === ends.localASNumber ? externalOnly(spec) : [];
  if (idle.length > 0) {
    const what = `${idle.join(", ")} ${idle.length === 1 ? "is" : "are"} for peers of another AS`;
    problems.push(`BGPPeer ${name}: ${what}, and this session is inside AS ${ends.asNumber}; ignored`);
  }
  return problems;
}

/** Those of the spec's fields that say nothing on a session inside the AS. */
function externalOnly(spec: BGPPeerSpec): string[] {
  const given = [
    spec.role !== undefined && "role",
    spec.routeServerClient === true && "routeServerClient",
    spec.removePrivateAS === true && "removePrivateAS",
  ];
  return given.filter((field) => field !== false);
}

/** RFC 9234 4.1: what the other side is, by what this one is. */
const OTHER_ROLE: Readonly<Record<Role, Role>> = {
  provider: "customer",
  customer: "provider",
  peer: "peer",
  rs: "rs-client",
  "rs-client": "rs",
};

function externalTerms(spec: BGPPeerSpec, end: End): Partial<PeerTerms> {
  const { role, strictRole } = spec;
  return {
    ...(role !== undefined && { role: end === "own" ? role : OTHER_ROLE[role] }),
    ...(role !== undefined && strictRole === true && { strictRole }),
    ...(end === "own" && spec.routeServerClient === true && { routeServerClient: true }),
    ...(spec.removePrivateAS === true && { removePrivateAS: true }),
  };
}

const FAMILIES: Readonly<Record<"ipv4-unicast" | "ipv6-unicast", Family>> = { "ipv4-unicast": 4, "ipv6-unicast": 6 };

// One side sends several paths where the other receives them.
function mirrored({ send, receive }: NonNullable<BGPPeerSpec["addPath"]>): NonNullable<PeerTerms["addPath"]> {
  return { ...(receive !== undefined && { send: receive }), ...(send !== undefined && { receive: send }) };
}

function prefixLimit({ limit, action, restartAfter }: NonNullable<BGPPeerSpec["maxPrefixes"]>) {
  return { limit, action: action ?? "shutdown", restartAfter: secondsOf(restartAfter ?? DEFAULT_RESTART_AFTER) };
}
