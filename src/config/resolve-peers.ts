/**
 * Whom one node peers with. Strongest first, and never two sessions with one neighbour that nobody asked for twice:
 *
 * 1. BGPPeers with peerIP; cluster-wide ones before those for chosen nodes, as in Calico.
 * 2. BGPPeers with peerSelector that choose this node as the one to peer from.
 * 3. The same, mirrored: this node is chosen by peerSelector, and reversePeering is not Manual.
 * 4. The mesh, which route reflectors are not in.
 *
 * A session between two nodes carries both families, so a node is reached once: over IPv4 where both have it.
 */
import {
  type Address,
  type Family,
  familyOf,
  formatAddress,
  parseAddress,
  sameAddress,
} from "../../ipam/net/address.ts";
import { addressOfFamily, type Cluster, commonFamily, DEFAULTS, type KnownNode } from "./cluster.ts";
import { readPeerAddress } from "./peer-address.ts";
import type { PeerIntent, PeerTerms } from "./peer-intent.ts";
import { type End, type Ends, peerTerms, secretKeyOf, termProblems } from "./peer-terms.ts";
import { type Peering, readPeering } from "./peering.ts";
import type { BGPPeerResource } from "./resource.ts";

export interface PeerSet {
  readonly peers: readonly PeerIntent[];
  readonly problems: readonly string[];
}

export function resolvePeers(cluster: Cluster, resources: readonly BGPPeerResource[], me: KnownNode): PeerSet {
  const set = new PeerCollection(cluster, me);
  const sorted = [...resources].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  const peerings = sorted.map((resource) => readPeering(resource));
  const byAddress = peerings.filter(({ resource }) => (resource.spec.peerIP ?? "") !== "");
  const bySelector = peerings.filter(({ resource }) => (resource.spec.peerSelector ?? "") !== "");
  for (const type of ["global", "node specific"]) {
    for (const peering of byAddress) if (peering.type === type && peering.from(me)) set.addAddress(peering);
  }
  const others = cluster.nodes.filter((node) => node.name !== me.name);
  for (const peering of bySelector.filter((candidate) => candidate.from(me))) {
    for (const node of others) if (peering.to(node)) set.addNode(peering, node, "own");
  }
  for (const peering of bySelector.filter((candidate) => candidate.to(me))) {
    if (peering.resource.spec.reversePeering === "Manual") continue;
    for (const node of others) if (peering.from(node)) set.addNode(peering, node, "mirrored");
  }
  if (cluster.mesh.enabled && me.clusterID === undefined) {
    for (const node of others) if (node.clusterID === undefined) set.addMesh(node);
  }
  return set;
}

class PeerCollection implements PeerSet {
  readonly peers: PeerIntent[] = [];
  readonly problems: string[] = [];
  readonly #said = new Set<string>();
  /** Addresses that have a session: a mesh of a thousand nodes asks a thousand times. */
  readonly #reached = new Set<string>();
  readonly #cluster: Cluster;
  readonly #me: KnownNode;

  constructor(cluster: Cluster, me: KnownNode) {
    this.#cluster = cluster;
    this.#me = me;
  }

  addAddress(peering: Peering): void {
    const { spec } = peering.resource;
    const target = readPeerAddress(spec.peerIP ?? "");
    const address = parseAddress(target?.address ?? "");
    const say = (text: string) => this.#say(`BGPPeer ${peering.name}: ${text}`);
    if (target === undefined || address === undefined) return say(`${spec.peerIP} is not an address`);
    const text = formatAddress(address);
    // A peering for everybody with one node's address means everybody else.
    if (this.#me.addresses.includes(text)) return;
    if (spec.asNumber === undefined) return say(`the AS of ${target.address} is unknown; give asNumber`);
    const owner = this.#cluster.nodes.find(({ addresses }) => addresses.includes(text));
    const port = target.port ?? owner?.settings.listenPort ?? DEFAULTS.listenPort;
    const same = this.peers.find((peer) => peer.port === port && sameAddress(peer.address, address));
    if (same !== undefined) {
      return say(`${text} port ${port} is BGPPeer ${same.name}'s already; ignored`);
    }
    const source = this.#source(peering, familyOf(address));
    if (source === "missing") {
      return say(`${target.address} is IPv${familyOf(address)}, and node ${this.#me.name} has no such address`);
    }
    const reachableBy = parseAddress(spec.reachableBy ?? "");
    const ends = { asNumber: spec.asNumber, localASNumber: spec.localASNumber ?? this.#me.asNumber };
    this.#add({
      name: peering.name,
      type: peering.type,
      ...(owner !== undefined && { node: owner.name }),
      address,
      port,
      ...ends,
      ...(source !== undefined && { sourceAddress: source }),
      ...(reachableBy !== undefined && { reachableBy }),
      passive: spec.passive ?? false,
      ...this.#terms(peering, "own", ends),
      ...this.#reflection(ends, owner),
    });
  }

  addNode(peering: Peering, node: KnownNode, end: End): void {
    if (this.#reaches(node)) return;
    const family = commonFamily(this.#me, node);
    if (family === undefined) {
      this.#say(`BGPPeer ${peering.name}: ${noCommonFamily(this.#me, node)}`);
      return;
    }
    const source = this.#source(peering, family);
    const ends = {
      asNumber: shownAS(peering, node, this.#me),
      localASNumber: shownAS(peering, this.#me, node),
    };
    this.#add({
      name: `${peering.name}/${node.name}`,
      type: peering.type,
      node: node.name,
      address: addressOfFamily(node, family) as Address,
      port: node.settings.listenPort,
      ...ends,
      ...(source !== undefined && source !== "missing" && { sourceAddress: source }),
      passive: false,
      ...this.#terms(peering, end, ends),
      ...this.#reflection(ends, node),
    });
  }

  addMesh(node: KnownNode): void {
    if (this.#reaches(node)) return;
    const family = commonFamily(this.#me, node);
    if (family === undefined) {
      this.#say(`mesh: ${noCommonFamily(this.#me, node)}`);
      return;
    }
    const { password } = this.#cluster.mesh;
    this.#add({
      name: `mesh/${node.name}`,
      type: "node-to-node mesh",
      node: node.name,
      address: addressOfFamily(node, family) as Address,
      port: node.settings.listenPort,
      asNumber: node.asNumber,
      localASNumber: this.#me.asNumber,
      sourceAddress: addressOfFamily(this.#me, family) as Address,
      passive: false,
      holdTime: this.#me.settings.holdTime,
      connectRetryTime: this.#me.settings.connectRetryTime,
      maxRestartTime: this.#cluster.mesh.maxRestartTime,
      nextHopMode: "Auto",
      numAllowedLocalASNumbers: 0,
      ...(password !== undefined && { password: secretKeyOf(password) }),
    });
  }

  #reaches(node: KnownNode): boolean {
    return node.addresses.some((address) => this.#reached.has(address));
  }

  #add(peer: PeerIntent): void {
    const families = peer.families?.filter((family) => this.#carries(family, peer.extendedNextHop));
    if (families?.length === 0) {
      const asked = peer.families?.map((family) => `ipv${family}-unicast`).join(", ");
      return this.#say(
        `BGPPeer ${peer.name}: node ${this.#me.name} has no address for ${asked}; the session is left out`,
      );
    }
    this.peers.push(families === undefined ? peer : { ...peer, families });
    this.#reached.add(formatAddress(peer.address));
  }

  /** A route needs a next hop: an address of its family, or an IPv6 one (RFC 8950). */
  #carries(family: Family, extendedNextHop: boolean | undefined): boolean {
    const hasIPv6 = this.#me.ipv6 !== undefined;
    return family === 6 ? hasIPv6 : this.#me.ipv4 !== undefined || (hasIPv6 && extendedNextHop === true);
  }

  #source(peering: Peering, family: Family): Address | "missing" | undefined {
    if (peering.resource.spec.sourceAddress === "None") return undefined;
    return addressOfFamily(this.#me, family) ?? "missing";
  }

  #terms(peering: Peering, end: End, ends: Ends): PeerTerms {
    const { spec } = peering.resource;
    const terms = peerTerms(spec, this.#me.settings, end, ends, this.#cluster.filters);
    for (const problem of termProblems(peering.name, spec, terms, ends)) this.#say(problem);
    return terms;
  }

  /** RFC 4456: as in Calico, who is in no cluster or in another one is a client of this node. */
  #reflection({ asNumber, localASNumber }: Ends, other: KnownNode | undefined): Pick<PeerIntent, "reflection"> {
    const { clusterID } = this.#me;
    if (clusterID === undefined || asNumber !== localASNumber) return {};
    const sameCluster = other?.clusterID !== undefined && sameAddress(other.clusterID, clusterID);
    return { reflection: { clusterID, client: !sameCluster } };
  }

  /** Once, however many sessions have the problem. */
  #say(problem: string): void {
    if (this.#said.has(problem)) return;
    this.#said.add(problem);
    this.problems.push(problem);
  }
}

// localASNumber is shown by the side that the BGPPeer is for; the other side has to expect exactly that one.
function shownAS(peering: Peering, from: KnownNode, to: KnownNode): number {
  const shows = peering.from(from) && peering.to(to);
  return (shows ? peering.resource.spec.localASNumber : undefined) ?? from.asNumber;
}

function noCommonFamily(me: KnownNode, other: KnownNode): string {
  if (other.ipv4 === undefined && other.ipv6 === undefined) return `node ${other.name} has no address`;
  return `nodes ${me.name} and ${other.name} have no address family in common`;
}
