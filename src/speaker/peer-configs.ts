/** From a speaker's file to what the speaker is told: defaults filled in, text turned into addresses. */
import { type FilterChain, OPEN_CHAIN, type Tag } from "../../bgp/policy/chain.ts";
import { compileFilter, compileTag } from "../../bgp/policy/compile-filter.ts";
import type { Filter } from "../../bgp/policy/filter.ts";
import type { PeerConfig, PeerRange } from "../../bgp/session/peer-config.ts";
import { type Address, addressOf, type Family, formatAddress } from "../../ipam/net/address.ts";
import { hostPrefix, prefixOf } from "../../ipam/net/prefix.ts";
import type { SpeakerConfig, SpeakerPeer } from "../config/speaker-config.ts";
import type { Link } from "../kernel/links.ts";
import { ownAddresses } from "./own-addresses.ts";

export const BGP_PORT = 179;
const ANY_AS = 0;

export interface Peers {
  readonly peers: readonly PeerConfig[];
  readonly ranges: readonly PeerRange[];
}

/** `links`: of this machine, for addresses of the family that a session is not of. */
export function peersOf(config: SpeakerConfig, routerId: Address, links: readonly Link[] = []): Peers {
  const peers: PeerConfig[] = [];
  const ranges: PeerRange[] = [];
  const policies = new Policies(config);
  for (const peer of config.peers ?? []) {
    const resolved = peerConfig(config, peer, routerId, policies);
    const range = peer.address.includes("/") ? prefixOf(peer.address) : undefined;
    const localAddresses = ownAddresses(range ?? hostPrefix(resolved.address), resolved.device, links);
    if (range === undefined) peers.push({ ...resolved, localAddresses });
    else ranges.push({ range, template: { ...resolved, localAddresses } });
  }
  return { peers, ranges };
}

function peerConfig(config: SpeakerConfig, peer: SpeakerPeer, routerId: Address, policies: Policies): PeerConfig {
  const [text, zone] = peer.address.replace(/\/.*/, "").split("%", 2) as [string, string | undefined];
  const localAsNumber = peer.localASNumber ?? config.asNumber;
  const asNumber = peer.asNumber ?? ANY_AS;
  const { maxPrefixes, ttlSecurity = 0 } = peer;
  return {
    name: peerName(peer),
    address: addressOf(text),
    port: peer.port ?? BGP_PORT,
    asNumber,
    localAsNumber,
    routerId,
    enabled: peer.enabled ?? true,
    sourceAddress: sourceOf(peer),
    device: peer.interface ?? zone,
    passive: peer.passive ?? peer.address.includes("/"),
    password: peer.password,
    ttlSecurity: ttlSecurity === 0 ? undefined : ttlSecurity,
    ttl: ttlOf(peer.multihop),
    families: (peer.families ?? ["ipv4-unicast", "ipv6-unicast"]).map((name) => FAMILIES[name]),
    holdTime: peer.holdTime ?? 90,
    keepaliveTime: peer.keepaliveTime,
    connectRetryTime: peer.connectRetryTime ?? 5,
    restartTime: peer.maxRestartTime ?? 120,
    restartOnNotification: peer.restartOnNotification ?? true,
    longLivedStaleTime: peer.longLivedRestartTime === 0 ? undefined : peer.longLivedRestartTime,
    addPath: { send: peer.addPath?.send ?? false, receive: peer.addPath?.receive ?? false },
    extendedMessages: peer.extendedMessages ?? true,
    extendedNextHop: peer.extendedNextHop ?? true,
    role: peer.role,
    strictRole: peer.strictRole ?? false,
    localAddresses: {},
    nextHopMode: peer.nextHopMode ?? "Auto",
    numAllowedLocalAsNumbers: peer.numAllowedLocalASNumbers ?? 0,
    removePrivateAs: peer.removePrivateAS ?? false,
    exportScope: "all",
    reflectorClient: peer.routeReflectorClient ?? false,
    clusterId: peer.clusterID === undefined ? routerId : addressOf(peer.clusterID),
    routeServerClient: peer.routeServerClient ?? false,
    gracefulShutdown: peer.gracefulShutdown ?? false,
    ...policies.of(peer, asNumber !== localAsNumber),
    maxPrefixes: maxPrefixes && {
      limit: maxPrefixes.limit,
      action: maxPrefixes.action ?? "shutdown",
      restartAfter: maxPrefixes.restartAfter ?? 300,
    },
    maxPrefixesOut: peer.maxPrefixesOut,
  };
}

const FAMILIES: Readonly<Record<"ipv4-unicast" | "ipv6-unicast", Family>> = { "ipv4-unicast": 4, "ipv6-unicast": 6 };

/** Its name, or its address written in the one usual way. */
export function peerName({ name, address }: SpeakerPeer): string {
  if (name !== undefined || address.includes("/")) return name ?? address;
  const [text, zone] = address.split("%", 2) as [string, string | undefined];
  const plain = formatAddress(addressOf(text));
  return zone === undefined ? plain : `${plain}%${zone}`;
}

function sourceOf({ sourceAddress }: SpeakerPeer): Address | undefined {
  if (sourceAddress === undefined || sourceAddress === "None") return undefined;
  return addressOf(sourceAddress.replace(/%.*/, ""));
}

function ttlOf(multihop: SpeakerPeer["multihop"]): number | undefined {
  if (typeof multihop === "number") return multihop;
  return multihop === false ? 1 : undefined;
}

type Policy = Pick<PeerConfig, "importChain" | "exportChain" | "requiresPolicy">;

/** The chains of all peers; what several of them have is made once. */
class Policies {
  readonly #config: SpeakerConfig;
  readonly #compiled = new Map<string, Filter>();
  readonly #tags: readonly Tag[];

  constructor(config: SpeakerConfig) {
    this.#config = config;
    const named = new Map((config.communities ?? []).map(({ name, value }) => [name, value]));
    this.#tags = (config.prefixAdvertisements ?? []).map(({ cidr, communities = [] }) => {
      const values = communities.map((one) => named.get(one) ?? one);
      return compileTag(prefixOf(cidr), [...new Set(values)]);
    });
  }

  /** RFC 8212: what `import` and `export` say is a policy; with only one of them, nothing goes the other way. */
  of(peer: SpeakerPeer, external: boolean): Policy {
    const required = this.#config.ebgpRequiresPolicy === true && external;
    const said = peer.import !== undefined || peer.export !== undefined;
    const unsaid = (filters: readonly Filter[]) => (required && said && filters.length === 0 ? "Reject" : "Accept");
    const [incoming, outgoing] = [this.#filters(peer, "import"), this.#filters(peer, "export")];
    return {
      importChain: chainOf(incoming, peer.import ?? unsaid(incoming), []),
      exportChain: chainOf(outgoing, peer.export ?? unsaid(outgoing), this.#tags),
      requiresPolicy: required && !said,
    };
  }

  /** Those that have a rule for the direction. */
  #filters(peer: SpeakerPeer, direction: Filter["direction"]): Filter[] {
    const specs = (peer.filters ?? []).flatMap(
      (name) => this.#config.filters?.filter((one) => one.name === name) ?? [],
    );
    const filters = specs.map(({ name, ...spec }) => {
      const key = `${direction} ${name}`;
      const made = this.#compiled.get(key) ?? compileFilter(name, spec, direction);
      this.#compiled.set(key, made);
      return made;
    });
    return filters.filter(({ ipv4, ipv6 }) => ipv4.length + ipv6.length > 0);
  }
}

function chainOf(filters: readonly Filter[], otherwise: FilterChain["otherwise"], tags: readonly Tag[]): FilterChain {
  if (filters.length === 0 && otherwise === "Accept" && tags.length === 0) return OPEN_CHAIN;
  return { filters, otherwise, tags };
}
