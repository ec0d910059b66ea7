/** From what the resources ask for to what the speaker is told. */
import type { SpeakerSettings } from "../../bgp/facts.ts";
import type { FilterChain, Tag } from "../../bgp/policy/chain.ts";
import { compileFilter, compileTag, missingFilter } from "../../bgp/policy/compile-filter.ts";
import type { Filter } from "../../bgp/policy/filter.ts";
import type { PeerConfig } from "../../bgp/session/peer-config.ts";
import { type Address, type Family, familyOf } from "../../ipam/net/address.ts";
import { hostPrefix } from "../../ipam/net/prefix.ts";
import type { SecretKey } from "../config/peer-intent.ts";
import type { NodeConfig, PeerIntent } from "../config/resolve.ts";
import { allServiceRanges } from "../config/services.ts";
import type { Link } from "../kernel/links.ts";
import { ownAddresses } from "../speaker/own-addresses.ts";
import type { Password } from "./passwords.ts";
import { podRoutes } from "./pod-routes.ts";
import { reflectedRoutes } from "./reflected-routes.ts";

/** As the resources have it, for the speaker as a whole. */
export function speakerSettings({ pathChoice }: NodeConfig): SpeakerSettings {
  const { compareMED, missingMED, multipath } = pathChoice;
  return {
    compareMed: compareMED === "Always" ? "always" : "same-as",
    missingMed: missingMED === "Worst" ? "worst" : "best",
    multipath,
  };
}

/**
 * A node announces its own routes only, to routers and nodes alike: it never becomes a transit between two routers,
 * and a router hears of each block from its owner alone. What its own pods announce counts as its own. A route
 * reflector passes routes of the pools on besides. See docs/decisions/announce-own-routes-only.md.
 */
export function peerConfigs(
  config: NodeConfig,
  passwordOf: (key: SecretKey) => Password,
  links: () => readonly Link[] = () => [],
): PeerConfig[] {
  const localAddresses: { 4?: Address; 6?: Address } = {};
  if (config.ipv4 !== undefined) localAddresses[4] = config.ipv4.address;
  if (config.ipv6 !== undefined) localAddresses[6] = config.ipv6.address;
  const policy = new Policies(config);
  return config.peers.map((peer) => ({
    name: peer.name,
    address: peer.address,
    port: peer.port,
    asNumber: peer.asNumber,
    localAsNumber: peer.localASNumber,
    routerId: config.routerID,
    enabled: true,
    sourceAddress: peer.sourceAddress,
    device: undefined,
    passive: peer.passive,
    ...protection(peer, passwordOf),
    ttlSecurity: peer.ttlSecurity,
    ttl: peer.ttl,
    families: peer.families ?? familiesWith(localAddresses, peer.extendedNextHop === true),
    holdTime: peer.holdTime,
    keepaliveTime: peer.keepaliveTime,
    connectRetryTime: peer.connectRetryTime ?? 5,
    restartTime: peer.maxRestartTime,
    endsQuietly: "on change",
    longLivedStaleTime: peer.longLivedRestartTime,
    // A reflector's clients choose between the paths themselves, so that ECMP survives it.
    addPath: { send: peer.addPath?.send ?? peer.reflection !== undefined, receive: peer.addPath?.receive ?? true },
    extendedMessages: true,
    extendedNextHop: peer.extendedNextHop ?? false,
    role: peer.role,
    strictRole: peer.strictRole ?? false,
    localAddresses: ownEnd(peer, localAddresses, links),
    nextHopMode: peer.nextHopMode,
    numAllowedLocalAsNumbers: peer.numAllowedLocalASNumbers,
    removePrivateAs: peer.removePrivateAS ?? false,
    exportScope: config.reflects === undefined || peer.pod !== undefined ? "originated" : "all",
    ...(peer.pod !== undefined && { attached: true }),
    reflectorClient: peer.reflection?.client ?? false,
    clusterId: peer.reflection?.clusterID ?? config.routerID,
    routeServerClient: peer.routeServerClient ?? false,
    gracefulShutdown: peer.gracefulShutdown ?? false,
    ...policy.of(peer),
    maxPrefixes: peer.maxPrefixes,
    maxPrefixesOut: undefined,
  }));
}

/** A session that was to be protected never comes up without. */
function protection(
  { password }: PeerIntent,
  passwordOf: (key: SecretKey) => Password,
): Pick<PeerConfig, "password" | "held"> {
  if (password === undefined) return { password: undefined };
  const found = passwordOf(password);
  return "value" in found ? { password: found.value } : { password: undefined, held: `no password: ${found.missing}` };
}

function ownEnd(peer: PeerIntent, own: PeerConfig["localAddresses"], links: () => readonly Link[]) {
  // A pod finds us at the address it dialed.
  if (peer.pod !== undefined) return {};
  return peer.sourceAddress === undefined ? onTheLink(peer, own, links()) : own;
}

/**
 * Where the kernel chooses our end of the session, that is what the peer is given as next hop: with a session per
 * uplink, each leads back over its own. In the other family it is the address on the same link, if there is one.
 */
function onTheLink(peer: PeerIntent, own: PeerConfig["localAddresses"], links: readonly Link[]) {
  const { [familyOf(peer.address)]: _ours, ...other } = own;
  return { ...other, ...ownAddresses(hostPrefix(peer.address), undefined, links) };
}

function familiesWith(own: PeerConfig["localAddresses"], extendedNextHop: boolean): Family[] {
  const families = ([4, 6] as const).filter((family) => own[family] !== undefined);
  return extendedNextHop && own[6] !== undefined ? [4, 6] : families;
}

type Policy = Pick<PeerConfig, "importChain" | "exportChain" | "requiresPolicy">;

/** The chains of all peers; what several of them have is made once. */
class Policies {
  readonly #config: NodeConfig;
  readonly #compiled = new Map<string, Filter>();
  readonly #tags: readonly Tag[];
  readonly #passedOn: Filter | undefined;
  readonly #fromPods: Filter;

  constructor(config: NodeConfig) {
    this.#config = config;
    this.#tags = config.advertisements.map(({ prefix, communities }) => compileTag(prefix, communities));
    this.#fromPods = podRoutes(config.local?.guarded ?? []);
    this.#passedOn = config.reflects && reflectedRoutes(config.reflects, allServiceRanges(config.services));
  }

  of(peer: PeerIntent): Policy {
    const requiresPolicy = this.#config.ebgpRequiresPolicy && peer.asNumber !== peer.localASNumber;
    const isPod = peer.pod !== undefined;
    // Our own rules are no policy of the operator's.
    const withOurs = (asked: readonly Filter[], ours: Filter | undefined) =>
      chainOf(ours === undefined || (requiresPolicy && asked.length === 0) ? asked : [...asked, ours]);
    const passedOn = isPod ? undefined : this.#passedOn;
    return {
      requiresPolicy,
      importChain: withOurs(this.#filters(peer, "import"), isPod ? this.#fromPods : undefined),
      exportChain: { ...withOurs(this.#filters(peer, "export"), passedOn), tags: this.#tags },
    };
  }

  /** Those that have a rule for the direction. */
  #filters(peer: PeerIntent, direction: Filter["direction"]): Filter[] {
    const filters = (peer.filters ?? []).map(({ name, spec }) => {
      const key = `${direction} ${name}`;
      const made =
        this.#compiled.get(key) ??
        (spec === undefined ? missingFilter(name, direction) : compileFilter(name, spec, direction));
      this.#compiled.set(key, made);
      return made;
    });
    return filters.filter(({ ipv4, ipv6 }) => ipv4.length + ipv6.length > 0);
  }
}

function chainOf(filters: readonly Filter[]): FilterChain {
  return { filters, otherwise: "Accept", tags: [] };
}
