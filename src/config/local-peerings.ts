/**
 * BGPPeers with localWorkloadSelector, as far as resources tell: which of them this node has, on what terms, where its
 * pods dial, and what a pod does not announce unless a filter accepts it. Which pods they choose is in local-peers.ts.
 */
import { type Address, type Family, familyOf, formatAddress, parseAddress } from "../../ipam/net/address.ts";
import {
  containsAddress,
  containsPrefix,
  formatPrefix,
  hostPrefix,
  type Prefix,
  prefixAround,
  prefixOf,
} from "../../ipam/net/prefix.ts";
import { addressOfFamily, type Cluster, configurationOf, type KnownNode } from "./cluster.ts";
import { readPeerAddress } from "./peer-address.ts";
import type { PeerTerms } from "./peer-intent.ts";
import { peerTerms, termProblems } from "./peer-terms.ts";
import { type Labels, labelTest, readPeering } from "./peering.ts";
import type { ResourceSnapshot } from "./resource.ts";
import { allServiceRanges, serviceSettingsOf } from "./services.ts";

export interface LocalPeering {
  /** Of the BGPPeer. */
  readonly name: string;
  readonly asNumber: number;
  readonly localASNumber: number;
  readonly terms: PeerTerms;
  chooses(pod: Labels): boolean;
}

/** Destinations that are not a pod's to announce, and what they are, in words. */
export interface Guarded {
  readonly what: string;
  readonly prefixes: readonly Prefix[];
}

export interface LocalPeerings {
  /** Sorted by name; of two that choose one pod the first has it. */
  readonly peerings: readonly LocalPeering[];
  /** What pods dial, in each family in which they can. */
  readonly addresses: { readonly 4?: Address; readonly 6?: Address };
  readonly guarded: readonly Guarded[];
  readonly problems: readonly string[];
}

/** A pod that goes wild takes neither the node's memory nor its session with a router, which has a limit as well. */
const USUAL_LIMIT = { limit: 100, action: "block", restartAfter: 300 } as const;

const FIELDS = { 4: "localWorkloadPeeringIPV4", 6: "localWorkloadPeeringIPV6" } as const;

/** Undefined: no BGPPeer asks for it on this node. */
export function resolveLocalPeerings(
  snapshot: ResourceSnapshot,
  cluster: Cluster,
  me: KnownNode,
): LocalPeerings | undefined {
  const asked = snapshot.bgpPeers
    .filter(({ spec }) => (spec.localWorkloadSelector ?? "") !== "")
    .map((resource) => readPeering(resource))
    .filter((peering) => peering.from(me))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  if (asked.length === 0) return undefined;
  const problems: string[] = [];
  const addresses = addressesFor(snapshot, cluster, problems);
  const peerings = asked.flatMap(({ name, resource: { spec } }): LocalPeering[] => {
    if (spec.asNumber === undefined) return [];
    if (addresses[4] === undefined && addresses[6] === undefined) {
      const cure = `set ${FIELDS[4]} or ${FIELDS[6]} in BGPConfiguration default`;
      problems.push(`BGPPeer ${name}: localWorkloadSelector chooses pods that have no address to dial; ${cure}`);
    }
    const ends = { asNumber: spec.asNumber, localASNumber: spec.localASNumber ?? me.asNumber };
    const terms = { maxPrefixes: USUAL_LIMIT, ...peerTerms(spec, me.settings, "own", ends, cluster.filters) };
    problems.push(...termProblems(name, spec, terms, ends));
    return [{ name, ...ends, terms, chooses: labelTest(spec.localWorkloadSelector ?? "") }];
  });
  return { peerings, addresses, guarded: guardedOf(snapshot, cluster, me, addresses), problems };
}

function addressesFor(snapshot: ResourceSnapshot, cluster: Cluster, problems: string[]): LocalPeerings["addresses"] {
  const found: { 4?: Address; 6?: Address } = {};
  const configuration = configurationOf(snapshot, "default");
  for (const family of [4, 6] as const) {
    const address = parseAddress(configuration[FIELDS[family]] ?? "");
    if (address === undefined) continue;
    const owner = ownerOf(address, family, snapshot, cluster);
    if (owner === undefined) found[family] = address;
    else {
      const where = `BGPConfiguration default: ${FIELDS[family]} ${formatAddress(address)}`;
      problems.push(`${where} ${owner}; give an address that nothing else has, until then pods have none to dial`);
    }
  }
  return found;
}

/** Whose the address is already, in words. */
function ownerOf(
  address: Address,
  family: Family,
  { pools }: ResourceSnapshot,
  { nodes }: Cluster,
): string | undefined {
  const pool = pools.find(({ spec }) => containsAddress(prefixOf(spec.cidr), address));
  if (pool !== undefined) return `is inside IPPool ${pool.metadata.name}`;
  const text = formatAddress(address);
  const node = nodes.find((known) => {
    const own = addressOfFamily(known, family);
    return own !== undefined && formatAddress(own) === text;
  });
  return node && `is the address of node ${node.name}`;
}

function guardedOf(
  snapshot: ResourceSnapshot,
  { nodes }: Cluster,
  me: KnownNode,
  addresses: LocalPeerings["addresses"],
): Guarded[] {
  const own = [me.ipv4, me.ipv6].flatMap((one) => (one === undefined ? [] : prefixAround(one.address, one.length)));
  const peers = snapshot.bgpPeers.flatMap(({ spec }) => hostOf(readPeerAddress(spec.peerIP ?? "")?.address));
  const pods = snapshot.pools.map(({ metadata, spec }) => {
    return { what: `IPPool ${metadata.name} (${spec.cidr})`, prefixes: [prefixOf(spec.cidr)] };
  });
  const services = allServiceRanges(serviceSettingsOf(snapshot, me.name));
  return [
    ...pods,
    ...own.map((network) => ({ what: `the node's own network ${formatPrefix(network)}`, prefixes: [network] })),
    { what: "the address of a node", prefixes: outside(own, nodes.flatMap(hostsOf)) },
    { what: "the address of a BGPPeer", prefixes: outside(own, peers) },
    ...services.map((range) => ({ what: `the services' range ${formatPrefix(range)}`, prefixes: [range] })),
    { what: "the address that pods dial", prefixes: [addresses[4], addresses[6]].flatMap(prefixesOf) },
  ].filter(({ prefixes }) => prefixes.length > 0);
}

/** Those that no network of the list contains: one of two rules is enough. */
function outside(networks: readonly Prefix[], hosts: readonly Prefix[]): Prefix[] {
  return hosts.filter(
    (host) => !networks.some((network) => sameFamily(network, host) && containsPrefix(network, host)),
  );
}

const sameFamily = (a: Prefix, b: Prefix): boolean => familyOf(a.address) === familyOf(b.address);
const hostsOf = ({ ipv4, ipv6 }: KnownNode): Prefix[] => [ipv4?.address, ipv6?.address].flatMap(prefixesOf);
const prefixesOf = (address: Address | undefined): Prefix[] => (address === undefined ? [] : [hostPrefix(address)]);
const hostOf = (text: string | undefined): Prefix[] => prefixesOf(parseAddress(text ?? ""));
